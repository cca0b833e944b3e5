// Statements about what lanes send each other.

import { statement } from "../statement.ts";

// Purpose: what a lane has sent and taken, read when it is taken: from then on its owner remembers. Index: primary keys.
// Rows: at most two a lane that there is.
export const readSent = statement(
  "read_sent",
  `select to_lane as lane, next_sequence as sequence from sent where lane = $1`,
);
export const readSeen = statement("read_seen", `select from_lane as lane, sequence from seen where lane = $1`);

// Purpose: where the relay of a lane goes on with each other lane: behind what that one has taken. This and `read_unsent`
// are the only statements of the service that read what other lanes wrote; here it is a position, and one that is out of
// date costs repeats, nothing else.
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

// Purpose: which runs of messages that a block is about to take ($2 lanes, $3 and $4 first and last sequence) their senders'
// outboxes do not hold byte for byte ($5: each value behind its length): after a database was put back, those of a history
// that it has lost. It travels with the reads of the block. A row that is to be there is committed before its message is
// sent, and nothing of it ever changes: so no lock is needed, and with lanes on several nodes it could be asked outside the
// block's dbTransaction. A run is one walk along the index: message by message it took three times as long. A scalar
// subquery, so that each is found by its key: as a join it could be planned as a scan. Index: primary key; the bounds on
// recorded_at ($6, $7: microseconds) spare the partitions of other times: the executor skips them when it starts. A generic
// plan, which this becomes, has them all, so all are locked (access share) all the same. Rows: none.
export const readUnsent = statement(
  "read_unsent",
  `select u.at from unnest($2::int[], $3::bigint[], $4::bigint[], $5::bytea[]) with ordinality u(from_lane, first, last, run, at)
   where (select string_agg(int4send(length(o.value)) || o.value, '' order by o.sequence) from outbox o
     where o.lane = u.from_lane and o.topic = 3 and o.to_lane = $1::smallint and o.sequence between u.first and u.last
       and o.recorded_at between 'epoch'::timestamptz + $6::bigint * interval '1 microsecond'
         and 'epoch'::timestamptz + $7::bigint * interval '1 microsecond') is distinct from u.run`,
);
