// The auditor is audited by damage: a service works, its database and topics are copied, each copy is broken in one way,
// and the invariants that this breaks must say so, and no others.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import type { OutgoingRecord } from "../../src/kafka/port.ts";
import type { AuditDepth } from "../../src/workload/audit/parts.ts";
import { auditService, copiedTopic, damagedCopy, problemsOf, recordsIn } from "../support/audit.ts";
import { SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { Producing } from "../support/intents.ts";
import { deleteBefore } from "../support/kafka.ts";
import { startTestService, type TestService } from "../support/service.ts";

const LANES = 4;
const HOLDERS = Array.from({ length: 24 }, (_, index) => `cust_${index}`);
/** the lane that is damaged: the home of this holder */
const LANE = homeLane("cust_0", LANES);
const OTHER = (LANE + 1) % LANES;

let system: TestService;
const flowsDir = mkdtempSync(join(tmpdir(), "millrace-flows-"));

beforeAll(async () => {
  cpSync(join(SHIPPED_SCHEMAS, "flows"), flowsDir, { recursive: true });
  cpSync(TEST_FLOWS, flowsDir, { recursive: true });
  system = await startTestService({ lanes: LANES, config: { flowsDir, blockRowsMax: 20 } });
  const count = await work(system);
  await system.readOutcomes({ until: count });
  await system.readDeadLetters(2 * LANES);
});

afterAll(async () => {
  await system?.stop();
  rmSync(flowsDir, { recursive: true, force: true });
});

/** Something of everything: accepted, refused, repeated, holds that wait with timers, records that are no intents.
 *  @returns how many outcomes there will be */
async function work({ publish, send, readOutcomes }: TestService): Promise<number> {
  const make = new Producing();
  const repeated = make.payIn("cust_0", 7_000);
  const hold = make.holdPlace("cust_0", 500);
  const waves = [
    HOLDERS.map((holder) => make.accountOpen(holder)),
    HOLDERS.flatMap((holder) => [make.payIn(holder, 10_000), make.payOut(holder, 2_500), make.payOut(holder, 99_999)]),
    [repeated, repeated, { ...repeated, reference: "another" }, hold],
    HOLDERS.map((holder) => make.holdPlace(holder, 100)),
    [make.holdCapture("cust_0", hold.caseId as string), make.holdRelease("cust_0", hold.caseId as string)],
    [make.accountUpdate("cust_1", "floor", { floorMinor: "-1000" }), make.payOut("cust_1", 8_000)],
  ];
  let count = 0;
  for (const wave of waves) {
    await publish(wave);
    count += wave.length;
    await readOutcomes({ until: count });
    if (count !== HOLDERS.length) continue;
    for (let lane = 0; lane < LANES; lane++) {
      await send(lane, [
        { key: Buffer.from("k"), value: Buffer.from("this is no intent") },
        { key: null, value: Buffer.from("nor has this a key") },
      ]);
    }
  }
  return count;
}

test("finds nothing wrong while the service runs, and says how much it looked at", async () => {
  const report = await auditService(system, { depth: "deep", waitMs: 5_000 });
  expect(problemsOf(report)).toEqual({});
  expect(report).toMatchObject({ lanes: LANES, backlog: 0n, digestsNotRecomputed: 0n, messagesFromTopicAlone: 0n });
  for (const { invariant, checked } of report.findings) expect([invariant, checked > 0]).toEqual([invariant, true]);
});

/** What each invariant that does not hold must say, as a part of its text. No other invariant may fail. */
type Told = Readonly<Record<string, string>>;

function expectTold(found: Record<string, string>, told: Told): void {
  expect(Object.keys(found).sort()).toEqual(Object.keys(told).sort());
  for (const [invariant, part] of Object.entries(told)) expect(found[invariant]).toContain(part);
}

/** Stops the service, for its database is copied: nobody may be connected to it then. */
async function stopAll(): Promise<void> {
  await Promise.all([...system.instances].map((instance) => instance.stop()));
}

describe("damage to the database", () => {
  beforeAll(stopAll);

  const L = `lane = ${LANE}`;
  /** one row of the damaged lane, not the first */
  const one = (table: string, key: string, where = "true", offset = 3): string =>
    `${L} and (${key}) = (select ${key} from ${table} where ${L} and ${where} order by ${key} limit 1 offset ${offset})`;
  const LINE = one("line", "block, index");
  const BLOCK = one("block", "block", "lines > 2", 1);
  const CASE = one("case_state", "case_id");
  const OUTCOME = one("outbox", "sequence", "topic = 0");
  const ACCOUNT = one("balance", "account", "account > 0 and path like '%:available'");
  const PUT_ASIDE = one("quarantine", "record_offset", "true", 0);
  const TIMER = one("timer", "due_at, case_id", "true", 0);
  const copied = (table: string, row: string, changes: string): string =>
    `insert into ${table} select (jsonb_populate_record(t, '${changes}')).* from ${table} t where ${row}`;

  const OF_BLOCK = `lane ${LANE} block `;
  const LINES_HASH = "the hash of its lines is ";
  const REMADE = ": its digest is ";

  const LINES: readonly [string, string, Told][] = [
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
      `update line set lane = ${OTHER} where ${LINE}`,
      {
        digest_chain: `lane ${OTHER} block`,
        balances_equal_lines: `lane ${OTHER}: account`,
        lines_in_blocks: `lane ${OTHER} block`,
        rows_in_their_lane: `of lane ${LANE}`,
      },
    ],
  ];

  const BLOCKS: readonly [string, string, Told][] = [
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

  const HEADS: readonly [string, string, Told][] = [
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

  const BALANCES: readonly [string, string, Told][] = [
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

  const MESSAGES: readonly [string, string, Told][] = [
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

  const CASES: readonly [string, string, Told][] = [
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
      `update case_state set history = regexp_replace(history, '^([^|]*\\|i\\|\\d+\\|\\d+\\|)\\d+', '\\10') where ${CASE}`,
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

  const damages = [...LINES, ...BLOCKS, ...HEADS, ...BALANCES, ...MESSAGES, ...CASES];
  test.for(damages)("%s", async ([, statement, told]) => {
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [statement]);
    const found = problemsOf(await auditService(system, { databaseUrl }).finally(drop));
    expectTold(found, told);
    for (const text of Object.values(found)) expect(text).toMatch(/lane \d|\/\d/);
  });

  test("a floor is no fault when a forced posting went below it", async () => {
    const statement = `update balance set floor_minor = 1000000 where ${ACCOUNT}`;
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [statement]);
    const report = await auditService(system, { databaseUrl, forcedPostings: ["P17"] }).finally(drop);
    expect(problemsOf(report)).toEqual({});
  });

  const DEEP: readonly [string, string, Told][] = [
    [
      "a case of another time",
      `update case_state set occurred_at = occurred_at + interval '1 s' where ${CASE}`,
      { cases_equal_outcomes: "which says time " },
    ],
    [
      "a case that remembers another event",
      `update case_state set history = 'x' || history where ${CASE}`,
      { cases_equal_outcomes: "which says intent account_open, not xaccount_open" },
    ],
    [
      "a case of another flow",
      `update case_state set flow = 4 - flow where ${CASE} and flow <> 2`,
      { cases_equal_outcomes: "which says flow " },
    ],
    [
      "a line of another case",
      `update line set case_id = gen_random_uuid() where ${LINE}`,
      { outcomes_count_lines: "more lines than its outcomes tell", digest_chain: LINES_HASH },
    ],
  ];
  test.for(DEEP)("%s, seen by a deep audit", async ([, statement, told]) => {
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [statement]);
    expectTold(problemsOf(await auditService(system, { databaseUrl, depth: "deep" }).finally(drop)), told);
  });

  test("names the first places only, and counts the others", async () => {
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [
      "update outbox set value = set_byte(value, 6, get_byte(value, 6) # 1) where topic = 0",
    ]);
    const report = await auditService(system, { databaseUrl }).finally(drop);
    const finding = report.findings.find(({ invariant }) => invariant === "outcome_topic_equals_outbox");
    expect(finding?.problems.length).toBe(20);
    expect(finding?.problemCount).toBe(Number(report.messages) - 2 * LANES);
  });
});

describe("damage to the topics", () => {
  beforeAll(stopAll);

  const swapped = (records: OutgoingRecord[], at: number): OutgoingRecord[] => {
    const [one, other] = [records[at], records[at + 1]] as [OutgoingRecord, OutgoingRecord];
    return records.toSpliced(at, 2, other, one);
  };
  const flipped = (record: OutgoingRecord, at: number): OutgoingRecord => {
    const value = Buffer.from(record.value);
    value[at] = (value[at] as number) ^ 1;
    return { ...record, value };
  };
  const nth = (records: OutgoingRecord[], at: number): OutgoingRecord => records.at(at) as OutgoingRecord;
  /** the same message under the next sequence, which nobody has committed */
  const uncommitted = (records: OutgoingRecord[]): OutgoingRecord => {
    const last = nth(records, -1);
    const { blockDigest: _, ...outcome } = system.codec.decoders.outcome.decode(last.value);
    const value = system.codec.encoders.outcome.encode({ ...outcome, sequence: outcome.sequence + 1n });
    return { key: last.key, value };
  };
  const foreign: OutgoingRecord = { key: Buffer.from("k"), value: Buffer.from("not ours") };

  type Change = (records: OutgoingRecord[]) => OutgoingRecord[];
  const OUTCOMES: readonly [string, Change, Told][] = [
    ["nothing changed", (all) => all, {}],
    [
      "an outcome twice",
      (all) => [...all.slice(0, 4), ...all.slice(3)],
      { outcome_topic_equals_outbox: "holds sequence 3 again, where 4 was to come" },
    ],
    [
      "an outcome again at the end",
      (all) => [...all, nth(all, 3)],
      { outcome_topic_equals_outbox: "holds sequence 3 again, where " },
    ],
    [
      "an outcome again with another content",
      (all) => [...all, flipped(nth(all, 3), 30)],
      {
        outcome_topic_equals_outbox: "holds sequence 3 again",
        sequences_unique_content: "sequence 3 has two contents",
      },
    ],
    [
      "an outcome missing",
      (all) => all.toSpliced(3, 1),
      { outcome_topic_equals_outbox: "sequence 3 is missing; 4 comes instead" },
    ],
    [
      "the first outcome missing",
      (all) => all.slice(1),
      { outcome_topic_equals_outbox: "sequence 0 is missing; 1 comes instead" },
    ],
    [
      "the last outcome missing",
      (all) => all.slice(0, -1),
      { outcome_topic_equals_outbox: "was published and is gone" },
    ],
    ["two outcomes swapped", (all) => swapped(all, 3), { outcome_topic_equals_outbox: "sequence 3 is missing" }],
    [
      "an outcome of other bytes",
      (all) => all.with(3, flipped(nth(all, 3), 30)),
      { outcome_topic_equals_outbox: "has other bytes", sequences_unique_content: "sequence 3 has two contents" },
    ],
    [
      "a stranger's message",
      (all) => all.toSpliced(3, 0, foreign),
      { outcome_topic_equals_outbox: "offset 3 holds no message of ours" },
    ],
    [
      "an outcome that nobody committed",
      (all) => [...all, uncommitted(all)],
      { outcome_topic_equals_outbox: "the database has lost blocks" },
    ],
  ];
  test.for(OUTCOMES)("%s", async ([, change, told]) => {
    const outcomes = await copiedTopic(system, system.topics.outcomes, LANE, change);
    expectTold(problemsOf(await auditService(system, { topics: { outcomes } })), told);
  });

  test("a dead letter twice", async () => {
    const deadLetters = await copiedTopic(system, system.topics.deadLetters, LANE, (all) => [...all, ...all]);
    const found = problemsOf(await auditService(system, { topics: { deadLetters } }));
    expectTold(found, { dead_letters_equal_quarantine: "holds sequence 0 again" });
  });

  test("the last intent of other bytes", async () => {
    const intents = await intentsCopy((all) => all.with(-1, flipped(nth(all, -1), 20)));
    expectTold(await foundWithIntents(intents, "usual"), {
      digest_chain: ": its digest is ",
      head_equals_last_block: "hash of the last intent",
    });
  });

  test("an intent of other bytes in mid-block, seen by a deep audit", async () => {
    const source = (record: OutgoingRecord): OutgoingRecord => {
      const intent = system.codec.decoders.intent.decode(record.value);
      return { ...record, value: system.codec.encoders.intent.encode({ ...intent, sourceId: "another" }) };
    };
    const intents = await intentsCopy((all) => all.with(0, source(nth(all, 0))));
    expectTold(await foundWithIntents(intents, "deep"), {
      outcomes_equal_intents: "says sourceId null, its intent another",
    });
  });

  /** Quarantine rows name their topic, so the database is copied too. */
  async function foundWithIntents(intents: string, depth: AuditDepth): Promise<Record<string, string>> {
    const rename = `update quarantine set topic = '${intents}'`;
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [rename]);
    const report = await auditService(system, { databaseUrl, topics: { intents }, depth }).finally(drop);
    return problemsOf(report);
  }

  function intentsCopy(change: Change): Promise<string> {
    return copiedTopic(system, system.topics.intents, LANE, change);
  }
});

