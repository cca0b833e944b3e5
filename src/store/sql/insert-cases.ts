import { statement } from "../statement.ts";

// Purpose: cases opened by this block. Locks: none beyond the rows. Rows: at most one a batch input. A case id that is
// there already violates the primary key and ends the block: the batch read it before, so that would be a bug.
export const insertCases = statement(
  "insert_cases",
  `insert into case_state (lane, case_id, kind, flow, holder_id, state, data, history, occurred_at)
   select z.lane, c.*
   from lane z, unnest($2::uuid[], $3::text[], $4::smallint[], $5::text[], $6::text[], $7::jsonb[], $8::text[],
                       $9::timestamptz[]) c
   where z.lane = $1`,
);
