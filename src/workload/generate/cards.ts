// Card payments made up from a seed: merchants of several currencies, a share of payments in another one than theirs,
// captured at once or later, in one or two parts, canceled, and given back. What follows upon a payment is sent some time
// after it, without waiting for its outcome: where that is still on its way, or was a no, the follower is refused, as in
// life.

import { homeLane } from "../../domain/holder.ts";
import type { NewIntent } from "../../kafka/codec-messages.ts";
import type { Outbound, Source } from "../load/pump.ts";
import { CaseIds, type GenerateParts, type GeneratePlan, microsOf } from "./generate.ts";
import { Random, zipfPicker } from "./random.ts";

/** What merchants are paid in, by turns, with a usual amount in minor units. */
const MONIES = [
  { currency: "EUR", scale: 2, usual: 4_000 },
  { currency: "USD", scale: 2, usual: 4_500 },
  { currency: "EUR", scale: 2, usual: 9_000 },
  { currency: "GBP", scale: 2, usual: 3_500 },
  { currency: "JPY", scale: 0, usual: 6_000 },
] as const;
type Money = (typeof MONIES)[number];

const FOREIGN_SHARE = 0.3;
const MANUAL_SHARE = 0.4;
const INCREMENT_SHARE = 0.06;
const CANCEL_SHARE = 0.1;
const PARTS_SHARE = 0.2;
const ABANDONED_SHARE = 0.03;
const REFUND_SHARE = 0.2;
const REPEAT_SHARE = 0.01;
const ORIGINAL_RATE_SHARE = 0.3;
/** Between a payment and what follows, and between that and what follows it. */
const PAUSE_SECONDS = 2;
const CHUNK = 500;

export type CardsOptions = {
  /** every payment is captured at once and nothing follows: what a benchmark counts */
  readonly only: "payments" | "everything";
  /** `script` when left out */
  readonly provider?: string;
};

type Merchant = {
  readonly id: string;
  readonly key: Buffer;
  readonly partition: number;
  readonly money: Money;
};

type Follower = { readonly due: number; readonly merchant: Merchant; readonly intent: Omit<NewIntent, "occurredAt"> };

export class Cards implements Source {
  readonly #plan: GeneratePlan;
  readonly #parts: GenerateParts;
  readonly #options: CardsOptions;
  readonly #random: Random;
  readonly #caseIds: CaseIds;
  readonly #merchants: readonly Merchant[];
  readonly #pick: (random: Random) => number;
  /** in the order in which they are due */
  readonly #followers: Follower[] = [];
  #number = 0;

