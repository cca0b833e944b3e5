// What holds for every sequence of intents, found by random ones over a few holders.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Books, naturalBalance } from "../../src/domain/books.ts";
import { decideIntent, type IntentResult } from "../../src/domain/decide/decide.ts";
import { formatCaseId } from "../../src/domain/ids.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { valuesOf } from "../support/case-row.ts";
import { available, BANK, euros } from "../support/intents.ts";
import { type Decided, inputOf, MemoryLane, NOW_MS, producing } from "../support/ledger.ts";

const HOLDERS = ["ann", "bob"];
const RUNS = { numRuns: 300 };

/** The id of the `index`th case: the same in every run, so that a run can be repeated in other blocks. */
function idOf(index: number): string {
  const uuid = NOW_MS.toString(16).padStart(12, "0") + index.toString(16).padStart(20, "0");
  return formatCaseId({ kind: "any", uuid, timeMs: NOW_MS });
}

/** An intent, given its place in the sequence and the places of all earlier ones. */
type Step = (index: number, earlier: readonly NewIntent[]) => NewIntent;

const holder = fc.constantFrom(...HOLDERS);
const amount = fc
  .record({
    minor: fc.oneof(fc.integer({ min: -5, max: 300 }).map(String), fc.constant(`1${"0".repeat(38)}`)),
    currency: fc.constantFrom("EUR", "EUR", "EUR", "USD", "QQQ"),
  })
  .map((one) => ({ ...one, scale: 2 }));
const floor = fc.constantFrom("0", "0", "-100", "50", null);
/** Mostly one of the holder's own accounts, sometimes one that does not fit. */
const at = fc.oneof({ arbitrary: fc.nat(2), weight: 4 }, { arbitrary: fc.nat(7), weight: 1 });

function pathsOf(own: string): string[] {
  const paths = [available(own), `liability:customer:${own}:unapplied`, `liability:merchant:${own}:pending`];
  return [...paths, BANK, BANK, "revenue:processing_fee", available("bob"), "liability:nowhere:x"];
}

const open = fc.record({ own: holder, floor, currency: fc.constantFrom("EUR", "EUR", "USD", "QQQ"), at }).map(
  ({ own, floor: floorMinor, currency, at }): Step =>
    (index) =>
      producing.accountOpen(own, { caseId: idOf(index), account: pathsOf(own)[at] as string, currency, floorMinor }),
);
const update = fc
  .record({ own: holder, floor, change: fc.constantFrom("floor", "freeze", "unfreeze", "close"), at })
  .map(
    ({ own, floor: floorMinor, change, at }): Step =>
      (index) =>
        producing.accountUpdate(own, change, { caseId: idOf(index), account: pathsOf(own)[at] as string, floorMinor }),
  );
const transfer = fc.record({ own: holder, amount, from: fc.nat(7), to: fc.nat(7) }).map(
  ({ own, amount: asked, from, to }): Step =>
    (index) => {
      const paths = pathsOf(own);
      const over = { caseId: idOf(index), from: paths[from] as string, to: paths[to] as string, amount: asked };
      return producing.payIn(own, 0, over);
    },
);
const payIn = fc.record({ own: holder, minor: fc.integer({ min: 1, max: 500 }) }).map(
  ({ own, minor }): Step =>
    (index) =>
      producing.payIn(own, minor, { caseId: idOf(index) }),
);
const small = fc.integer({ min: 1, max: 100 }).map((minor) => euros(minor));
const hold = fc.record({ own: holder, amount: fc.oneof(small, small, amount) }).map(
  ({ own, amount: asked }): Step =>
    (index) =>
      producing.holdPlace(own, 0, { caseId: idOf(index), amount: asked }),
);
const move = fc.record({ own: holder, at: fc.nat(60), key: fc.constantFrom("a", "b"), isCapture: fc.boolean() }).map(
  ({ own, at, key, isCapture }): Step =>
    (_index, earlier) => {
      const holds = earlier.filter((intent) => intent.type === "hold_place");
      const { holderId = own, caseId = idOf(9999) } = holds[at % Math.max(holds.length, 1)] ?? {};
      const verb = isCapture ? "holdCapture" : "holdRelease";
      return producing[verb](holderId, caseId as string, { idempotencyKey: key });
    },
);
const again = fc.record({ at: fc.nat(60), isOther: fc.boolean() }).map(
  ({ at, isOther }): Step =>
    (index, earlier) => {
      const known = earlier[at % Math.max(earlier.length, 1)] ?? producing.payIn("ann", 1, { caseId: idOf(index) });
      return isOther ? { ...known, reference: "another body" } : { ...known, occurredAt: 1n };
    },
);
const malformed = holder.map(
  (own): Step =>
    () =>
      producing.payIn(own, 1, { caseId: "nonsense" }),
);

