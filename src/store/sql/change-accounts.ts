import { statement } from "../statement.ts";

// Purpose: floors and statuses changed by this block. Locks: the rows. Index: primary key. Rows: at most one a batch input.
export const changeAccounts = statement(
  "change_accounts",
  `update balance b set floor_minor = a.floor_minor, status = a.status
   from unnest($2::bigint[], $3::numeric[], $4::text[]) a(account, floor_minor, status)
   where b.lane = $1 and b.account = a.account`,
);
