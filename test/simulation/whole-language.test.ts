// The core and the second ledger decide the same days of the whole flow language: gateways, messages between lanes, children,
// rates and parameters.

import { describe, expect, test } from "vitest";
import { type RateRow, RateSnapshot } from "../../src/domain/fx/rates.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { NO_PARAMETERS } from "../../src/domain/parameters/parameters.ts";
import type { CommandMessage } from "../../src/kafka/codec-messages.ts";
import type { SecondBlock } from "../../src/workload/audit/second.ts";
import type { VersionSources } from "../../src/workload/audit/versions.ts";
import type { LaneLedger } from "../../src/workload/second-ledger/ledger.ts";
import { ledgerAt, takeOverCase } from "../../src/workload/second-ledger/taken-over.ts";
import { replaceOnce } from "../support/faulty.ts";
import { available, euros, Producing } from "../support/intents.ts";
import { LANES, NOW_MS } from "../support/ledger.ts";
import { MemoryProduction } from "../support/memory-lane.ts";
import { auditMemory } from "../support/second-audit.ts";
import { WholeDay } from "../support/whole-day.ts";
import { type Change, wholeRules, wholeSecondRules } from "../support/whole-flows.ts";

const RULES = wholeRules();
const SECOND = wholeSecondRules();
const DAYS = Number(process.env["DAYS"] ?? 15);
const FIRST_SEED = Number(process.env["SEED"] ?? 1);

describe("days at random of two lanes", () => {
  test("are decided the same by both", async () => {
    const seen = new Set<string>();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + DAYS; seed++) {
      const day = await new WholeDay(seed).run(60);
      for (const lane of day.lanes.values()) {
        const { found, tally } = await auditMemory(lane, { rules: SECOND, versions: day.versions });
        expect(found, `SEED=${seed} DAYS=1 npx vitest run test/simulation/whole-language.test.ts`).toEqual({});
        expect(tally.blocksDecided).toBe(lane.head.block);
        for (const what of happenedIn(lane)) seen.add(what);
        for (const { caseId, flow, state, isListed } of lane.cases()) {
          const waits = RULES.flowsByNumber.get(flow)?.human.has(state) === true;
          expect([caseId, state, isListed]).toEqual([caseId, state, waits]);
          if (waits) seen.add("a person is waited for");
        }
      }
    }
    if (DAYS < 15) return;
    for (const what of EVERYTHING) expect([what, seen.has(what)]).toEqual([what, true]);
  });
});

function happenedIn(lane: MemoryProduction): string[] {
  const { outcome, command } = lane.codec.decoders;
  return lane.blocks.flatMap(({ row, outcomes, commands }) => [
    ...(row.timers > 0 ? ["timer"] : []),
    ...commands.messages.map(({ value }) => `command ${command.decode(value).op}`),
    ...outcomes.messages.flatMap(({ value }) => {
      const { type, reason } = outcome.decode(value);
      return reason === null ? [type] : [type, reason.code];
    }),
  ]);
}

/** What days hold between them, or they would prove little. */
const EVERYTHING = [
  "a person is waited for",
  "timer",
  "command card.authorize",
  "command card.status",
  "command card.capture",
  "command card.void",
  "command bank.pay",
  "errand.set",
  "errand.taken",
  "errand.take_failed",
  "errand.expired",
  "errand.canceled",
  "errand.failed",
  "ops.attention",
  "ops.escalated",
  "gift.sent",
  "gift.received",
  "gift.completed",
  "gift.failed",
  "gift_credit.rejected",
  "transfer.completed",
  "transfer.submitted",
  "transfer.received",
  "parcel.packed",
  "portion.opened",
  "portion.paid",
  "command card.refund",
  "payment.received",
  "payment.authorized",
  "payment.captured",
  "payment.failed",
  "payment.refund_requested",
  "refund.created",
  "quote.created",
  "quote_mismatch",
  "intent.accepted",
  "intent.repeated",
  "amount_exceeds_capturable",
  "amount_too_large",
  "currency_mismatch",
  "fx_rate_unavailable",
  "account_frozen",
  "insufficient_funds",
  "take_not_expected",
  "provider_error",
];

