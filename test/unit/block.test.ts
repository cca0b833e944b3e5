// A batch becomes a block: positions, digests, messages, rows, and what happens to what could not be understood.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { Chart } from "../../src/domain/accounts.ts";
import { AssertionFailed } from "../../src/domain/assert.ts";
import type { IntentInput, Report, ReportInput } from "../../src/domain/books.ts";
import { concerned } from "../../src/domain/concerned.ts";
import { Undecidable } from "../../src/domain/decide/decide.ts";
import type { CompiledFlow } from "../../src/domain/flow/compile/compile.ts";
import { NO_RATES } from "../../src/domain/fx/rates.ts";
import { blockDigest, type Head, recordHash } from "../../src/domain/head.ts";
import { parseHistory } from "../../src/domain/history.ts";
import { type CaseId, parseCaseId } from "../../src/domain/ids.ts";
import { NO_PARAMETERS } from "../../src/domain/parameters/parameters.ts";
import { Seeking } from "../../src/domain/seeking.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import type { InputRecord } from "../../src/kafka/port.ts";
import {
  type Batch,
  type Block,
  CODE_OF_AN_EVENT,
  type LaneMemory,
  makeBlock,
  NotRead,
} from "../../src/processor/block.ts";
import { NO_PAIRS } from "../../src/processor/crossing.ts";
import type { Misfit } from "../../src/processor/intake.ts";
import type { Situation } from "../../src/store/blocks.ts";
import { caseRowOf } from "../support/case-row.ts";
import { available } from "../support/intents.ts";
import { inputOf, NOW_MS, producing, RULES } from "../support/ledger.ts";
import { codecWith, MemoryRegistry } from "./codec-fixtures.ts";

const LANE = 3;
const codec = codecWith(new MemoryRegistry());
const MAKER = {
  rules: RULES,
  rates: () => NO_RATES,
  parameters: () => NO_PARAMETERS,
  codec,
  intentsTopic: "intents",
  process: 7n,
};
const NOTHING = { next: 0n, last: -1n, lastAtMs: 0, lastHash: Buffer.alloc(0) };
const FIRST: Head = {
  epoch: 2n,
  block: 0n,
  digest: Buffer.alloc(32),
  nowMs: 0,
  intents: NOTHING,
  reports: NOTHING,
  timer: { dueMs: 0, caseId: "0".repeat(32), name: "" },
  outcomesNext: 0n,
  commandsNext: 0n,
  deadLettersNext: 0n,
  accounts: 0n,
};

function recordAt(offset: bigint, value: Buffer | null = Buffer.from("v"), key: Buffer | null = Buffer.from("k")) {
  return { offset, appendedAtMs: NOW_MS, key, value };
}

function batchOf(intents: readonly (IntentInput | Misfit)[], over: Partial<Batch> = {}): Batch {
  const last = intents.length === 0 ? null : recordAt(BigInt(intents.length) - 1n);
  return {
    timers: [],
    reports: [],
    reportsLast: null,
    messages: [],
    reportsNext: 0n,
    intents,
    intentsNext: BigInt(intents.length),
    intentsLast: last,
    nowMs: NOW_MS,
    accepted: null,
    ...over,
  };
}

function inputs(...messages: NewIntent[]): IntentInput[] {
  return messages.map((message, index) => inputOf(message, BigInt(index)));
}

function misfit(offset: bigint, over: Partial<Misfit> = {}, record: Partial<InputRecord> = {}): Misfit {
  const full: InputRecord = { ...recordAt(offset, Buffer.from(`bytes ${offset}`)), ...record };
  return { kind: "misfit", record: full, reason: "undecodable", detail: "no message", ...over };
}

function situationOf(over: Partial<Situation> = {}, clockMs = NOW_MS): Situation {
  const { epoch, block, digest } = FIRST;
  return { lane: { epoch, block, digest, clockMs }, cases: [], balances: [], ...over };
}

function make(batch: Batch, over: { memory?: LaneMemory; situation?: Situation } = {}): Block {
  const memory = over.memory ?? { head: FIRST, house: new Map(), pairs: NO_PAIRS };
  return makeBlock(MAKER, LANE, memory, batch, over.situation ?? situationOf());
}

