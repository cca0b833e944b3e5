import { statement } from "../statement.ts";

// A lane is free when nobody holds it, its lease has run out, or its owner's session is gone: each process holds an
// advisory lock (7002, process) on one session, and the kernel closes the socket of a killed process.
const IS_GONE = `not exists (select from pg_locks l where l.locktype = 'advisory' and l.classid = 7002 and l.objsubid = 2
  and l.granted and l.database = (select oid from pg_database where datname = current_database()) and l.objid = s.owner::int8)`;
const IS_FREE = `(s.owner is null or s.owner = $1 or s.until < now() or ${IS_GONE})`;

// Purpose: registers a process and its liveness lock, once a session. Rows: one.
export const openProcess = statement(
  "open_process",
  `select n.process, pg_try_advisory_lock(7002, n.process::int) as is_ours
   from (select nextval('process_number') as process offset 0) n`,
);
export const holdProcess = statement("hold_process", `select pg_advisory_lock(7002, $1::int)`);
export const enterProcess = statement(
  "enter_process",
  `insert into process (process, label, seen_at) values ($1, $2, now())
   on conflict (process) do update set seen_at = now()`,
);

// Purpose: one heartbeat: says that we are here, renews our leases, and reads who else is here and what is free.
// Locks: our rows of process and lease. Rows: one. $2 lease time in ms, $3 lanes we hold.
export const tick = statement(
  "lease_tick",
  `with me as (update process set seen_at = now() where process = $1 returning process),
   renewed as (update lease set until = now() + $2 * interval '1 ms' where lane = any($3::int[]) and owner = $1 returning lane),
   here as (select p.process from process p where p.process = $1 or (p.seen_at > now() - $2 * interval '1 ms'
     and exists (select from pg_locks l where l.locktype = 'advisory' and l.classid = 7002 and l.objsubid = 2 and l.granted
       and l.database = (select oid from pg_database where datname = current_database()) and l.objid = p.process::int8))),
   halted as (select distinct lane from halt where resumed_at is null)
   select (select count(*)::int from me) as entered,
     (select count(*)::int from here) as processes,
     (select count(*)::int from here where process < $1) as rank,
     (select count(*)::int from lease) as lanes,
     (select coalesce(array_agg(lane), '{}') from renewed) as mine,
     (select coalesce(array_agg(lane), '{}') from halted) as halted,
     (select coalesce(array_agg(s.lane order by s.lane), '{}') from lease s
       where s.lane <> all($3::int[]) and s.lane not in (select lane from halted) and ${IS_FREE}) as free,
     clock_timestamp() as clock_at`,
);

// Purpose: takes free lanes. Losers of a race get no row. Locks: the lease rows.
export const take = statement(
  "lease_take",
  `update lease s set owner = $1, until = now() + $2 * interval '1 ms'
   where s.lane = any($3::int[]) and ${IS_FREE} returning s.lane`,
);

// Purpose: raises the fence. Locks: the lane row, without waiting (55P03): an earlier owner may be committing a block, and
// one that stands still in the middle of it holds the row until its session times out. Waiting for that here would hold
// up the heartbeat on this session, and with it the leases of all lanes. Rows: one, or none when the lease is not ours or
// the auditor has halted the lane since it was seen free.
export const raiseEpoch = statement(
  "raise_epoch",
  `update lane set epoch = epoch + 1
   where lane = (select z.lane from lane z where z.lane = $1 for update nowait)
     and exists (select from lease where lane = $1 and owner = $2)
     and not exists (select from halt where lane = $1 and resumed_at is null)
   returning *`,
);

// Purpose: gives a lane back. Rows: at most one.
export const release = statement(
  "lease_release",
  `update lease set owner = null, until = 'epoch' where lane = $1 and owner = $2`,
);

// Purpose: whether a lane is still ours, asked before a writer is opened again. Rows: one.
export const owns = statement(
  "lease_owns",
  `select (s.owner = $2 and s.until > now()) and l.epoch = $3 as is_ours from lease s join lane l using (lane) where s.lane = $1`,
);

// Purpose: forgets a process that ends, and those long gone. Rows: few.
export const leaveProcess = statement(
  "leave_process",
  `delete from process where process = $1 or seen_at < now() - interval '1 day'`,
);
