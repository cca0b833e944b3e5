import { statement } from "../statement.ts";

// Purpose: the holders' accounts that a batch touches. Locks: none, for the same reason as the cases.
// Index: balance_path. The order is nobody's wish: it is what the primary key cannot give. A plan that was made before
// the table was analyzed took all accounts of the lane by that key and compared each with each path (600 of 1,500: 37 ms
// in place of 1). Rows: at most two a batch input.
export const readBalances = statement(
  "read_balances",
  `select b.* from unnest($2::text[]) p(path) cross join lateral (
     select account, path, currency, floor_minor, status, debits, credits
     from balance where lane = $1 and path = p.path order by currency) b`,
);