function messagesOf({ messages }: Block, topic: string): Buffer[] {
  return messages.starts
    .map((start, index) => messages.bytes.subarray(start, start + (messages.sizes[index] as number)))
    .filter((_, index) => messages.topics[index] === topic);
}

describe("a block", () => {
  const intent = producing.payIn("ann", 500);
  const block = make(batchOf(inputs(intent, producing.payOut("ann", 600), intent)));

  test("counts its inputs by what became of them", () => {
    expect(block.counts).toEqual({ accepted: 1, refused: 1, repeated: 1, quarantined: new Map(), attention: [] });
    expect(block.inputs).toBe(3);
  });

  test("moves the head: number, time, positions, sequences, accounts", () => {
    expect(block.rows.after).toMatchObject({
      epoch: 2n,
      block: 1n,
      nowMs: NOW_MS,
      intents: { next: 3n, last: 2n, lastAtMs: NOW_MS, lastHash: recordHash(2n, Buffer.from("k"), Buffer.from("v")) },
      reports: NOTHING,
      timer: FIRST.timer,
      outcomesNext: 3n,
      commandsNext: 0n,
      deadLettersNext: 0n,
      accounts: 2n,
    });
  });

  test("carries outcomes in order, keyed by holder, each with the first bytes of the block's digest", () => {
    const outcomes = messagesOf(block, "outcomes").map((value) => codec.decoders.outcome.decode(value));
    expect(outcomes.map(({ type, sequence, lane }) => [type, sequence, lane])).toEqual([
      ["transfer.completed", 0n, LANE],
      ["transfer.rejected", 1n, LANE],
      ["intent.repeated", 2n, LANE],
    ]);
    for (const one of outcomes) expect(one.blockDigest).toEqual(block.rows.after.digest.subarray(0, 8));
    expect(block.messages.keys).toEqual(["ann", "ann", "ann"]);
    expect(block.messages.sequences).toEqual([0n, 1n, 2n]);
  });

  test("has a digest that can be computed again from its rows", () => {
    const { rows } = block;
    const lines = rows.lines.map(
      ({ debit, credit, currency, minor, caseId, posting }) =>
        `${debit.id} ${credit.id} ${currency} ${minor} ${caseId} ${posting}\n`,
    );
    const linesHash = createHash("sha256").update(lines.join("")).digest();
    const bytes = Buffer.from(block.messages.bytes);
    for (const start of block.messages.starts) bytes.fill(0, start + 5, start + 13);
    const messagesHash = createHash("sha256")
      .update(`${block.messages.sizes.join(",")}\n`)
      .update(bytes)
      .digest();
    expect([rows.linesHash, rows.messagesHash]).toEqual([linesHash, messagesHash]);
    const facts = {
      lane: LANE,
      block: 1n,
      nowMs: NOW_MS,
      timers: 0,
      lines: 1,
      intentsFrom: 0n,
      intentsNext: 3n,
      intentsLastHash: rows.after.intents.lastHash,
      reportsFrom: 0n,
      reportsNext: 0n,
      reportsLastHash: Buffer.alloc(0),
      outcomesNext: 3n,
      commandsNext: 0n,
      deadLettersNext: 0n,
      ratesVersion: 0n,
      parametersVersion: 0n,
    };
    expect(rows.after.digest).toEqual(blockDigest(FIRST.digest, facts, linesHash, messagesHash));
  });

  test("is the same when it is made again, and another with any other content, past or record", () => {
    const digestOf = (one: Block) => one.rows.after.digest.toString("hex");
    const batch = batchOf(inputs(intent));
    expect(digestOf(make(batch))).toBe(digestOf(make(batch)));
    const others = [
      make(batch),
      make(batchOf(inputs({ ...intent, sourceId: "other" }))),
      make({ ...batch, nowMs: NOW_MS + 1 }),
      make({ ...batch, intentsNext: 2n }),
      make({ ...batch, intentsLast: recordAt(0n, Buffer.from("w")) }),
      make(batch, { memory: { head: { ...FIRST, digest: Buffer.alloc(32, 1) }, house: new Map(), pairs: NO_PAIRS } }),
      make(batch, { memory: { head: { ...FIRST, block: 1n }, house: new Map(), pairs: NO_PAIRS } }),
    ];
    expect(new Set(others.map(digestOf)).size).toBe(others.length);
  });

  test("names accounts that are new to the lane, and the house's for its memory", () => {
    const first = BigInt(LANE) << 40n;
    expect(block.rows.opened).toEqual(new Set([-(first + 1n), first + 2n]));
    expect(block.newHouse.map(({ path }) => path)).toEqual(["asset:bank:main"]);
    const house = new Map(block.newHouse.map(({ path, currency, id }) => [`${path} ${currency}`, id]));
    const next = make(batchOf(inputs(producing.payIn("bob", 1)), { intentsNext: 4n }), {
      memory: { head: block.rows.after, house, pairs: block.pairs },
    });
    expect(next.newHouse).toEqual([]);
    expect(next.rows.accounts.map(({ path, id }) => [path, next.rows.opened.has(id)])).toEqual([
      [available("bob"), true],
      ["asset:bank:main", false],
    ]);
  });

  test("writes no account that was only looked at", () => {
    const refused = make(batchOf(inputs(producing.payOut("ann", 5), producing.payIn("ann", 0))));
    expect([refused.rows.accounts, refused.rows.lines, refused.newHouse]).toEqual([[], [], []]);
    expect(refused.rows.after.accounts).toBe(0n);
    expect(refused.rows.cases.map(({ state }) => state)).toEqual(["rejected", "rejected"]);
  });
});

