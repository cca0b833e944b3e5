-- Up Migration
--
-- Versions of parameters: what is laid over the defaults of flows for tenants, providers and holders. A block names the
-- version that it decided by (`block.parameters_version`, 0 for none), so every version stays, as with flows.
--
-- Locks: creates only. Duration: milliseconds.

set search_path = millrace;

-- Reference table: written by `migrate` and at the start of `run`. The same values have one number for ever, also when they
-- come back after others: the hash is over the values, not over the files' layout.
create table parameter_version (
  version bigint generated always as identity primary key,
  content_hash text not null unique,
  source text not null,                             -- JSON: src/domain/parameters/stored.ts
  registered_at timestamptz not null default now()
);

grant select on parameter_version to millrace_service, millrace_reader;
grant insert on parameter_version to millrace_service;
