-- Up Migration
--
-- Which provider takes a payment stands beside the parameters, under the same number: whoever decides a block again must go by
-- the routes of then. Null for versions of before, when there were none.
--
-- Locks: access exclusive on a table of few rows. Duration: milliseconds. Instances need not be stopped for it: they write
-- the table only when they start, and keep to the version that they began with.

alter table millrace.parameter_version add column routes text;   -- JSON: src/domain/routes/routes.ts
