// Transfers from one holder to another, made up from a seed. Every holder gets an account and some money first; nobody
// ever sends more than that, whatever came in meanwhile, so every transfer is accepted on a ledger that is new to them.

import type { NewIntent } from "../kafka/codec-messages.ts";
import { CaseIds, type GenerateParts, type GeneratePlan, Holders, microsOf } from "./generate.ts";
import { Random, zipfPicker } from "./generate-random.ts";
import type { Outbound, Source } from "./load-pump.ts";

const CHUNK = 500;
const BANK = "asset:bank:main";
const CURRENCY = "EUR";
const SCALE = 2;
const AMOUNT_MAX = 50_000;
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
    const minor = BigInt(1 + this.#random.below(AMOUNT_MAX));
    return this.#transfer(number, from, null, this.#other(from), minor);
  }

  /** Some other holder; the same one where there is no other. */
  #other(from: number): number {
    const to = this.#pick(this.#random);
    return to === from ? (from + 1) % this.#plan.holders : to;
  }

  #opened(holder: number): Partial<NewIntent> {
    return { sourceId: "open", account: this.#holders.paths[holder] as string, currency: CURRENCY };
  }

  /** @param fromPath of the house; null is the holder's own account
   *  @param to       another holder; null is the holder's own account */
  #transfer(number: number, holder: number, fromPath: string | null, to: number | null, minor: bigint): Outbound {
    const own = this.#holders.paths[holder] as string;
    return this.#send(holder, "trf", {
      type: "transfer_create",
      sourceId: `t-${number}`,
      from: fromPath ?? own,
      to: to === null ? own : (this.#holders.paths[to] as string),
      amount: { currency: CURRENCY, scale: SCALE, minor: minor.toString() },
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
