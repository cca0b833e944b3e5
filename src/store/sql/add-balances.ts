import { statement } from "../statement.ts";

// Purpose: what this block adds to accounts that were there. Netted to one row an account before: an account given twice
// would silently keep one of its changes, which is why the count is compared with the number sent.
// Locks: the rows, written by this lane alone. Index: primary key. Rows: at most two a batch input.
export const addBalances = statement(
  "add_balances",
  `update balance b set debits = b.debits + a.debits, credits = b.credits + a.credits
   from unnest($2::bigint[], $3::numeric[], $4::numeric[]) a(account, debits, credits)
   where b.lane = $1 and b.account = a.account`,
);
