-- Up Migration
--
-- The commands of which their gateway has said that certainly nothing of them was sent: the case may have asked another
-- provider since. It is written before that is told, so that whoever serves the lane next, from a position that is older,
-- sends nothing for them either. The lane's epoch is compared: an owner from before cannot say it any more.
--
-- Locks: creates only. Duration: milliseconds. Instances need not be stopped for it: those of before neither read nor write
-- it, and for as long as any of them runs, what it says so is as before: known to it alone until its position is written.

set search_path = millrace;

create table call_unavailable (
  lane int not null,
  sequence bigint not null,                         -- of the command in its lane
  not_after timestamptz not null,                   -- the command's: behind it it is never executed, and the row says nothing more
  primary key (lane, sequence)
);

grant select on call_unavailable to millrace_service, millrace_reader;
grant insert, delete on call_unavailable to millrace_service;
