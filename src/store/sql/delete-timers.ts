import { statement } from "../statement.ts";

// Purpose: timers fired or cancelled by this block. Locks: the rows. Index: primary key. The count is compared.
export const deleteTimers = statement(
  "delete_timers",
  `delete from timer t using unnest($2::timestamptz[], $3::uuid[], $4::text[]) g(due_at, case_id, name)
   where t.lane = $1 and t.due_at = g.due_at and t.case_id = g.case_id and t.name = g.name`,
);
