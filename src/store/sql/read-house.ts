import { statement } from "../statement.ts";

// Purpose: ids of the house accounts that this lane has touched so far, once when a lane is taken. Locks: none.
// Index: primary key. Rows: one a house path and currency.
export const readHouse = statement(
  "read_house",
  `select account, path, currency from balance where lane = $1 and account < 0`,
);
