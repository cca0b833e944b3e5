import { statement } from "../statement.ts";

// Purpose: the cut of an audit: every lane's head in one statement, because heads read by several statements are no
// state that ever was. Locks: none. Rows: one a lane.
const HEAD = `select lane, epoch, block, digest, now_at as "nowAt", accounts,
     intents_next as "intentsNext", intents_last as "intentsLast", intents_last_hash as "intentsLastHash",
     reports_next as "reportsNext", reports_last as "reportsLast", reports_last_hash as "reportsLastHash",
     outcomes_next as "outcomesNext", commands_next as "commandsNext", dead_letters_next as "deadLettersNext",
     timer_due_at as "timerDueAt", timer_case_id::text as "timerCaseId", timer_name as "timerName",
     (select string_agg(p.to_lane || ' ' || p.next_sequence, ',') from sent p where p.lane = lane.lane) as sent,
     (select string_agg(p.from_lane || ' ' || p.sequence, ',') from seen p where p.lane = lane.lane) as seen
   from lane`;

export const auditCut = statement("audit_cut", `${HEAD} order by lane`);

// Purpose: one lane's head, in the snapshot in which its balances and timers are read. Rows: one.
export const auditHead = statement("audit_head", `${HEAD} where lane = $1`);

// Purpose: where one lane stands in the snapshot in which its balances are read. Rows: one.
export const auditStanding = statement("audit_standing", `select block, accounts from lane where lane = $1`);

// Purpose: which sequences of a lane are committed by now. Rows: one.
export const auditNext = statement(
  "audit_next",
  `select outcomes_next as outcomes, commands_next as commands, dead_letters_next as "deadLetters" from lane where lane = $1`,
);

// Purpose: which time partitions there are; rows of a partition that was detached are missing without being lost.
// Rows: some hundred.
export const auditPartitions = statement(
  "audit_partitions",
  `select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
   where i.inhparent in ('block'::regclass, 'outbox'::regclass, 'case_state'::regclass)`,
);