test("commands from before they had a timeout are held against nothing in that field, and still in the others", async () => {
  const day = await new WholeDay(1).run(60);
  const changed = (lane: MemoryProduction, change: Partial<CommandMessage>): SecondBlock[] =>
    lane.blocks.map((block) => {
      const messages = block.commands.messages.map(({ value, ...one }) => {
        const command = lane.codec.decoders.command.decode(value);
        return { ...one, value: lane.codec.encoders.command.encode({ ...command, ...change }) };
      });
      return { ...block, commands: { ...block.commands, messages } };
    });
  const found = async (change: Partial<CommandMessage>) => {
    const over = { rules: SECOND, versions: day.versions };
    const lanes = [...day.lanes.values()].filter(({ head }) => head.commandsNext > 0n);
    const audits = lanes.map((lane) => auditMemory(lane, { ...over, blocks: changed(lane, change) }));
    return (await Promise.all(audits)).map((one) => one.found["commands_decided_anew"] ?? "nothing");
  };
  const lanes = (await found({})).length;
  expect(lanes).toBeGreaterThan(0);
  expect(await found({ timeoutMs: 0 })).toEqual(Array(lanes).fill("nothing"));
  expect(await found({ timeoutMs: 1 })).toEqual(Array(lanes).fill(expect.stringContaining("says timeoutMs 1")));
  expect(await found({ timeoutMs: 0, call: "x" })).toEqual(Array(lanes).fill(expect.stringContaining("says call")));
});

test("what a rate makes too large for the ledger is refused, at home and to another holder, by both", async () => {
  const life = [{ untilMs: NOW_MS + 60_000, quality: "fresh", extraBps: 0n, lockMaxMs: null }] as const;
  const said = { bid: "150", mid: "150", ask: "150", seq: 1n, asOfMs: NOW_MS, receivedAtMs: NOW_MS };
  const pair = { version: 1n, feed: "desk", priority: 1, pivot: "USD", base: "USD", quote: "JPY" };
  const row: RateRow = { ...pair, ...said, life };
  const rates = RateSnapshot.EMPTY.with(1n, [row]);
  const lane = new MemoryProduction("cust_0", undefined, undefined, {
    rates: () => rates,
    parameters: () => NO_PARAMETERS,
  });
  const make = new Producing(() => NOW_MS);
  const others = Array.from({ length: 100 }, (_, index) => `cust_${index + 1}`);
  const neighbour = others.find((one) => homeLane(one, LANES) === lane.lane) as string;
  const stranger = others.find((one) => homeLane(one, LANES) !== lane.lane) as string;
  const sent = ["9".repeat(38), "9".repeat(37)].flatMap((minor) =>
    ["cust_0", neighbour, stranger].map((holder) =>
      make.payIn("cust_0", 1, {
        amount: { currency: "USD", scale: 2, minor },
        settlementCurrency: "JPY",
        to: available(holder),
      }),
    ),
  );
  for (const one of sent) lane.append(Buffer.from(one.holderId), lane.codec.encoders.intent.encode(one), NOW_MS);
  await lane.commit(NOW_MS);
  const outcomes = (lane.blocks[0] as SecondBlock).outcomes.messages.map(({ value }) =>
    lane.codec.decoders.outcome.decode(value),
  );
  const told = outcomes.map(({ type, reason }) => reason?.code ?? type);
  expect(told.slice(0, 3)).toEqual(["amount_too_large", "amount_too_large", "amount_too_large"]);
  expect(told.slice(3)).not.toContain("amount_too_large");
  const spans = [[NOW_MS + 60_000, "fresh", 0, null] as const];
  const versions = { rates: async () => [{ ...row, life: spans }], parameters: async () => new Map() };
  expect((await auditMemory(lane, { versions: versions as VersionSources })).found).toEqual({});
});

type Replaced = readonly [file: string, old: string, by: string];

const replacing =
  (...replaced: readonly Replaced[]): Change =>
  (name, text) =>
    replaced.reduce((now, [file, old, by]) => (file === `${name}` ? replaceOnce(now, old, by) : now), text);

type Over = ConstructorParameters<typeof WholeDay>[1];

/** What is said of an invariant that does not hold, for days of a core that goes by something else than the second ledger:
 *  of the first day in which it is what is wanted. */
async function foundOf(invariant: string, wanted: RegExp, over: Over, second = SECOND): Promise<string> {
  let said = "nothing";
  for (let seed = 1; seed <= 12; seed++) {
    const day = await new WholeDay(seed, over).run(60);
    for (const lane of day.lanes.values()) {
      const { found } = await auditMemory(lane, { rules: second, versions: day.versions });
      said = (invariant === "any" ? Object.values(found).join("\n") : found[invariant]) ?? said;
      if (wanted.test(said)) return said;
    }
  }
  return said;
}

const ERRAND = "errand.flow.yaml";

