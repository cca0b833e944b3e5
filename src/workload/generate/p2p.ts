// Transfers from one holder to another, made up from a seed. Every holder gets an account and some money first; nobody
// ever sends more than that, whatever came in meanwhile, so every transfer is accepted on a ledger that is new to them. With a
// share of FX every other holder has another currency, and what goes to one of those is changed, if there is a rate.

import type { NewIntent } from "../../kafka/codec-messages.ts";
import type { Outbound, Source } from "../load/pump.ts";
import { CaseIds, type GenerateParts, type GeneratePlan, Holders, microsOf } from "./generate.ts";
import { Random, zipfPicker } from "./random.ts";

const CHUNK = 500;
const BANK = "asset:bank:main";
/** of holders by turns; the first alone where nothing is changed */
const CURRENCIES = ["EUR", "USD"] as const;
const SCALE = 2;
const AMOUNT_MAX = 50_000;
/** what is changed must come to something */
const CHANGED_MIN = 100;
const FUNDS = 10_000_000_000_000n;

/** Intents before the first transfer, a holder. */
const OPENING = 2;

export class PeerTransfers implements Source {
  readonly #plan: GeneratePlan;
  readonly #parts: GenerateParts;
  readonly #holders: Holders;
  readonly #random: Random;
  readonly #caseIds: CaseIds;
  readonly #pick: (random: Random) => number;
  #number = 0;

  constructor(plan: GeneratePlan, parts: GenerateParts) {
    this.#plan = plan;
    this.#parts = parts;
    this.#random = new Random(plan.seed);
    this.#caseIds = new CaseIds(this.#random);
    this.#holders = new Holders(plan, parts.lanes);
    this.#pick = zipfPicker(plan.holders, plan.zipf);
  }

  next(): Promise<readonly Outbound[] | null> {
    const size = Math.min(CHUNK, this.#plan.count - this.#number);
    return Promise.resolve(size === 0 ? null : Array.from({ length: size }, () => this.#one()));
  }

  #one(): Outbound {
    const number = this.#number++;
    const { holders } = this.#plan;
    if (number < holders) return this.#send(number, "acc", { type: "account_open", ...this.#opened(number) });
    if (number < OPENING * holders) return this.#transfer(number, number - holders, BANK, null, FUNDS);
    const from = this.#pick(this.#random);
    const to = this.#receiver(from);
    const min = this.#currencyOf(to) === this.#currencyOf(from) ? 1 : CHANGED_MIN;
    return this.#transfer(number, from, null, to, BigInt(min + this.#random.below(AMOUNT_MAX)));
  }

  #currencyOf(holder: number): string {
    return CURRENCIES[this.#fxPercent === 0 ? 0 : holder % CURRENCIES.length] as string;
  }

  get #fxPercent(): number {
    return this.#plan.fxPercent ?? 0;
  }

  /** Some other holder; the same one where there is no other. */
  #receiver(from: number): number {
    const { holders } = this.#plan;
    const picked = this.#pick(this.#random);
    const next = picked === from ? (from + 1) % holders : picked;
    if (this.#fxPercent === 0) return next;
    const isChanged = this.#random.happens(this.#fxPercent / 100);
    const isWanted = (to: number): boolean =>
      to !== from && (this.#currencyOf(to) !== this.#currencyOf(from)) === isChanged;
    // Currencies go by turns, so the next few have one that will do, or few holders have none.
    const nearby = [0, 1, 2, 3].map((step) => (next + step) % holders);
    return nearby.find(isWanted) ?? next;
  }

  #opened(holder: number): Partial<NewIntent> {
    return { sourceId: "open", account: this.#holders.paths[holder] as string, currency: this.#currencyOf(holder) };
  }

  /** @param fromPath of the house; null is the holder's own account
   *  @param to       another holder; null is the holder's own account */
  #transfer(number: number, holder: number, fromPath: string | null, to: number | null, minor: bigint): Outbound {
    const own = this.#holders.paths[holder] as string;
    const currency = this.#currencyOf(holder);
    const settlementCurrency = to === null ? currency : this.#currencyOf(to);
    return this.#send(holder, "trf", {
      type: "transfer_create",
      sourceId: `t-${number}`,
      from: fromPath ?? own,
      to: to === null ? own : (this.#holders.paths[to] as string),
      amount: { currency, scale: SCALE, minor: minor.toString() },
      ...(settlementCurrency === currency ? {} : { settlementCurrency }),
    });
  }

  #send(holder: number, kind: string, what: Pick<NewIntent, "type"> & Partial<NewIntent>): Outbound {
    const timeMs = this.#plan.runAtMs + (this.#number / this.#plan.rate) * 1000;
    const intent: NewIntent = {
      ...what,
      holderId: this.#holders.ids[holder] as string,
      caseId: this.#caseIds.next(kind, Math.floor(timeMs)),
      occurredAt: microsOf(timeMs),
    };
    return {
      partition: this.#holders.partitions[holder] as number,
      record: { key: this.#holders.keys[holder] as Buffer, value: this.#parts.encoder.encode(intent) },
      asked: intent,
    };
  }
}
