// Payments in coins of 18 and 6 decimals, in memory, with a provider that makes trouble in every way that it knows: too much,
// too little, twice, late, seen and dropped, unknown. Whatever it says, no coin is lost: each is converted, sent back, or
// parked in a case that waits for a named person, whose decisions bring the rest to rest.

import { expect, test } from "vitest";
import { LANES, NOW_MS } from "../support/ledger.ts";
import { amountOf, holdersOf, MethodWorld, type WorldCase } from "../support/method-world.ts";

const SEEDS = process.env["SEED"] === undefined ? [1, 2] : [Number(process.env["SEED"])];
const PAYMENTS = 60;
const DAY_MS = 86_400_000;
const TEST = "test/simulation/crypto.test.ts";
const RESTING = ["booked", "ended", "closed", "rejected"];
const HUMAN = ["attention", "late_review", "return_attention"];
const COINS = [
  { currency: "ETH", scale: 18, unit: 10n ** 15n },
  { currency: "USDC@eip155:1", scale: 6, unit: 1_000_000n },
] as const;
const MERCHANTS = Array.from({ length: LANES }, (_, lane) => holdersOf("mer", lane, 1)).flat();

/** What the seeds hold between them, or they would prove little. */
const TOLD = [
  "payment.captured",
  "payment.returned",
  "payment.failed",
  "payment.canceled",
  "payment.expired",
  "deposit_underpaid",
  "deposit_late",
  "deposit_not_confirmed",
  "return_rejected",
  "wrong_amount",
  "provider_no_record",
];
const seen = new Set<string>();

function plan(world: MethodWorld): void {
  const { random } = world;
  for (let one = 0; one < PAYMENTS; one++) {
    const holderId = MERCHANTS[random.below(MERCHANTS.length)] as string;
    const caseId = world.ids.next("cry", NOW_MS);
    const { currency, scale, unit } = COINS[random.below(COINS.length)] as (typeof COINS)[number];
    // With units in the last of its decimals.
    const minor = unit * BigInt(1 + random.below(900)) + BigInt(random.below(999_999));
    const startMs = random.below(600_000);
    const asked = { holderId, caseId, method: "crypto", provider: "script", settlementCurrency: "EUR" };
    const amount = { currency, scale, minor: minor.toString() };
    world.at(startMs, () => world.ask({ type: "payment_create", ...asked, amount }));
    if (!random.happens(0.15)) continue;
    const cancelMs = startMs + random.below(1_500_000);
    world.at(cancelMs, () => world.ask({ type: "payment_cancel", holderId, caseId, idempotencyKey: "cancel" }));
  }
}

const payments = (world: MethodWorld): WorldCase[] => world.cases().filter(({ flow }) => flow === "crypto");

/** Coins are in custody as far as they were converted or are parked, and every one of them is in a case. */
async function expectAllThere(world: MethodWorld): Promise<void> {
  await world.expectSound(TEST);
  for (const { currency } of COINS) {
    const sumOf = (name: string): bigint =>
      payments(world)
        .filter(({ data }) => data.currencies["S"] === currency)
        .reduce((sum, one) => sum + amountOf(one, name), 0n);
    expect(world.balance("clearing:unapplied", currency), "parked").toBe(sumOf("parked"));
    expect(world.balance("fx:position", currency), "converted").toBe(sumOf("applied"));
    expect(-world.balance("asset:crypto_custody:script", currency), "in custody").toBe(
      sumOf("parked") + sumOf("applied"),
    );
  }
  expect(world.balance("clearing:payment", "EUR")).toBe(0n);
}

test.each(SEEDS)(
  "payments in coins of seed %i come to rest whatever the provider says",
  async (seed) => {
    const prices = [
      ["ETH", "EUR", "2471.13"],
      ["USDC@eip155:1", "EUR", "0.9213"],
    ] as const;
    // What is late comes about when the rate is no longer held.
    const world = new MethodWorld({ seed, prices, lateMs: 900_000 });
    plan(world);
    await world.settle(NOW_MS + 20 * DAY_MS);
    await expectAllThere(world);
    const restless = payments(world).filter(({ state }) => ![...RESTING, ...HUMAN].includes(state));
    expect(restless.map(({ state, history }) => `${state}\n${history}`)).toEqual([]);
    for (let round = 0; round < 4; round++) {
      const waiting = payments(world).filter(({ state }) => HUMAN.includes(state));
      if (round === 0) expect(waiting.length).toBeGreaterThan(0);
      for (const [index, one] of waiting.entries()) {
        if (one.state === "attention") world.decide(one, "confirm_nothing");
        else if (one.state === "return_attention") world.decide(one, "confirm_returned");
        else world.decide(one, index % 2 === 0 ? "accept" : "send_back");
      }
      await world.settle(NOW_MS + (21 + round) * DAY_MS);
    }
    await expectAllThere(world);
    await world.settle(NOW_MS + 200 * DAY_MS);
    expect(payments(world).filter(({ state }) => !["closed", "rejected"].includes(state))).toEqual([]);
    for (const { currency } of COINS) expect(world.balance("clearing:unapplied", currency)).toBe(0n);
    for (const type of world.told()) seen.add(type);
  },
  60_000,
);

test("between them the seeds have had every trouble", () => {
  if (SEEDS.length > 1) expect(TOLD.filter((type) => !seen.has(type))).toEqual([]);
});
