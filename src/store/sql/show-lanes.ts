import { statement } from "../statement.ts";

// A process is there while its session holds its lock (see lease.ts).
const IS_THERE = `exists (select from pg_locks l where l.locktype = 'advisory' and l.classid = 7002 and l.objsubid = 2
  and l.granted and l.database = (select oid from pg_database where datname = current_database()) and l.objid = s.owner::int8)`;

// Purpose: lanes with owner, head, positions, what is known to be published, and their open halt: of one lane, or of all
// ($1 null). Locks: none. Index: lane_pkey, halt_open. Rows: one a lane.
export const showLanes = statement(
  "show_lanes",
  `select z.*, s.owner, p.label, s.owner is not null and s.until >= now() and ${IS_THERE} as is_owned,
     h.halt, h.halted_at, h.cause, h.evidence,
     coalesce((select published_sequence from relay_cursor r where r.lane = z.lane and r.topic = 0), -1) as outcomes_published,
     coalesce((select published_sequence from relay_cursor r where r.lane = z.lane and r.topic = 1), -1) as commands_published,
     coalesce((select published_sequence from relay_cursor r where r.lane = z.lane and r.topic = 2), -1) as dead_letters_published
   from lane z
   left join lease s on s.lane = z.lane
   left join process p on p.process = s.owner
   left join lateral (select * from halt where lane = z.lane and resumed_at is null order by halt desc limit 1) h on true
   where $1::int is null or z.lane = $1
   order by z.lane`,
);

// Purpose: the earlier halts of a lane, newest first, for its story. Locks: none. Index: none, few rows. Rows: ten.
export const showPastHalts = statement(
  "show_past_halts",
  `select halt, halted_at, cause, resumed_at, resumed_reason, resume_intents_at, resume_reports_at, applied
   from halt where lane = $1 and resumed_at is not null order by halt desc limit 10`,
);

// Purpose: closes the open halt of a lane, with the positions that the operator accepts ($3, $4). A position accepted with
// an earlier halt that no block has taken over moves to this one: left where it is, it would be applied by a later
// takeover, over positions that have long gone on. Whether a block has is told by the blocks themselves. Locks: the halt rows. Index: halt_open. Rows: one a closed halt.
export const resumeHalt = statement(
  "resume_halt",
  `with pending as (
     select max(resume_intents_at) as intents_at, max(resume_reports_at) as reports_at, array_agg(halt) as halts from (
       select e.halt, e.resume_intents_at, e.resume_reports_at from halt e
       where e.lane = $1 and e.resumed_at is not null and not e.applied
         and (e.resume_intents_at is not null or e.resume_reports_at is not null)
         and not exists (select from block b where b.lane = e.lane and b.halt = e.halt and b.recorded_at >= e.resumed_at)
       order by e.halt desc limit 1) p
   ), moved as (
     update halt set resume_intents_at = null, resume_reports_at = null,
       resumed_reason = resumed_reason || ' (position never taken over; moved to the next halt)'
     where lane = $1 and halt = any((select halts from pending)::bigint[])
       and exists (select from halt o where o.lane = $1 and o.resumed_at is null)
     returning halt
   )
   update halt h set resumed_at = clock_timestamp(), resumed_reason = $2, outputs_anew = $5::boolean,
     resume_intents_at = case when h.halt = o.newest then coalesce($3::bigint, p.intents_at) end,
     resume_reports_at = case when h.halt = o.newest then coalesce($4::bigint, p.reports_at) end
   from pending p, (select max(halt) as newest from halt where lane = $1 and resumed_at is null) o
   where h.lane = $1 and h.resumed_at is null
   returning h.halt, h.cause, h.resume_intents_at, h.resume_reports_at`,
);