describe("a block's now", () => {
  test.each<[string, number, number | null, number, number]>([
    ["the latest append time", 0, NOW_MS, NOW_MS + 999, NOW_MS],
    ["never before the last block's", NOW_MS + 50, NOW_MS, 0, NOW_MS + 50],
    ["the database's clock when no record came", 0, null, NOW_MS + 7, NOW_MS + 7],
    ["but not back by that clock either", NOW_MS + 50, null, NOW_MS, NOW_MS + 50],
  ])("is %s", (_what, before, nowMs, clockMs, expected) => {
    const memory = { head: { ...FIRST, nowMs: before }, house: new Map(), pairs: NO_PAIRS };
    const block = make(batchOf([], { nowMs }), { memory, situation: situationOf({}, clockMs) });
    expect(block.rows.after.nowMs).toBe(expected);
  });

  test("is not before a timer that fires in it", () => {
    const { situation, timer } = waiting();
    const nowMs = timer.dueMs - 1000; // the broker's clock is behind
    const block = make(batchOf([], { timers: [{ kind: "timer", timer }], nowMs }), { situation });
    expect(block.rows.after.nowMs).toBe(timer.dueMs);
    expect(block.rows.after.timer).toEqual(timer);
    expect(block.rows.timersFired).toBe(1);
    expect(block.rows.timersGone).toEqual([timer]);
  });
});

describe("timers of a block", () => {
  test("fire before its intents are decided", () => {
    const { situation, timer, hold } = waiting();
    const capture = inputOf(producing.holdCapture("ann", hold), 0n);
    const block = make(batchOf([capture], { timers: [{ kind: "timer", timer }] }), { situation });
    const outcomes = messagesOf(block, "outcomes").map((value) => codec.decoders.outcome.decode(value));
    expect(outcomes.map(({ type, reason }) => [type, reason?.code])).toEqual([
      ["hold.expired", undefined],
      ["intent.rejected", "invalid_state"],
    ]);
    expect(block.inputs).toBe(2);
  });

  test("that come and go within it never reach the table", () => {
    const place = producing.holdPlace("ann", 5);
    const all = inputs(producing.payIn("ann", 5), place, producing.holdRelease("ann", place.caseId as string));
    const { rows } = make(batchOf(all));
    expect([rows.timersArmed, rows.timersGone]).toEqual([[], []]);
    const kept = make(batchOf(all.slice(0, 2))).rows;
    expect([kept.timersArmed.length, kept.timersGone]).toEqual([1, []]);
  });

  test("that cannot be decided stop it, as a report does", () => {
    const timer = { dueMs: NOW_MS, caseId: "a".repeat(32), name: "expiry" };
    expect(() => make(batchOf([], { timers: [{ kind: "timer", timer }] }))).toThrow(Undecidable);
    expect(() => make(batchOf([], { reports: [reportOf()], reportsNext: 1n }))).toThrow(Undecidable);
  });
});

