import { statement } from "../statement.ts";

// Purpose: the whole row, for taking a lane and for `lane show`. Locks: none. Index: lane_pkey. Rows: one.
export const readLane = statement("read_lane", `select * from lane where lane = $1`);
