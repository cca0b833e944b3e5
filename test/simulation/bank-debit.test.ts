// Bank debits in memory with a provider that makes trouble in every way that it knows: mandates unsigned, revoked and unknown,
// debits turned down, told late, twice, in the wrong order and returned; refunds of them, and payers who claim what was
// refunded. Whatever it says, every case comes to rest or waits for a named person, whose decisions bring the rest to rest.

import { expect, test } from "vitest";
import { ScriptProvider } from "../../src/gateways/script.ts";
import { euros } from "../support/intents.ts";
import { LANES, NOW_MS } from "../support/ledger.ts";
import { amountOf, holdersOf, MethodWorld, type WorldCase, type WorldProvider } from "../support/method-world.ts";

const SEEDS = process.env["SEED"] === undefined ? [1, 2] : [Number(process.env["SEED"])];
const PAYMENTS = 60;
const DAY_MS = 86_400_000;
const TEST = "test/simulation/bank-debit.test.ts";
const RESTING = ["cleared", "returned", "completed", "ended", "closed", "rejected"];
const HUMAN = ["attention", "settled_late"];
/** While it is provisional, twice when it is available and before a payer claims it, and when he may have done so. */
const REFUNDS = [
  [3, 5],
  [9, 6],
  [10, 3],
  [20, 4],
] as const;
const MERCHANTS = Array.from({ length: LANES }, (_, lane) => holdersOf("mer", lane, 1)).flat();

/** What the seeds hold between them, or they would prove little. */
const TOLD = [
  "payment.action_required",
  "payment.captured",
  "payment.settled",
  "payment.returned",
  "payment.failed",
  "payment.canceled",
  "payment.expired",
  "mandate_revoked",
  "provider_no_record",
  "debit_result_unknown",
  "debit_not_settled",
  "settled_amount_differs",
  "settled_after_end",
  "refund.completed",
  "refund.failed",
  "refund_result_unknown",
  "funds_provisional",
  "amount_exceeds_refundable",
  "double_refund_risk",
  "refunded_and_returned",
  "ops.escalated",
];
const seen = new Set<string>();

function plan(world: MethodWorld): void {
  const { random } = world;
  for (let one = 0; one < PAYMENTS; one++) {
    const holderId = MERCHANTS[random.below(MERCHANTS.length)] as string;
    const caseId = world.ids.next("dbt", NOW_MS);
    const cents = 1 + random.below(20_000);
    const amount = euros(cents);
    const startMs = random.below(600_000);
    const asked = { holderId, caseId, method: "bank_debit", provider: "script", tokenRef: "mnd_1", amount };
    world.at(startMs, () => world.ask({ type: "payment_create", ...asked }));
    for (const [days, tenths] of REFUNDS) {
      const share = euros(1 + Math.floor((cents * tenths) / 10));
      const refund = { type: "refund_create", holderId, caseId, idempotencyKey: `refund-${days}`, amount: share };
      world.at(startMs + days * DAY_MS, () => world.ask(refund));
    }
    if (!random.happens(0.2)) continue;
    // Before it is submitted, or too late.
    const cancelMs = startMs + random.below(2 * DAY_MS);
    world.at(cancelMs, () => world.ask({ type: "payment_cancel", holderId, caseId, idempotencyKey: "cancel" }));
  }
}

/** Of some that are available it says, when it is asked, that the payer has claimed them. */
function claiming(seed: number): WorldProvider {
  const script = new ScriptProvider({ seed: String(seed), troublePercent: 60, lateMs: DAY_MS });
  const claimed = { result: "returned", observation: "debit/1/claimed", payload: { code: "refund_by_debtor" } };
  return {
    execute: (command) => script.execute(command),
    ask: (command) => {
      const { op, call, attempt, caseId } = command;
      const isClaimed =
        op === "debit.status" && call === "look" && attempt > 1 && "0123456789".includes(caseId.at(-1) ?? "");
      return isClaimed ? [{ ...claimed, afterMs: 0, isUnasked: false }] : script.ask(command);
    },
  };
}

const refunds = (world: MethodWorld): WorldCase[] => world.cases().filter(({ flow }) => flow === "bank_refund");
const debits = (world: MethodWorld): WorldCase[] => world.cases().filter(({ flow }) => flow === "bank_debit");

/** What the merchants have, the fees and what the provider owes us are what the cases say. */
async function expectBooked(world: MethodWorld): Promise<void> {
  await world.expectSound(TEST);
  for (const path of ["clearing:payment", "clearing:return"]) expect(world.balance(path, "EUR"), path).toBe(0n);
  const owed = debits(world).reduce((sum, one) => sum + amountOf(one, "settled"), 0n);
  expect(world.balance("asset:provider_receivable:script", "EUR"), "what the provider owes").toBe(-owed);
  const given = refunds(world);
  const open = given.reduce((sum, one) => sum + amountOf(one, "open"), 0n);
  expect(world.balance("clearing:refund", "EUR"), "refunds under way").toBe(open);
  // One that is closed was made or not, by where it rested before.
  const made = given.filter(({ history }) => history.lastIndexOf("completed") > history.lastIndexOf("ended"));
  const paid = made.reduce((sum, one) => sum + amountOf(one, "amount"), 0n);
  expect(world.balance("asset:bank:main", "EUR"), "what has left our bank").toBe(paid);
}

test.each(SEEDS)(
  "bank debits of seed %i come to rest whatever the provider says",
  async (seed) => {
    const world = new MethodWorld({ seed, provider: claiming(seed) });
    plan(world);
    await world.settle(NOW_MS + 60 * DAY_MS);
    await expectBooked(world);
    const restless = world.cases().filter(({ state }) => ![...RESTING, ...HUMAN].includes(state));
    expect(restless.map(({ state, history }) => `${state}\n${history}`)).toEqual([]);
    const waiting = world.cases().filter(({ state }) => HUMAN.includes(state));
    expect(waiting.length).toBeGreaterThan(0);
    for (const [index, one] of waiting.entries()) {
      if (one.flow === "bank_refund") world.decide(one, index % 2 === 0 ? "confirm_failed" : "confirm_refunded");
      else if (index % 2 === 0) world.decide(one, "confirm_nothing");
      else world.decide(one, "confirm_settled", { amount: euros(amountOf(one, "amount")) });
    }
    for (const type of world.told()) seen.add(type);
    // By then the claim windows are over, and every return that comes is called.
    await world.settle(NOW_MS + 500 * DAY_MS);
    await world.expectSound(TEST);
    expect(world.cases().filter(({ state }) => !["closed", "rejected"].includes(state))).toEqual([]);
    for (const path of ["clearing:payment", "clearing:refund", "clearing:return"])
      expect(world.balance(path, "EUR"), path).toBe(0n);
  },
  60_000,
);

test("between them the seeds have had every trouble", () => {
  if (SEEDS.length > 1) expect(TOLD.filter((type) => !seen.has(type))).toEqual([]);
});
