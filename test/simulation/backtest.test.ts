// A day with cards, refunds, conversions and money between lanes, decided anew with a candidate in the place of its flow. The
// same day, lived again with the candidate, says what a backtest has to find: as far as a candidate asks its provider for
// nothing else, chance and provider do the same in both.
import { describe, expect, test } from "vitest";
import type { BacktestResult } from "../../src/workload/backtest/result.ts";
import { backtestDay } from "../support/backtest.ts";
import { replaceOnce } from "../support/faulty.ts";
import { RULES } from "../support/ledger.ts";
import type { MemoryProduction } from "../support/memory-lane.ts";
import { WholeDay } from "../support/whole-day.ts";
import { type Change, wholeRules } from "../support/whole-flows.ts";

const DAYS = Number(process.env["DAYS"] ?? 6);
const FIRST_SEED = Number(process.env["SEED"] ?? 1);
const ROUNDS = 60;
const SEEDS = Array.from({ length: DAYS }, (_, index) => FIRST_SEED + index);
const again = (seed: number): string => `SEED=${seed} DAYS=1 npx vitest run test/simulation/backtest.test.ts`;

const days = new Map<number, WholeDay>();
/** A backtest only reads it, so that all tests can share a day. */
async function dayOf(seed: number): Promise<WholeDay> {
  const day = days.get(seed) ?? (await new WholeDay(seed).run(ROUNDS));
  days.set(seed, day);
  return day;
}

const NO_DIFFERENCE = {
  identical: true,
  casesThatDiffer: 0,
  casesUnknown: 0,
  outcomes: [],
  lines: [],
  states: [],
  money: [],
  undecidable: [],
  unanswered: [],
  unasked: [],
  notReproduced: [],
};

