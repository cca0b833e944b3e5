-- Up Migration
--
-- The settings that decide stand beside the parameters, under the same number: whoever decides a block again must not go by
-- those of today. Null for versions of before and for blocks without a version: then nobody knows them.
--
-- Locks: access exclusive on a table of few rows. Duration: milliseconds. Instances need not be stopped for it: they write
-- the table only when they start, and keep to the version that they began with.

alter table millrace.parameter_version add column settings text;   -- JSON: src/service/parameters.ts
