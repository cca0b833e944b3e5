// Payouts made up from a seed: every merchant gets money first and never asks for more, so that none is refused for want of
// it on a ledger that is new to them. A few are canceled at once, some of them too late.

import { homeLane } from "../../domain/holder.ts";
import type { NewIntent } from "../../kafka/codec-messages.ts";
import type { Outbound, Source } from "../load/pump.ts";
import { CaseIds, type GenerateParts, type GeneratePlan, microsOf } from "./generate.ts";
import { Random, zipfPicker } from "./random.ts";

const BANK = "asset:bank:main";
const MONEY = { currency: "EUR", scale: 2 } as const;
const FUNDS = 10_000_000_000_000n;
const AMOUNT_MIN = 100;
const AMOUNT_MAX = 500_000;
const CANCEL_SHARE = 0.05;
const CHUNK = 500;

type Merchant = { readonly id: string; readonly key: Buffer; readonly partition: number };

export class Payouts implements Source {
  readonly #plan: GeneratePlan;
  readonly #parts: GenerateParts;
  readonly #provider: string;
  readonly #random: Random;
  readonly #caseIds: CaseIds;
  readonly #merchants: readonly Merchant[];
  readonly #pick: (random: Random) => number;
  #toCancel: { readonly merchant: Merchant; readonly caseId: string } | null = null;
  #number = 0;

  constructor(plan: GeneratePlan, parts: GenerateParts, provider = "script") {
    this.#plan = plan;
    this.#parts = parts;
    this.#provider = provider;
    this.#random = new Random(plan.seed);
    this.#caseIds = new CaseIds(this.#random);
    this.#pick = zipfPicker(plan.holders, plan.zipf);
    this.#merchants = Array.from({ length: plan.holders }, (_, at) => {
      const id = `mer_payout_${plan.seed}_${at}`;
      return { id, key: Buffer.from(id), partition: homeLane(id, parts.lanes) };
    });
  }

  next(): Promise<readonly Outbound[] | null> {
    const size = Math.min(CHUNK, this.#plan.count - this.#number);
    return Promise.resolve(size === 0 ? null : Array.from({ length: size }, () => this.#one()));
  }

  #one(): Outbound {
    const first = this.#merchants[this.#number];
    if (first !== undefined) return this.#payIn(first);
    if (this.#toCancel === null) return this.#payout();
    const { merchant, caseId } = this.#toCancel;
    this.#toCancel = null;
    return this.#send(merchant, { type: "payout_cancel", caseId, idempotencyKey: "cancel", reason: "wrong account" });
  }

  #payIn(merchant: Merchant): Outbound {
    const caseId = this.#caseIds.next("trf", Math.floor(this.#nowMs));
    const to = `liability:merchant:${merchant.id}:available`;
    return this.#send(merchant, { type: "transfer_create", caseId, from: BANK, to, amount: amountOf(FUNDS) });
  }

  #payout(): Outbound {
    const random = this.#random;
    const merchant = this.#merchants[this.#pick(random)] as Merchant;
    const caseId = this.#caseIds.next("pyo", Math.floor(this.#nowMs));
    if (random.happens(CANCEL_SHARE)) this.#toCancel = { merchant, caseId };
    return this.#send(merchant, {
      type: "payout_create",
      caseId,
      provider: this.#provider,
      tokenRef: `tok_${random.uint32().toString(36)}`,
      amount: amountOf(BigInt(AMOUNT_MIN + random.below(AMOUNT_MAX))),
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

function amountOf(minor: bigint): NonNullable<NewIntent["amount"]> {
  return { ...MONEY, minor: minor.toString() };
}
