-- Up Migration
--
-- The cases that wait for a person: those in a state that their flow declares `human`. Which they are follows from
-- `case_state`, but finding them there means reading it whole, and an index over its states would end its HOT updates. So a
-- block that moves a case into such a state or out of one writes it here too, and all others write nothing more.
--
-- Locks: creates, and reads the cases once. Duration: a minute a hundred million cases, milliseconds where no flow has such
-- a state.

set search_path = millrace;

create table attention (
  lane int not null,
  case_id uuid not null,
  since timestamptz not null,                       -- the `now` of the block that brought it there
  primary key (lane, case_id)
);

grant select on attention to millrace_service, millrace_reader;
grant insert, delete on attention to millrace_service;

-- Since when those of before have waited is not kept: they count from here.
insert into attention (lane, case_id, since)
select s.lane, s.case_id, now()
from flow f
cross join lateral (
  select m[1] as state from regexp_matches(f.source, '^    ([a-z0-9_]+):\n(?:      [^\n]*\n)*      human: true', 'gn') m
) h
join case_state s on s.flow = f.flow and s.state = h.state;
