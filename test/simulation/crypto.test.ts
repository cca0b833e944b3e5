// Payments in coins of 18 and 6 decimals, in memory, with a provider that makes trouble in every way that it knows: too much,
// too little, twice, late, seen and dropped, unknown. Whatever it says, no coin is lost: each is converted, sent back, or
// parked in a case that waits for a named person, whose decisions bring the rest to rest. And with a provider that gives back
// of each payment no more than that was, as providers do: nothing waits for a person where several are sent back.

import { expect, test } from "vitest";
import type { Answer } from "../../src/gateways/contract.ts";
import { tell } from "../../src/gateways/providers/http-provider.ts";
import type { CommandMessage } from "../../src/kafka/codec-messages.ts";
import { LANES, NOW_MS } from "../support/ledger.ts";
import { amountOf, holdersOf, MethodWorld, type WorldCase, type WorldProvider } from "../support/method-world.ts";

const SEEDS = process.env["SEED"] === undefined ? [1, 2] : [Number(process.env["SEED"])];
const PAYMENTS = 60;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const TEST = "test/simulation/crypto.test.ts";
const RESTING = ["booked", "ended", "returned", "closed", "rejected"];
const HUMAN = ["attention", "late_review"];
/** A thousandth of an ether. */
const FINNEY = 10n ** 15n;
const COINS = [
  { currency: "ETH", scale: 18, unit: FINNEY },
  { currency: "USDC@eip155:1", scale: 6, unit: 1_000_000n },
] as const;
const PRICES = [
  ["ETH", "EUR", "2471.13"],
  ["USDC@eip155:1", "EUR", "0.9213"],
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

/** Payments, and what is sent back of them. */
const payments = (world: MethodWorld): WorldCase[] => world.cases().filter(({ flow }) => flow.startsWith("crypto"));

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
    // What is late comes about when the rate is no longer held.
    const world = new MethodWorld({ seed, prices: PRICES, lateMs: 900_000 });
    plan(world);
    await world.settle(NOW_MS + 20 * DAY_MS);
    await expectAllThere(world);
    const restless = payments(world).filter(({ state }) => ![...RESTING, ...HUMAN].includes(state));
    expect(restless.map(({ state, history }) => `${state}\n${history}`)).toEqual([]);
    for (let round = 0; round < 4; round++) {
      const waiting = payments(world).filter(({ state }) => HUMAN.includes(state));
      if (round === 0) expect(waiting.length).toBeGreaterThan(0);
      for (const [index, one] of waiting.entries()) {
        if (one.state === "late_review") world.decide(one, index % 2 === 0 ? "accept" : "send_back");
        else world.decide(one, one.flow === "crypto" ? "confirm_nothing" : "confirm_returned");
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

// Several payments of one address ----------------------------------------------------------------------------------------

type Paid = { readonly id: string; readonly minor: bigint; readonly afterMs: number };

/** Tells of these payments, and sends of each no more back than it was, ten minutes later; what it has turned down it turns down
 *  for ever. */
class Chain implements WorldProvider {
  readonly sentBack: string[] = [];
  readonly #payments: readonly Paid[];
  readonly #left: Map<string, bigint>;
  readonly #sent = new Map<string, Answer>();

  constructor(payments: readonly Paid[]) {
    this.#payments = payments;
    this.#left = new Map(payments.map(({ id, minor }) => [id, minor]));
  }

  execute(command: CommandMessage): readonly Answer[] {
    if (command.op === "payment.return") return this.#sendBack(command);
    const paid = this.#payments.map(({ id, minor, afterMs }) => {
      const payload = { amount: String(minor), currency: "ETH", e2e_id: id };
      return { ...tell(command, "paid", `deposit/paid:${id}`, payload), afterMs, isUnasked: true };
    });
    return [tell(command, "ok", "deposit/ok"), ...paid];
  }

  /** Where it stands is told by itself. */
  ask(command: CommandMessage): readonly Answer[] {
    return [tell(command, "unknown", null)];
  }

  #sendBack(command: CommandMessage): readonly Answer[] {
    const { e2e = "", amount = "0" } = command.payload;
    const key = command.idempotencyKey;
    const left = (this.#left.get(e2e) ?? 0n) - BigInt(amount);
    if (!this.#sent.has(key)) {
      const result = left < 0n ? "rejected" : "ok";
      this.#sent.set(key, tell(command, result, `${key}/${result}`, { code: "amount_exceeds_original" }));
      if (left >= 0n) this.#left.set(e2e, left);
      if (left >= 0n) this.sentBack.push(`${e2e} ${amount}`);
    }
    const said = this.#sent.get(key) as Answer;
    return said.result === "ok" ? [tell(command, "unknown", null), { ...said, afterMs: 10 * MINUTE_MS }] : [said];
  }
}

const SEVERAL: readonly { name: string; paid: readonly Paid[]; sentBack: readonly string[]; applied: bigint }[] = [
  {
    name: "too much, and twice more while that is sent back",
    paid: [
      { id: "first", minor: 1_000n * FINNEY + 7n, afterMs: MINUTE_MS },
      { id: "second", minor: 1_000n * FINNEY, afterMs: 5 * MINUTE_MS },
      { id: "third", minor: 9n, afterMs: 6 * MINUTE_MS },
    ],
    sentBack: ["first 7", `second ${1_000n * FINNEY}`, "third 9"],
    applied: 1_000n * FINNEY,
  },
  {
    name: "two parts that are not enough",
    paid: [
      { id: "first", minor: 500n * FINNEY, afterMs: MINUTE_MS },
      { id: "second", minor: 400n * FINNEY, afterMs: 30 * MINUTE_MS },
    ],
    sentBack: [`second ${400n * FINNEY}`, `first ${500n * FINNEY}`],
    applied: 0n,
  },
  {
    name: "a part, and more than the rest",
    paid: [
      { id: "first", minor: 500n * FINNEY, afterMs: MINUTE_MS },
      { id: "second", minor: 600n * FINNEY, afterMs: 30 * MINUTE_MS },
    ],
    sentBack: [`second ${100n * FINNEY}`],
    applied: 1_000n * FINNEY,
  },
];

test.each(SEVERAL)(
  "$name: each payment goes back by itself, and nobody is called",
  async ({ paid, sentBack, applied }) => {
    const chain = new Chain(paid);
    const world = new MethodWorld({ seed: 1, prices: PRICES, provider: chain });
    const [holderId = ""] = MERCHANTS;
    const asked = { holderId, caseId: world.ids.next("cry", NOW_MS), method: "crypto", settlementCurrency: "EUR" };
    const amount = { currency: "ETH", scale: 18, minor: String(1_000n * FINNEY) };
    world.at(0, () => world.ask({ type: "payment_create", ...asked, amount }));
    await world.settle(NOW_MS + 3 * DAY_MS);
    await expectAllThere(world);
    expect(payments(world).filter(({ state }) => !RESTING.includes(state))).toEqual([]);
    expect([...world.told()]).not.toContain("ops.attention");
    expect(chain.sentBack).toEqual(sentBack);
    expect(world.balance("fx:position", "ETH"), "converted").toBe(applied);
    expect(world.balance("clearing:unapplied", "ETH"), "parked").toBe(0n);
  },
);

test("between them the seeds have had every trouble", () => {
  if (SEEDS.length > 1) expect(TOLD.filter((type) => !seen.has(type))).toEqual([]);
});
