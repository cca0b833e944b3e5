// Statements about what lanes send each other.

import { statement } from "../statement.ts";

// Purpose: what a lane has sent and taken, read when it is taken: from then on its owner remembers. Index: primary keys.
// Rows: at most two a lane that there is.
export const readSent = statement(
  "read_sent",
  `select to_lane as lane, next_sequence as sequence from sent where lane = $1`,
);
export const readSeen = statement("read_seen", `select from_lane as lane, sequence from seen where lane = $1`);

// Purpose: where the relay of a lane goes on with each other lane: behind what that one has taken. The only statement of the
// service that reads what other lanes wrote; it is a position, and one that is out of date costs repeats, nothing else.
// Index: primary keys. Rows: one a lane that was ever sent to.
export const readOutlets = statement(
  "read_outlets",
  `select s.to_lane, s.next_sequence, coalesce(n.sequence, -1) as seen
   from sent s left join seen n on n.lane = s.to_lane and n.from_lane = s.lane
   where s.lane = $1 and s.to_lane <> $1`,
);

// Purpose: messages to one lane from a sequence on. Index: primary key of each partition. Rows: the limit.
export const readCrossing = statement(
  "read_crossing",
  `select sequence, key, value from outbox
   where lane = $1 and topic = 3 and to_lane = $2::smallint and sequence >= $3 and sequence < $4
   order by sequence limit $5`,
);
