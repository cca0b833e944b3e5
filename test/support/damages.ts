// Ways to break a ledger: a statement each, run with triggers off, and what the auditor must say of it.

import { homeLane } from "../../src/domain/holder.ts";

/** What each invariant that does not hold must say, as a part of its text. No other invariant may fail. */
export type Told = Readonly<Record<string, string>>;

/** name, statement, what is told */
export type Damage = readonly [name: string, statement: string, told: Told];

/** The lane that is damaged is the home of this holder. */
export const DAMAGED_HOLDER = "cust_0";
export const LANES = 4;
export const LANE = homeLane(DAMAGED_HOLDER, LANES);
/** where rows go that are moved to another lane */
export const OTHER = (LANE + 1) % LANES;

const L = `lane = ${LANE}`;
/** one row of the damaged lane, not the first */
const one = (table: string, key: string, where = "true", offset = 3): string =>
  `${L} and (${key}) = (select ${key} from ${table} where ${L} and ${where} order by ${key} limit 1 offset ${offset})`;
const LINE = one("line", "block, index");
const BLOCK = one("block", "block", "lines > 2", 1);
const CASE = one("case_state", "case_id", "history ~ '^account_open'");
/** an opened account that the lane's first outcome did not answer */
const OPENED = one("case_state", "case_id", "history ~ '^account_open.i.[0-9]+.[0-9]+.[1-9]'");
const OUTCOME = one("outbox", "sequence", "topic = 0");
/** one of the damaged holder's lane, as a condition */
export const ACCOUNT = one("balance", "account", "account > 0 and path like '%:available'");
const PUT_ASIDE = one("quarantine", "record_offset", "true", 0);
const TIMER = one("timer", "due_at, case_id", "true", 0);
const copied = (table: string, row: string, changes: string): string =>
  `insert into ${table} select (jsonb_populate_record(t, '${changes}')).* from ${table} t where ${row}`;

const OF_BLOCK = `lane ${LANE} block `;
const LINES_HASH = "the hash of its lines is ";
const REMADE = ": its digest is ";

const LINES: readonly Damage[] = [
  [
    "an amount changed",
    `update line set amount = amount + 1 where ${LINE}`,
    { digest_chain: LINES_HASH, balances_equal_lines: "; its lines make " },
  ],
  [
    "a line deleted",
    `delete from line where ${LINE}`,
    { digest_chain: LINES_HASH, balances_equal_lines: "; its lines make ", lines_in_blocks: "lines and has " },
  ],
  [
    "a line added to a block",
    copied("line", LINE, `{"index": 100000}`),
    { digest_chain: LINES_HASH, balances_equal_lines: "; its lines make ", lines_in_blocks: "line 100000 stands" },
  ],
  [
    "a line of a block to come",
    copied("line", LINE, `{"block": 100000}`),
    { lines_in_blocks: "a line of block 100000 lies beyond the lane's head" },
  ],
  [
    "debit and credit swapped",
    `update line set debit = credit, credit = debit where ${LINE}`,
    { digest_chain: LINES_HASH, balances_equal_lines: "; its lines make " },
  ],
  [
    "a line in another currency",
    `update line set currency = 'CZK' where ${LINE}`,
    { digest_chain: LINES_HASH, currencies_sum_to_zero: "which is in EUR" },
  ],
  [
    "a line on an account of another lane",
    `update line set debit = sign(debit) * (abs(debit) + (1::bigint << 40)) where ${LINE}`,
    { digest_chain: LINES_HASH, balances_equal_lines: "and no balance", rows_in_their_lane: `of lane ${LANE + 1}` },
  ],
  ["a line under another posting", `update line set posting = 'P99' where ${LINE}`, { digest_chain: LINES_HASH }],
  [
    "a line of another time",
    `update line set recorded_at = recorded_at + interval '1 ms' where ${LINE}`,
    { lines_in_blocks: `${OF_BLOCK}` },
  ],
  [
    "a line moved to another lane",
    // Further back as well: where both lanes' blocks of one number were of one moment, its place would be taken.
    `update line set lane = ${OTHER}, index = index + 100000 where ${LINE}`,
    {
      digest_chain: `lane ${OTHER} block`,
      balances_equal_lines: `lane ${OTHER}: account`,
      lines_in_blocks: `lane ${OTHER} block`,
      rows_in_their_lane: `of lane ${LANE}`,
    },
  ],
];

