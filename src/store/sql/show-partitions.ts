import { statement } from "../statement.ts";

// Purpose: the partitions by time, attached or detached, with their sizes; rows are the planner's estimate. A partition's
// name carries its beginning in UTC. Locks: none. Index: catalogs. Rows: some hundreds.
export const showPartitions = statement(
  "show_partitions",
  `select c.relname as partition, p.relname as attached_to,
     greatest(c.reltuples, 0)::bigint as rows_estimate, pg_total_relation_size(c.oid) as bytes
   from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'millrace'
   left join pg_inherits i on i.inhrelid = c.oid
   left join pg_class p on p.oid = i.inhparent
   where c.relkind = 'r' and c.relname ~ '^(block|line|case_state|outbox)_(default|[0-9]{8}(_[0-9]{2})?)$'
   order by c.relname`,
);

// Purpose: the database's clock, which says what is old. Rows: one.
export const showClock = statement("show_clock", `select clock_timestamp() as clock_at`);
