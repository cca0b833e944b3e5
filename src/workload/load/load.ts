// Publishes intents: lines of a file or of stdin, or generated ones.

import { createReadStream } from "node:fs";
import { homeLane } from "../../domain/holder.ts";
import type { Encoder } from "../../kafka/codec.ts";
import type { IntentMessage, NewIntent } from "../../kafka/codec-messages.ts";
import { type IntentLineRules, type LineFault, parseIntentLine } from "../intents.ts";
import { readLines } from "./lines.ts";
import type { Outbound, Source } from "./pump.ts";

export type LineFaultAt = LineFault & { readonly line: number };

/** `FILE:12: amount.minor: found 5, expected a string of digits` */
export function printLineFault(name: string, { line, field, found, expected }: LineFaultAt): string {
  return `${name}:${line}: ${field === "" ? "" : `${field}: `}found ${found}, expected ${expected}`;
}

export type FaultsFound = { readonly lines: number; readonly faults: readonly LineFaultAt[]; readonly more: number };

/** Told one by one; of a file that is wrong all through, the rest is only counted. */
const FAULTS_TOLD_MAX = 1_000;

/** Reads everything once and sends nothing, so that a file with a fault at its end leaves no half of itself behind. */
export async function findFaults(bytes: AsyncIterable<Buffer>, rules: IntentLineRules): Promise<FaultsFound> {
  const faults: LineFaultAt[] = [];
  let lines = 0;
  let more = 0;
  for await (const chunk of readLines(bytes)) {
    lines += chunk.length;
    for (const { number, text } of chunk) {
      const parsed = parseIntentLine(text, rules);
      if (parsed.kind === "intent") continue;
      for (const fault of parsed.faults) {
        if (faults.length < FAULTS_TOLD_MAX) faults.push({ line: number, ...fault });
        else more += 1;
      }
    }
  }
  return { lines, faults, more };
}

export type EncodeParts = {
  readonly encoder: Encoder<NewIntent>;
  /** partitions of the intents' topic */
  readonly lanes: number;
};

export function outboundOf(intent: IntentMessage, { encoder, lanes }: EncodeParts): Outbound {
  const { holderId } = intent;
  const record = { key: Buffer.from(holderId, "utf8"), value: encoder.encode(intent) };
  const { caseId, idempotencyKey } = intent; // not the whole intent: records that may be repeated are kept
  return { partition: homeLane(holderId, lanes), record, asked: { caseId, idempotencyKey } };
}

/** Intents of JSON lines in their order. After the first line with a fault nothing more is handed out; the rest is only
 *  checked, so that all faults are told. */
export class LineSource implements Source {
  readonly faults: LineFaultAt[] = [];
  readonly #rules: IntentLineRules;
  readonly #parts: EncodeParts;
  readonly #lines: ReturnType<typeof readLines>;

  constructor(bytes: AsyncIterable<Buffer>, rules: IntentLineRules, parts: EncodeParts) {
    this.#lines = readLines(bytes);
    this.#rules = rules;
    this.#parts = parts;
  }

  async next(): Promise<readonly Outbound[] | null> {
    const chunk = await this.#lines.next();
    if (chunk.done === true) return null;
    const outbound: Outbound[] = [];
    for (const { number, text } of chunk.value) {
      const parsed = parseIntentLine(text, this.#rules);
      if (parsed.kind === "faults") {
        if (this.faults.length < FAULTS_TOLD_MAX)
          this.faults.push(...parsed.faults.map((one) => ({ line: number, ...one })));
      } else if (this.faults.length === 0) {
        outbound.push(outboundOf(parsed.intent, this.#parts));
      }
    }
    return outbound;
  }
}

/** The bytes of a file, in chunks. */
export function readFileBytes(path: string): AsyncIterable<Buffer> {
  return createReadStream(path, { highWaterMark: 256 << 10 }) as AsyncIterable<Buffer>;
}

/** After its source's end hands out the last `count` records again, the same bytes: what a producer does that missed its
 *  acknowledgement. */
export class RepeatingLast implements Source {
  readonly #source: Source;
  readonly #count: number;
  readonly #mayRepeat: () => boolean;
  #last: Outbound[] = [];
  #handedOut = 0;
  #isRepeated = false;

  /** @param mayRepeat asked once, at the source's end */
  constructor(source: Source, count: number, mayRepeat: () => boolean = () => true) {
    this.#source = source;
    this.#count = count;
    this.#mayRepeat = mayRepeat;
  }

  /** records of the source, repeats not counted */
  get handedOut(): number {
    return this.#handedOut;
  }

  /** records handed out again so far */
  get repeated(): number {
    return this.#isRepeated ? this.#last.length : 0;
  }

  async next(): Promise<readonly Outbound[] | null> {
    const chunk = this.#isRepeated ? null : await this.#source.next();
    if (chunk !== null) {
      this.#handedOut += chunk.length;
      if (this.#count > 0) this.#last = [...this.#last, ...chunk].slice(-this.#count);
      return chunk;
    }
    if (this.#isRepeated || this.#last.length === 0 || !this.#mayRepeat()) return null;
    this.#isRepeated = true;
    return this.#last;
  }
}

/** Hands a source out in portions, one after another. */
export class Portions {
  readonly #source: Source;
  #rest: readonly Outbound[] = [];

  constructor(source: Source) {
    this.#source = source;
  }

  /** The next `count` records; to be read to its end before the next portion. */
  take(count: number): Source {
    let left = count;
    return {
      next: async () => {
        if (left === 0) return null;
        const chunk = this.#rest.length > 0 ? this.#rest : await this.#source.next();
        if (chunk === null) return null;
        const taken = chunk.slice(0, left);
        this.#rest = chunk.slice(taken.length);
        left -= taken.length;
        return taken;
      },
    };
  }
}