const BLOCKS: readonly Damage[] = [
  [
    "a block deleted",
    `delete from block where ${BLOCK}`,
    {
      blocks_without_gaps: " is missing",
      every_input_once: "no block took the intent at offset ",
      lines_in_blocks: "belongs to no block",
      balances_equal_lines: "; its lines make ",
      outcome_topic_equals_outbox: "which no block has",
      case_history_consistent: "is not there",
    },
  ],
  [
    "the last block deleted",
    `delete from block where ${L} and block = (select max(block) from block where ${L})`,
    {
      blocks_without_gaps: " is missing",
      every_input_once: "no block took the intent at offset ",
      lines_in_blocks: "belongs to no block",
      balances_equal_lines: "; its lines make ",
      outcome_topic_equals_outbox: "which no block has",
      case_history_consistent: "is not there",
    },
  ],
  [
    "a block number twice",
    `insert into block select (jsonb_populate_record(b,
         jsonb_build_object('recorded_at', recorded_at + interval '1 ms'))).* from block b where ${BLOCK}`,
    { block_numbers_unique: " is there twice" },
  ],
  ["a digest changed", `update block set digest = sha256(digest) where ${BLOCK}`, { digest_chain: REMADE }],
  [
    "two digests swapped",
    `update block b set digest = o.digest from block o
       where b.${L} and o.${L} and b.block in (2, 3) and b.block + o.block = 5`,
    { digest_chain: "; its block's digest is " },
  ],
  [
    "another predecessor",
    `update block set previous_digest = sha256(digest) where ${BLOCK}`,
    { digest_chain: "as its predecessor's digest, which is " },
  ],
  ["a hash of lines", `update block set lines_hash = sha256(digest) where ${BLOCK}`, { digest_chain: LINES_HASH }],
  [
    "a hash of messages",
    `update block set messages_hash = sha256(digest) where ${BLOCK}`,
    { digest_chain: "the hash of its messages is " },
  ],
  [
    "a block of an hour before",
    `update block set recorded_at = recorded_at - interval '1 hour' where ${BLOCK}`,
    { time_never_goes_back: "comes after", digest_chain: REMADE, lines_in_blocks: "the block of " },
  ],
  [
    "an epoch that goes back",
    `update block set epoch = epoch + 5 where ${BLOCK}`,
    { time_never_goes_back: "in epoch 6" },
  ],
  [
    "inputs that overlap",
    `update block set intents_from = intents_from - 1 where ${BLOCK}`,
    { inputs_contiguous: ": intents begin at ", digest_chain: REMADE },
  ],
  [
    "a block that counts a line more",
    `update block set lines = lines + 1 where ${BLOCK}`,
    { lines_in_blocks: "lines and has ", digest_chain: REMADE },
  ],
  [
    "a position moved after no halt",
    `update block set halt = 77 where ${BLOCK}`,
    { inputs_contiguous: "after halt 77, which does not exist", digest_chain: REMADE },
  ],
];

const HEADS: readonly Damage[] = [
  [
    "a head that goes back",
    `update lane set block = block - 1 where ${L}`,
    {
      head_equals_last_block: "the head's digest is ",
      lines_in_blocks: " lies beyond the lane's head",
      balances_equal_lines: "; its lines make ",
      every_input_once: "no block took the intent at offset ",
      outcome_topic_equals_outbox: "which no block has",
    },
  ],
  [
    "a head of another digest",
    `update lane set digest = sha256(digest) where ${L}`,
    { head_equals_last_block: "digest" },
  ],
  [
    "a head of another record",
    `update lane set intents_last_hash = substring(sha256('x') for 16) where ${L}`,
    { head_equals_last_block: "hash of the last intent" },
  ],
  [
    "a head of other commands",
    `update lane set commands_next = commands_next + 1 where ${L}`,
    { head_equals_last_block: "next command is 1, that of block " },
  ],
  [
    "a head that counts an account more",
    `update lane set accounts = accounts + 1 where ${L}`,
    { balances_equal_lines: " accounts, and there are " },
  ],
];

