import { statement } from "../statement.ts";
import { LINE_COLUMNS, LINE_NAMES } from "./show-lines.ts";

// Purpose: the cases with an id, whichever lane they are in: an id alone does not tell its holder. Locks: none. Index:
// primary key of the one partition that the id belongs to, once a lane. Rows: one, seldom more.
export const showCase = statement(
  "show_case",
  `select s.lane, s.kind, f.name || '@' || f.version as flow, s.holder_id, s.state, s.data, s.history, s.occurred_at
   from lane z join case_state s on s.lane = z.lane and s.case_id = $1::uuid
   join flow f on f.flow = s.flow
   order by s.lane`,
);

// Purpose: whose case this is and which flow's, for what a provider tells of it. Locks: none. Index: primary key of the one
// partition that the id belongs to, once a lane. Rows: one, seldom more.
export const showOwners = statement(
  "show_owners",
  `select s.holder_id, f.name || '@' || f.version as flow, s.data->'c' as currencies
   from lane z join case_state s on s.lane = z.lane and s.case_id = $1::uuid
   join flow f on f.flow = s.flow`,
);

// Purpose: when a case's blocks were recorded. Locks: none. Index: primary key of each partition. Rows: one a block.
export const showBlockTimes = statement(
  "show_block_times",
  `select block, recorded_at from block where lane = $1 and block = any($2::bigint[])`,
);

// Purpose: the lines of a case: its history names the blocks, which saves an index. Locks: none. Index: primary key, all
// lines of those blocks. Rows: a few a block.
export const showCaseLines = statement(
  "show_case_lines",
  `select ${LINE_COLUMNS} from line l ${LINE_NAMES}
   where l.lane = $1 and l.block = any($2::bigint[]) and l.case_id = $3::uuid
   order by l.block, l.index`,
);

// Purpose: commands of the blocks of a case, its own among them, as long as the outbox keeps them. Locks: none. Index:
// primary keys of each partition. Rows: those of its blocks, some thousands each at most.
export const showCaseCommands = statement(
  "show_case_commands",
  `select o.sequence, o.block, o.key, o.value from block b
   join outbox o on o.lane = b.lane and o.topic = 1 and o.to_lane = -1
     and o.sequence >= b.commands_from and o.sequence < b.commands_next
   where b.lane = $1 and b.block = any($2::bigint[]) and o.key = $3
   order by o.sequence`,
);

// Purpose: the cases that wait for a person, those that have waited longest first. Each is looked up by its key: joined, a
// planner that knows nothing of the tables would read all cases. Locks: none. Index: primary key of the one partition that
// the id belongs to, once a case. Rows: the limit ($1), or all that wait.
export const showWaiting = statement(
  "show_waiting",
  `select a.lane, a.case_id, a.since, s.kind, s.holder_id, s.state, f.name || '@' || f.version as flow
   from (select * from attention order by since, lane, case_id limit $1::bigint) a
   cross join lateral (select * from case_state c where c.lane = a.lane and c.case_id = a.case_id limit 1) s
   join flow f on f.flow = s.flow
   order by a.since, a.lane, a.case_id`,
);

// Purpose: how many cases of each lane wait for a person, and since when. Locks: none. Index: none; the table has a row only
// for each case that waits. Rows: one a lane that has any.
export const showAttention = statement(
  "show_attention",
  `select lane, count(*)::int as cases, min(since) as since from attention group by lane order by lane`,
);