/** Of a case that nobody knows. */
function reportOf(over: Partial<Report> = {}): ReportInput {
  const report: Report = {
    holderId: "ann",
    caseId: parseCaseId("trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C") as CaseId,
    call: "authorize",
    attempt: 1,
    result: "approved",
    observation: "o",
    payload: {},
    occurredAtMicros: 0n,
    from: null,
    ...over,
  };
  return { kind: "report", id: `r-${LANE}-0`, source: "r", offset: 0n, report };
}

/** A case in `held`, with its money and its timer, as the database would give them. */
function waiting() {
  const place = producing.holdPlace("ann", 5);
  const { rows } = make(batchOf(inputs(producing.payIn("ann", 5), place)));
  const cases = rows.cases.map(caseRowOf);
  const balances = rows.accounts
    .filter(({ id }) => id > 0n)
    .map((one) => ({ ...one, debits: one.addedDebits, credits: one.addedCredits }));
  const [timer] = rows.timersArmed;
  if (timer === undefined) throw new Error("no timer was armed");
  expect(parseHistory(rows.cases[1]?.history ?? "")).toHaveLength(1);
  return { situation: situationOf({ cases, balances }), timer, hold: place.caseId as string };
}

describe("what could not be understood", () => {
  test("becomes one quarantine row and one dead letter each, in order, and the rest goes on", () => {
    const [first, second] = inputs(producing.payIn("ann", 5), producing.payIn("ann", 6));
    const batch = batchOf([
      first as IntentInput,
      misfit(1n),
      second as IntentInput,
      misfit(3n, { reason: "wrong_lane" }),
    ]);
    const block = make(batch);
    expect(block.counts.quarantined).toEqual(
      new Map([
        ["undecodable", 1],
        ["wrong_lane", 1],
      ]),
    );
    expect(block.counts.accepted).toBe(2);
    expect(block.rows.quarantine.map(({ offset, reason }) => [offset, reason])).toEqual([
      [1n, "undecodable"],
      [3n, "wrong_lane"],
    ]);
    const letters = messagesOf(block, "deadLetters").map((value) => codec.decoders.deadLetter.decode(value));
    expect(letters.map(({ sequence, offset }) => [sequence, offset])).toEqual([
      [0n, 1n],
      [1n, 3n],
    ]);
    expect(letters[0]).toMatchObject({
      lane: LANE,
      block: 1n,
      topic: "intents",
      partition: LANE,
      detail: "no message",
      size: 7,
      sha256: createHash("sha256").update("bytes 1").digest("hex"),
      value: Buffer.from("bytes 1"),
      appendedAt: BigInt(NOW_MS) * 1000n,
      recordedAt: BigInt(NOW_MS) * 1000n,
    });
    expect(block.rows.after.deadLettersNext).toBe(2n);
    expect(letters[0]?.blockDigest).toEqual(block.rows.after.digest.subarray(0, 8));
  });

  test("is kept up to 16 kB, with size and hash of the whole", () => {
    const value = Buffer.alloc(20_000, 7);
    const { rows } = make(batchOf([misfit(0n, {}, { value })]));
    expect(rows.quarantine[0]).toMatchObject({ size: 20_000, value: value.subarray(0, 16_384) });
    expect(rows.quarantine[0]?.sha256).toEqual(createHash("sha256").update(value).digest());
  });

  test("is not kept when it holds a card number, or nothing", () => {
    const { rows } = make(batchOf([misfit(0n, { reason: "card_number" }), misfit(1n, {}, { value: null })]));
    expect(rows.quarantine.map(({ value, size }) => [value, size])).toEqual([
      [null, 7],
      [null, 0],
    ]);
    expect(rows.quarantine[0]).toMatchObject({ key: null, sha256: Buffer.alloc(32) });
  });

  test.each<[Buffer | null, string | null, string]>([
    [Buffer.from("cust_1"), "cust_1", "cust_1"],
    [null, null, ""],
    [Buffer.from([0, 255]), "0x00ff", "0x00ff"],
    [Buffer.from("x".repeat(100)), "x".repeat(64), "x".repeat(64)],
  ])("keeps the key %s in a form that can be read", (key, kept, sent) => {
    const block = make(batchOf([misfit(0n, {}, { key })]));
    expect([block.rows.quarantine[0]?.key, block.messages.keys]).toEqual([kept, [sent]]);
  });
});

