// The process of the reader of answers.

import { type Codec, createCodec, Undecodable } from "../../kafka/codec.ts";
import { openPartitionReader } from "../../kafka/partitions.ts";
import type { PartitionRun } from "../../kafka/port.ts";
import { openRegistry } from "../../kafka/registry.ts";
import { wallMs } from "../load/pump.ts";
import type { AnswerMessage, AnswerOrder } from "./answers.ts";
import { hashIdentity, hashNumber, NUMBER_AT } from "./identity.ts";
import type { AnswerKind } from "./meter.ts";

/** Records gather this long between two fetches, as an ordinary consumer's do while it works on the last ones; it is inside
 *  the figures. Asking at once made the broker the busiest of all. */
const GATHER_MS = 3;
const WAIT_MS = 1_000;
const REGISTRY_TIMEOUT_MS = 5_000;

const say = (message: AnswerMessage): void => void process.send?.(message);

process.on("disconnect", () => process.exit(1));
process.once("message", (order: AnswerOrder) => {
  read(order).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    process.send?.({ kind: "failed", message } satisfies AnswerMessage, () => process.exit(1));
  });
});

async function read({ kafka: place, starts, what }: AnswerOrder): Promise<void> {
  const kafka = { ...place, clientId: "millrace-report", log: () => {} };
  const from = starts.map((start) => ({ ...start, offset: BigInt(start.offset) }));
  const reader = await openPartitionReader(kafka, from, { gatherMs: GATHER_MS });
  const take = what.kind === "stamps" ? takeStamps() : takeOutcomes(what);
  say({ kind: "ready" });
  for (;;) {
    const runs = await reader.next(WAIT_MS);
    if (runs.length > 0) await take(runs, wallMs());
  }
}

type Take = (runs: readonly PartitionRun[], atMs: number) => Promise<void>;

function takeStamps(): Take {
  let learned: AnswerKind[] = [{ type: "echo", code: null }];
  return async (runs, atMs) => {
    const values = valuesOf(runs);
    const hashes = new Uint32Array(values.length * 2);
    for (const [at, value] of values.entries()) hashNumber(value.readUInt32BE(NUMBER_AT), hashes, at * 2);
    say({ kind: "answers", learned, atMs, hashes, kinds: new Uint16Array(values.length) });
    learned = [];
  };
}

function takeOutcomes(what: Extract<AnswerOrder["what"], { readonly kind: "outcomes" }>): Take {
  const registry = openRegistry({ url: what.registryUrl, timeoutMs: REGISTRY_TIMEOUT_MS });
  const { decoders } = createCodec({ ...what.source, registry });
  const kinds = new Kinds();
  return async (runs, atMs) => {
    const aside = valuesOf(runs.filter(({ topic }) => topic === what.deadLetters));
    if (aside.length > 0) say({ kind: "aside", atMs, reasons: await reasonsOf(aside, decoders) });
    const values = valuesOf(runs.filter(({ topic }) => topic !== what.deadLetters));
    if (values.length === 0) return;
    const hashes = new Uint32Array(values.length * 2);
    const ids = new Uint16Array(values.length);
    let count = 0;
    for (const value of values) {
      const id = await readOutcome(value, decoders, kinds, hashes.subarray(count * 2));
      if (id !== null) ids[count++] = id;
    }
    const learned = kinds.takeNew();
    say({ kind: "answers", learned, atMs, hashes: hashes.slice(0, count * 2), kinds: ids.slice(0, count) });
  };
}

/** @returns null for what answers no intent: something that a case says later, or a stranger's bytes */
async function readOutcome(
  value: Buffer,
  { outcome: decoder }: Codec["decoders"],
  kinds: Kinds,
  hash: Uint32Array,
): Promise<number | null> {
  try {
    const outcome = decoder.needs(value) === null ? decoder.decode(value) : await decoder.read(value);
    if (outcome.intentType === null) return null;
    hashIdentity(outcome, hash, 0);
    return kinds.idOf(outcome.type, outcome.reason?.code ?? null);
  } catch (error) {
    if (error instanceof Undecodable) return null;
    throw error;
  }
}

async function reasonsOf(values: readonly Buffer[], decoders: Codec["decoders"]): Promise<Record<string, number>> {
  const reasons: Record<string, number> = {};
  for (const value of values) {
    const { reason } = await decoders.deadLetter.read(value);
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return reasons;
}

/** Numbers for what outcomes are, handed out as they are met. */
class Kinds {
  readonly #ids = new Map<string, number>();
  #new: AnswerKind[] = [];

  idOf(type: string, code: string | null): number {
    const name = code === null ? type : `${type} ${code}`;
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#ids.size;
    this.#ids.set(name, id);
    this.#new.push({ type, code });
    return id;
  }

  takeNew(): readonly AnswerKind[] {
    const met = this.#new;
    this.#new = [];
    return met;
  }
}

function valuesOf(runs: readonly PartitionRun[]): Buffer[] {
  return runs.flatMap(({ records }) => records.flatMap(({ value }) => (value === null ? [] : [value])));
}