describe("what has left in good order is no fault", () => {
  beforeAll(stopAll);

  test("outcomes that the topic's retention took, all of them in one lane", async () => {
    const outcomes = await copiedTopic(system, system.topics.outcomes, LANE, (all) => all);
    await deleteBefore(outcomes, LANE, 5n);
    await deleteBefore(outcomes, OTHER, BigInt((await recordsIn(system, outcomes, OTHER)).length));
    const report = await auditService(system, { topics: { outcomes } });
    expect(problemsOf(report)).toEqual({});
    expect(report).toMatchObject({ backlog: 0n });
  });

  test("intents that have expired: their digests are checked by their links", async () => {
    const intents = await copiedTopic(system, system.topics.intents, LANE, (all) => all);
    for (let lane = 0; lane < LANES; lane++) await deleteBefore(intents, lane, 8n);
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [
      `update quarantine set topic = '${intents}'`,
    ]);
    const report = await auditService(system, { databaseUrl, topics: { intents }, depth: "deep" }).finally(drop);
    expect(problemsOf(report)).toEqual({});
    expect(report.digestsNotRecomputed).toBeGreaterThan(0n);
  });

  test("outbox rows that left with their partitions: the topic still has them", async () => {
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [DROP_OUTBOX]);
    const report = await auditService(system, { databaseUrl, depth: "deep" }).finally(drop);
    expect(problemsOf(report)).toEqual({});
    expect(report.messagesFromTopicAlone).toBe(report.messages);
    expect(report.digestsNotRecomputed).toBe(0n);
  });

  test("outcomes that neither outbox nor topic has any more", async () => {
    const outcomes = await copiedTopic(system, system.topics.outcomes, LANE, (all) => all);
    await deleteBefore(outcomes, LANE, 9n);
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [DROP_OUTBOX]);
    const report = await auditService(system, { databaseUrl, topics: { outcomes }, depth: "deep" }).finally(drop);
    expect(problemsOf(report)).toEqual({});
  });

  test("messages not yet published are a backlog, and a fault only when waiting for them did not help", async () => {
    const outcomes = await copiedTopic(system, system.topics.outcomes, LANE, (all) => all.slice(0, -3));
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [
      "update relay_cursor set published_sequence = 0 where topic = 0",
    ]);
    try {
      const report = await auditService(system, { databaseUrl, topics: { outcomes } });
      expect(problemsOf(report)).toEqual({});
      expect(report.backlog).toBe(3n);
      const waited = await auditService(system, { databaseUrl, topics: { outcomes }, waitMs: 300 });
      expectTold(problemsOf(waited), { outcome_topic_equals_outbox: "0.3 s have not changed that" });
    } finally {
      await drop();
    }
  });
});

/** Drops every partition of the outbox but the default one. */
const DROP_OUTBOX = `do $$
  declare part regclass;
  begin
    for part in select inhrelid from pg_inherits where inhparent = 'outbox'::regclass and inhrelid <> 'outbox_default'::regclass
    loop execute format('drop table %s', part); end loop;
  end $$`;
