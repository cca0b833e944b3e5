// The auditor is audited by damage: a service works, its database and topics are copied, each copy is broken in one way,
// and the invariants that this breaks must say so, and no others.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { type Declared, loadDeclared } from "../../src/declared/load.ts";
import { homeLane } from "../../src/domain/holder.ts";
import type { OutgoingRecord } from "../../src/kafka/port.ts";
import type { AuditDepth, AuditReport } from "../../src/workload/audit/parts.ts";
import { type AuditOver, auditService, copiedTopic, damagedCopy, problemsOf, recordsIn } from "../support/audit.ts";
import {
  ACCOUNT,
  DAMAGES,
  DEEP_DAMAGES,
  DROP_EARLIER_DAYS,
  DROP_OUTBOX,
  LANE,
  LANES,
  OTHER,
  type Told,
} from "../support/damages.ts";
import { replaceOnce, SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { forge } from "../support/forge.ts";
import { FORGERIES } from "../support/forgeries.ts";
import { Producing } from "../support/intents.ts";
import { deleteBefore } from "../support/kafka.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { freshDatabase } from "../support/stack.ts";

const HOLDERS = Array.from({ length: 24 }, (_, index) => `cust_${index}`);

let system: TestService;
const flowsDir = mkdtempSync(join(tmpdir(), "millrace-flows-"));

beforeAll(async () => {
  cpSync(join(SHIPPED_SCHEMAS, "flows"), flowsDir, { recursive: true });
  cpSync(TEST_FLOWS, flowsDir, { recursive: true });
  writeFileSync(join(flowsDir, "brief.flow.yaml"), briefFlow());
  const config = { flowsDir, blockRowsMax: 20, timerMarginMs: 500, clockSkewMaxMs: 500 };
  system = await startTestService({ lanes: LANES, config });
  const count = await work(system);
  await system.readOutcomes({ until: count });
  await system.readDeadLetters(2 * LANES);
});

afterAll(async () => {
  await system?.stop();
  rmSync(flowsDir, { recursive: true, force: true });
});

/** As `hold`, for a second only. */
function briefFlow(): string {
  const hold = readFileSync(join(TEST_FLOWS, "hold.flow.yaml"), "utf8");
  const changes = [
    ["name: hold,", "name: brief,"],
    ["intent: hold_place", "intent: brief_place"],
    ["case_kind: hld", "case_kind: brie"],
    ["PT15M", "PT1S"],
  ] as const;
  return changes.reduce((text, [old, by]) => replaceOnce(text, old, by), hold);
}

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
    [
      make.accountUpdate("cust_0", "freeze"),
      make.payOut("cust_0", 10),
      make.accountUpdate("cust_0", "unfreeze"),
      make.payOut("cust_0", 3, { to: "revenue:processing_fee" }),
      make.accountOpen("cust_0", { account: "liability:merchant:cust_0:pending" }),
    ],
    HOLDERS.map((holder) => ({ ...make.holdPlace(holder, 10), type: "brief_place" })),
    HOLDERS.map((holder) => make.payIn(holder, 7)),
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
  const isExpired = ({ type }: { readonly type: string }): boolean => type === "hold.expired";
  await readOutcomes({ until: (read) => read.filter(isExpired).length === HOLDERS.length });
  await publish(HOLDERS.map((holder) => make.payIn(holder, 8)));
  return count + 2 * HOLDERS.length;
}

const declared = new WeakMap<TestService, Declared>();

/** What a service works by does not change here and is read once: its flows are proven when they are read. */
function audited(service: TestService, over: AuditOver = {}): Promise<AuditReport> {
  const { schemasDir, flowsDir } = service.config;
  const known = declared.get(service) ?? loadDeclared(schemasDir, flowsDir);
  declared.set(service, known);
  return auditService(service, { ...over, declared: known });
}

