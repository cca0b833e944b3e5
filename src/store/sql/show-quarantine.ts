import { statement } from "../statement.ts";

// Purpose: where the last $3 records put aside in a lane begin. Locks: none. Index: primary key. Rows: one, none when
// there are fewer.
export const showQuarantineStart = statement(
  "show_quarantine_start",
  `select record_offset from quarantine where lane = $1 and topic = $2
   order by record_offset desc, block desc limit 1 offset $3 - 1`,
);

// Purpose: the next page of records put aside in a lane, behind an offset ($3) and block ($4), without their bytes. Locks:
// none. Index: primary key. Rows: the limit ($5).
export const showQuarantine = statement(
  "show_quarantine",
  `select lane, record_offset, block, recorded_at, reason, detail, key, size, retried_at
   from quarantine where lane = $1 and topic = $2 and record_offset >= $3 and (record_offset, block) > ($3, $4)
   order by record_offset, block limit $5`,
);

// Purpose: one record with its bytes. It is there twice when an operator had the lane take it again: the last is meant.
// Locks: none. Index: primary key. Rows: one.
export const showQuarantined = statement(
  "show_quarantined",
  `select lane, record_offset, block, recorded_at, reason, detail, key, sha256, size, value, retried_at
   from quarantine where lane = $1 and topic = $2 and record_offset = $3
   order by block desc limit 1`,
);

// Purpose: notes that a mended copy was published. Locks: the row. Index: primary key. Rows: one.
export const markRetried = statement(
  "mark_retried",
  `update quarantine set retried_at = clock_timestamp()
   where lane = $1 and topic = $2 and record_offset = $3 and block = $4`,
);