const BALANCES: readonly Damage[] = [
  [
    "a balance changed",
    `update balance set credits = credits + 1 where ${ACCOUNT}`,
    { balances_equal_lines: "; its lines make ", currencies_sum_to_zero: "the balances in EUR sum to -1" },
  ],
  [
    "two balances changed by one amount",
    `update balance set credits = credits + case when account > 0 then 5 else -5 end where ${L} and account in
       (select max(account) from balance where ${L} union select min(account) from balance where ${L})`,
    { balances_equal_lines: "; its lines make " },
  ],
  [
    "a balance deleted",
    `delete from balance where ${ACCOUNT}`,
    { balances_equal_lines: "and no balance", currencies_sum_to_zero: "the balances in EUR sum to " },
  ],
  [
    "a floor above the balance",
    `update balance set floor_minor = 1000000 where ${ACCOUNT}`,
    { floors_held: "below its floor of 1000000" },
  ],
  [
    "a balance moved to another lane",
    `update balance set lane = ${OTHER} where ${ACCOUNT}`,
    {
      balances_equal_lines: "and no balance",
      currencies_sum_to_zero: `lane ${OTHER}: the balances in EUR sum to `,
      rows_in_their_lane: `has its home in lane ${LANE}`,
    },
  ],
  [
    "a balance outside the chart",
    `update balance set path = 'x:' || path where ${ACCOUNT}`,
    { rows_in_their_lane: "is not in the chart of accounts" },
  ],
  [
    "a row of a lane that does not exist",
    copied("balance", ACCOUNT, `{"lane": 99}`),
    { rows_in_their_lane: "lane 99" },
  ],
];

const MESSAGES: readonly Damage[] = [
  ["an outcome deleted", `delete from outbox where ${OUTCOME}`, { lines_in_blocks: "message 3 has no outbox row" }],
  [
    "an outcome of other bytes",
    `update outbox set value = set_byte(value, 30, get_byte(value, 30) # 1) where ${OUTCOME}`,
    {
      digest_chain: "the hash of its messages is ",
      outcome_topic_equals_outbox: "has other bytes than its outbox row",
      sequences_unique_content: "sequence 3 has two contents",
    },
  ],
  [
    "an outcome with another block's stamp",
    `update outbox set value = set_byte(value, 6, get_byte(value, 6) # 1) where ${OUTCOME}`,
    {
      digest_chain: "message 3 says sequence 3",
      outcome_topic_equals_outbox: "has other bytes than its outbox row",
      sequences_unique_content: "sequence 3 has two contents",
    },
  ],
  [
    "an outcome under another key",
    `update outbox set key = 'nobody' where ${OUTCOME}`,
    {
      rows_in_their_lane: "key nobody",
      outcome_topic_equals_outbox: "has other key than its outbox row",
      sequences_unique_content: "sequence 3 has two contents",
    },
  ],
  [
    "an outcome of another block",
    `update outbox set block = block + 1 where ${OUTCOME}`,
    { lines_in_blocks: "is not of such a block" },
  ],
  [
    "one sequence with two contents",
    `insert into outbox select lane, topic, sequence, recorded_at + interval '1 ms', block, key, value || '\\x00'
       from outbox where ${OUTCOME}`,
    { lines_in_blocks: "message 3 has two outbox rows", sequences_unique_content: "message 3 has two contents" },
  ],
  [
    "an outcome to come",
    `insert into outbox select lane, topic, sequence + 1000000, recorded_at, block, key, value from outbox where ${OUTCOME}`,
    { lines_in_blocks: "message 1000003 lies beyond the lane's head" },
  ],
  [
    "a quarantine row deleted",
    `delete from quarantine where ${PUT_ASIDE}`,
    { every_input_once: "nothing answers the intent", dead_letters_equal_quarantine: "has no quarantine row" },
  ],
  [
    "a quarantine row with another reason",
    `update quarantine set reason = 'too_large' where ${PUT_ASIDE}`,
    { dead_letters_equal_quarantine: "reason too_large, and its dead letter undecodable" },
  ],
  [
    "a quarantine row of other bytes",
    `update quarantine set value = value || '\\x00' where ${PUT_ASIDE}`,
    { dead_letters_equal_quarantine: "other bytes than its dead letter" },
  ],
  [
    "a quarantine row of an answered intent",
    copied("quarantine", PUT_ASIDE, `{"record_offset": 0, "block": 1}`),
    {
      every_input_once: "the intent at offset 0 has outcome 0 and a quarantine row",
      lines_in_blocks: "the quarantine row of offset 0",
      dead_letters_equal_quarantine: "the quarantine row of offset 0 has no dead letter",
    },
  ],
  [
    "a quarantine row of no block",
    `update quarantine set block = 100000 where ${PUT_ASIDE}`,
    {
      every_input_once: "nothing answers the intent",
      lines_in_blocks: "belongs to no block (says 100000)",
      dead_letters_equal_quarantine: "has no quarantine row",
    },
  ],
];