describe("positions", () => {
  test("never go back", () => {
    const memory = { head: { ...FIRST, intents: { ...NOTHING, next: 5n } }, house: new Map(), pairs: NO_PAIRS };
    expect(() => make(batchOf([], { intentsNext: 4n }), { memory })).toThrow(AssertionFailed);
  });

  test("move over holes without forgetting the last record", () => {
    const intents = { next: 5n, last: 4n, lastAtMs: 9, lastHash: Buffer.from("h") };
    const memory = { head: { ...FIRST, intents }, house: new Map(), pairs: NO_PAIRS };
    const { rows } = make(batchOf([], { intentsNext: 8n, intentsLast: null }), { memory });
    expect(rows.after.intents).toEqual({ ...intents, next: 8n });
  });

  test.each([9n, 5n, 2n])("move to %s when an operator accepted it, with no record of ours behind", (next) => {
    const intents = { next: 5n, last: 4n, lastAtMs: 9, lastHash: Buffer.from("h") };
    const memory = { head: { ...FIRST, intents }, house: new Map(), pairs: NO_PAIRS };
    const accepted = { halt: 3n, intentsAt: next, reportsAt: null };
    const { rows } = make(batchOf([], { intentsNext: next, intentsLast: null, accepted }), { memory });
    expect(rows.after.intents).toEqual({ ...NOTHING, next });
    expect(rows.after.reports).toEqual(NOTHING);
    expect(rows.halt).toBe(3n);
  });
});

describe("calls for a person", () => {
  const pay = producing.caseId("pay");
  const create: NewIntent = {
    type: "payment_create",
    holderId: "mer_1",
    caseId: pay,
    occurredAt: BigInt(NOW_MS) * 1000n,
    method: "card",
    provider: "script",
    tokenRef: "tok_1",
    captureMode: "manual",
    amount: { currency: "EUR", scale: 2, minor: "1000" },
  };
  const cases = make(batchOf(inputs(create))).rows.cases.map(caseRowOf);
  const told = (offset: bigint, over: Partial<Report>): ReportInput => ({
    ...reportOf({ holderId: "mer_1", caseId: parseCaseId(pay) as CaseId, observation: `${offset}`, ...over }),
    offset,
  });
  const capture = { call: "capture", attempt: 0, result: "ok", payload: { amount: "1000", seq: "2" } };
  const reports = [
    told(0n, capture),
    told(1n, { payload: { approved: "1000", seq: "1" } }),
    told(2n, capture),
    told(3n, capture),
  ];
  const batch = batchOf([], { reports, reportsNext: 4n, reportsLast: recordAt(3n) });
  const attentionBy = (rules: typeof RULES) =>
    makeBlock(
      { ...MAKER, rules },
      LANE,
      { head: FIRST, house: new Map(), pairs: NO_PAIRS },
      batch,
      situationOf({ cases }),
    ).counts.attention;

  test("are counted by flow and code, apart where the case does not wait for that person", () => {
    expect(attentionBy(RULES)).toEqual([
      { flow: "card", code: "capture_not_expected", waits: false },
      { flow: "card", code: "capture_not_requested", waits: true },
      { flow: "card", code: "capture_not_expected", waits: true },
    ]);
  });

  test("are counted as one where the flow's file does not name the code", () => {
    const nameless = [...RULES.flowsByNumber].map(([number, flow]) => [number, { ...flow, attention: new Set() }]);
    const rules = { ...RULES, flowsByNumber: new Map(nameless as [number, CompiledFlow][]) };
    expect(new Set(attentionBy(rules).map(({ code }) => code))).toEqual(new Set([CODE_OF_AN_EVENT]));
  });
});

