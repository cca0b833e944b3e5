import { statement } from "../statement.ts";

// Purpose: the block's outgoing messages. One value holds them all, cut by position: a bytea array would have to travel
// and be parsed as hex. Rows: at most some a batch input.
export const insertOutbox = statement(
  "insert_outbox",
  `insert into outbox (lane, topic, sequence, recorded_at, block, key, value)
   select z.lane, m.topic, m.sequence, $2::timestamptz, $3::bigint, m.key, substring($4::bytea from m.start for m.size)
   from lane z, unnest($5::smallint[], $6::bigint[], $7::text[], $8::int[], $9::int[]) m(topic, sequence, key, start, size)
   where z.lane = $1`,
);
