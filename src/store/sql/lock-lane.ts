import { statement } from "../statement.ts";

// Purpose: fence and head of a lane at the start of its block. Locks: the lane row, the only lock of a block; a newer
// owner that is taking the lane makes us wait, and then the epoch differs. Index: lane_pkey. Rows: one.
export const lockLane = statement(
  "lock_lane",
  `select epoch, block, digest, clock_timestamp() as clock_at
   from lane where lane = $1 for update`,
);
