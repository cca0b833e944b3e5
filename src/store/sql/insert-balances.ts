import { statement } from "../statement.ts";

// Purpose: accounts opened by this block, with what it put on them. Rows: at most two a batch input.
export const insertBalances = statement(
  "insert_balances",
  `insert into balance (lane, account, path, currency, floor_minor, status, debits, credits, opened_block)
   select z.lane, b.*, $9::bigint
   from lane z, unnest($2::bigint[], $3::text[], $4::text[], $5::numeric[], $6::text[], $7::numeric[], $8::numeric[]) b
   where z.lane = $1`,
);
