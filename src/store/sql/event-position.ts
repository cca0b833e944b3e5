import { statement } from "../statement.ts";

// Purpose: where a provider's list of events goes on. Index: primary key. Rows: one.
export const readEventPosition = statement(
  "read_event_position",
  `select position from event_position where lane = $1 and provider = $2`,
);

// Purpose: how far a provider's list was read, written while the epoch is still the lane's. Locks: the row. Index: primary keys.
// Rows: one.
export const keepEventPosition = statement(
  "keep_event_position",
  `insert into event_position as p (lane, provider, position, written_at)
   select z.lane, $3, $4, $5 from lane z where z.lane = $1 and z.epoch = $2
   on conflict (lane, provider) do update set position = excluded.position, written_at = excluded.written_at
   returning 1 as owned`,
);
