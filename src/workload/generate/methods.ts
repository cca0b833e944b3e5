// Payments of one method made up from a seed, for merchants of several currencies: a few are given up soon after, and where the
// method has it, some are captured later, wholly or in part, and some given back. What follows upon a payment is sent some time
// after it, without waiting for its outcome.

import { homeLane } from "../../domain/holder.ts";
import type { NewIntent } from "../../kafka/codec-messages.ts";
import type { Outbound, Source } from "../load/pump.ts";
import { CaseIds, type GenerateParts, type GeneratePlan, microsOf } from "./generate.ts";
import { Random, zipfPicker } from "./random.ts";

/** What is paid in, with a usual amount in minor units, and what the merchant gets: the same when left out. */
export type MethodMoney = {
  readonly currency: string;
  readonly scale: number;
  readonly usual: bigint;
  readonly settlementCurrency?: string;
};

export type MethodOptions = {
  readonly method: string;
  /** of the case ids */
  readonly kind: string;
  /** of merchants by turns */
  readonly monies: readonly MethodMoney[];
  /** `script` when left out */
  readonly provider?: string;
  /** what may follow upon a payment besides its being given up; nothing when left out */
  readonly follow?: readonly ("capture" | "refund")[];
};

const CANCEL_SHARE = 0.05;
const MANUAL_SHARE = 0.4;
const PART_SHARE = 0.2;
const REFUND_SHARE = 0.25;
/** Between a payment and what follows, and between that and what follows it. */
const PAUSE_SECONDS = 2;
const CHUNK = 500;

type Merchant = { readonly id: string; readonly key: Buffer; readonly partition: number; readonly money: MethodMoney };
type Follower = { readonly due: number; readonly merchant: Merchant; readonly what: Partial<NewIntent> };

export class MethodPayments implements Source {
  readonly #plan: GeneratePlan;
  readonly #parts: GenerateParts;
  readonly #options: MethodOptions;
  readonly #random: Random;
  readonly #caseIds: CaseIds;
  readonly #merchants: readonly Merchant[];
  readonly #pick: (random: Random) => number;
  /** in the order in which they are due */
  readonly #followers: Follower[] = [];
  #number = 0;

