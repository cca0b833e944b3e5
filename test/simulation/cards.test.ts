// Many card payments in memory, with a provider that makes trouble in every way that it knows: whatever it says, when and
// in which order, every case comes to rest or waits for a person, money inside cases is where their data says, and every
// currency sums to zero. A person's decisions then bring the rest to rest.

import { expect, test } from "vitest";
import { type CaseRecord, type Command, type TimerKey, valueOf } from "../../src/domain/books.ts";
import { formatCaseId, parseCaseId } from "../../src/domain/ids.ts";
import { NO_ROUTES, type Routes } from "../../src/domain/routes/routes.ts";
import { type Answer, reportOf, UNAVAILABLE, unavailableAnswer } from "../../src/gateways/contract.ts";
import { ScriptProvider } from "../../src/gateways/script.ts";
import type { CommandMessage, NewIntent } from "../../src/kafka/codec-messages.ts";
import { CaseIds } from "../../src/workload/generate/generate.ts";
import { Random } from "../../src/workload/generate/random.ts";
import { CardLane } from "../support/card-lane.ts";
import { NOW_MS } from "../support/ledger.ts";

const PAYMENTS = Number(process.env["MILLRACE_TEST_PAYMENTS"] ?? 80);
const SEEDS = [1, 2, 3];
const RESTING = ["captured", "ended", "closed", "rejected", "completed", "cancelled"];
const HUMAN = ["attention", "fx_attention"];
const PROVIDERS = ["script", "cardco"];
const MERCHANTS = 5;
const DAY_MS = 86_400_000;

/** What happens with every seed. */
const TOLD = [
  "payment.failed",
  "payment.expired",
  "payment.canceled",
  "payment.captured",
  "payment.capture_failed",
  "payment.authorization_adjusted",
  "payment.remainder_released",
  "payment.action_required",
  "refund.completed",
  "refund.failed",
  "ops.attention",
  "ops.escalated",
];

type Due = { readonly atMs: number; readonly run: () => void };

class World {
  readonly lane = new CardLane();
  readonly seed: number;
  readonly random: Random;
  readonly provider: ScriptProvider;
  /** what was said of authorizations: by which provider, in their order, by case */
  readonly authorizing = new Map<string, { readonly provider: string; readonly results: readonly string[] }[]>();
  nowMs = NOW_MS;
  readonly #queue: Due[] = [];
  #commandsSeen = 0;

  /** @param routes who takes payments that name no provider; all name one when left out */
  constructor(seed: number, routes: Routes = NO_ROUTES) {
    this.lane.routes = routes;
    this.seed = seed;
    this.random = new Random(seed);
    this.provider = new ScriptProvider({ seed: String(seed), troublePercent: 60, lateMs: 20_000 });
    this.lane.prices = { EURUSD: "1.0850" };
    this.lane.parameters = { card: { reserve_bps: 500n, overcapture_bps: 1_000n, attention_sla: 3n * BigInt(DAY_MS) } };
  }

  at(delayMs: number, run: () => void): void {
    const due = { atMs: this.nowMs + delayMs, run };
    const index = this.#queue.findIndex(({ atMs }) => atMs > due.atMs);
    this.#queue.splice(index === -1 ? this.#queue.length : index, 0, due);
  }

  ask(message: Pick<NewIntent, "type" | "holderId"> & Partial<NewIntent>): void {
    this.lane.decide([{ occurredAt: BigInt(this.nowMs) * 1000n, ...message }], this.nowMs);
    this.#dispatch();
  }

  /** Takes what is due next, reports and intents before timers.
   *  @returns false when nothing happens any more before `untilMs` */
  step(untilMs: number): boolean {
    const timer = this.#nextTimer();
    const next = this.#queue[0];
    if (next !== undefined && next.atMs <= (timer?.dueMs ?? Number.POSITIVE_INFINITY)) {
      this.#queue.shift();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
      return true;
    }
    if (timer === undefined || timer.dueMs > untilMs) return false;
    this.nowMs = Math.max(this.nowMs, timer.dueMs);
    this.lane.fire(timer);
    this.#dispatch();
    return true;
  }

