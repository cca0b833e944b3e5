// Currency conversion as it is booked: random card payments with refunds, and transfers within a lane and beyond it, through
// the shipped flows and the production core. What they book is held, account by account, against figures that
// test/support/exchange.ts works out once more.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { RateBook } from "../../src/domain/fx/rates.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { type CardLane, fixedParameters, fixedRates, Sheet, textOfLine } from "../support/card-lane.ts";
import {
  AVAILABLE,
  BANK,
  CONTRA,
  EXPOSURE,
  FEES,
  money,
  Payment,
  PENDING,
  POSITION,
  RECEIVABLE,
  REFUND,
  RESERVED,
  SCALES,
  SPREAD,
} from "../support/card-payment.ts";
import {
  atMid,
  ceiling,
  exchanged,
  floor,
  halfUp,
  least,
  type Market,
  moved,
  over,
  paid,
  pricesOf,
  received,
} from "../support/exchange.ts";
import { available } from "../support/intents.ts";
import { LANES, NOW_MS, producing, RULES } from "../support/ledger.ts";
import { MemoryLanes } from "../support/memory-lanes.ts";

const RUNS = 200;

/** Debits less credits by account and currency, as they should be. */
class Expected {
  readonly #sums = new Map<string, bigint>();

  move(account: string, currency: string, minor: bigint): this {
    const name = `${account} ${currency}`;
    this.#sums.set(name, (this.#sums.get(name) ?? 0n) + minor);
    return this;
  }

  of(account: string, currency: string): bigint {
    return this.#sums.get(`${account} ${currency}`) ?? 0n;
  }

