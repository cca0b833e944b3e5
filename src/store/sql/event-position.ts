import { statement } from "../statement.ts";

// Purpose: where a provider's list of events goes on. Index: primary key. Rows: one.
export const readEventPosition = statement(
  "read_event_position",
  `select position from event_position where lane = $1 and provider = $2`,
);

// Purpose: how far a provider's list was read, written while the epoch is still the lane's and nobody has set it back meanwhile.
// Locks: the row. Index: primary keys. Rows: one.
export const keepEventPosition = statement(
  "keep_event_position",
  `with owned as (select from lane where lane = $1 and epoch = $2),
   kept as (
     insert into event_position as p (lane, provider, position, written_at)
     select $1, $3, $5, $6 from owned
     on conflict (lane, provider) do update set position = excluded.position, written_at = excluded.written_at
     where p.position = $4
     returning 1)
   select exists (select from owned) as owned, exists (select from kept) as kept`,
);

// Purpose: how far each provider's list was read, for people. Index: none. Rows: as many as providers.
export const listEventPositions = statement(
  "list_event_positions",
  `select lane, provider, position, written_at from event_position order by provider, lane`,
);

// Purpose: let a provider's list be read again from a place before. Locks: its row. Index: none. Rows: one.
export const setEventPosition = statement(
  "set_event_position",
  `with old as (select lane, provider, position from event_position where provider = $1 for update)
   update event_position p set position = $2, written_at = $3 from old
   where p.lane = old.lane and p.provider = old.provider
   returning old.position as was`,
);
