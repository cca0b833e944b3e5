import { statement } from "../statement.ts";

// Purpose: cases moved by this block. Locks: their rows, which nobody else writes. Index: primary key, partitions bounded
// as in read-cases. Rows: at most one a batch input; the count is compared with the number sent.
export const updateCases = statement(
  "update_cases",
  `update case_state s set state = c.state, data = c.data, history = c.history
   from unnest($2::uuid[], $3::text[], $4::jsonb[], $5::text[]) c(case_id, state, data, history)
   where s.lane = $1 and s.case_id = c.case_id and s.case_id between $6::uuid and $7::uuid`,
);
