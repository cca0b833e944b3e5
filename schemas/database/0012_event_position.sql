-- Up Migration
--
-- How far a provider's list of events has been read for what no webhook told, in the provider's words. Written by the owner of
-- the lane to which the provider's name hashes: its epoch is compared, so one from before sets it back no more. A position that
-- is lost or old costs questions, no money: what is read twice the cases absorb.
--
-- Locks: creates only. Duration: milliseconds. Instances need not be stopped for it: those of before do not know it.

set search_path = millrace;

create table event_position (
  lane int not null,
  provider text not null,
  position text not null,
  written_at timestamptz not null,
  primary key (lane, provider)
);

grant select on event_position to millrace_service, millrace_reader;
grant insert, update on event_position to millrace_service;
