import { statement } from "../statement.ts";

// Purpose: the cases that a batch names. Locks: none, nobody but the lane's owner writes them and it holds the lane row.
// Index: primary key; the bounds on case_id let the planner skip the partitions of other days, which it cannot do from
// an array. Rows: at most one a batch input.
export const readCases = statement(
  "read_cases",
  `select case_id::text as case_id, kind, flow, holder_id, state, data, history, occurred_at
   from case_state
   where lane = $1 and case_id = any($2::uuid[]) and case_id between $3::uuid and $4::uuid`,
);
