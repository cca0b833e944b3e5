// Payments of one method made up from a seed, for merchants of several currencies, a few of them given up soon after.

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
};

const CANCEL_SHARE = 0.05;
const PAUSE_SECONDS = 2;
const CHUNK = 500;

type Merchant = { readonly id: string; readonly key: Buffer; readonly partition: number; readonly money: MethodMoney };
type Follower = { readonly due: number; readonly merchant: Merchant; readonly caseId: string };

export class MethodPayments implements Source {
  readonly #plan: GeneratePlan;
  readonly #parts: GenerateParts;
  readonly #options: MethodOptions;
  readonly #random: Random;
  readonly #caseIds: CaseIds;
  readonly #merchants: readonly Merchant[];
  readonly #pick: (random: Random) => number;
  /** in the order in which they are due: all come after the same pause */
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
    const { merchant, caseId } = first;
    return this.#send(merchant, { type: "payment_cancel", caseId, idempotencyKey: "cancel", reason: "out of stock" });
  }

  #payment(): Outbound {
    const random = this.#random;
    const merchant = this.#merchants[this.#pick(random)] as Merchant;
    const { currency, scale, usual, settlementCurrency } = merchant.money;
    // Between a hundredth of the usual amount and twice of it, in its own smallest units however many they are.
    const minor = usual / 100n + (usual * BigInt(random.below(1_000_000))) / 500_000n;
    const caseId = this.#caseIds.next(this.#options.kind, Math.floor(this.#nowMs));
    const due = this.#number + Math.ceil(PAUSE_SECONDS * this.#plan.rate);
    if (random.happens(CANCEL_SHARE)) this.#followers.push({ due, merchant, caseId });
    return this.#send(merchant, {
      type: "payment_create",
      caseId,
      method: this.#options.method,
      provider: this.#options.provider ?? "script",
      tokenRef: `tok_${random.uint32().toString(36)}`,
      amount: { currency, scale, minor: minor.toString() },
      ...(settlementCurrency === undefined ? {} : { settlementCurrency }),
    });
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
};

export const BANK_TRANSFERS: MethodOptions = {
  method: "bank_transfer",
  kind: "btr",
  monies: [
    { currency: "EUR", scale: 2, usual: 90_000n },
    { currency: "USD", scale: 2, usual: 120_000n },
  ],
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