test("finds nothing wrong while the service runs, and says how much it looked at", async () => {
  const report = await audited(system, { depth: "deep", waitMs: 5_000 });
  expect(problemsOf(report)).toEqual({});
  expect(report).toMatchObject({ lanes: LANES, backlog: 0n, digestsNotRecomputed: 0n, messagesFromTopicAlone: 0n });
  for (const { invariant, checked } of report.findings) expect([invariant, checked > 0]).toEqual([invariant, true]);
});

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

  test.for(DAMAGES)("%s", async ([, statement, told]) => {
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [statement]);
    const found = problemsOf(await audited(system, { databaseUrl }).finally(drop));
    expectTold(found, told);
    for (const text of Object.values(found)) expect(text).toMatch(/lane \d|\/\d/);
  });

  test("a floor is no fault when a forced posting went below it", async () => {
    const statement = `update balance set floor_minor = 1000000 where ${ACCOUNT}`;
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [statement]);
    const report = await audited(system, { databaseUrl, forcedPostings: ["P17"] }).finally(drop);
    expect(problemsOf(report)).toEqual({});
  });

  test.for(DEEP_DAMAGES)("%s, seen by a deep audit", async ([, statement, told]) => {
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [statement]);
    expectTold(problemsOf(await audited(system, { databaseUrl, depth: "deep" }).finally(drop)), told);
  });

  test.for(FORGERIES)("a forged past, seen by the second ledger alone: %s", async ([, change, told]) => {
    const { databaseUrl, topics, drop } = await forge(system, LANE, change);
    const over = { databaseUrl, topics, depth: "deep" } as const;
    expectTold(problemsOf(await audited(system, over).finally(drop)), told);
  });

  test("a past that is forged back to what it was is no fault", async () => {
    const { databaseUrl, topics, drop } = await forge(system, LANE, () => undefined);
    const over = { databaseUrl, topics, depth: "deep" } as const;
    expect(problemsOf(await audited(system, over).finally(drop))).toEqual({});
  });

  test("names the first places only, and counts the others", async () => {
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [
      "update outbox set value = set_byte(value, 6, get_byte(value, 6) # 1) where topic = 0",
    ]);
    const report = await audited(system, { databaseUrl }).finally(drop);
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
    expectTold(problemsOf(await audited(system, { topics: { outcomes } })), told);
  });

  test("a dead letter twice", async () => {
    const deadLetters = await copiedTopic(system, system.topics.deadLetters, LANE, (all) => [...all, ...all]);
    const found = problemsOf(await audited(system, { topics: { deadLetters } }));
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
      outcomes_decided_anew: 'says sourceId null; decided anew "another"',
    });
  });

  /** Quarantine rows name their topic, so the database is copied too. */
  async function foundWithIntents(intents: string, depth: AuditDepth): Promise<Record<string, string>> {
    const rename = `update quarantine set topic = '${intents}'`;
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [rename]);
    const report = await audited(system, { databaseUrl, topics: { intents }, depth }).finally(drop);
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
    const report = await audited(system, { topics: { outcomes } });
    expect(problemsOf(report)).toEqual({});
    expect(report).toMatchObject({ backlog: 0n });
  });

  test("outcomes of a topic that was made anew, which an operator has accepted", async () => {
    const outcomes = await copiedTopic(system, system.topics.outcomes, LANE, (all) => all.slice(6));
    const halt = `insert into halt (lane, cause, evidence, resumed_at, resumed_reason, outputs_anew)
      values (${LANE}, 'tail_behind_mark', '{}', now(), 'a test', true)`;
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [halt]);
    const report = await audited(system, { databaseUrl, topics: { outcomes } }).finally(drop);
    expect(problemsOf(report)).toEqual({});
  });

  test("but of one that was to be put back as it was, and was not, they are missed", async () => {
    const outcomes = await copiedTopic(system, system.topics.outcomes, LANE, (all) => all.slice(6));
    const halt = `insert into halt (lane, cause, evidence, resumed_at, resumed_reason)
      values (${LANE}, 'output_topic_recreated', '{}', now(), 'a test')`;
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [halt]);
    const report = await audited(system, { databaseUrl, topics: { outcomes } }).finally(drop);
    expect(Object.keys(problemsOf(report))).toContain("outcome_topic_equals_outbox");
  });

  test("intents that have expired: their digests are checked by their links", async () => {
    const intents = await copiedTopic(system, system.topics.intents, LANE, (all) => all);
    for (let lane = 0; lane < LANES; lane++) await deleteBefore(intents, lane, 8n);
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [
      `update quarantine set topic = '${intents}'`,
    ]);
    const report = await audited(system, { databaseUrl, topics: { intents }, depth: "deep" }).finally(drop);
    expect(problemsOf(report)).toEqual({});
    expect(report.digestsNotRecomputed).toBeGreaterThan(0n);
    expect(report.blocksNotDecided).toBeGreaterThan(0n);
    expect(report.blocksDecided).toBeGreaterThan(0n);
  });

  test("outbox rows that left with their partitions: the topic still has them", async () => {
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [DROP_OUTBOX]);
    const report = await audited(system, { databaseUrl, depth: "deep" }).finally(drop);
    expect(problemsOf(report)).toEqual({});
    expect(report.messagesFromTopicAlone).toBe(report.messages);
    expect(report.digestsNotRecomputed).toBe(0n);
  });

  test("outcomes that neither outbox nor topic has any more", async () => {
    const outcomes = await copiedTopic(system, system.topics.outcomes, LANE, (all) => all);
    await deleteBefore(outcomes, LANE, 9n);
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [DROP_OUTBOX]);
    const report = await audited(system, { databaseUrl, topics: { outcomes }, depth: "deep" }).finally(drop);
    expect(problemsOf(report)).toEqual({});
  });

  test("blocks and lines of days that were detached", async () => {
    const early = `lane = ${LANE} and block <= (select min(block) from block where lane = ${LANE} and lines > 2)`;
    const gone = [`delete from line where ${early}`, `delete from block where ${early}`];
    const missing = await damagedCopy(system.addresses.databaseUrl, gone);
    const found = problemsOf(await audited(system, missing).finally(missing.drop));
    expect(found["blocks_without_gaps"]).toMatch(new RegExp(`lane ${LANE}: block.* missing`));
    const detached = await damagedCopy(system.addresses.databaseUrl, [...gone, DROP_EARLIER_DAYS]);
    const report = await audited(system, { ...detached, depth: "deep" }).finally(detached.drop);
    expect(problemsOf(report)).toEqual({});
    expect(report.detachedBlocks).toBeGreaterThan(0n);
    expect(report.balancesInPart).toBeGreaterThan(0n);
  });

  test("messages not yet published are a backlog, and a fault only when waiting for them did not help", async () => {
    const outcomes = await copiedTopic(system, system.topics.outcomes, LANE, (all) => all.slice(0, -3));
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [
      "update relay_cursor set published_sequence = 0 where topic = 0",
    ]);
    try {
      const report = await audited(system, { databaseUrl, topics: { outcomes } });
      expect(problemsOf(report)).toEqual({});
      expect(report.backlog).toBe(3n);
      const waited = await audited(system, { databaseUrl, topics: { outcomes }, waitMs: 300 });
      expectTold(problemsOf(waited), { outcome_topic_equals_outbox: "0.3 s have not changed that" });
    } finally {
      await drop();
    }
  });
});