  constructor(plan: GeneratePlan, parts: GenerateParts, options: MethodOptions) {
    this.#plan = plan;
    this.#parts = parts;
    this.#options = options;
    this.#random = new Random(plan.seed);
    this.#caseIds = new CaseIds(this.#random);
    this.#pick = zipfPicker(plan.holders, plan.zipf);
    this.#merchants = Array.from({ length: plan.holders }, (_, at) => {
      const id = `mer_${options.method}_${plan.seed}_${at}`;
      const money = options.monies[at % options.monies.length] as MethodMoney;
      return { id, key: Buffer.from(id), partition: homeLane(id, parts.lanes), money };
    });
  }

  next(): Promise<readonly Outbound[] | null> {
    const size = Math.min(CHUNK, this.#plan.count - this.#number);
    return Promise.resolve(size === 0 ? null : Array.from({ length: size }, () => this.#one()));
  }

  #one(): Outbound {
    const [first] = this.#followers;
    const isLast = this.#followers.length >= this.#plan.count - this.#number;
    if (first === undefined || !(isLast || first.due <= this.#number)) return this.#payment();
    this.#followers.shift();
    return this.#send(first.merchant, first.what);
  }

  #payment(): Outbound {
    const random = this.#random;
    const merchant = this.#merchants[this.#pick(random)] as Merchant;
    const { method, kind, provider = "script", follow = [] } = this.#options;
    const { currency, scale, usual, settlementCurrency } = merchant.money;
    // Between a hundredth of the usual amount and twice of it, in its own smallest units however many they are.
    const minor = usual / 100n + (usual * BigInt(random.below(1_000_000))) / 500_000n;
    const caseId = this.#caseIds.next(kind, Math.floor(this.#nowMs));
    const isManual = follow.includes("capture") && random.happens(MANUAL_SHARE);
    this.#follow(merchant, caseId, minor, isManual);
    return this.#send(merchant, {
      type: "payment_create",
      caseId,
      method,
      provider,
      tokenRef: `tok_${random.uint32().toString(36)}`,
      amount: { currency, scale, minor: minor.toString() },
      ...(follow.includes("capture") ? { captureMode: isManual ? "manual" : "automatic" } : {}),
      ...(settlementCurrency === undefined ? {} : { settlementCurrency }),
    });
  }

  /** Plans what follows upon a payment. */
  #follow(merchant: Merchant, caseId: string, minor: bigint, isManual: boolean): void {
    const random = this.#random;
    const { follow = [] } = this.#options;
    const { currency, scale } = merchant.money;
    const ask = (pauses: number, type: string, idempotencyKey: string, more: Partial<NewIntent>): void =>
      this.#later(pauses, merchant, { type, caseId, idempotencyKey, ...more });
    if (random.happens(CANCEL_SHARE)) return ask(1, "payment_cancel", "cancel", { reason: "out of stock" });
    const amountOf = (of: bigint) => ({ amount: { currency, scale, minor: of.toString() } });
    const captured = isManual && random.happens(PART_SHARE) ? minor / 2n + 1n : minor;
    if (isManual) ask(1, "payment_capture", "capture", { ...amountOf(captured), final: true });
    if (!follow.includes("refund") || !random.happens(REFUND_SHARE)) return;
    ask(2, "refund_create", "refund", amountOf(random.happens(0.5) ? captured : captured / 2n + 1n));
  }

  /** Ordered by when it is due; what is due at the same time keeps its order. */
  #later(pauses: number, merchant: Merchant, what: Partial<NewIntent>): void {
    const due = this.#number + Math.ceil(pauses * PAUSE_SECONDS * this.#plan.rate);
    let at = this.#followers.length;
    while (at > 0 && (this.#followers[at - 1] as Follower).due > due) at -= 1;
    this.#followers.splice(at, 0, { due, merchant, what });
  }

  get #nowMs(): number {
    return this.#plan.runAtMs + (this.#number / this.#plan.rate) * 1000;
  }

  #send({ id, key, partition }: Merchant, what: Partial<NewIntent>): Outbound {
    const asked = { ...what, holderId: id, occurredAt: microsOf(this.#nowMs) } as NewIntent;
    this.#number += 1;
    return { partition, record: { key, value: this.#parts.encoder.encode(asked) }, asked };
  }
}

export const BANK_DEBITS: MethodOptions = {
  method: "bank_debit",
  kind: "dbt",
  monies: [
    { currency: "EUR", scale: 2, usual: 6_000n },
    { currency: "GBP", scale: 2, usual: 5_000n },
    { currency: "USD", scale: 2, usual: 8_000n },
  ],
};

export const INSTANT_PUSHES: MethodOptions = {
  method: "instant_push",
  kind: "psh",
  monies: [
    { currency: "EUR", scale: 2, usual: 4_000n },
    { currency: "BRL", scale: 2, usual: 20_000n },
  ],
  follow: ["refund"],
};

export const BANK_TRANSFERS: MethodOptions = {
  method: "bank_transfer",
  kind: "btr",
  monies: [
    { currency: "EUR", scale: 2, usual: 90_000n },
    { currency: "USD", scale: 2, usual: 120_000n },
  ],
  follow: ["refund"],
};

export const ORDERS: MethodOptions = {
  method: "bnpl",
  kind: "bnp",
  monies: [
    { currency: "EUR", scale: 2, usual: 12_000n },
    { currency: "GBP", scale: 2, usual: 9_000n },
  ],
  follow: ["capture", "refund"],
};

/** Paid in coins of eighteen decimals and of six. */
export const COINS: MethodOptions = {
  method: "crypto",
  kind: "cry",
  monies: [
    { currency: "ETH", scale: 18, usual: 20_000_000_000_000_000n, settlementCurrency: "EUR" },
    { currency: "USDC@eip155:1", scale: 6, usual: 60_000_000n, settlementCurrency: "EUR" },
  ],
};
