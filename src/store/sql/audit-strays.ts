import { statement } from "../statement.ts";

// Purpose: positions that an operator moved, with what the halt said. Rows: few.
export const auditHalts = statement(
  "audit_halts",
  `select b.block, b.halt, b.intents_next as "intentsNext", b.reports_next as "reportsNext", h.cause, coalesce(h.resumed_at is not null and h.lane = b.lane, false) as "isResumed"
   from block b left join halt h on h.halt = b.halt
   where b.lane = $1 and b.halt is not null order by b.block`,
);

// Purpose: whether an operator has let the output topics of a lane begin anew. Rows: one.
export const auditOutputsAnew = statement(
  "audit_outputs_anew",
  `select exists (select from halt
     where lane = $1 and outputs_anew and resumed_at is not null) as "isAnew"`,
);

// Purpose: rows of a lane that lie beyond its head: one of each table is enough to know. The head is read by the same
// statement, so a block that is committed meanwhile is seen whole or not at all. Index: primary keys. Rows: at most seven.
export const auditBeyondHead = statement(
  "audit_beyond_head",
  `with head as materialized (select * from lane where lane = $1)
   (select 'block' as "table", b.block as at from head h, block b where b.lane = $1 and b.block > h.block order by b.block limit 1)
   union all
   (select 'line', l.block from head h, line l where l.lane = $1 and l.block > h.block order by l.block limit 1)
   union all
   (select 'outbox', m.sequence from head h, outbox m
    where m.lane = $1 and m.topic = 0 and m.sequence >= h.outcomes_next order by m.sequence limit 1)
   union all
   (select 'outbox', m.sequence from head h, outbox m
    where m.lane = $1 and m.topic = 1 and m.sequence >= h.commands_next order by m.sequence limit 1)
   union all
   (select 'outbox', m.sequence from head h, outbox m
    where m.lane = $1 and m.topic = 2 and m.sequence >= h.dead_letters_next order by m.sequence limit 1)
   union all
   (select 'outbox', m.sequence from sent s, outbox m
    where s.lane = $1 and m.lane = $1 and m.topic = 3 and m.to_lane = s.to_lane::smallint and m.sequence >= s.next_sequence
    order by m.sequence limit 1)
   union all
   (select 'outbox', m.sequence from outbox m where m.lane = $1 and m.topic = 3
      and not exists (select from sent s where s.lane = $1 and s.to_lane = m.to_lane) limit 1)
   union all
   (select 'outbox', m.sequence from outbox m where m.lane = $1 and m.topic > 3 limit 1)`,
);

// Purpose: quarantine rows whose block is not there, or that are of another topic. Rows: the limit.
export const auditStrayQuarantine = statement(
  "audit_stray_quarantine",
  `select q.topic, q.record_offset as "offset", q.block from quarantine q
   where q.lane = $1 and (q.block > $3::bigint or q.block < 1) and (q.topic <> $2
     or not exists (select from block b where b.lane = q.lane and b.block = q.block))
   order by q.topic, q.record_offset, q.block limit $4`,
);

// Purpose: rows of lanes that do not exist. Each probe goes to the next lane number by index, so it reads as many rows as
// there are lanes. Rows: none.
const probe = (table: string): string => `(with recursive found as (
     (select lane from ${table} order by lane limit 1)
     union all
     select (select t.lane from ${table} t where t.lane > f.lane order by t.lane limit 1) from found f where f.lane is not null
   ) select '${table}' as "table", lane from found where lane is not null and lane not in (select lane from lane))`;

const TABLES = [
  "block",
  "line",
  "balance",
  "case_state",
  "timer",
  "outbox",
  "quarantine",
  "sent",
  "seen",
  "attention",
  "call_unavailable",
  "event_position",
];

export const auditForeignLanes = statement("audit_foreign_lanes", TABLES.map(probe).join("\nunion all\n"));
