import { statement } from "../statement.ts";

// Purpose: timers armed by this block. Rows: at most some a batch input.
export const insertTimers = statement(
  "insert_timers",
  `insert into timer (lane, due_at, case_id, name)
   select z.lane, t.* from lane z, unnest($2::timestamptz[], $3::uuid[], $4::text[]) t where z.lane = $1`,
);