describe("a core that decides otherwise is found, and what is wrong is named:", () => {
  test.for<[string, Replaced, string, RegExp]>([
    ["another key", [ERRAND, "{case}/take/{data.seq}", "{case}/take"], "commands_decided_anew", /says idempotencyKey/],
    [
      "another deadline",
      [ERRAND, "key_lifetime: { duration: true, default: PT45S }", "key_lifetime: { duration: true, default: PT46S }"],
      "commands_decided_anew",
      /says notAfter/,
    ],
    [
      "a call with less patience",
      [ERRAND, "timeout: PT10S", "timeout: PT9S"],
      "commands_decided_anew",
      /says timeoutMs/,
    ],
    ["another payload", [ERRAND, "last: data.last }", "last: true }"], "commands_decided_anew", /says payload/],
    [
      "a call that moves something as one that asks",
      [ERRAND, "op: card.void", "op: card.status"],
      "commands_decided_anew",
      /says op/,
    ],
    [
      "a guard a little too wide",
      [ERRAND, "params.strict && data.held < data.amount", "data.held < data.amount"],
      "outcomes_decided_anew",
      /decided anew/,
    ],
    [
      "a default of a parameter",
      [ERRAND, "poll_every: { duration: true, default: PT30S }", "poll_every: { duration: true, default: PT31S }"],
      "timers_decided_anew",
      /timer poll/,
    ],
    [
      "a fee rounded otherwise",
      [ERRAND, 'fee: "fee.of(x, params.fee_bps, lookup', 'fee: "part.down(x, params.fee_bps, 10000) + min(0, lookup'],
      "lines_decided_anew",
      /by take of case/,
    ],
    ["an anchor left out", [ERRAND, ", anchor: data.set_at", ""], "timers_decided_anew", /timer expiry/],
    [
      "an alarm that is not raised",
      [ERRAND, "psp.take.ok: take_not_expected", "psp.take.rejected: take_not_expected"],
      "outcomes_decided_anew",
      /it has \d+ outcomes; decided anew \d+/,
    ],
    ["an end with another code", [ERRAND, "code: no_record", "code: no_trace"], "outcomes_decided_anew", /no_trace/],
    [
      "a state entered again instead of kept",
      [ERRAND, "psp.take.unknown: [{ to: stay }]", "psp.take.unknown: [{ to: taking }]"],
      "commands_decided_anew",
      /it has \d+ commands; decided anew \d+/,
    ],
    [
      "a message with another amount",
      ["gift.flow.yaml", "amount: data.sent,", "amount: data.amount + 1,"],
      "messages_decided_anew",
      /says payload/,
    ],
    [
      "a message to somebody else",
      ["gift.flow.yaml", "holder.of(data.target)", "case.holder"],
      "messages_decided_anew",
      /decided anew/,
    ],
    [
      "a limit of the receiver",
      ["gift_credit.flow.yaml", "EUR: 4000", "EUR: 400"],
      "outcomes_decided_anew",
      /gift_credit.rejected/,
    ],
    [
      "a child with another amount",
      ["parcel.flow.yaml", "spawn: portion, amount: intent.amount.minor", "spawn: portion, amount: data.left"],
      "outcomes_decided_anew",
      /outcome \d+ says amounts/,
    ],
    [
      "a parent that is told something else",
      ["portion.flow.yaml", "tell: done", "tell: failed"],
      "cases_decided_anew",
      /child\.portion/,
    ],
  ])("%s", async ([, replaced, invariant, said]) => {
    const rules = wholeRules(replacing(replaced));
    expect(await foundOf(invariant, said, { rules })).toMatch(said);
  });

  test("parameters that are not laid over", async () => {
    const parameters = () => ({ ...NO_PARAMETERS, version: 1 });
    const said = /decided anew/;
    expect(await foundOf("any", said, { versions: { parameters } })).toMatch(said);
  });

  test("rates of another version", async () => {
    const rates = () => ({ version: 1n, usable: () => ({ numerator: 1n, denominator: 1n }) });
    const said = /fx_rate_unavailable/;
    expect(await foundOf("outcomes_decided_anew", said, { versions: { rates } })).toMatch(said);
  });
});

describe("a flow that does not keep what it promises is found, though both decide by it:", () => {
  const FEE_STAYS: Replaced = [ERRAND, "        - [clearing, fees, S, fee]\n", ""];
  test.for<[string, readonly Replaced[], string, RegExp]>([
    [
      "a fee that stays on the clearing account",
      [FEE_STAYS],
      "draining_accounts_empty",
      /in done holds -\d+ \w+ on clearing, which drains/,
    ],
    [
      "a fee that stays on the clearing account of a case that ends with it",
      [
        FEE_STAYS,
        [
          ERRAND,
          "done:\n      kind: quiescent\n      timers: [late]\n      events:\n        timer.late: [{ to: closed }]\n",
          "done: { kind: final }\n",
        ],
      ],
      "draining_accounts_empty",
      /in done holds -\d+ \w+ on clearing, which drains/,
    ],
    [
      "money held and not counted",
      [[ERRAND, "held: event.approved, set_at", "held: 0, set_at"]],
      "flow_invariants_hold",
      /bal\(hold, S\) == -data.held, and it is -\d+, not 0/,
    ],
  ])("%s", async ([, replaced, invariant, said]) => {
    const change = replacing(...replaced);
    const rules = wholeRules(change);
    expect(await foundOf(invariant, said, { rules }, wholeSecondRules(change))).toMatch(said);
  });
});

