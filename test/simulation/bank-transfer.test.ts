// Many incoming bank transfers in memory, with a bank that makes trouble in every way that it knows, while deciders and
// gateways are killed: credits in parts, too much, twice, late and without the reference. Every case comes to rest or waits
// for a person, all money at our bank is the merchant's or waits in a case that says so, and every currency sums to zero.
// Persons then match what bore no reference, or return it, accept recalls or refuse them, and decide the rest, with nothing left on what clears.

import { expect, test } from "vitest";
import type { CaseRecord } from "../../src/domain/books.ts";
import { parseCaseId } from "../../src/domain/ids.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { CaseIds } from "../../src/workload/generate/generate.ts";
import { NOW_MS } from "../support/ledger.ts";
import { kept, ProviderWorld } from "../support/provider-world.ts";

const PAYMENTS = 90;
const SEEDS = [1, 2, 3];
const MERCHANTS = 5;
const HOUR_MS = 3_600_000;
const RESTING = ["applied", "ended", "closed", "returned", "completed", "answered", "rejected"];
const WAITING = ["attention", "unapplied", "review"];
const DECISION: Readonly<Record<string, string>> = {
  btr: "confirm_nothing",
  brf: "confirm_failed",
  brc: "confirm_answered",
  brt: "confirm_returned",
};

/** What happens with every seed. */
const TOLD = [
  "payment.captured",
  "payment.partially_funded",
  "payment.failed",
  "payment.canceled",
  "payment.expired",
  "payment.returned",
  "refund.completed",
  "refund.failed",
  "return.completed",
  "recall.requested",
  "ops.attention",
  "ops.notice",
  "ops.escalated",
];

function plan(world: ProviderWorld): void {
  const { random } = world;
  const ids = new CaseIds(random);
  for (let one = 0; one < PAYMENTS; one++) {
    const at = { holderId: `mer_${one % MERCHANTS}`, caseId: ids.next("btr", NOW_MS) };
    const minor = 1_000 + random.below(20_000);
    const amount = (share: number): NonNullable<NewIntent["amount"]> => ({
      currency: "EUR",
      scale: 2,
      minor: String(Math.max(1, Math.floor(minor * share))),
    });
    world.at(one * 40, () => world.ask({ ...at, type: "payment_create", method: "bank_transfer", amount: amount(1) }));
    const pause = (): number => one * 40 + random.below(60_000);
    if (random.happens(0.15))
      world.at(pause(), () => world.ask({ ...at, type: "payment_cancel", idempotencyKey: "cancel", reason: "test" }));
    for (let part = 0; part < 2; part++) {
      if (!random.happens(0.5)) continue;
      const asked = { ...at, type: "refund_create", idempotencyKey: `refund-${part}`, amount: amount(random.unit()) };
      world.at(60_000 + pause(), () => world.ask(asked));
    }
  }
}

function sumOf(cases: readonly CaseRecord[], kind: string, name: string): bigint {
  return cases.filter((one) => one.kind === kind).reduce((sum, one) => sum + kept(one, name), 0n);
}

/** A credit without the reference, or a recall, of which nobody knows yet what becomes of it. */
function isOpen(child: CaseRecord): boolean {
  const { kind, state } = child;
  return state === "unapplied" || state === "review" || (kind === "brc" && kept(child, "open") > 0n);
}

/** What must hold at every moment. */
function expectSound(world: ProviderWorld): void {
  world.expectZeroSums();
  const cases = world.cases();
  const parked = sumOf(cases, "btr", "parked") + sumOf(cases, "brt", "parked");
  expect(world.lane.balance("clearing:payment"), "clearing:payment").toBe(0n);
  expect(world.lane.balance("clearing:unapplied"), "clearing:unapplied").toBe(parked);
  const owed = sumOf(cases, "brf", "open") + sumOf(cases, "brc", "open");
  expect(world.lane.balance("clearing:refund"), "clearing:refund").toBe(owed);
  const recalled = cases.filter(({ kind, state }) => kind === "brc" && state === "answered");
  const made = cases.filter(({ kind, state }) => kind === "brf" && (state === "completed" || state === "closed"));
  const bank =
    sumOf(cases, "btr", "received") - sumOf(made, "brf", "amount") - sumOf(recalled, "brc", "gives") + parked;
  expect(world.lane.balance("asset:bank:main"), "asset:bank:main").toBe(bank);
  for (const one of cases.filter(({ kind }) => kind === "btr")) {
    const waiting = cases.filter((child) => parseCaseId(child.data.parent)?.uuid === one.id && isOpen(child));
    expect(kept(one, "open"), "a payment knows how many credits and recalls are open").toBe(BigInt(waiting.length));
    expect(kept(one, "reversed"), "no more goes back than has come").toBeLessThanOrEqual(kept(one, "received"));
  }
}

function decisionOf({ kind, state }: CaseRecord, at: number): string {
  const isEven = at % 2 === 0;
  if (state === "unapplied") return isEven ? "match" : "return";
  if (state === "review") return isEven ? "accept" : "refuse";
  return DECISION[kind] as string;
}

test.each(SEEDS)("bank transfers of seed %i come to rest whatever the bank says", (seed) => {
  const world = new ProviderWorld(seed);
  const policy = seed === 2 ? "accept" : "return";
  world.lane.parameters = {
    bank_transfer: { poll_limit: 5n, due_within: BigInt(HOUR_MS), partial_policy: policy, late_policy: policy },
    bank_return: { poll_limit: 5n },
    bank_refund: { poll_limit: 5n },
  };
  plan(world);
  world.settle(NOW_MS + 24 * HOUR_MS);
  expectSound(world);
  const told = new Set(world.lane.outcomes.map(({ type }) => type));
  for (const type of TOLD) expect(told, "trouble that was not there").toContain(type);
  const waiting = world.cases().filter(({ state }) => WAITING.includes(state));
  const restless = world.cases().filter(({ state }) => ![...RESTING, ...WAITING].includes(state));
  expect(restless.map(({ kind, state, history }) => `${kind} ${state}\n${history}`)).toEqual([]);
  expect(new Set(waiting.map(({ state }) => state))).toEqual(new Set(WAITING));
  for (const [at, one] of waiting.entries()) world.decide(one, decisionOf(one, at));
  world.settle(NOW_MS + 48 * HOUR_MS);
  for (const one of world.cases().filter(({ state }) => state === "attention"))
    world.decide(one, DECISION[one.kind] as string);
  // What the merchant has not enough for is refused.
  for (const one of world.cases().filter(({ state }) => state === "review")) world.decide(one, "refuse");
  world.settle(NOW_MS + 49 * HOUR_MS);
  expectSound(world);
  expect(world.cases().filter(({ state }) => !RESTING.includes(state))).toEqual([]);
  for (const path of ["clearing:payment", "clearing:unapplied", "clearing:refund"])
    expect(world.lane.balance(path), path).toBe(0n);
});
