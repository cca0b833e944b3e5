// The state of a made-up day of payments: holders with their accounts as the ledger will have them, and what has been
// sent. Every kind of payment and of failure is a function over it.

import type { NewIntent } from "../../kafka/codec-messages.ts";
import type { Outbound } from "../load/pump.ts";
import { CaseIds, type GenerateParts, type GeneratePlan, Holders, microsOf } from "./generate.ts";
import { Random, zipfPicker } from "./random.ts";

/** Currency of the n-th holder, with the size of a usual payment in minor units. */
const CURRENCIES = [
  { currency: "EUR", scale: 2, usual: 4_000 },
  { currency: "CZK", scale: 2, usual: 90_000 },
  { currency: "EUR", scale: 2, usual: 12_000 },
  { currency: "USD", scale: 2, usual: 5_000 },
  { currency: "JPY", scale: 0, usual: 6_000 },
  { currency: "GBP", scale: 2, usual: 3_500 },
  { currency: "KWD", scale: 3, usual: 15_000 },
] as const;
const OTHER_CURRENCY = { currency: "CHF", scale: 2 } as const;
/** Every so many holders one may overdraw to this many usual payments, and one without end. */
const OVERDRAFT_EVERY = 11;
const OVERDRAFT_PAYMENTS = 20n;
const NO_FLOOR_EVERY = 97;
const DAY_MS = 86_400_000;
const SENT_KEPT = 500;

export const BANK = "asset:bank:main";
export const FEES = "revenue:processing_fee";

export type DayMoney = { readonly currency: string; readonly scale: number };
export type Sent = { readonly outbound: Outbound; readonly intent: NewIntent };

export type DayHolder = {
  readonly index: number;
  readonly id: string;
  readonly available: string;
  readonly hold: string;
  readonly money: DayMoney;
  readonly usual: number;
  /** null: none */
  readonly floorMinor: bigint | null;
  availableMinor: bigint;
  heldMinor: bigint;
  isFrozen: boolean;
};

export class Day {
  readonly random: Random;
  readonly holders: readonly DayHolder[];
  readonly lanes: number;
  readonly otherMoney = OTHER_CURRENCY;
  /** those frozen now, the longest first */
  readonly frozen: DayHolder[] = [];
  readonly #plan: GeneratePlan;
  readonly #encode: (intent: NewIntent) => Buffer;
  readonly #table: Holders;
  readonly #caseIds: CaseIds;
  readonly #pick: (random: Random) => number;
  readonly #sent: Sent[] = [];
  #number = 0;

  constructor(plan: GeneratePlan, { encoder, lanes }: GenerateParts) {
    this.#plan = plan;
    this.lanes = lanes;
    this.random = new Random(plan.seed);
    this.#encode = (intent) => encoder.encode(intent);
    this.#caseIds = new CaseIds(this.random);
    this.#table = new Holders(plan, lanes);
    this.#pick = zipfPicker(plan.holders, plan.zipf);
    this.holders = this.#table.ids.map((id, index) => newHolder(id, index));
  }

  /** how many intents have been made */
  get number(): number {
    return this.#number;
  }

  nextNumber(): number {
    return this.#number++;
  }

  someHolder(): DayHolder {
    return this.holders[this.#pick(this.random)] as DayHolder;
  }

  /** around the holder's usual amount, small ones more often than large ones */
  someAmount({ usual }: DayHolder): bigint {
    return BigInt(Math.max(1, Math.round(usual * 2 ** (this.random.unit() * 4 - 2))));
  }

  /** milliseconds since the epoch: the run's time for case ids */
  get nowMs(): number {
    return Math.floor(this.#plan.runAtMs + (this.#number / this.#plan.rate) * 1000);
  }

  caseId(kind: string, timeMs = this.nowMs): string {
    return this.#caseIds.next(kind, timeMs);
  }

  /** The day's events lie in the 24 hours before the run, in order. */
  get occurredAt(): bigint {
    const { runAtMs, count } = this.#plan;
    return microsOf(Math.round(runAtMs - DAY_MS * (1 - this.#number / count)));
  }

  transfer(holder: DayHolder, from: string, to: string, minor: bigint, money: DayMoney = holder.money): NewIntent {
    return {
      type: "transfer_create",
      holderId: holder.id,
      caseId: this.caseId("trf"),
      sourceId: `t-${this.#number}`,
      from,
      to,
      amount: { ...money, minor: minor.toString() },
      occurredAt: this.occurredAt,
    };
  }

  /** The intent as its holder's producer sends it; kept for later repeats. */
  send(holder: DayHolder, intent: NewIntent): Outbound {
    const outbound = { ...this.record(holder, this.#encode(intent)), asked: intent };
    if (this.#sent.length < SENT_KEPT) this.#sent.push({ outbound, intent });
    else this.#sent[this.#number % SENT_KEPT] = { outbound, intent };
    return outbound;
  }

  encode(intent: NewIntent): Buffer {
    return this.#encode(intent);
  }

  /** Any value under the holder's key, in the holder's partition. */
  record(holder: DayHolder, value: Buffer): Outbound {
    const partition = this.#table.partitions[holder.index] as number;
    return { partition, record: { key: this.#table.keys[holder.index] as Buffer, value } };
  }

  /** One of the last that were sent. */
  someSent(): Sent {
    return this.#sent[this.random.below(this.#sent.length)] as Sent;
  }
}

function newHolder(id: string, index: number): DayHolder {
  const { usual, ...money } = CURRENCIES[index % CURRENCIES.length] ?? CURRENCIES[0];
  const overdraft = index % OVERDRAFT_EVERY === 0 ? -BigInt(usual) * OVERDRAFT_PAYMENTS : 0n;
  return {
    index,
    id,
    available: `liability:customer:${id}:available`,
    // What these producers set aside themselves; `:hold` is open to flows alone.
    hold: `liability:customer:${id}:unapplied`,
    money,
    usual,
    floorMinor: index % NO_FLOOR_EVERY === NO_FLOOR_EVERY - 1 ? null : overdraft,
    availableMinor: 0n,
    heldMinor: 0n,
    isFrozen: false,
  };
}
