import { statement } from "../statement.ts";

// Purpose: the present cut. All heads in one statement: only so are they causally closed. Locks: none. Rows: one a lane.
export const showCut = statement("show_cut", `select lane, block, now_at from lane order by lane`);

// Purpose: the last block of each lane up to a time; the block times of a lane never go back. `kept` is false when blocks
// of that time have been detached. Locks: none. Index: primary key of each partition, from its end. Rows: one a lane.
export const showCutAt = statement(
  "show_cut_at",
  `select z.lane, coalesce(b.block, 0) as block, b.block is not null or z.block = 0
     or exists (select from block f where f.lane = z.lane and f.block = 1) as kept
   from lane z
   left join lateral (select block from block where lane = z.lane and recorded_at <= $1::timestamptz
     order by block desc limit 1) b on true
   order by z.lane`,
);

// Purpose: what is needed to go back to a cut from the present balances: per lane its head, and the time from which on
// later lines lie, so that the partitions before it are left out. `later_from` is null when the block behind the cut is
// not kept any more. Locks: none. Index: primary key of each partition. Rows: one a lane of the cut.
export const showCutSpan = statement(
  "show_cut_span",
  `select z.lane, z.block as head, case when c.block < z.block
       then (select b.recorded_at from block b where b.lane = z.lane and b.block = c.block + 1) else z.now_at end as later_from
   from unnest($1::int[], $2::bigint[]) c(lane, block) join lane z on z.lane = c.lane
   order by z.lane`,
);