const step = fc.oneof(
  { arbitrary: payIn, weight: 3 },
  { arbitrary: transfer, weight: 5 },
  { arbitrary: hold, weight: 3 },
  { arbitrary: move, weight: 3 },
  { arbitrary: open, weight: 2 },
  { arbitrary: update, weight: 2 },
  { arbitrary: again, weight: 2 },
  { arbitrary: malformed, weight: 1 },
);

const intents: fc.Arbitrary<NewIntent[]> = fc.array(step, { minLength: 1, maxLength: 60, size: "max" }).map((steps) => {
  const made: NewIntent[] = [];
  steps.forEach((one, index) => made.push(one(index, made)));
  return made;
});

/** Decides them in blocks of the given sizes, over and over. */
function decideIn(lane: MemoryLane, all: readonly NewIntent[], sizes: readonly number[]): Decided[] {
  const decided: Decided[] = [];
  for (let at = 0, block = 0; at < all.length; block++) {
    const size = sizes[block % sizes.length] as number;
    decided.push(...lane.decide(all.slice(at, at + size)));
    at += size;
  }
  return decided;
}

describe("for every sequence of intents", () => {
  test("each gets exactly one outcome that answers it, and sequences go up by one from 0", () => {
    fc.assert(
      fc.property(intents, (all) => {
        const lane = new MemoryLane();
        const decided = decideIn(lane, all, [7]);
        decided.forEach(({ result, outcomes }, index) => {
          const answers = outcomes.filter(({ intentType }) => intentType !== null);
          expect(answers).toEqual([outcomes[0]]);
          expect(answers[0]).toMatchObject({ intentType: all[index]?.type, caseId: all[index]?.caseId });
          expect((answers[0]?.reason ?? null) !== null).toBe(result === "refused");
          expect((answers[0]?.repeatOf ?? null) !== null).toBe(result === "repeated");
        });
        expect(lane.outcomes.map(({ sequence }) => sequence)).toEqual(lane.outcomes.map((_, index) => BigInt(index)));
        expect(new Set(lane.outcomes.map(({ outcomeId }) => outcomeId)).size).toBe(lane.outcomes.length);
      }),
      RUNS,
    );
  });

  test("every currency sums to zero, balances are the sums of their lines, and no floor is crossed", () => {
    fc.assert(
      fc.property(intents, (all) => {
        const lane = new MemoryLane();
        for (const intent of all) {
          lane.decide([intent]);
          expectSound(lane);
        }
      }),
      RUNS,
    );
  });

  test("what is set aside is on the hold accounts, with a timer each", () => {
    fc.assert(
      fc.property(intents, (all) => {
        const lane = new MemoryLane();
        decideIn(lane, all, [5]);
        for (const own of HOLDERS) {
          const holds = all.filter(({ type, holderId }) => type === "hold_place" && holderId === own);
          const cases = [...new Set(holds.map(({ caseId }) => caseId as string))].map((id) => lane.case(id));
          const open = cases.filter((one) => one?.state === "held");
          const sum = open.reduce((total, one) => total + ((valuesOf(one)["held"] as bigint | undefined) ?? 0n), 0n);
          const account = lane.account(`liability:customer:${own}:hold`);
          expect(account === undefined ? 0n : naturalBalance(account)).toBe(sum);
          expect(lane.timers.filter(({ caseId }) => open.some((one) => one?.id === caseId))).toHaveLength(open.length);
        }
      }),
      RUNS,
    );
  });

  test("one that is refused or repeated leaves the books exactly as they were", () => {
    fc.assert(
      fc.property(intents, (all) => {
        const lane = new MemoryLane();
        for (let at = 0; at < all.length; at += 10) {
          lane.block((books) => {
            all.slice(at, at + 10).forEach((intent, index) => decideWatched(books, intent, at + index));
          });
        }
      }),
      RUNS,
    );
  });

  test("the bounds of blocks change nothing but block numbers", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(intents, sizes, (all, cuts) => {
        const [one, other] = [new MemoryLane(), new MemoryLane()];
        decideIn(one, all, [1]);
        decideIn(other, all, cuts);
        expect(told(other)).toEqual(told(one));
      }),
      RUNS,
    );
  });

  test("repeating any of them changes nothing", () => {
    const chosen = fc.array(fc.nat(59), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(intents, chosen, (all, places) => {
        const lane = new MemoryLane();
        const decided = decideIn(lane, all, [6]);
        const [balances, timers, lines] = [lane.balances(), lane.timers, lane.lines.length];
        // An intent whose case was not there was not remembered, and may pass now.
        const remembered = places
          .map((place) => place % all.length)
          .filter((place) => decided[place]?.outcomes[0]?.reason?.code !== "case_not_found");
        const results = remembered.map((place) => {
          const first = decided[place]?.outcomes[0];
          const answer = lane.answer({ ...(all[place] as NewIntent), occurredAt: 3n });
          const isNamed = first?.reason?.category === "identity";
          expect(answer.type === "intent.repeated").toBe(!isNamed);
          const told = first?.repeatOf ?? { lane: 1, sequence: first?.sequence };
          if (!isNamed) expect(answer.repeatOf).toEqual(told);
          return answer;
        });
        expect(results).toHaveLength(remembered.length);
        expect([lane.balances(), lane.timers, lane.lines.length]).toEqual([balances, timers, lines]);
      }),
      RUNS,
    );
  });

  test("the random sequences reach every result and most refusals", () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(intents, (all) => {
        const lane = new MemoryLane();
        for (const { outcomes } of decideIn(lane, all, [8])) {
          const name = outcomes[0]?.reason?.code ?? outcomes[0]?.type ?? "";
          seen.set(name, (seen.get(name) ?? 0) + 1);
        }
      }),
      { numRuns: 200, seed: 1 },
    );
    const reached = [...seen.keys()].sort();
    expect(reached).toEqual([
      "account.opened",
      "account.updated",
      "account_closed",
      "account_frozen",
      "account_not_empty",
      "amount_not_positive",
      "amount_too_large",
      "case_not_found",
      "currency_mismatch",
      "hold.captured",
      "hold.placed",
      "hold.released",
      "idempotency_conflict",
      "insufficient_funds",
      "intent.repeated",
      "invalid_state",
      "malformed_case_id",
      "not_home",
      "same_account",
      "transfer.completed",
      "transfer.submitted",
      "unknown_account",
      "unknown_currency",
    ]);
  });
});

