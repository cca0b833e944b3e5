import { statement } from "../statement.ts";

// Purpose: lane and lease rows on first use. Safe to repeat. Rows: one a lane.
export const insertLanes = statement(
  "insert_lanes",
  `insert into lane (lane) select generate_series(0, $1::int - 1) on conflict do nothing`,
);
export const insertLeases = statement(
  "insert_leases",
  `insert into lease (lane) select generate_series(0, $1::int - 1) on conflict do nothing`,
);
export const countLanes = statement("count_lanes", `select count(*)::int as lanes from lane`);

// Purpose: a flow version under its number. A version that is there with another content is refused by the caller.
export const insertFlow = statement(
  "insert_flow",
  `insert into flow (name, version, content_hash, source) values ($1, $2, $3, $4) on conflict (name, version) do nothing`,
);
export const readFlows = statement(
  "read_flows",
  `select flow, name, version, content_hash, source from flow order by flow`,
);

// Purpose: partitions for the coming hours. Locks: short exclusive locks on the parents; lock_timeout applies.
export const createPartitions = statement(
  "create_partitions",
  `select create_partitions(now() - interval '1 day', now() + $1 * interval '1 hour') as made`,
);