  #nextTimer(): TimerKey | undefined {
    return [...this.lane.timers].sort((a, b) => a.dueMs - b.dueMs || (a.name < b.name ? -1 : 1))[0];
  }

  #put(message: CommandMessage): readonly Answer[] {
    if (message.readOnly) return this.provider.ask(message);
    const provider = message.payload["provider"] ?? "";
    const isAway = provider === "cardco" && Math.floor(this.nowMs / SPELL_MS) % 2 === 0;
    const mayBe = message.payload["route"] !== undefined;
    const answers = isAway && mayBe ? [unavailableAnswer(message)] : this.provider.execute(message);
    if (message.call === "authorize") {
      const said = this.authorizing.get(message.caseId) ?? [];
      this.authorizing.set(message.caseId, [...said, { provider, results: answers.map(({ result }) => result) }]);
    }
    return answers;
  }

  /** What the cases have asked since the last time goes to the provider, and its answers come back. */
  #dispatch(): void {
    for (; this.#commandsSeen < this.lane.commands.length; this.#commandsSeen++) {
      const command = this.lane.commands[this.#commandsSeen] as Command;
      const message = { ...command, lane: 1, block: 0n, notAfter: command.notAfterMicros };
      const answers = this.#put(message);
      for (const answer of answers) {
        // An answer takes a moment, and now and then it comes twice.
        const times = this.random.happens(0.1) ? 2 : 1;
        for (let time = 0; time < times; time++) {
          this.at(answer.afterMs + 1 + this.random.below(3_000) * (time + 1), () => {
            const { holderId, call, attempt, result, observation, payload } = reportOf(message, answer, this.nowMs);
            this.lane.report(command.caseId, holderId, { call, attempt, result, observation, payload }, this.nowMs);
            this.#dispatch();
          });
        }
      }
    }
  }
}

/** Two providers alike, of which the one is not there for half a minute of each. */
const SPELL_MS = 30_000;
const ROUTES: Routes = new Map([
  ["card", ["cardco", "script"].map((provider) => ({ provider, currencies: null, min: null, max: null, weight: 1n }))],
]);

/** A merchant's payments with all that may follow upon them. */
function plan(world: World): void {
  const { random } = world;
  const ids = new CaseIds(random);
  for (let one = 0; one < PAYMENTS; one++) {
    const holderId = `mer_${one % MERCHANTS}`;
    const id = ids.next("pay", NOW_MS);
    const currency = random.happens(0.5) ? "EUR" : "USD";
    const minor = 1_000 + random.below(20_000);
    const amount = (share: number): NonNullable<NewIntent["amount"]> => ({
      currency,
      scale: 2,
      minor: String(Math.max(1, Math.floor(minor * share))),
    });
    let key = 0;
    const ask = (afterMs: number, type: string, more: Partial<NewIntent>): void =>
      world.at(afterMs, () => world.ask({ type, holderId, caseId: id, idempotencyKey: `k-${key++}`, ...more }));
    world.at(one * 40, () =>
      world.ask({
        type: "payment_create",
        holderId,
        caseId: id,
        method: "card",
        ...(world.lane.routes.size > 0 ? {} : { provider: "script" }),
        tokenRef: "tok_1",
        captureMode: random.happens(0.4) ? "automatic" : "manual",
        amount: amount(1),
        settlementCurrency: holderId === "mer_0" ? "EUR" : "USD",
      }),
    );
    const pause = (): number => one * 40 + random.below(120_000);
    if (random.happens(0.2)) ask(pause(), "payment_increment", { amount: amount(0.2) });
    if (random.happens(0.15)) ask(pause(), "payment_cancel", { reason: "test" });
    for (let part = 0; part < 3; part++)
      if (random.happens(0.6)) ask(pause(), "payment_capture", { amount: amount(random.unit()), final: part === 2 });
    for (let part = 0; part < 3; part++) {
      if (!random.happens(0.5)) continue;
      const basis = random.happens(0.3) ? { fxBasis: "original" } : {};
      ask(120_000 + pause(), "refund_create", { amount: amount(random.unit() / 2), ...basis });
    }
  }
}

function cases(world: World): readonly CaseRecord[] {
  return [...world.lane.open().cases.values()];
}

function settle(world: World, untilMs: number): void {
  let steps = 0;
  while (world.step(untilMs)) if (steps++ > PAYMENTS * 400) throw new Error("it does not come to rest");
}

function numberOf(one: CaseRecord, name: string): bigint {
  return (valueOf(one.data, name) ?? 0n) as bigint;
}

