// Statements about one partition. What is asked in a transaction as plain text has no parameters, so names are
// checked to be names and nothing else.

import { assert } from "../../domain/assert.ts";

const NAME = /^(block|line|case_state|outbox)_\d{8}(_\d\d)?$/;
const STATE = /^[a-z][a-z0-9_]*$/;

function checked(partition: string): string {
  assert(NAME.test(partition), `${partition} is not the name of a partition`);
  return `millrace.${partition}`;
}

// Purpose: takes a partition out of its table. Locks: access exclusive on table, partition and default partition, for
// milliseconds; lock_timeout bounds the wait, because blocks queue behind it. Not CONCURRENTLY: Postgres refuses that for
// a table with a default partition, and without one a late block would have nowhere to go.
export function detachPartition(table: string, partition: string): string {
  return `alter table millrace.${table} detach partition ${checked(partition)}`;
}

// Purpose: a detached partition loses the row triggers of its table; what was append-only stays so.
export function keepAppendOnly(partition: string): string {
  const name = checked(partition);
  return `create trigger append_only before update or delete on ${name} for each row execute function millrace.refuse_change()`;
}

// Purpose: messages of a detached outbox partition. Locks: access exclusive on it; nobody reads it any more.
export function dropPartition(partition: string): string {
  return `drop table ${checked(partition)}`;
}

// Purpose: lanes whose messages in this partition are not all known to be published, or not all taken by the lane that
// they are for: that one's relay may still have to send them again. Index: primary key, its end for each lane and topic, or
// each pair of lanes. Rows: few.
export function showUnpublished(partition: string): string {
  return `select z.lane from millrace.lane z cross join generate_series(0, 2) t(topic)
    join lateral (select sequence from ${checked(partition)} where lane = z.lane and topic = t.topic
      order by sequence desc limit 1) o on true
    left join millrace.relay_cursor r on r.lane = z.lane and r.topic = t.topic
    where o.sequence > coalesce(r.published_sequence, -1)
    union
    select z.lane from millrace.lane z join millrace.sent p on p.lane = z.lane and p.to_lane <> z.lane
    join lateral (select sequence from ${checked(partition)} where lane = z.lane and topic = 3 and to_lane = p.to_lane::smallint
      order by sequence desc limit 1) o on true
    left join millrace.seen n on n.lane = p.to_lane and n.from_lane = z.lane
    where o.sequence > coalesce(n.sequence, -1)
    order by lane`;
}

// Purpose: lanes that still need a block of this partition: their newest, or the one that holds the newest message of an
// output topic, with which the relay compares the topic's tail. Sequences never go back, so a lane's first and last block
// here tell. Index: primary key, both its ends for each lane. Rows: few.
export function showNeededBlocks(partition: string): string {
  const part = checked(partition);
  return `select z.lane from millrace.lane z
    join lateral (select * from ${part} where lane = z.lane order by block limit 1) f on true
    join lateral (select * from ${part} where lane = z.lane order by block desc limit 1) l on true
    where l.block = z.block
      or (f.outcomes_from < l.outcomes_next and l.outcomes_next = z.outcomes_next)
      or (f.commands_from < l.commands_next and l.commands_next = z.commands_next)
      or (f.dead_letters_from < l.dead_letters_next and l.dead_letters_next = z.dead_letters_next)
    order by z.lane`;
}

// Purpose: lanes with a case of this partition that has not come to its end. A timer is not what tells: a case that waits for
// a provider, for another lane or for a person may have none, and what comes for a case that is not there halts its lane.
// Index: none, the partition is read once, before anything is locked. Rows: few.
//
// `ends` are pairs of a flow's number and a final state of it. A refused create rests in `rejected`, whatever its flow.
export function showOpenCases(
  partition: string,
  ends: readonly { readonly flow: number; readonly state: string }[],
): string {
  for (const { state } of ends) assert(STATE.test(state), `${state} is not the name of a state`);
  const flows = ends.map(({ flow }) => flow).join(", ");
  const states = ends.map(({ state }) => `'${state}'`).join(", ");
  return `select distinct s.lane from ${checked(partition)} s
    left join unnest(array[${flows}]::smallint[], array[${states}]::text[]) e(flow, state) on e.flow = s.flow and e.state = s.state
    where e.flow is null and s.state <> 'rejected'
    order by s.lane`;
}
