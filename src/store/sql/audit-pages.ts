import { statement } from "../statement.ts";

// Whole tables of a lane in pages, each by its key from the last row of the page before. The time of recording is part of
// each key, so two rows that differ in nothing else are both seen. Locks: none; no snapshot outlives a page. Index:
// primary key, merged over the partitions. Rows: the limit.

export const auditBlocks = statement(
  "audit_blocks",
  `select block, recorded_at as "recordedAt", epoch, previous_digest as "previousDigest", digest,
     lines_hash as "linesHash", messages_hash as "messagesHash",
     intents_from as "intentsFrom", intents_next as "intentsNext",
     reports_from as "reportsFrom", reports_next as "reportsNext", flows, timers, lines,
     outcomes_from as "outcomesFrom", outcomes_next as "outcomesNext",
     commands_from as "commandsFrom", commands_next as "commandsNext",
     dead_letters_from as "deadLettersFrom", dead_letters_next as "deadLettersNext", halt,
     rates_version as "ratesVersion", parameters_version as "parametersVersion",
     (select string_agg(p.lane || ' ' || p.next, ',') from unnest(sent_to, sent_next) p(lane, next)) as sent,
     (select string_agg(p.lane || ' ' || p.last, ',') from unnest(seen_from, seen_sequence) p(lane, last)) as seen
   from block
   where lane = $1 and (block, recorded_at) > ($2::bigint, $3::timestamptz) and block <= $4::bigint
   order by block, recorded_at limit $5`,
);

export const auditLines = statement(
  "audit_lines",
  `select block, index, recorded_at as "recordedAt", debit, credit, amount,
     replace(case_id::text, '-', '') as "caseId", currency, posting
   from line
   where lane = $1 and (block, index, recorded_at) > ($2::bigint, $3::int, $4::timestamptz) and block <= $5::bigint
   order by block, index, recorded_at limit $6`,
);

// Purpose: rates of versions up to one, older ones first. Index: rate_version, and a sort within each version.
export const auditRates = statement(
  "audit_rates",
  `select version, feed, priority, pivot, base, quote, mid::text as mid, life
   from rate
   where (version, feed, base, quote) > ($1::bigint, $2::text, $3::text, $4::text) and version <= $5::bigint
   order by version, feed, base, quote limit $6`,
);

export const auditMessages = statement(
  "audit_messages",
  `select sequence, recorded_at as "recordedAt", block, key, value
   from outbox
   where lane = $1 and topic = $2::smallint and (sequence, recorded_at) > ($3::bigint, $4::timestamptz)
     and sequence < $5::bigint
   order by sequence, recorded_at limit $6`,
);

// Purpose: messages to one other lane from a sequence on.
export const auditCrossing = statement(
  "audit_crossing",
  `select to_lane as "toLane", sequence, recorded_at as "recordedAt", block, key, value
   from outbox
   where lane = $1 and topic = 3 and to_lane = $2::smallint and (sequence, recorded_at) > ($3::bigint, $4::timestamptz)
   order by sequence, recorded_at limit $5`,
);

// Purpose: accounts of one path in every currency. Index: balance_path. Rows: currencies.
export const auditAccountsOf = statement(
  "audit_accounts_of",
  `select account, currency from balance where lane = $1 and path = $2 order by currency`,
);

export const auditQuarantine = statement(
  "audit_quarantine",
  `select record_offset as "offset", block, recorded_at as "recordedAt", reason, detail, key, sha256, size, value
   from quarantine
   where lane = $1 and topic = $2 and (record_offset, block) > ($3::bigint, $4::bigint)
     and block > $5::bigint and block <= $6::bigint
   order by record_offset, block limit $7`,
);

export const auditBalances = statement(
  "audit_balances",
  `select account, path, currency, floor_minor as "floorMinor", status, debits, credits, opened_block as "openedBlock"
   from balance where lane = $1 and account > $2::bigint order by account limit $3`,
);

// Purpose: cases with what they remember, those of their timers that the timer table does not have, and whether they are
// listed as waiting for a person; all in one statement, because a block may move the case meanwhile.
const CASES = `select replace(c.case_id::text, '-', '') as "caseId", c.kind, c.flow, c.holder_id as "holderId", c.state,
     c.data, c.history, (extract(epoch from c.occurred_at) * 1000000)::bigint as "occurredAtMicros",
     coalesce((select array_agg(t.key) from json_each_text(c.data -> 't') t where not exists (
       select from timer r where r.lane = c.lane and r.case_id = c.case_id and r.name = t.key
         and r.due_at = case when t.value ~ '^[0-9]{1,15}$' then timestamptz 'epoch' + t.value::bigint * interval '1 ms' end
     )), '{}') as "missingTimers",
     exists (select from attention a where a.lane = c.lane and a.case_id = c.case_id) as "isListed"
   from case_state c`;

export const auditCases = statement(
  "audit_cases",
  `${CASES}
   where c.lane = $1 and c.case_id > $2::uuid
   order by c.case_id limit $3`,
);

// Purpose: some cases by their ids. Index: primary key of each partition. Rows: at most as many as asked for.
export const auditCasesAt = statement("audit_cases_at", `${CASES} where c.lane = $1 and c.case_id = any($2::uuid[])`);

// Purpose: the outcomes that a page of cases remembers. Index: primary key of each partition. Rows: as many as asked for.
export const auditOutcomesAt = statement(
  "audit_outcomes_at",
  `select sequence, value from outbox where lane = $1 and topic = 0 and sequence = any($2::bigint[])`,
);

// Purpose: timers as they are. Rows: the limit.
export const auditArmed = statement(
  "audit_armed",
  `select due_at as "dueAt", case_id::text as "caseId", name
   from timer
   where lane = $1 and (due_at, case_id, name) > ($2::timestamptz, $3::uuid, $4::text)
   order by due_at, case_id, name limit $5`,
);

// Purpose: timers with what their case says of them, and whether the lane is past them and would never fire them.
export const auditTimers = statement(
  "audit_timers",
  `select t.due_at as "dueAt", t.case_id::text as "caseId", t.name, c.case_id is not null as "hasCase",
     coalesce(timestamptz 'epoch' + case when c.data #>> array['t', t.name] ~ '^[0-9]{1,15}$'
       then (c.data #>> array['t', t.name])::bigint * interval '1 ms' end = t.due_at, false) as "isArmed",
     (t.due_at, t.case_id, t.name) <= (l.timer_due_at, l.timer_case_id, l.timer_name) as "isPassed"
   from timer t join lane l on l.lane = t.lane
     left join case_state c on c.lane = t.lane and c.case_id = t.case_id
   where t.lane = $1 and (t.due_at, t.case_id, t.name) > ($2::timestamptz, $3::uuid, $4::text)
   order by t.due_at, t.case_id, t.name limit $5`,
);

// Purpose: cases that are listed as waiting for a person, with whether they are there.
export const auditAttention = statement(
  "audit_attention",
  `select a.case_id::text as "caseId", c.case_id is not null as "hasCase"
   from attention a left join case_state c on c.lane = a.lane and c.case_id = a.case_id
   where a.lane = $1 and a.case_id > $2::uuid
   order by a.case_id limit $3`,
);
