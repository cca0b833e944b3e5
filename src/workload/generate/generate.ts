// Intents made up from a seed: the same seed and the same run time give the same bytes.

import { homeLane } from "../../domain/holder.ts";
import { formatCaseId, newCaseId } from "../../domain/ids.ts";
import type { Encoder } from "../../kafka/codec.ts";
import type { NewIntent } from "../../kafka/codec-messages.ts";
import type { Outbound, Source } from "../load/pump.ts";
import { Random, zipfPicker } from "./random.ts";

export type GeneratePlan = {
  /** intents in all, openings included */
  readonly count: number;
  readonly seed: number;
  readonly holders: number;
  /** exponent of the holders' shares; 0 is all alike */
  readonly zipf: number;
  /** time of the first intent, milliseconds since the epoch */
  readonly runAtMs: number;
  /** intents a second: the distance of their times */
  readonly rate: number;
  /** of `p2p`: so many of a hundred transfers go to a holder of another currency; none when left out */
  readonly fxPercent?: number;
};

export type GenerateParts = {
  readonly encoder: Encoder<NewIntent>;
  /** partitions of the intents' topic */
  readonly lanes: number;
};

/** Distance of the times of intents that are sent as fast as they can be. */
export const NOMINAL_RATE = 20_000;
const CHUNK = 500;
const BANK = "asset:bank:main";
const CURRENCY = "EUR";
const SCALE = 2;
const AMOUNT_MAX = 50_000;
const OUT_SHARE = 0.4;

/** As many holders as a plan gets when nobody says. */
export function defaultHolders(count: number): number {
  return Math.max(1, Math.min(10_000, Math.floor(count / 20)));
}

/** Holders, with what is needed again and again for each of them. */
export class Holders {
  readonly ids: readonly string[];
  readonly keys: readonly Buffer[];
  readonly paths: readonly string[];
  readonly partitions: readonly number[];

  constructor({ seed, holders }: Pick<GeneratePlan, "seed" | "holders">, lanes: number) {
    this.ids = Array.from({ length: holders }, (_, at) => `cust_${seed}_${at}`);
    this.keys = this.ids.map((id) => Buffer.from(id));
    this.paths = this.ids.map((id) => `liability:customer:${id}:available`);
    this.partitions = this.ids.map((id) => homeLane(id, lanes));
  }
}

/** Case ids with a generated random part. */
export class CaseIds {
  readonly #bytes = Buffer.alloc(10);
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  next(kind: string, timeMs: number): string {
    this.#random.fill(this.#bytes);
    return formatCaseId(newCaseId(kind, timeMs, this.#bytes));
  }
}

/** First an account for every holder, then transfers between a holder and the house, in either direction. A generated
 *  transfer never asks for more than the holder has by then, so all are accepted on a ledger that is new to them. */
export class Transfers implements Source {
  readonly #plan: GeneratePlan;
  readonly #parts: GenerateParts;
  readonly #holders: Holders;
  readonly #random: Random;
  readonly #caseIds: CaseIds;
  readonly #pick: (random: Random) => number;
  readonly #balances: BigInt64Array;
  #made = 0;

  constructor(plan: GeneratePlan, parts: GenerateParts) {
    this.#plan = plan;
    this.#parts = parts;
    this.#random = new Random(plan.seed);
    this.#caseIds = new CaseIds(this.#random);
    this.#holders = new Holders(plan, parts.lanes);
    this.#pick = zipfPicker(plan.holders, plan.zipf);
    this.#balances = new BigInt64Array(plan.holders);
  }

  next(): Promise<readonly Outbound[] | null> {
    const size = Math.min(CHUNK, this.#plan.count - this.#made);
    return Promise.resolve(size === 0 ? null : Array.from({ length: size }, () => this.#one()));
  }

  #one(): Outbound {
    const number = this.#made++;
    const { runAtMs, rate, holders } = this.#plan;
    const timeMs = runAtMs + (number / rate) * 1000;
    const holder = number < holders ? number : this.#pick(this.#random);
    const intent = number < holders ? this.#opening(holder, timeMs) : this.#transfer(number, holder, timeMs);
    return {
      partition: this.#holders.partitions[holder] as number,
      record: { key: this.#holders.keys[holder] as Buffer, value: this.#parts.encoder.encode(intent) },
      asked: intent,
    };
  }

  #opening(holder: number, timeMs: number): NewIntent {
    return {
      type: "account_open",
      holderId: this.#holders.ids[holder] as string,
      caseId: this.#caseIds.next("acc", Math.floor(timeMs)),
      sourceId: "open",
      account: this.#holders.paths[holder] as string,
      currency: CURRENCY,
      occurredAt: microsOf(timeMs),
    };
  }

  #transfer(number: number, holder: number, timeMs: number): NewIntent {
    const minor = BigInt(1 + this.#random.below(AMOUNT_MAX));
    const balance = this.#balances[holder] ?? 0n;
    const isOut = this.#random.happens(OUT_SHARE) && balance >= minor;
    this.#balances[holder] = isOut ? balance - minor : balance + minor;
    const path = this.#holders.paths[holder] as string;
    return {
      type: "transfer_create",
      holderId: this.#holders.ids[holder] as string,
      caseId: this.#caseIds.next("trf", Math.floor(timeMs)),
      sourceId: `t-${number}`,
      from: isOut ? path : BANK,
      to: isOut ? BANK : path,
      amount: { currency: CURRENCY, scale: SCALE, minor: minor.toString() },
      occurredAt: microsOf(timeMs),
    };
  }
}

/** Microseconds since the epoch. */
export function microsOf(timeMs: number): bigint {
  return BigInt(Math.round(timeMs * 1000));
}
