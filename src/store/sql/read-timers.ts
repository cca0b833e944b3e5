import { statement } from "../statement.ts";

// Purpose: the next timers of a lane, from the last one fired on. The position keeps the scan short: fired timers leave
// dead rows at the front of the index. Locks: none. Index: primary key. Rows: the limit.
export const readTimers = statement(
  "read_timers",
  `select due_at, case_id::text as case_id, name from timer
   where lane = $1 and (due_at, case_id, name) > ($2::timestamptz, $3::uuid, $4::text)
   order by due_at, case_id, name limit $5`,
);
