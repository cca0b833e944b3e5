// Many payouts in memory, with a bank that makes trouble in every way that it knows, while deciders and gateways are killed:
// whatever it says, when and in which order, every case comes to rest or waits for a person, no payout is submitted under a
// second key, what is set aside and what is on its way is what cases say, and every currency sums to zero. A person's
// decisions then bring the rest to rest, with nothing left on what clears.

import { expect, test } from "vitest";
import { valueOf } from "../../src/domain/books.ts";
import { CaseIds } from "../../src/workload/generate/generate.ts";
import { NOW_MS } from "../support/ledger.ts";
import { idOf, kept, ProviderWorld } from "../support/provider-world.ts";

const PAYOUTS = 100;
const SEEDS = [1, 2, 3];
const MERCHANTS = 4;
const HOUR_MS = 3_600_000;
const FUNDS_MINOR = 40_000;
const RESTING = ["paid", "returned", "ended", "closed", "rejected"];
const WAITING = ["attention", "review"];
const available = (holder: string): string => `liability:merchant:${holder}:available`;

/** What happens with every seed. */
const TOLD = [
  "payout.in_transit",
  "payout.paid",
  "payout.failed",
  "payout.canceled",
  "payout.returned",
  "payout.rejected",
  "ops.attention",
  "ops.escalated",
];

function plan(world: ProviderWorld): void {
  const { random } = world;
  const ids = new CaseIds(random);
  const euros = (minor: number) => ({ currency: "EUR", scale: 2, minor: String(minor) });
  for (let one = 0; one < MERCHANTS; one++) {
    const holderId = `mer_${one}`;
    const at = { holderId, caseId: ids.next("trf", NOW_MS) };
    const money = { from: "asset:bank:main", to: available(holderId), amount: euros(FUNDS_MINOR) };
    world.ask({
      type: "account_open",
      holderId,
      caseId: ids.next("acc", NOW_MS),
      account: available(holderId),
      currency: "EUR",
    });
    world.ask({ ...at, type: "transfer_create", ...money });
  }
  for (let one = 0; one < PAYOUTS; one++) {
    const at = { holderId: `mer_${one % MERCHANTS}`, caseId: ids.next("pyo", NOW_MS) };
    const amount = euros(100 + random.below(4_000));
    world.at(one * 400, () => world.ask({ ...at, type: "payout_create", tokenRef: "tok_bank", amount }));
    if (!random.happens(0.2)) continue;
    const cancel = { ...at, type: "payout_cancel", idempotencyKey: "cancel", reason: "test" };
    world.at(one * 400 + random.below(2_000), () => world.ask(cancel));
  }
}

/** What must hold at every moment. */
function expectSound(world: ProviderWorld): void {
  world.expectZeroSums();
  const payouts = world.cases().filter(({ kind }) => kind === "pyo");
  const of = (name: string, holderId?: string): bigint =>
    payouts
      .filter((one) => holderId === undefined || one.holderId === holderId)
      .reduce((sum, one) => sum + kept(one, name), 0n);
  expect(world.lane.balance("clearing:payout"), "clearing:payout").toBe(of("transit"));
  for (let one = 0; one < MERCHANTS; one++) {
    const holder = `mer_${one}`;
    const held = of("held", holder) + of("held_fee", holder);
    expect(world.lane.balance(`liability:merchant:${holder}:hold`), "hold").toBe(held);
  }
  const paid = payouts.filter(({ state }) => state === "paid").reduce((sum, one) => sum + kept(one, "amount"), 0n);
  const funds = BigInt(MERCHANTS * FUNDS_MINOR);
  expect(world.lane.balance("asset:bank:main"), "asset:bank:main").toBe(funds - paid);
  const sentBack = payouts.filter(({ data, state }) => valueOf(data, "sent_back") === true && state !== "ended");
  expect(sentBack.map(idOf), "what came back before it was told as paid is not paid").toEqual([]);
  for (const [key] of world.keysOf("submit")) expect(key, "one key a payout").toMatch(/^pyo_[0-9A-Z]+\/payout$/);
}

test.each(SEEDS)("payouts of seed %i come to rest whatever the bank says", (seed) => {
  const world = new ProviderWorld(seed);
  world.lane.parameters = { payout: { poll_limit: 5n, review_from: { EUR: 3_500n } } };
  plan(world);
  world.settle(NOW_MS + 24 * HOUR_MS);
  expectSound(world);
  const told = new Set(world.lane.outcomes.map(({ type }) => type));
  for (const type of TOLD) expect(told, "trouble that was not there").toContain(type);
  const waiting = world.cases().filter(({ state }) => WAITING.includes(state));
  const restless = world
    .cases()
    .filter(({ kind, state }) => kind === "pyo" && ![...RESTING, ...WAITING].includes(state));
  expect(restless.map(({ state, history }) => `${state}\n${history}`)).toEqual([]);
  expect(new Set(waiting.map(({ state }) => state))).toEqual(new Set(WAITING));
  for (const one of waiting) world.decide(one, one.state === "review" ? "approve" : "confirm_failed");
  world.settle(NOW_MS + 48 * HOUR_MS);
  for (const one of world.cases().filter(({ state }) => state === "attention")) world.decide(one, "confirm_paid");
  world.settle(NOW_MS + 72 * HOUR_MS);
  expectSound(world);
  const left = world.cases().filter(({ kind, state }) => kind === "pyo" && !RESTING.includes(state));
  expect(left.map(idOf)).toEqual([]);
  expect(world.lane.balance("clearing:payout")).toBe(0n);
});