function expectSound(lane: MemoryLane): void {
  const sums = new Map<string, bigint>();
  const byLines = new Map<string, bigint>();
  const add = (map: Map<string, bigint>, name: string, by: bigint) => map.set(name, (map.get(name) ?? 0n) + by);
  for (const { debit, credit, currency, minor } of lane.lines) {
    expect(minor > 0n && debit.path !== credit.path).toBe(true);
    add(byLines, `${debit.path} ${currency}`, minor);
    add(byLines, `${credit.path} ${currency}`, -minor);
  }
  for (const account of lane.accounts()) {
    add(sums, account.currency, account.debits - account.credits);
    expect(byLines.get(`${account.path} ${account.currency}`) ?? 0n).toBe(account.debits - account.credits);
    expect(account.floorMinor === null || naturalBalance(account) >= account.floorMinor).toBe(true);
  }
  for (const sum of sums.values()) expect(sum).toBe(0n);
}

function decideWatched(books: Books, intent: NewIntent, offset: number): void {
  const before = booked(books);
  const result: IntentResult = decideIntent(books, inputOf(intent, BigInt(offset)));
  if (result !== "accepted") expect(booked(books)).toEqual(before);
}

/** Everything of the books but outcomes and histories, which an answer adds to. */
function booked(books: Books): unknown {
  const house = [...books.houseAccounts.values()].filter((one) => one.addedDebits !== 0n || one.addedCredits !== 0n);
  const accounts = [...books.holderAccounts.values(), ...house].map((account) => ({ ...account }));
  const cases = [...books.cases.values()].filter(({ state }) => state !== "rejected");
  const states = cases.map(({ id, state, data }) => [id, state, structuredClone(data)]);
  const { lines, timersArmed, timersGone } = books;
  return [accounts, states, books.accounts, lines.length, timersArmed.length, timersGone.length];
}

/** All that a lane tells and keeps, without the numbers of its blocks. */
function told(lane: MemoryLane): unknown {
  const outcomes = lane.outcomes.map((outcome) => ({ ...outcome, block: 0n }));
  const lines = lane.lines.map(({ debit, credit, minor, caseId }) => [debit.id, credit.id, minor, caseId]);
  return [outcomes, lines, lane.balances(), lane.timers];
}
