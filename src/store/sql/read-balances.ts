import { statement } from "../statement.ts";

// Purpose: the holders' accounts that a batch touches. Locks: none, for the same reason as the cases.
// Index: balance_path. Rows: at most two a batch input.
export const readBalances = statement(
  "read_balances",
  `select account, path, currency, floor_minor, status, debits, credits
   from balance where lane = $1 and path = any($2::text[])`,
);