/** What must hold at every moment. */
function expectSound(world: World): void {
  const sums = new Map<string, bigint>();
  for (const { currency, debits, credits } of world.lane.accounts())
    sums.set(currency, (sums.get(currency) ?? 0n) + debits - credits);
  for (const [currency, sum] of sums) expect(sum, currency).toBe(0n);
  for (const currency of ["EUR", "USD"]) {
    const of = (kind: string, name: string, provider?: string): bigint =>
      cases(world)
        .filter((one) => one.kind === kind && one.data.currencies["S"] === currency)
        .filter((one) => provider === undefined || valueOf(one.data, "provider") === provider)
        .reduce((sum, one) => sum + numberOf(one, name), 0n);
    const held = PROVIDERS.map((provider) => world.lane.balance(`memo:auth_exposure:${provider}`, currency));
    for (const [at, provider] of PROVIDERS.entries())
      expect(held[at], `exposure at ${provider}`).toBe(of("pay", "held", provider));
    expect(world.lane.balance("clearing:refund", currency), "clearing:refund").toBe(of("rfd", "open"));
    expect(world.lane.balance("clearing:payment", currency), "clearing:payment").toBe(0n);
  }
  for (const one of cases(world).filter(({ kind }) => kind === "pay")) {
    const [captured, reversed] = [numberOf(one, "captured"), numberOf(one, "reversed")];
    expect(reversed >= 0n && (reversed <= captured || one.state === "captured"), `${one.id} ${reversed}`).toBe(true);
    const refunds = cases(world).filter((child) => parseCaseId(child.data.parent)?.uuid === one.id);
    const given = refunds
      .filter(({ state }) => state !== "ended" && state !== "closed" && state !== "rejected")
      .reduce((sum, child) => sum + numberOf(child, "amount"), 0n);
    expect(reversed, `${one.id} knows what its refunds give back`).toBe(given);
  }
}

test.each(SEEDS)("payments of seed %i come to rest whatever the provider says", (seed) => {
  comeToRest(new World(seed));
});

test.each(SEEDS)(
  "payments of seed %i are tried at another provider only where the first certainly did nothing",
  (seed) => {
    const world = new World(seed, ROUTES);
    comeToRest(world);
    const tried = [...world.authorizing.values()];
    const moved = tried.filter((said) => new Set(said.map(({ provider }) => provider)).size > 1);
    expect(moved.length, "a spell that met a payment").toBeGreaterThan(PAYMENTS / 10);
    for (const said of tried) {
      for (const [at, { provider }] of said.entries()) {
        const before = said.slice(0, at).filter((one) => one.provider !== provider);
        for (const { results } of before) expect(results).toEqual([UNAVAILABLE]);
      }
    }
    for (const one of cases(world).filter(({ kind }) => kind === "rfd")) {
      const payment = cases(world).find(({ id }) => id === parseCaseId(one.data.parent)?.uuid);
      expect(valueOf(one.data, "provider"), "a refund is the provider's that captured").toBe(
        payment && valueOf(payment.data, "provider"),
      );
    }
  },
);

function comeToRest(world: World): void {
  plan(world);
  settle(world, NOW_MS + 14 * DAY_MS - 1);
  expectSound(world);
  const told = new Set(world.lane.outcomes.map(({ type }) => type));
  for (const type of TOLD) expect(told, "trouble that was not there").toContain(type);
  const restless = cases(world).filter(({ state }) => ![...RESTING, ...HUMAN].includes(state));
  expect(restless.map(({ kind, state, history }) => `${kind} ${state}\n${history}`)).toEqual([]);
  const waiting = cases(world).filter(({ state }) => HUMAN.includes(state));
  for (const one of waiting) {
    const isHeld = numberOf(one, "held") > 0n;
    const decision = one.kind === "rfd" ? "confirm_failed" : isHeld ? "confirm_released" : "confirm_nothing";
    world.ask({
      type: "case_decide",
      holderId: one.holderId,
      caseId: formatCaseId({ kind: one.kind, uuid: one.id, timeMs: 0 }),
      idempotencyKey: "person",
      decision,
      principal: "ada",
      reason: "the provider's file",
    });
  }
  settle(world, NOW_MS + 15 * DAY_MS);
  expectSound(world);
  expect(cases(world).filter(({ state }) => !RESTING.includes(state))).toEqual([]);
  expect(world.lane.balance("memo:auth_exposure:script", "EUR")).toBe(0n);
  expect(world.lane.balance("clearing:refund", "USD")).toBe(0n);
}