test("a case that ends twice is found", async () => {
  const day = await new WholeDay(2).run(60);
  const found: Record<string, string> = {};
  for (const lane of day.lanes.values()) {
    const { outcome: decoder } = lane.codec.decoders;
    const ends = lane.blocks.flatMap(({ outcomes }, at) =>
      outcomes.messages.map(({ value }) => ({ at, said: decoder.decode(value) })),
    );
    const first = ends.find(({ said }) => said.type === "errand.expired");
    const later = ends.find(({ at, said }) => at > (first?.at ?? 0) && said.caseId !== null);
    if (first === undefined || later === undefined) continue;
    const block = lane.blocks[later.at] as SecondBlock;
    const forged = { ...later.said, type: "errand.failed", caseId: first.said.caseId };
    const value = lane.codec.encoders.outcome.encode(forged);
    const messages = block.outcomes.messages.map((one) =>
      one.sequence === later.said.sequence ? { ...one, value } : one,
    );
    lane.blocks[later.at] = { ...block, outcomes: { ...block.outcomes, messages } };
    Object.assign(found, (await auditMemory(lane, { rules: SECOND, versions: day.versions })).found);
  }
  expect(found["cases_end_once"]).toMatch(/ends with errand.failed, and it had ended before/);
});

describe("a ledger that is taken over in mid-day", () => {
  test("goes on as one that has decided everything", async () => {
    let decided = 0n;
    for (let seed = 1; seed <= 4; seed++) {
      const day = new WholeDay(seed);
      await day.run(30);
      const begun = new Map([...day.lanes].map(([number, lane]) => [number, ledgerAt(SECOND, lane.standing())]));
      for (const [number, ledger] of begun) {
        const waiting = new Set([...ledger.timers.values()].map(({ uuid }) => uuid));
        const rows = day.lanes.get(number)?.cases() ?? [];
        for (const row of rows) if (waiting.has(row.caseId)) takeOverCase(SECOND, ledger, row);
      }
      await day.run(30);
      for (const [number, lane] of day.lanes) {
        const from = begun.get(number) as LaneLedger;
        const blocks = lane.blocks.filter(({ row }) => row.block > from.block);
        const { found, tally } = await auditMemory(lane, { rules: SECOND, versions: day.versions, from, blocks });
        expect(found, `seed ${seed}`).toEqual({});
        decided += tally.blocksDecided;
      }
    }
    // What waits for no timer was read after later blocks had moved it, and so was not known in time.
    expect(Number(decided)).toBeGreaterThan(20);
  });
});

test("a timer that is armed, cancelled and armed again for one moment in one block is armed", async () => {
  const lane = new MemoryProduction("cust_0", wholeRules());
  expect(lane.lane).toBe(homeLane("cust_0", LANES));
  const make = new Producing(() => NOW_MS);
  const { intent, report } = lane.codec.encoders;
  const key = Buffer.from("cust_0");
  const pay = make.payIn("cust_0", 5_000);
  const errand = {
    ...pay,
    type: "errand_create",
    caseId: make.caseId("ern"),
    amount: euros(300),
    captureMode: "automatic",
  };
  for (const one of [pay, errand]) lane.append(key, intent.encode(one), NOW_MS);
  await lane.commit(NOW_MS);
  const told = (call: string, result: string, payload: Record<string, string>) =>
    report.encode({
      holderId: "cust_0",
      caseId: errand.caseId,
      call,
      attempt: 1,
      result,
      observation: `${call} ${result}`,
      payload,
      occurredAt: BigInt(NOW_MS) * 1_000n,
      from: null,
    });
  // The first leaves for a state that polls, the second from there for another one that does, at the same time.
  lane.appendReport(key, told("set", "unknown", {}), NOW_MS + 50);
  lane.appendReport(key, told("set", "approved", { approved: "300" }), NOW_MS + 50);
  await lane.commit(NOW_MS + 50);
  expect(lane.cases().map(({ state }) => state)).toContain("taking");
  expect(lane.standing().timers.map(({ name, dueAt }) => [name, dueAt])).toEqual([
    ["poll", new Date(NOW_MS + 30_050).toISOString()],
  ]);
  expect((await auditMemory(lane, { rules: SECOND })).found).toEqual({});
});
