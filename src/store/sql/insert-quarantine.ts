import { statement } from "../statement.ts";

// Purpose: what this block could not understand. Rows: at most one a batch input.
export const insertQuarantine = statement(
  "insert_quarantine",
  `insert into quarantine (lane, topic, record_offset, block, recorded_at, reason, detail, key, sha256, size, value)
   select z.lane, q.topic, q.record_offset, $2::bigint, $3::timestamptz, q.reason, q.detail, q.key, q.sha256, q.size, q.value
   from lane z, unnest($4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::int[], $11::bytea[])
     q(topic, record_offset, reason, detail, key, sha256, size, value)
   where z.lane = $1`,
);
