import { statement } from "../statement.ts";

// Purpose: that nothing was sent for these commands ($3 sequences, $4 their deadlines), before a case hears of it; those whose
// deadline is past ($5) are let go. Locks: the lane row, shared, until this is committed: whoever raises the epoch reads the
// rows behind it, so a new owner either finds them or has fenced us (read committed checks the epoch again behind a wait).
// Blocks of the lane wait meanwhile, for one round trip at a time when providers cannot be reached and else never.
// Index: primary keys. Rows: some, when a provider is away.
export const keepUnavailable = statement(
  "keep_unavailable",
  `with z as (select lane from lane where lane = $1 and epoch = $2 for share),
   past as (delete from call_unavailable u using z where u.lane = z.lane and u.not_after < $5),
   kept as (insert into call_unavailable (lane, sequence, not_after)
     select z.lane, c.sequence, c.not_after from z, unnest($3::bigint[], $4::timestamptz[]) c(sequence, not_after)
     on conflict do nothing)
   select count(*)::int as owned from z`,
);

// Purpose: of which of a lane's commands nothing was sent, read when its gateway is opened. Index: primary key. Rows: those of
// providers that were away, behind the position and before their deadlines.
export const readUnavailable = statement(
  "read_unavailable",
  `select sequence from call_unavailable where lane = $1 and sequence >= $2`,
);
