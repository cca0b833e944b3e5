import { statement } from "../statement.ts";

// Purpose: the block itself: what it took, what it made, and its place in the chain of digests. Rows: one.
export const insertBlock = statement(
  "insert_block",
  `insert into block (lane, block, recorded_at, epoch, process, previous_digest, digest, lines_hash, messages_hash,
     intents_from, intents_next, reports_from, reports_next, timers, lines, outcomes_from, outcomes_next,
     commands_from, commands_next, dead_letters_from, dead_letters_next, halt)
   select z.lane, $2::bigint, $3::timestamptz, $4::bigint, $5::bigint, $6::bytea, $7::bytea, $8::bytea, $9::bytea,
     $10::bigint, $11::bigint, $12::bigint, $13::bigint, $14::int, $15::int, $16::bigint, $17::bigint,
     $18::bigint, $19::bigint, $20::bigint, $21::bigint, $22::bigint
   from lane z where z.lane = $1`,
);
