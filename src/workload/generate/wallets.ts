// Wallet payments made up from a seed: customers whose balance pays merchants, at once or set aside first and then captured,
// wholly or in part, or given up. Every customer gets money first and never asks for more, so that every payment is made on a
// ledger that is new to them; what follows is sent some time after it without waiting for its outcome.

import type { NewIntent } from "../../kafka/codec-messages.ts";
import type { Outbound, Source } from "../load/pump.ts";
import { CaseIds, type GenerateParts, type GeneratePlan, Holders, microsOf } from "./generate.ts";
import { Random, zipfPicker } from "./random.ts";

const BANK = "asset:bank:main";
const MONEY = { currency: "EUR", scale: 2 } as const;
const FUNDS = 10_000_000_000_000n;
const AMOUNT_MAX = 50_000;
const CUSTOMERS_A_MERCHANT = 20;
const MANUAL_SHARE = 0.3;
const CANCEL_SHARE = 0.1;
const PART_SHARE = 0.2;
const PAUSE_SECONDS = 2;
const CHUNK = 500;

type Follower = { readonly due: number; readonly holder: number; readonly what: Partial<NewIntent> };

export class WalletPayments implements Source {
  readonly #plan: GeneratePlan;
  readonly #parts: GenerateParts;
  readonly #customers: Holders;
  readonly #random: Random;
  readonly #caseIds: CaseIds;
  readonly #pick: (random: Random) => number;
  readonly #merchants: number;
  /** in the order in which they are due: all come after the same pause */
  readonly #followers: Follower[] = [];
  #number = 0;

  constructor(plan: GeneratePlan, parts: GenerateParts) {
    this.#plan = plan;
    this.#parts = parts;
    this.#customers = new Holders(plan, parts.lanes);
    this.#random = new Random(plan.seed);
    this.#caseIds = new CaseIds(this.#random);
    this.#pick = zipfPicker(plan.holders, plan.zipf);
    this.#merchants = Math.ceil(plan.holders / CUSTOMERS_A_MERCHANT);
  }

  next(): Promise<readonly Outbound[] | null> {
    const size = Math.min(CHUNK, this.#plan.count - this.#number);
    return Promise.resolve(size === 0 ? null : Array.from({ length: size }, () => this.#one()));
  }

  #one(): Outbound {
    const { holders, count } = this.#plan;
    if (this.#number < holders) return this.#payIn(this.#number);
    const [first] = this.#followers;
    const isLast = this.#followers.length >= count - this.#number;
    if (first === undefined || !(isLast || first.due <= this.#number)) return this.#payment();
    this.#followers.shift();
    return this.#send(first.holder, first.what);
  }

  #payIn(holder: number): Outbound {
    const to = this.#customers.paths[holder] as string;
    const caseId = this.#caseIds.next("trf", Math.floor(this.#nowMs));
    return this.#send(holder, { type: "transfer_create", caseId, from: BANK, to, amount: amountOf(FUNDS) });
  }

  #payment(): Outbound {
    const random = this.#random;
    const holder = this.#pick(random);
    const minor = BigInt(1 + random.below(AMOUNT_MAX));
    const caseId = this.#caseIds.next("wal", Math.floor(this.#nowMs));
    const rest = this.#plan.count - this.#number - 1;
    // What nobody takes any more would wait for its hold to lapse.
    const isManual = random.happens(MANUAL_SHARE) && this.#followers.length < rest;
    if (isManual) this.#follow(holder, caseId, minor);
    return this.#send(holder, {
      type: "payment_create",
      caseId,
      method: "wallet",
      captureMode: isManual ? "manual" : "automatic",
      amount: amountOf(minor),
      from: this.#customers.paths[holder] as string,
      to: `liability:merchant:mer_${this.#plan.seed}_${random.below(this.#merchants)}:pending`,
    });
  }

  #follow(holder: number, caseId: string, minor: bigint): void {
    const isCanceled = this.#random.happens(CANCEL_SHARE);
    const captured = this.#random.happens(PART_SHARE) ? (minor + 1n) / 2n : minor;
    const what = isCanceled
      ? { type: "payment_cancel", caseId, idempotencyKey: "cancel", reason: "out of stock" }
      : { type: "payment_capture", caseId, idempotencyKey: "capture", amount: amountOf(captured) };
    this.#followers.push({ due: this.#number + Math.ceil(PAUSE_SECONDS * this.#plan.rate), holder, what });
  }

  get #nowMs(): number {
    return this.#plan.runAtMs + (this.#number / this.#plan.rate) * 1000;
  }

  #send(holder: number, what: Partial<NewIntent>): Outbound {
    const holderId = this.#customers.ids[holder] as string;
    const asked = { ...what, holderId, occurredAt: microsOf(this.#nowMs) } as NewIntent;
    this.#number += 1;
    return {
      partition: this.#customers.partitions[holder] as number,
      record: { key: this.#customers.keys[holder] as Buffer, value: this.#parts.encoder.encode(asked) },
      asked,
    };
  }
}

function amountOf(minor: bigint): NonNullable<NewIntent["amount"]> {
  return { ...MONEY, minor: minor.toString() };
}