test("a case of a flow that this process does not know, or an account that left the chart, is never guessed", () => {
  const { situation, timer } = waiting();
  const [one] = situation.cases;
  const unknown = { ...situation, cases: one === undefined ? [] : [{ ...one, flow: 99 }] };
  expect(() => make(batchOf([]), { situation: unknown })).toThrow(
    /flow 99 of case .* restart it with the newer release/,
  );
  const fired = batchOf([], { timers: [{ kind: "timer", timer }], nowMs: timer.dueMs });
  const { house, templates, providers } = RULES.chart;
  const others = templates.filter(({ path }) => !path.startsWith("liability:customer:"));
  const rules = { ...RULES, chart: new Chart(house, others, providers) };
  const memory = { head: FIRST, house: new Map(), pairs: NO_PAIRS };
  expect(() => makeBlock({ ...MAKER, rules }, LANE, memory, fired, situation)).toThrow(/account .* has left the chart/);
});

test("a block that turns out to need more leaves what was read as it was, to be decided by again", () => {
  const [pay, quoteId] = [producing.caseId("pay"), producing.caseId("fxq")];
  const create = (caseId: string, over: Partial<NewIntent> = {}): NewIntent => ({
    type: "payment_create",
    holderId: "mer_1",
    caseId,
    occurredAt: BigInt(NOW_MS) * 1000n,
    method: "card",
    provider: "script",
    tokenRef: "tok_1",
    amount: { currency: "EUR", scale: 2, minor: "1000" },
    ...over,
  });
  const opened = make(batchOf(inputs(create(pay)))).rows.cases[0];
  if (opened === undefined) throw new Error("the payment was not opened");
  const row = caseRowOf(opened);
  const { uuid } = parseCaseId(pay) as CaseId;
  const sought = new Seeking();
  sought.addCase(uuid);
  const situation = situationOf({ cases: [row], sought });
  const before = JSON.stringify(situation, (_, value) => (typeof value === "bigint" ? `${value}` : value));
  const approved: Report = {
    holderId: "mer_1",
    caseId: parseCaseId(pay) as CaseId,
    call: "authorize",
    attempt: 1,
    result: "approved",
    observation: "auth/1/approved",
    payload: { approved: "1000", seq: "1" },
    occurredAtMicros: BigInt(NOW_MS) * 1000n,
    from: null,
  };
  const report: ReportInput = { kind: "report", id: "r-3-0", source: "r", offset: 0n, report: approved };
  const quoted = inputs(create(producing.caseId("pay"), { quoteId, settlementCurrency: "USD" }));
  expect(() => make(batchOf(quoted, { reports: [report], reportsNext: 1n }), { situation })).toThrow(NotRead);
  expect(JSON.stringify(situation, (_, value) => (typeof value === "bigint" ? `${value}` : value))).toBe(before);
});

test("what a provider's report may touch is read along with its case", () => {
  const id = producing.caseId("pay");
  const report: Report = {
    holderId: "mer_1",
    caseId: parseCaseId(id) as CaseId,
    call: "capture",
    attempt: 1,
    result: "ok",
    observation: "cap/1/ok",
    payload: { amount: "1000", seq: "1" },
    occurredAtMicros: BigInt(NOW_MS) * 1000n,
    from: null,
  };
  const reports: ReportInput[] = [{ kind: "report", id: "r-3-0", source: "r", offset: 0n, report }];
  const { caseIds, paths } = concerned(RULES, LANE, batchOf([], { reports, reportsNext: 1n })).next();
  expect([...caseIds]).toEqual([report.caseId.uuid]);
  expect([...paths].sort()).toEqual(["liability:merchant:mer_1:pending", "liability:merchant:mer_1:reserved"]);
});

test("of a create the accounts of the one flow are read along that it opens, whatever else pays that way", () => {
  const card = {
    type: "payment_create",
    method: "card",
    provider: "script",
    settlementCurrency: "EUR",
    tokenRef: "tok_1",
  };
  const input = inputOf(producing.payIn("mer_1", 100, { ...card, from: null, to: null }), 0n);
  const { paths } = concerned(RULES, LANE, batchOf([input])).next();
  expect([...paths].sort()).toEqual(["liability:merchant:mer_1:pending", "liability:merchant:mer_1:reserved"]);
});