describe("beside working instances", () => {
  const make = new Producing();
  let busy: TestService;

  beforeAll(async () => {
    busy = await startTestService({ lanes: LANES });
    await busy.start();
    await busy.publish(HOLDERS.map((holder) => make.accountOpen(holder)));
  });
  afterAll(() => busy?.stop());

  test("finds nothing wrong at whatever moment it looks", async () => {
    let isDone = false;
    const publishing = (async () => {
      for (let wave = 0; wave < 40; wave++) {
        await busy.publish(
          HOLDERS.flatMap((holder) => [make.payIn(holder, 10), make.payIn(holder, 5), make.payOut(holder, 3)]),
        );
      }
      isDone = true;
    })();
    const seen: bigint[] = [];
    while (!isDone) {
      const report = await audited(busy, { depth: seen.length % 2 === 0 ? "usual" : "deep" });
      expect(problemsOf(report)).toEqual({});
      seen.push(report.messages);
    }
    await publishing;
    await busy.readOutcomes({ until: HOLDERS.length * (1 + 40 * 3) });
    const report = await audited(busy, { waitMs: 10_000 });
    expect(problemsOf(report)).toEqual({});
    expect(report).toMatchObject({ messages: BigInt(HOLDERS.length * (1 + 40 * 3)), backlog: 0n });
    expect(seen.some((messages) => messages < report.messages)).toBe(true);
  });

  const holders = HOLDERS.filter((holder) => homeLane(holder, LANES) === LANE);
  const resumed = async (at: string): Promise<void> => {
    await Promise.all([...busy.instances].map((instance) => instance.stop()));
    await busy.publish([1, 2, 3].map((minor) => make.payIn(holders[0] as string, minor)));
    await busy.query(
      `insert into halt (lane, cause, evidence, resumed_at, resumed_reason, resume_intents_at)
       select lane, 'inputs_expired', '{}', now(), 'a test', intents_next ${at} from lane where lane = $1`,
      [LANE],
    );
    await busy.start();
  };

  test.for([
    ["forward over two intents", "+ 2", 1],
    ["back by two intents, which are repeats then", "- 2", 5],
  ] as const)("an operator's position is no fault: %s", async ([, at, answers]) => {
    const before = (await busy.readOutcomes({ until: 1 })).length;
    await resumed(at);
    await busy.readOutcomes({ until: before + answers });
    const report = await audited(busy, { depth: "deep", waitMs: 10_000 });
    expect(problemsOf(report)).toEqual({});
  });
});

