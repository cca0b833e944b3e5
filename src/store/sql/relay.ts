import { statement } from "../statement.ts";

// Purpose: messages from a sequence on, when a lane is taken with messages not yet published. Index: primary key.
// Rows: the limit. Partitions are all asked, by their index: this runs once a takeover.
export const readOutbox = statement(
  "read_outbox",
  `select sequence, block, key, value from outbox
   where lane = $1 and topic = $2 and sequence >= $3 and sequence < $4 order by sequence limit $5`,
);

// Purpose: the relay's hint of how far it published, and the writer's producer id. Written by the lane's owner alone: the
// epoch is compared. Locks: the row. Rows: one.
export const writeCursor = statement(
  "write_cursor",
  `insert into relay_cursor (lane, topic, published_sequence, published_offset, producer_id, producer_epoch)
   select z.lane, $2, $3, $4, $5, $6 from lane z where z.lane = $1 and z.epoch = $7
   on conflict (lane, topic) do update set published_sequence = greatest(relay_cursor.published_sequence, excluded.published_sequence),
     published_offset = greatest(relay_cursor.published_offset, excluded.published_offset),
     producer_id = excluded.producer_id, producer_epoch = excluded.producer_epoch`,
);

// Purpose: says that the output topics of a halted lane begin anew: what was published stays published, but not with an
// offset in these topics. Rows: three at most.
export const beginAnew = statement(
  "begin_outputs_anew",
  `update relay_cursor set published_offset = -2
   where lane = $1 and exists (select from halt where lane = $1 and resumed_at is null)`,
);

export const readCursors = statement("read_cursors", `select * from relay_cursor where lane = $1`);

// Purpose: the digest of a block by its number, to compare with a tail. Index: primary key of each partition. Rows: one.
export const blockDigest = statement("block_digest", `select digest from block where lane = $1 and block = $2`);