  constructor(plan: GeneratePlan, parts: GenerateParts, options: CardsOptions = { only: "everything" }) {
    this.#plan = plan;
    this.#parts = parts;
    this.#options = options;
    this.#random = new Random(plan.seed);
    this.#caseIds = new CaseIds(this.#random);
    this.#pick = zipfPicker(plan.holders, plan.zipf);
    this.#merchants = Array.from({ length: plan.holders }, (_, at) => {
      const id = `mer_${plan.seed}_${at}`;
      const money = MONIES[at % MONIES.length] as Money;
      return { id, key: Buffer.from(id), partition: homeLane(id, parts.lanes), money };
    });
  }

  next(): Promise<readonly Outbound[] | null> {
    const size = Math.min(CHUNK, this.#plan.count - this.#number);
    return Promise.resolve(size === 0 ? null : Array.from({ length: size }, () => this.#one()));
  }

  /** Whatever is due; at the end what still follows upon earlier payments, as far as the count goes. */
  #one(): Outbound {
    const [first] = this.#followers;
    const isLast = this.#followers.length >= this.#plan.count - this.#number;
    if (first !== undefined && (isLast || first.due <= this.#number)) {
      this.#followers.shift();
      return this.#send(first.merchant, first.intent);
    }
    return this.#payment();
  }

  #send(merchant: Merchant, intent: Omit<NewIntent, "occurredAt">): Outbound {
    const asked = { ...intent, occurredAt: microsOf(this.#nowMs) } as NewIntent;
    this.#number += 1;
    const { key, partition } = merchant;
    return { partition, record: { key, value: this.#parts.encoder.encode(asked) }, asked };
  }

  get #nowMs(): number {
    return this.#plan.runAtMs + (this.#number / this.#plan.rate) * 1000;
  }

  #payment(): Outbound {
    const random = this.#random;
    const merchant = this.#merchants[this.#pick(random)] as Merchant;
    const isForeign = random.happens(FOREIGN_SHARE);
    const money = isForeign ? this.#otherThan(merchant.money) : merchant.money;
    const isManual = this.#options.only === "everything" && random.happens(MANUAL_SHARE);
    const minor = BigInt(Math.max(100, Math.round(money.usual * 2 ** (random.unit() * 4 - 2))));
    const caseId = this.#caseIds.next("pay", Math.floor(this.#nowMs));
    const intent = {
      type: "payment_create",
      holderId: merchant.id,
      caseId,
      method: "card",
      provider: this.#options.provider ?? "script",
      tokenRef: `tok_${random.uint32().toString(36)}`,
      captureMode: isManual ? "manual" : "automatic",
      amount: moneyOf(money, minor),
      settlementCurrency: merchant.money.currency,
    };
    if (this.#options.only === "payments") return this.#send(merchant, intent);
    this.#follow(merchant, { caseId, money, minor, isManual });
    if (random.happens(REPEAT_SHARE)) this.#later(1, merchant, intent);
    return this.#send(merchant, intent);
  }

  #otherThan(own: Money): Money {
    const others = MONIES.filter(({ currency }) => currency !== own.currency);
    return others[this.#random.below(others.length)] as Money;
  }

  /** Plans what follows upon a payment. */
  #follow(merchant: Merchant, { caseId, money, minor, isManual }: Payment): void {
    const random = this.#random;
    const ask = (pauses: number, type: string, key: string, more: Partial<NewIntent> = {}): void =>
      this.#later(pauses, merchant, { type, holderId: merchant.id, caseId, idempotencyKey: key, ...more });
    let captured = minor;
    let pauses = 1;
    if (isManual) {
      if (random.happens(ABANDONED_SHARE)) return;
      if (random.happens(INCREMENT_SHARE)) {
        captured += minor / 10n + 1n;
        ask(pauses++, "payment_increment", "inc-1", { amount: moneyOf(money, captured - minor) });
      }
      if (random.happens(CANCEL_SHARE)) return ask(pauses, "payment_cancel", "cancel", { reason: "out of stock" });
      if (random.happens(PARTS_SHARE)) {
        const part = captured / 3n + 1n;
        ask(pauses++, "payment_capture", "cap-1", { amount: moneyOf(money, part), final: false });
        ask(pauses++, "payment_capture", "cap-2", { amount: moneyOf(money, captured / 2n), final: true });
        captured = part + captured / 2n;
      } else {
        ask(pauses++, "payment_capture", "cap-1", { amount: moneyOf(money, captured), final: true });
      }
    }
    if (!random.happens(REFUND_SHARE)) return;
    const first = random.happens(0.5) ? captured : captured / 2n;
    const basis = random.happens(ORIGINAL_RATE_SHARE) ? "original" : null;
    ask(pauses++, "refund_create", "ref-1", { amount: moneyOf(money, first), fxBasis: basis });
    if (first < captured && random.happens(0.5))
      ask(pauses, "refund_create", "ref-2", { amount: moneyOf(money, captured - first), fxBasis: basis });
  }

  /** Ordered by when it is due; what is due at the same time keeps its order. */
  #later(pauses: number, merchant: Merchant, intent: Omit<NewIntent, "occurredAt">): void {
    const due = this.#number + Math.ceil(pauses * PAUSE_SECONDS * this.#plan.rate);
    let at = this.#followers.length;
    while (at > 0 && (this.#followers[at - 1] as Follower).due > due) at -= 1;
    this.#followers.splice(at, 0, { due, merchant, intent });
  }
}

type Payment = {
  readonly caseId: string;
  readonly money: Money;
  readonly minor: bigint;
  readonly isManual: boolean;
};

function moneyOf({ currency, scale }: Money, minor: bigint): NonNullable<NewIntent["amount"]> {
  return { currency, scale, minor: minor.toString() };
}