describe("the command", () => {
  const run = async (databaseUrl: string, ...argv: readonly string[]) => {
    const written = { stdout: "", stderr: "" };
    const stream = (name: "stdout" | "stderr") => ({ write: (text: string) => void (written[name] += text) });
    const code = await runCli(["verify", ...argv], {
      stdout: stream("stdout"),
      stderr: stream("stderr"),
      workingDir: tmpdir(),
      interruption: () => new AbortController().signal,
      environment: {
        KAFKA_BROKERS: system.addresses.kafkaBrokers.join(","),
        DATABASE_URL: databaseUrl,
        SCHEMA_REGISTRY_URL: system.addresses.schemaRegistryUrl,
        MILLRACE_TOPIC_PREFIX: system.config.topicPrefix,
        MILLRACE_FLOWS_DIR: flowsDir,
      },
    });
    return { code, ...written };
  };

  test("prints a JSON line for each invariant and a summary, and ends with 0", async () => {
    const { code, stdout } = await run(system.addresses.databaseUrl, "--json", "--deep", "--wait", "5");
    expect(code).toBe(0);
    const rows = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows[0]).toEqual({
      invariant: "blocks_without_gaps",
      ok: true,
      checked: expect.any(Number),
      problems: [],
      problemCount: 0,
    });
    expect(rows.at(-1)).toMatchObject({ summary: true, ok: true, failed: [], lanes: LANES, backlog: "0" });
    expect(rows.map((row) => row.ok)).toEqual(rows.map(() => true));
  });

  test("says what is wrong and where, and ends with 1", async () => {
    await stopAll();
    const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, [
      `update balance set credits = credits + 1 where ${ACCOUNT}`,
    ]);
    const { code, stdout, stderr } = await run(databaseUrl).finally(drop);
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAILED balances_equal_lines .*\n.*\n +lane \d: account \d+ .* its lines make/);
    expect(stdout).toContain("ok     digest_chain");
    expect(stderr).toContain("2 invariants do not hold: balances_equal_lines, currencies_sum_to_zero");
  });

  test("says what to do about a database without a ledger", async () => {
    expect(await run(await freshDatabase())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("millrace migrate"),
    });
  });
});
