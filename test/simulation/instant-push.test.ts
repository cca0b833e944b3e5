// Many instant push payments in memory, with a provider that makes trouble in every way that it knows, while deciders and
// gateways are killed: whatever it says, when and in which order, every case comes to rest or waits for a person, all money
// that has arrived is the merchant's or is given back, and every currency sums to zero. A person's decisions then bring the
// rest to rest, with nothing left on what clears.

import { expect, test } from "vitest";
import { parseCaseId } from "../../src/domain/ids.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { CaseIds } from "../../src/workload/generate/generate.ts";
import { NOW_MS } from "../support/ledger.ts";
import { kept, ProviderWorld } from "../support/provider-world.ts";

const PAYMENTS = 80;
const SEEDS = [1, 2, 3];
const MERCHANTS = 5;
const CURRENCIES = ["EUR", "BRL"];
const HOUR_MS = 3_600_000;
const RESTING = ["completed", "ended", "closed", "returned"];
const DECISION: Readonly<Record<string, string>> = {
  psh: "confirm_nothing",
  brf: "confirm_failed",
  brt: "confirm_returned",
};

/** What happens with every seed. */
const TOLD = [
  "payment.captured",
  "payment.failed",
  "payment.canceled",
  "payment.expired",
  "payment.returned",
  "refund.completed",
  "refund.failed",
  "return.completed",
  "ops.attention",
  "ops.notice",
  "ops.escalated",
];

function plan(world: ProviderWorld): void {
  const { random } = world;
  const ids = new CaseIds(random);
  for (let one = 0; one < PAYMENTS; one++) {
    const at = { holderId: `mer_${one % MERCHANTS}`, caseId: ids.next("psh", NOW_MS) };
    const minor = 1_000 + random.below(20_000);
    const amount = (share: number): NonNullable<NewIntent["amount"]> => ({
      currency: CURRENCIES[(one % MERCHANTS) % CURRENCIES.length] as string,
      scale: 2,
      minor: String(Math.max(1, Math.floor(minor * share))),
    });
    world.at(one * 40, () => world.ask({ ...at, type: "payment_create", method: "instant_push", amount: amount(1) }));
    const pause = (): number => one * 40 + random.below(60_000);
    if (random.happens(0.2))
      world.at(pause(), () => world.ask({ ...at, type: "payment_cancel", idempotencyKey: "cancel", reason: "test" }));
    for (let part = 0; part < 2; part++) {
      if (!random.happens(0.5)) continue;
      const asked = { ...at, type: "refund_create", idempotencyKey: `refund-${part}`, amount: amount(random.unit()) };
      world.at(60_000 + pause(), () => world.ask(asked));
    }
  }
}

/** What must hold at every moment. */
function expectSound(world: ProviderWorld): void {
  world.expectZeroSums();
  for (const currency of CURRENCIES) {
    const of = (kind: string, name: string): bigint =>
      world
        .cases()
        .filter((one) => one.kind === kind && one.data.currencies["S"] === currency)
        .reduce((sum, one) => sum + kept(one, name), 0n);
    expect(world.lane.balance("clearing:payment", currency), "clearing:payment").toBe(0n);
    expect(world.lane.balance("clearing:unapplied", currency), "clearing:unapplied").toBe(of("brt", "parked"));
    expect(world.lane.balance("clearing:refund", currency), "clearing:refund").toBe(of("brf", "open"));
    // Our bank holds what was taken, less what was given back of it, and what is still to be given back.
    const refunded = world
      .cases()
      .filter((one) => one.kind === "brf" && one.data.currencies["S"] === currency)
      .filter(({ state }) => state === "completed" || state === "closed")
      .reduce((sum, one) => sum + kept(one, "amount"), 0n);
    const bank = of("psh", "received") - refunded + of("brt", "parked");
    expect(world.lane.balance("asset:bank:main", currency), "asset:bank:main").toBe(bank);
  }
  for (const one of world.cases().filter(({ kind }) => kind === "psh")) {
    const given = world
      .cases()
      .filter(
        ({ kind, data, state }) => kind === "brf" && parseCaseId(data.parent)?.uuid === one.id && state !== "ended",
      )
      .reduce((sum, refund) => sum + kept(refund, "amount"), 0n);
    expect(kept(one, "reversed"), "a payment knows what its refunds give back").toBe(given);
    expect(given <= kept(one, "received"), "no more is given back than came").toBe(true);
  }
}

test.each(SEEDS)("instant push payments of seed %i come to rest whatever the provider says", (seed) => {
  const world = new ProviderWorld(seed);
  world.lane.parameters = {
    instant_push: { poll_limit: 5n, charge_ttl: 60_000n, late_policy: seed === 2 ? "accept" : "return" },
    bank_return: { poll_limit: 5n },
    bank_refund: { poll_limit: 5n },
  };
  plan(world);
  world.settle(NOW_MS + 24 * HOUR_MS);
  expectSound(world);
  const told = new Set(world.lane.outcomes.map(({ type }) => type));
  for (const type of TOLD) expect(told, "trouble that was not there").toContain(type);
  const waiting = world.cases().filter(({ state }) => state === "attention");
  const restless = world.cases().filter(({ state }) => ![...RESTING, "attention", "rejected"].includes(state));
  expect(restless.map(({ kind, state, history }) => `${kind} ${state}\n${history}`)).toEqual([]);
  expect(waiting.length).toBeGreaterThan(0);
  for (const one of waiting) world.decide(one, DECISION[one.kind] as string);
  world.settle(NOW_MS + 25 * HOUR_MS);
  expectSound(world);
  expect(world.cases().filter(({ state }) => ![...RESTING, "rejected"].includes(state))).toEqual([]);
  for (const currency of CURRENCIES) {
    for (const path of ["clearing:payment", "clearing:unapplied", "clearing:refund"])
      expect(world.lane.balance(path, currency), path).toBe(0n);
  }
});