  balances(): Record<string, bigint> {
    return Object.fromEntries([...this.#sums].filter(([, sum]) => sum !== 0n).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

// Made up ------------------------------------------------------------------------------------------------------------------

const MINOR_MAX = 10n ** 30n;
const currency = fc.constantFrom(...Object.keys(SCALES));
const thousandths = fc.bigInt(1n, 1_000n);
const percent = fc.oneof(fc.constantFrom(100n, 100n, 110n), fc.bigInt(50n, 200n));
const bps = fc.oneof(fc.constant(0n), fc.bigInt(0n, 300n), fc.bigInt(0n, 4_000n));

/** Halves among them, at which figures end in the middle between two units. */
const price = fc.oneof(
  fc.record({ mantissa: fc.constantFrom(5n, 15n, 25n), decimals: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ mantissa: fc.bigInt(1n, 1_000n), decimals: fc.integer({ min: 0, max: 4 }) }),
  fc.record({ mantissa: fc.bigInt(1n, 10n ** 10n), decimals: fc.integer({ min: 0, max: 10 }) }),
);
const market: fc.Arbitrary<Market> = fc
  .record({
    pair: fc.tuple(currency, currency).filter(([base, quote]) => base !== quote),
    price,
    spreads: fc.record({ there: bps, back: bps, any: bps }, { requiredKeys: [] }),
  })
  .map(({ pair: [base, quote], price: { mantissa, decimals }, spreads: { there, back, any } }) => ({
    base,
    quote,
    mantissa,
    decimals,
    table: {
      ...(there === undefined ? {} : { [base + quote]: there }),
      ...(back === undefined ? {} : { [quote + base]: back }),
      ...(any === undefined ? {} : { "*": any }),
    },
  }));

/** A market, which of its currencies is given for which, and how much of it: small and large, and neither side of it more
 *  than the ledger's digits hold at any price that is met. */
const change = fc
  .record({ market, sellsBase: fc.boolean(), digits: fc.integer({ min: 1, max: 30 }), share: thousandths })
  .map(({ market: one, sellsBase, digits, share }) => {
    const [from, to] = sellsBase ? [one.base, one.quote] : [one.quote, one.base];
    const worth = floor(over({ n: MINOR_MAX, d: 1n }, exchanged(one, 1n, from, to, 10_000n)));
    return { market: one, from, to, minor: part(least(10n ** BigInt(digits), least(worth, MINOR_MAX)), share) };
  });

/** At least one unit. */
function part(whole: bigint, share: bigint): bigint {
  const some = (whole * share) / 1_000n;
  return some === 0n ? 1n : some;
}

// A card payment -----------------------------------------------------------------------------------------------------------

const ANSWERS = ["completed", "rejected", "failed later", "failed after all"] as const;

const story = fc.record({
  change,
  captures: fc.array(fc.record({ share: thousandths, percent }), { minLength: 1, maxLength: 3 }),
  feeBps: fc.oneof(fc.constantFrom(500n, 1_000n), fc.bigInt(0n, 1_000n)),
  feeFixed: fc.bigInt(0n, 100n),
  reserveBps: fc.bigInt(0n, 3_000n),
  /** of what the merchant has earned, in hundredths, from elsewhere */
  deposit: fc.bigInt(0n, 300n),
  refunds: fc.array(
    fc.record({
      share: thousandths,
      percent,
      basis: fc.constantFrom("current", "original"),
      answer: fc.constantFrom(...ANSWERS),
    }),
    { maxLength: 4 },
  ),
});
type Story = typeof story extends fc.Arbitrary<infer One> ? One : never;

/** A payment beside what it should have booked. */
class Beside {
  readonly expected = new Expected();
  readonly payment: Payment;
  readonly #story: Story;
  readonly #held: bigint;
  captured = 0n;
  net = 0n;
  /** what refunds give back, and the part of it at the original rate with what that cost */
  #reversed = 0n;
  #rated = 0n;
  #debited = 0n;
  /** refunds that were asked for, and those of them that found no funds */
  refunds = 0;
  waiting = 0;

  constructor(told: Story) {
    const { change: made, feeBps, feeFixed, reserveBps } = told;
    this.#story = told;
    this.#held = made.minor;
    const fees = { fee_bps: feeBps, fee_fixed: { [made.to]: feeFixed }, reserve_bps: reserveBps };
    this.payment = new Payment(pricesOf(made.market), { ...fees, spread_bps: made.market.table });
    this.payment.authorize(made.from, made.minor, made.to);
    this.expected.move(EXPOSURE, made.from, made.minor).move(CONTRA, made.from, -made.minor);
    this.compare();
  }

  capture(share: bigint, move: bigint, isLast: boolean): void {
    const { change: made, feeBps, feeFixed, reserveBps } = this.#story;
    const { from, to } = made;
    const left = this.#held - this.captured;
    if (left === 0n) return;
    const now = moved(made.market, move);
    const minor = part(left, share);
    this.payment.lane.prices = pricesOf(now);
    this.payment.capture(minor, isLast);
    const released = isLast ? left : minor;
    const [mid, net] = [atMid(now, minor, from, to), received(now, minor, from, to)];
    const fee = least(halfUp({ n: net * feeBps, d: 10_000n }) + feeFixed, net);
    const reserve = least(halfUp({ n: net * reserveBps, d: 10_000n }), net - fee);
    this.expected
      .move(EXPOSURE, from, -released)
      .move(CONTRA, from, released)
      .move(RECEIVABLE, from, minor)
      .move(POSITION, from, -minor)
      .move(POSITION, to, mid)
      .move(SPREAD, to, net - mid)
      .move(FEES, to, -fee)
      .move(RESERVED, to, -reserve)
      .move(PENDING, to, fee + reserve - net);
    this.captured += minor;
    this.net += net;
    this.compare();
  }

  deposit(minor: bigint): void {
    if (minor === 0n) return;
    const { to } = this.#story.change;
    this.payment.deposit(minor, to);
    this.expected.move(BANK, to, minor).move(AVAILABLE, to, -minor);
    this.compare();
  }

  refund({ share, percent: move, basis, answer }: Story["refunds"][number]): void {
    const { market: then, from, to } = this.#story.change;
    const left = this.captured - this.#reversed;
    if (left === 0n) return;
    const now = moved(then, move);
    const minor = part(left, share);
    const { cost, mid } = this.#price(now, minor, basis);
    this.refunds += 1;
    this.#count(minor, basis, cost);
    this.payment.lane.prices = pricesOf(now);
    this.payment.refund(minor, { fxBasis: basis });
    const available = least(cost, -this.expected.of(AVAILABLE, to));
    const pending = cost - available;
    if (pending > -this.expected.of(PENDING, to)) {
      this.waiting += 1;
      this.compare();
      return;
    }
    const request = (sign: bigint): void => {
      this.expected
        .move(AVAILABLE, to, sign * available)
        .move(PENDING, to, sign * pending)
        .move(POSITION, to, -sign * mid)
        .move(SPREAD, to, sign * (mid - cost))
        .move(POSITION, from, sign * minor)
        .move(REFUND, from, -sign * minor);
    };
    request(1n);
    this.compare();
    this.#answered(answer);
    if (answer === "completed") {
      this.expected.move(REFUND, from, minor).move(RECEIVABLE, from, -minor);
    } else {
      request(-1n);
      this.#count(-minor, basis, -cost);
    }
    this.compare();
  }

  #answered(answer: (typeof ANSWERS)[number]): void {
    const { payment } = this;
    if (answer === "completed") payment.tells("refund", "completed");
    if (answer === "rejected") payment.tells("refund", "rejected", { code: "provider_error" });
    if (answer === "failed later") payment.tells("refund", "accepted");
    if (answer === "failed after all") payment.tells("refund", "completed");
    if (answer.startsWith("failed")) payment.tells("refund", "failed", { code: "closed_account" });
  }

  /** By the original rate parts cost what makes all of them together cost what the captures gave. */
  #price(now: Market, minor: bigint, basis: string): { cost: bigint; mid: bigint } {
    const { from, to } = this.#story.change;
    if (basis === "current") return { cost: paid(now, minor, from, to), mid: atMid(now, minor, from, to) };
    const all = ceiling({ n: this.net * (this.#rated + minor), d: this.captured });
    const cost = all > this.#debited ? all - this.#debited : 0n;
    return { cost, mid: cost };
  }

  #count(minor: bigint, basis: string, cost: bigint): void {
    this.#reversed += minor;
    if (basis === "current") return;
    this.#rated += minor;
    this.#debited += cost;
  }

  /** Lines and accounts, both by what should be. */
  compare(): void {
    expect(this.payment.sheet.balances()).toEqual(this.expected.balances());
    expect(balancesOf(this.payment.lane)).toEqual(this.expected.balances());
  }
}

type Sums = { readonly path: string; readonly currency: string; readonly debits: bigint; readonly credits: bigint };

function balancesOf(lane: CardLane): Record<string, bigint> {
  return summed(lane.accounts());
}

function summed(accounts: readonly Sums[]): Record<string, bigint> {
  const sums = new Expected();
  for (const { path, currency: code, debits, credits } of accounts) sums.move(path, code, debits - credits);
  return sums.balances();
}

/** @param accounts debits less credits by account and currency */
function expectSettled(accounts: Readonly<Record<string, bigint>>): void {
  const sums = new Map<string, bigint>();
  for (const [name, sum] of Object.entries(accounts)) {
    const [path = "", code = ""] = name.split(" ");
    expect(path, "money that is still on its way").not.toMatch(/^(clearing|memo):/);
    sums.set(code, (sums.get(code) ?? 0n) + sum);
  }
  for (const [code, sum] of sums) expect(sum, code).toBe(0n);
}

test("card payments book the figures of their rate, spread and fees, and every refund those of its basis", () => {
  const seen = { refunds: 0, waiting: 0, nothing: 0 };
  fc.assert(
    fc.property(story, (told) => {
      const beside = new Beside(told);
      for (const [at, { share, percent: move }] of told.captures.entries())
        beside.capture(share, move, at === told.captures.length - 1);
      beside.deposit((beside.net * told.deposit) / 100n);
      for (const refund of told.refunds) beside.refund(refund);
      expectSettled(balancesOf(beside.payment.lane));
      seen.refunds += beside.refunds;
      seen.waiting += beside.waiting;
      if (beside.net === 0n) seen.nothing += 1;
    }),
    { numRuns: RUNS },
  );
  expect(seen.refunds).toBeGreaterThan(RUNS / 2);
  expect(seen.waiting, "refunds without funds").toBeGreaterThan(0);
  expect(seen.nothing, "captures that are worth less than a unit").toBeGreaterThan(0);
});

test("a payment that is given back whole leaves the merchant no richer, at the same rate as little as at the original", () => {
  fc.assert(
    fc.property(change, fc.constantFrom("current", "original"), (made, basis) => {
      const free = { fee_bps: 0n, fee_fixed: {}, reserve_bps: 0n };
      const payment = new Payment(pricesOf(made.market), { ...free, spread_bps: made.market.table });
      payment.authorize(made.from, made.minor, made.to);
      payment.capture(made.minor);
      const cost = paid(made.market, made.minor, made.from, made.to);
      const had = cost === 0n ? 1n : cost;
      payment.deposit(had, made.to);
      payment.refund(made.minor, { fxBasis: basis });
      payment.tells("refund", "completed");
      const has = -payment.sheet.of(AVAILABLE, made.to) - payment.sheet.of(PENDING, made.to);
      if (basis === "original") expect(has).toBe(had);
      else expect(has <= had).toBe(true);
      expect(payment.sheet.of(POSITION, made.from)).toBe(0n);
      expect(payment.sheet.of(RECEIVABLE, made.from)).toBe(0n);
      expectSettled(balancesOf(payment.lane));
    }),
    { numRuns: RUNS },
  );
});

// Transfers ----------------------------------------------------------------------------------------------------------------

const HOLDERS = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"];
const [HERE = ""] = HOLDERS;
const isHere = (holder: string): boolean => homeLane(holder, LANES) === homeLane(HERE, LANES);
const RECEIVERS: [who: string, holder: string][] = [
  ["an account of one's own", HERE],
  ["a holder of the same lane", HOLDERS.slice(1).find(isHere) as string],
  ["a holder of another lane", HOLDERS.find((holder) => !isHere(holder)) as string],
];
const unapplied = (holder: string): string => `liability:customer:${holder}:unapplied`;

class Transfers {
  readonly lanes: MemoryLanes;
  readonly expected = new Expected();
  market: Market;
  readonly #carried: number[];

  constructor(market: Market) {
    this.market = market;
    const parameters = fixedParameters({ transfer: { spread_bps: market.table } });
    const rates: RateBook = {
      version: 1n,
      usable: (from, to, nowMs) => fixedRates(pricesOf(this.market)).usable(from, to, nowMs),
    };
    this.lanes = new MemoryLanes(RULES, NOW_MS, rates, parameters);
    this.#carried = this.lanes.lanes.map(() => 0);
  }

  payIn(to: string, code: string, minor: bigint): void {
    this.lanes.publish(producing.payIn(holderOf(to), 0, { to, amount: money(code, minor) }));
    this.#settle();
    this.expected.move(BANK, code, minor).move(to, code, -minor);
    this.compare();
  }

  /** Changes `minor` of `code` on the way between two accounts.
   *  @param then what the market is once the money has left
   *  @returns the types of the outcomes that the sender was told */
  change(from: string, to: string, [code, into]: Pair, minor: bigint, then = this.market): string[] {
    const sender = this.lanes.of(holderOf(from));
    const told = sender.outcomes.length;
    const [mid, net] = [atMid(this.market, minor, code, into), received(this.market, minor, code, into)];
    const intent = { from, to, amount: money(code, minor), settlementCurrency: into };
    this.lanes.publish(producing.payIn(holderOf(from), 0, intent));
    this.lanes.commit(sender.lane, 0, 1);
    this.market = then;
    this.#settle();
    const mine = sender.outcomes.slice(told).filter(({ holderId }) => holderId === holderOf(from));
    if (mine.at(-1)?.type === "transfer.completed") {
      this.expected
        .move(from, code, minor)
        .move(POSITION, code, -minor)
        .move(POSITION, into, mid)
        .move(SPREAD, into, net - mid)
        .move(to, into, -net);
    }
    this.compare();
    return mine.map(({ type }) => type);
  }

  /** Everything arrives and is taken, until nothing is left to be done. */
  #settle(): void {
    for (let isMoving = true; isMoving; ) {
      isMoving = false;
      for (const owner of this.lanes.lanes) {
        const { block } = owner.memory.head;
        this.lanes.commit(owner.lane, 1_000, 1_000);
        const sent = owner.sent.slice(this.#carried[owner.lane]);
        isMoving ||= owner.memory.head.block !== block || sent.length > 0;
        for (const message of sent) this.lanes.lanes[message.toLane]?.arrive(message, NOW_MS);
        this.#carried[owner.lane] = owner.sent.length;
      }
    }
  }

  /** Lines and accounts, both by what should be, and nothing on its way. */
  compare(): void {
    const lines = this.lanes.lanes.flatMap((owner) => owner.lines.map(textOfLine));
    expect(new Sheet().add(lines).balances()).toEqual(this.expected.balances());
    const accounts = summed(this.lanes.lanes.flatMap(({ balances }) => [...balances.values()]));
    expect(accounts).toEqual(this.expected.balances());
    expectSettled(accounts);
  }
}

type Pair = readonly [from: string, to: string];

function holderOf(path: string): string {
  return path.split(":")[2] as string;
}

test.each(RECEIVERS)(
  "a transfer to %s books the figures of rate and spread, and none gains by way of it and back",
  (_, receiver) => {
    const seen = { completed: 0, tooSmall: 0 };
    fc.assert(
      fc.property(change, ({ market: one, from, to, minor }) => {
        const transfers = new Transfers(one);
        transfers.payIn(available(HERE), from, minor);
        const types = transfers.change(available(HERE), unapplied(receiver), [from, to], minor);
        const net = received(one, minor, from, to);
        // A wish that would give nothing is refused.
        expect(types.at(-1)).toBe(net === 0n ? "transfer.rejected" : "transfer.completed");
        seen[net === 0n ? "tooSmall" : "completed"] += 1;
        if (net === 0n) return;
        transfers.change(unapplied(receiver), available(HERE), [to, from], net);
        const back = -transfers.expected.of(available(HERE), from);
        expect(back <= minor, `${minor} became ${back}`).toBe(true);
      }),
      { numRuns: RUNS },
    );
    expect(seen.completed).toBeGreaterThan(RUNS / 2);
    expect(seen.tooSmall).toBeGreaterThan(0);
  },
);

test.each(RECEIVERS.slice(1))(
  "a transfer that %s refuses comes back as it was, whatever the rate is then",
  (_, receiver) => {
    fc.assert(
      fc.property(change, percent, ({ market: one, from, to, minor }, move) => {
        fc.pre(received(one, minor, from, to) > 0n);
        const transfers = new Transfers(one);
        transfers.payIn(available(HERE), from, minor);
        // It is in another currency.
        transfers.payIn(available(receiver), from, 1n);
        const types = transfers.change(available(HERE), available(receiver), [from, to], minor, moved(one, move));
        expect(types).toEqual(["transfer.submitted", "transfer.failed"]);
      }),
      { numRuns: RUNS },
    );
  },
);
