-- Up Migration
--
-- The cases that wait for a person: those in a state that their flow declares `human`. Which they are follows from
-- `case_state`, but finding them there means reading it whole, and an index over its states would end its HOT updates. So a
-- block that moves a case into such a state or out of one writes it here too, and all others write nothing more.
--
-- It begins empty, and that is right: no release before this one had flows with such a state, so no case can wait yet.
--
-- Locks: creates only. Duration: milliseconds. Stop the instances before, as for 0003: one that does not know of this
-- table moves cases and writes nothing here.

set search_path = millrace;

create table attention (
  lane int not null,
  case_id uuid not null,
  since timestamptz not null,                       -- the `now` of the block that brought it there
  primary key (lane, case_id)
);

grant select on attention to millrace_service, millrace_reader;
grant insert, delete on attention to millrace_service;
