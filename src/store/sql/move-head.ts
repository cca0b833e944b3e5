import { statement } from "../statement.ts";

// Purpose: the compare-and-set that makes the block real. It raises an error (MR001) when no row matches: a statement
// that merely matched nothing would let the COMMIT behind it keep the block's rows. Locks: the lane row, held already.
// Rows: one.
export const moveHead = statement(
  "move_head",
  `with moved as (
     update lane set block = $3::bigint, digest = $4::bytea, now_at = $5::timestamptz,
       intents_next = $6::bigint, intents_last = $7::bigint, intents_last_at = $8::timestamptz, intents_last_hash = $9::bytea,
       reports_next = $10::bigint, reports_last = $11::bigint, reports_last_at = $12::timestamptz, reports_last_hash = $13::bytea,
       timer_due_at = $14::timestamptz, timer_case_id = $15::uuid, timer_name = $16::text,
       outcomes_next = $17::bigint, commands_next = $18::bigint, dead_letters_next = $19::bigint, accounts = $20::bigint
     where lane = $1 and epoch = $2::bigint and block = $3::bigint - 1 and digest = $21::bytea
     returning lane
   )
   select assert_head_moved((select count(*) from moved), $1::int, $3::bigint)`,
);
