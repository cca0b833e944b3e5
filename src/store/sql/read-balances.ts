import { statement } from "../statement.ts";

// Purpose: the holders' accounts that a batch touches. Locks: none, for the same reason as the cases.
// Index: balance_path, one walk along it: path by path it took two and a half times as long. The order is nobody's wish: it
// is what the primary key cannot give, and sorting is switched off for the service's sessions (from Postgres 17 on
// a list of paths is walked in order; before, every account of the lane was read). A plan that was made before
// the table was analyzed took all accounts of the lane by that key and compared each with each path (600 of 1,500: 37 ms
// in place of 1). Rows: at most two a batch input.
export const readBalances = statement(
  "read_balances",
  `select account, path, currency, floor_minor, status, debits, credits
   from balance where lane = $1 and path = any($2::text[]) order by path, currency`,
);