const CASES: readonly Damage[] = [
  ["a case deleted", `delete from case_state where ${CASE}`, { case_history_consistent: "is remembered by no case" }],
  [
    "a case moved to another lane",
    `update case_state set lane = ${OTHER} where ${CASE}`,
    { rows_in_their_lane: "at home in another lane", case_history_consistent: "is remembered by no case" },
  ],
  [
    "a case in another state",
    `update case_state set state = 'lost' where ${CASE}`,
    { case_history_consistent: "it is in state lost" },
  ],
  [
    "a history that breaks off",
    `update case_state set history = history || E'\\n' || left(history, 20) where ${CASE}`,
    { case_history_consistent: "its history has a line that cannot be read" },
  ],
  [
    "a history twice",
    `update case_state set history = history || E'\\n' || history where ${CASE}`,
    { case_history_consistent: "is remembered twice" },
  ],
  [
    "a history of another outcome",
    `update case_state set history = regexp_replace(history, '^([^|]*\\|i\\|\\d+\\|\\d+\\|)\\d+', '\\10') where ${OPENED}`,
    { case_history_consistent: "which it remembers for account_open in block 1, is of another case" },
  ],
  [
    "a flow that is not registered",
    "delete from flow where name = 'hold'",
    { case_history_consistent: "which is not registered" },
  ],
  ["a timer deleted", `delete from timer where ${TIMER}`, { timers_consistent: "has no such row" }],
  [
    "a timer that is late",
    `update timer set due_at = due_at + interval '1 s' where ${TIMER}`,
    { timers_consistent: "its case does not wait for it" },
  ],
  [
    "a case listed as waiting for a person",
    `insert into attention select lane, case_id, now() from case_state where ${CASE}`,
    { attention_consistent: "waits for no person, and is listed" },
  ],
  [
    "a timer of no case",
    `insert into timer select lane, due_at, gen_random_uuid(), name from timer where ${TIMER}`,
    { timers_consistent: "its case does not exist" },
  ],
  [
    "timers that the lane is past",
    `update lane set timer_due_at = now() + interval '1 day' where ${L}`,
    { timers_consistent: "so it would never fire" },
  ],
];

/** Seen by a deep audit alone. */
export const DEEP_DAMAGES: readonly Damage[] = [
  [
    "a case of another time",
    `update case_state set occurred_at = occurred_at + interval '1 s' where ${CASE}`,
    { cases_equal_outcomes: "which says time ", cases_decided_anew: "is of time " },
  ],
  [
    "a case that remembers another event",
    `update case_state set history = 'x' || history where ${CASE}`,
    {
      cases_equal_outcomes: "which says intent account_open, not xaccount_open",
      cases_decided_anew: 'remembers "xaccount_open|i|',
    },
  ],
  [
    "a case of another flow",
    `update case_state set flow = (select flow from flow where name = 'hold') where ${CASE}`,
    { cases_equal_outcomes: "which says flow ", cases_decided_anew: "lives by flow " },
  ],
  [
    "a line of another case",
    `update line set case_id = gen_random_uuid() where ${LINE}`,
    {
      outcomes_count_lines: "more lines than its outcomes tell",
      digest_chain: LINES_HASH,
      lines_decided_anew: "; decided anew ",
    },
  ],
];
export const DAMAGES = [...LINES, ...BLOCKS, ...HEADS, ...BALANCES, ...MESSAGES, ...CASES];

/** Drops every partition of the outbox but the default one. */
export const DROP_OUTBOX = `do $$
  declare part regclass;
  begin
    for part in select inhrelid from pg_inherits where inhparent = 'outbox'::regclass and inhrelid <> 'outbox_default'::regclass
    loop execute format('drop table %s', part); end loop;
  end $$`;

/** Drops the partitions of blocks and lines of all days before the first block that is there. */
export const DROP_EARLIER_DAYS = `do $$
  declare
    parts text[] := (select array_agg(c.relname) from pg_inherits join pg_class c on c.oid = inhrelid
      where inhparent in ('block'::regclass, 'line'::regclass) and c.relname ~ '_[0-9]{8}$'
        and right(c.relname, 8) < (select to_char(min(recorded_at) at time zone 'UTC', 'YYYYMMDD') from block));
    part text;
  begin
    foreach part in array parts loop execute format('drop table %I', part); end loop;
  end $$`;