describe("the same flow differs in nothing", () => {
  test("whichever flow of whichever day it is", async () => {
    const seen = { reports: 0, messages: 0, timers: 0 };
    for (const seed of SEEDS.slice(0, 2)) {
      const day = await dayOf(seed);
      for (const name of ["card", "refund", "errand", "transfer_in"]) {
        const { result } = await backtestDay(day, name);
        expect(result, again(seed)).toMatchObject(NO_DIFFERENCE);
        seen.reports += result.inputs.reports;
        seen.messages += result.inputs.messages;
        seen.timers += result.inputs.timers;
      }
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
  });

  test("in a span that begins in the middle of it; cases from before go their recorded way", async () => {
    let reproduced = 0;
    for (const seed of SEEDS) {
      const day = await dayOf(seed);
      const { result } = await backtestDay(day, "card", undefined, { from: 9n });
      expect(result.inputs.prior, again(seed)).toBeGreaterThan(0);
      expect({ ...result, notReproduced: [] }, again(seed)).toMatchObject(NO_DIFFERENCE);
      // An account that was frozen within the span seems frozen from its beginning: what that changes is named, and nothing
      // else is.
      for (const lane of day.lanes.values()) {
        if (lane.standing().balances.some(({ status }) => status !== "open")) continue;
        expect(result.notReproduced.filter(({ partition }) => partition === lane.lane)).toEqual([]);
        reproduced += 1;
      }
    }
    expect(reproduced).toBeGreaterThan(0);
  });
});

const replacing =
  (...replaced: readonly (readonly [file: string, old: string, by: string])[]): Change =>
  (name, text) =>
    replaced.reduce((now, [file, old, by]) => (file === name ? replaceOnce(now, old, by) : now), text);

const CARD = "card.flow.yaml";
const ERRAND = "errand.flow.yaml";
const GIFT = "gift.flow.yaml";

describe("a candidate differs in exactly what the day with it would have been", () => {
  test.for<[string, string, Change]>([
    ["another fee of card payments", "card", replacing([CARD, "default: 290", "default: 450"])],
    ["another spread of conversions", "card", replacing([CARD, '{ "*": 100 }', '{ "*": 350 }'])],
    [
      "another limit of the receiver in another lane",
      "gift_credit",
      replacing(["gift_credit.flow.yaml", "EUR: 4000", "EUR: 300"]),
    ],
    [
      "another guard of the sender",
      "gift",
      replacing([GIFT, "home(data.target)", "home(data.target) || data.amount > 2000"]),
    ],
    [
      "a transition that is not there any more",
      "gift",
      replacing([
        GIFT,
        `        gift.refused:
          [{ do: [{ post: back, x: data.sent }, { set: { sent: 0 } }, { end: failed, code: event.code }], to: failed }]
`,
        "",
      ]),
    ],
    [
      "another fee of errands",
      "errand",
      replacing([ERRAND, "fee_bps: { int: true, default: 290 }", "fee_bps: { int: true, default: 291 }"]),
    ],
  ])("%s", async ([, flow, change]) => {
    let differing = 0;
    for (const seed of SEEDS) {
      if (differing > 1) break; // so many days have shown it
      const recorded = await dayOf(seed);
      const lived = await new WholeDay(seed, { rules: wholeRules(change) }).run(ROUNDS);
      // Who asks the provider for something else draws another chance from there on, and lives another day.
      if (askedIn(lived) !== askedIn(recorded)) continue;
      const { result } = await backtestDay(recorded, flow, change);
      expect(toldOf(result), again(seed)).toEqual(expectedOf(recorded, lived));
      expect(result, again(seed)).toMatchObject({ undecidable: [], unanswered: [], notReproduced: [] });
      if (result.casesThatDiffer > 0) differing += 1;
    }
    expect(differing).toBeGreaterThan(0);
  });
});

describe("what is no difference is told apart", () => {
  test("calls that ask for something else have no answer, and nothing that comes after them is called a difference", async () => {
    let calls = 0;
    for (const seed of SEEDS) {
      const day = await dayOf(seed);
      const { result } = await backtestDay(day, "errand", replacing([ERRAND, "note: data.note", "note: case.holder"]));
      expect(result, again(seed)).toMatchObject({ casesThatDiffer: 0, outcomes: [], lines: [], states: [], money: [] });
      for (const { call, why, count, examples } of result.unanswered) {
        expect([call, why]).toEqual(["set", "the recording has asked for something else"]);
        expect(examples[0]).toMatch(/^ern_/);
        calls += count;
      }
      expect(result.identical).toBe(result.unanswered.length === 0);
      expect(result.casesUnknown > 0).toBe(result.unanswered.length > 0);
      expect(result).toMatchObject({ undecidable: [], unasked: [], notReproduced: [] });
    }
    expect(calls).toBeGreaterThan(0);
  });

  test("a call that was never made has none either", async () => {
    let calls = 0;
    const change = replacing([ERRAND, "entry: [{ call: set }]", "entry: [{ call: ask_set }]"]);
    for (const seed of SEEDS) {
      const { result } = await backtestDay(await dayOf(seed), "errand", change);
      for (const { call, op, why, count } of result.unanswered) {
        expect([call, op, why]).toEqual(["ask_set", "card.status", "the recording has made no such call"]);
        calls += count;
      }
      expect(result, again(seed)).toMatchObject({
        casesThatDiffer: 0,
        undecidable: [],
        unasked: [],
        notReproduced: [],
      });
    }
    expect(calls).toBeGreaterThan(0);
  });

  test("answers to calls that the candidate does not make are counted, and not called undecidable", async () => {
    let answers = 0;
    const change = replacing([ERRAND, "intent.amount.minor > data.held", "intent.amount.minor > 0"]);
    for (const seed of SEEDS) {
      const { result } = await backtestDay(await dayOf(seed), "errand", change);
      for (const { answer, count } of result.unasked) {
        expect(answer).toMatch(/^take\./);
        answers += count;
      }
      expect(result, again(seed)).toMatchObject({ undecidable: [], notReproduced: [] });
    }
    expect(answers).toBeGreaterThan(0);
  });

  test("a report that the candidate cannot read would halt the lane: case, offset and reason are named", async () => {
    const change = replacing([
      ERRAND,
      "psp.set.ok: { approved: { money: S } }",
      "psp.set.ok: { approved: { money: S }, scheme: { text: true } }",
    ]);
    let named = 0;
    for (const seed of SEEDS) {
      const { result } = await backtestDay(await dayOf(seed), "errand", change);
      for (const { caseId, topic, offset, what, why } of result.undecidable) {
        expect(caseId).toMatch(/^ern_/);
        expect([topic, typeof offset]).toEqual(["reports", "bigint"]);
        expect(what).toMatch(/^(set|ask_set)\.approved$/);
        expect(why).toMatch(/its lane would halt: report r-\d-\d+ contradicts psp.set.ok of errand@1.0.0: .*scheme/);
        named += 1;
      }
      expect(result, again(seed)).toMatchObject({ casesThatDiffer: 0, unanswered: [], notReproduced: [] });
      expect(result.identical).toBe(result.undecidable.length === 0);
    }
    expect(named).toBeGreaterThan(0);
  });

  test("an intent that lacks what the candidate reads would be put aside", async () => {
    const change = replacing([ERRAND, "has(intent.reference) ? intent.reference : ''", "intent.reference"]);
    let named = 0;
    for (const seed of SEEDS) {
      const { result } = await backtestDay(await dayOf(seed), "errand", change);
      for (const { topic, what, why } of result.undecidable) {
        if (topic !== "intents") continue; // accounts that were not opened, or in another currency
        expect(what).toBe("intent.errand_create");
        expect(why).toBe("it would be put aside as invalid_field: reference: errand_create must carry it");
        named += 1;
      }
    }
    expect(named).toBeGreaterThan(0);
  });
});

test("money that was refused then and is sent now goes to the other lane, and is answered", async () => {
  const strict = replacing([GIFT, "home(data.target)", "home(data.target) || data.amount > 300"]);
  let differing = 0;
  for (const seed of SEEDS) {
    if (differing > 1) break;
    const recorded = await new WholeDay(seed, { rules: wholeRules(strict) }).run(ROUNDS);
    const lived = await dayOf(seed);
    if (askedIn(lived) !== askedIn(recorded)) continue;
    const { result } = await backtestDay(recorded, "gift", undefined, { wasDecidedBy: strict });
    expect(toldOf(result), again(seed)).toEqual(expectedOf(recorded, lived));
    expect(result, again(seed)).toMatchObject({ undecidable: [], unanswered: [], notReproduced: [] });
    if (result.casesThatDiffer > 0) differing += 1;
  }
  expect(differing).toBeGreaterThan(0);
});

type Told = { readonly money: unknown; readonly states: unknown; readonly outcomes: unknown };

function toldOf({ money, states, outcomes }: BacktestResult): Told {
  const count = (isIn: (change: string) => boolean): number =>
    outcomes.reduce((sum, { change, count: more }) => sum + (isIn(change) ? more : 0), 0);
  return {
    money: Object.fromEntries(
      money.map(({ account, currency, differenceMinor }) => [`${account} ${currency}`, differenceMinor]),
    ),
    states: Object.fromEntries(
      states.map(({ recorded, candidate, count: cases }) => [`${recorded} -> ${candidate}`, cases]),
    ),
    outcomes: { recorded: count((change) => change !== "added"), candidate: count((change) => change !== "gone") },
  };
}

function expectedOf(recorded: WholeDay, lived: WholeDay): Told {
  const [then, now] = [factsOf(recorded), factsOf(lived)];
  const money: Record<string, bigint> = {};
  for (const account of new Set([...then.money.keys(), ...now.money.keys()])) {
    const by = (now.money.get(account) ?? 0n) - (then.money.get(account) ?? 0n);
    if (by !== 0n) money[account] = by;
  }
  const states: Record<string, number> = {};
  for (const id of new Set([...then.states.keys(), ...now.states.keys()])) {
    const change = `${then.states.get(id) ?? null} -> ${now.states.get(id) ?? null}`;
    if (then.states.get(id) !== now.states.get(id)) states[change] = (states[change] ?? 0) + 1;
  }
  const outcomes = { recorded: without(then.outcomes, now.outcomes), candidate: without(now.outcomes, then.outcomes) };
  return { money, states, outcomes };
}

function factsOf(day: WholeDay) {
  const money = new Map<string, bigint>();
  const states = new Map<string, string>();
  const outcomes: string[] = [];
  for (const lane of day.lanes.values()) {
    for (const { path, currency, debits, credits } of lane.standing().balances) {
      const account = `${path} ${currency}`;
      const natural = RULES.chart.resolve(path)?.side === "credit" ? credits - debits : debits - credits;
      money.set(account, (money.get(account) ?? 0n) + natural);
    }
    for (const { caseId, state } of lane.cases()) states.set(caseId, state);
    outcomes.push(...outcomesOf(lane));
  }
  return { money, states, outcomes };
}

/** Every command in the order in which the provider got it. */
function askedIn(day: WholeDay): string {
  const asked = [...day.lanes.values()].flatMap(({ blocks, codec }) =>
    blocks.flatMap(({ row, commands }) =>
      commands.messages.map(({ value }) => {
        const { commandId, op, payload } = codec.decoders.command.decode(value);
        return JSON.stringify([row.recordedAt, commandId, op, payload]);
      }),
    ),
  );
  return asked.join("\n");
}

function outcomesOf({ blocks, codec }: MemoryProduction): string[] {
  return blocks.flatMap(({ outcomes }) =>
    outcomes.messages.map(({ value }) => {
      const { caseId, type, status, reason, amounts } = codec.decoders.outcome.decode(value);
      return JSON.stringify([caseId, type, status, reason, Object.entries(amounts).sort()]);
    }),
  );
}

/** How many of the one are not among the other. */
function without(one: readonly string[], other: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const text of other) counts.set(text, (counts.get(text) ?? 0) + 1);
  return one.filter((text) => {
    const left = counts.get(text) ?? 0;
    counts.set(text, left - 1);
    return left <= 0;
  }).length;
}
