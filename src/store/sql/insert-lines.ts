import { statement } from "../statement.ts";

// Purpose: the block's ledger lines, in the order they were decided. Rows: at most the block's bound.
export const insertLines = statement(
  "insert_lines",
  `insert into line (lane, block, index, recorded_at, debit, credit, amount, case_id, currency, posting)
   select z.lane, $2::bigint, l.index - 1, $3::timestamptz, l.debit, l.credit, l.amount, l.case_id, l.currency, l.posting
   from lane z, unnest($4::bigint[], $5::bigint[], $6::numeric[], $7::uuid[], $8::text[], $9::text[])
     with ordinality l(debit, credit, amount, case_id, currency, posting, index)
   where z.lane = $1`,
);
