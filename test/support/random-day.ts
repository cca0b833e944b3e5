// A day of one lane at random, from a seed: good and bad intents of every kind, repeats and conflicts, records that are no
// intents, and time that passes, so that timers fire.

import { homeLane } from "../../src/domain/holder.ts";
import { formatCaseId, newCaseId } from "../../src/domain/ids.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { available, BANK, Producing } from "./intents.ts";
import { DAY_MS, LANES, NOW_MS } from "./ledger.ts";
import { MemoryProduction } from "./memory-lane.ts";

/** Mulberry32: the same numbers for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Holders that are at home in one lane. */
export const HOLDERS = Array.from({ length: 100 }, (_, index) => `cust_${index}`)
  .filter((holder) => homeLane(holder, LANES) === homeLane("cust_0", LANES))
  .slice(0, 4);

export class RandomDay {
  readonly lane: MemoryProduction;
  nowMs = NOW_MS;
  readonly #random: () => number;
  readonly #make = new Producing(() => this.nowMs);
  readonly #sent: NewIntent[] = [];

  constructor(seed: number, lane = new MemoryProduction("cust_0")) {
    this.#random = randomOf(seed);
    this.lane = lane;
  }

  /** Blocks of a few inputs each, milliseconds to a quarter of an hour apart.
   *  @param watermarkMs other moments for timers than a lane would come to */
  async run(blocks: number, watermarkMs?: (nowMs: number) => number): Promise<MemoryProduction> {
    for (let block = 0; block < blocks; block++) {
      for (let count = this.#below(6); count > 0; count--) {
        this.#append();
        this.nowMs += this.#below(50);
      }
      this.nowMs += this.#pick([1, 20, 5_000, 200_000, 900_000]);
      await this.lane.commit(this.nowMs, watermarkMs?.(this.nowMs));
    }
    return this.lane;
  }

  #append(): void {
    if (this.#below(12) === 0) return this.#appendOdd();
    const intent = this.#intent();
    this.#sent.push(intent);
    this.lane.append(Buffer.from(intent.holderId), this.lane.codec.encoders.intent.encode(intent), this.nowMs);
  }

  /** What is put aside. */
  #appendOdd(): void {
    const intent = this.#make.payIn(this.#holder(), 5, { caseId: this.#caseId("trf") });
    const bytes = this.lane.codec.encoders.intent.encode(intent);
    const key = Buffer.from(intent.holderId);
    const unknown = Buffer.from(bytes);
    unknown.writeInt32BE(4_711, 1);
    const stranger = this.lane.codec.encoders.intent.encode({ ...intent, type: "no_such_type" });
    const far = this.lane.codec.encoders.intent.encode({ ...intent, holderId: "cust_1" });
    const [value, under] = this.#pick<[Buffer | null, Buffer | null]>([
      [Buffer.from("no intent"), key],
      [bytes, null],
      [null, key],
      [bytes.subarray(0, bytes.length - 3), key],
      [Buffer.concat([bytes, Buffer.alloc(1)]), key],
      [Buffer.concat([bytes, Buffer.alloc(70_000)]), key],
      [unknown, key],
      [stranger, key],
      [bytes, Buffer.from("somebody_else")],
      [far, Buffer.from("cust_1")],
      [Buffer.from("\u0000\u0001binary"), Buffer.from([0xff, 0x01])],
    ]);
    this.lane.append(under, value, this.nowMs);
  }

  #intent(): NewIntent {
    const holder = this.#holder();
    const minor = this.#pick([0, -3, 1, 20, 300, 5_000, 99_999]);
    const caseId = this.#caseId("any");
    const earlier = this.#sent.length === 0 ? null : this.#pick(this.#sent);
    const hold = this.#sent.filter(({ type }) => type === "hold_place").at(-1 - this.#below(3));
    const make = this.#make;
    const key = this.#pick(["a", "b", "c|d"]);
    const kinds: (() => NewIntent)[] = [
      () => make.accountOpen(holder, { caseId, floorMinor: this.#pick(["0", "-500", "10", null]) }),
      () => make.accountOpen(holder, { caseId, currency: this.#pick(["EUR", "USD", "QQQ", "KWD"]) }),
      () => make.payIn(holder, minor, { caseId }),
      () => make.payIn(holder, 2_000, { caseId, metadata: { b: "1", a: "zwei\n" }, reference: "r" }),
      () => make.payOut(holder, minor, { caseId }),
      () => make.payOut(holder, minor, { caseId, to: this.#path(holder), sourceId: "s-1", correlationId: "c" }),
      () => make.payIn(holder, minor, { caseId, from: this.#path(holder), to: this.#path(holder) }),
      () => make.payIn(holder, 1, { caseId, amount: this.#amount() }),
      () => make.accountUpdate(holder, this.#pick(["freeze", "unfreeze", "unfreeze", "close", "floor"]), { caseId }),
      () => make.accountUpdate(holder, "floor", { caseId, floorMinor: this.#pick(["-700", "60", null]) }),
      () => make.holdPlace(holder, minor, { caseId }),
      () => make.holdPlace(holder, 50, { caseId }),
      () => make.holdCapture(hold?.holderId ?? holder, hold?.caseId ?? caseId, { idempotencyKey: key }),
      () =>
        make.holdRelease(this.#pick([hold?.holderId ?? holder, holder]), hold?.caseId ?? caseId, {
          idempotencyKey: key,
        }),
      () => ({ ...(earlier ?? make.payIn(holder, 1, { caseId })), occurredAt: BigInt(this.nowMs) * 1_000n + 7n }),
      () => ({ ...(earlier ?? make.payIn(holder, 1, { caseId })), reference: "another body" }),
      () =>
        make.payIn(holder, 5, { caseId: this.#pick(["nonsense", "trf_0", "018F0000-0000-7000-8000-0000000000ab"]) }),
      () => make.payIn(holder, 5, { caseId: this.#caseId("trf", this.#pick([-401 * DAY_MS, 2 * DAY_MS])) }),
      () => make.payIn(holder, 5, { caseId, occurredAt: BigInt(this.nowMs + 3 * DAY_MS) * 1_000n }),
    ];
    return this.#pick(kinds)();
  }

  #amount() {
    return this.#pick([
      { currency: "USD", scale: 2, minor: "700" },
      { currency: "JPY", scale: 2, minor: "700" },
      { currency: "QQQ", scale: 5, minor: "700" },
      { currency: "EUR", scale: 2, minor: `1${"0".repeat(38)}` },
      { currency: "EUR", scale: 2, minor: "1e3" },
    ]);
  }

  #path(own: string): string {
    const merchant = `liability:merchant:${own}:pending`;
    return this.#pick([available(own), BANK, "revenue:processing_fee", merchant, available("cust_99"), "nowhere:x"]);
  }

  #holder(): string {
    return this.#pick(HOLDERS);
  }

  #caseId(kind: string, afterMs = 0): string {
    const chance = Buffer.from(Array.from({ length: 10 }, () => this.#below(256)));
    return formatCaseId(newCaseId(kind, this.nowMs + afterMs, chance));
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #pick<One>(all: readonly One[]): One {
    return all[this.#below(all.length)] as One;
  }
}
