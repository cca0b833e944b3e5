// Reads the outcomes of all lanes and proves by their sequence that nothing is missing or doubled.

import { type Decoder, Undecodable } from "../kafka/codec.ts";
import type { OfBlock, OutcomeMessage } from "../kafka/codec-messages.ts";
import { openPartitionReader } from "../kafka/partitions.ts";
import type { KafkaSettings, PartitionReader, TopicAdmin } from "../kafka/port.ts";

export type Outcome = OfBlock<OutcomeMessage>;

export type OutcomesPlan = {
  readonly kafka: KafkaSettings;
  readonly admin: TopicAdmin;
  readonly topic: string;
  readonly decoder: Decoder<Outcome>;
  /** where reading begins: all that the topic still has, or only what comes from now on */
  readonly from: "beginning" | "end";
  /** null: until `stop` */
  readonly untilIdleMs: number | null;
  readonly stop: AbortSignal;
  /** several outcomes in the order in which they lie in their lane */
  readonly take: (outcomes: readonly Outcome[]) => void;
  /** a sentence for people: something that must not be in this topic */
  readonly fault: (sentence: string) => void;
};

export type OutcomesRead = { readonly outcomes: number; readonly faults: number };

const WAIT_MS = 100;

/** Checks that a lane's sequence goes up by one from outcome to outcome. */
export class SequenceCheck {
  readonly #expected = new Map<number, bigint>();

  /** @param first the first sequence that a lane must begin with; lanes that are not named begin anywhere */
  constructor(first: ReadonlyMap<number, bigint> = new Map()) {
    for (const [lane, sequence] of first) this.#expected.set(lane, sequence);
  }

  /** @returns what is wrong, or null; `isRepeat` says that a reader has had this one */
  check(lane: number, sequence: bigint): { readonly isRepeat: boolean; readonly sentence: string } | null {
    const expected = this.#expected.get(lane) ?? sequence;
    if (sequence >= expected) this.#expected.set(lane, sequence + 1n);
    if (sequence === expected) return null;
    const isRepeat = sequence < expected;
    const what = isRepeat ? "a repeat" : `a gap of ${sequence - expected}`;
    return { isRepeat, sentence: `lane ${lane}: sequence ${sequence} where ${expected} was expected: ${what}` };
  }
}

/** Reads until idle or stopped.
 *  @throws KafkaUnreachable | KafkaRefused | RegistryUnreachable */
export async function readOutcomes(plan: OutcomesPlan): Promise<OutcomesRead> {
  const reading = await Reading.open(plan);
  try {
    return await reading.run();
  } finally {
    await reading.close();
  }
}

class Reading {
  readonly #plan: OutcomesPlan;
  readonly #reader: PartitionReader;
  readonly #check: SequenceCheck;
  /** by lane, where reading goes on */
  readonly #next: Map<number, bigint>;
  #outcomes = 0;
  #faults = 0;

  private constructor(plan: OutcomesPlan, reader: PartitionReader, check: SequenceCheck, next: Map<number, bigint>) {
    this.#plan = plan;
    this.#reader = reader;
    this.#check = check;
    this.#next = next;
  }

  static async open(plan: OutcomesPlan): Promise<Reading> {
    const { admin, topic, kafka } = plan;
    const partitions = (await admin.partitionCounts([topic])).get(topic) ?? 0;
    const next = new Map<number, bigint>();
    const first = new Map<number, bigint>();
    for (let lane = 0; lane < partitions; lane++) {
      const { low, end } = await admin.bounds(topic, lane);
      next.set(lane, plan.from === "beginning" ? low : end);
      if (plan.from === "beginning" && low === 0n) first.set(lane, 0n);
    }
    const starts = [...next].map(([partition, offset]) => ({ topic, partition, offset }));
    return new Reading(plan, await openPartitionReader(kafka, starts), new SequenceCheck(first), next);
  }

  async run(): Promise<OutcomesRead> {
    const { stop, untilIdleMs } = this.#plan;
    let lastMs = performance.now();
    while (!stop.aborted) {
      const runs = await this.#reader.next(WAIT_MS);
      for (const { partition, records, nextOffset } of runs) {
        this.#next.set(partition, nextOffset);
        await this.#takeRecords(partition, records);
        if (records.length > 0) lastMs = performance.now();
      }
      if (untilIdleMs === null || performance.now() - lastMs < untilIdleMs) continue;
      if (await this.#isAtEnd()) break;
      lastMs = performance.now();
    }
    return { outcomes: this.#outcomes, faults: this.#faults };
  }

  async #takeRecords(lane: number, records: readonly { readonly offset: bigint; readonly value: Buffer | null }[]) {
    const taken: Outcome[] = [];
    for (const { offset, value } of records) {
      const outcome = await this.#decode(lane, offset, value);
      if (outcome !== null && this.#isNext(lane, outcome)) taken.push(outcome);
    }
    this.#outcomes += taken.length;
    if (taken.length > 0) this.#plan.take(taken);
  }

  async #decode(lane: number, offset: bigint, value: Buffer | null): Promise<Outcome | null> {
    const { decoder } = this.#plan;
    try {
      if (value === null) throw new Undecodable("undecodable", "no value");
      return decoder.needs(value) === null ? decoder.decode(value) : await decoder.read(value);
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error;
      this.#fault(`lane ${lane}: the record at offset ${offset} is no outcome: ${error.message}`);
      return null;
    }
  }

  /** Each outcome is handed on once, even when it lies in the topic twice. */
  #isNext(lane: number, outcome: Outcome): boolean {
    if (outcome.lane !== lane) this.#fault(`partition ${lane} holds an outcome of lane ${outcome.lane}`);
    const wrong = this.#check.check(lane, outcome.sequence);
    if (wrong !== null) this.#fault(wrong.sentence);
    return wrong?.isRepeat !== true;
  }

  #fault(sentence: string): void {
    this.#faults += 1;
    this.#plan.fault(sentence);
  }

  /** Silence alone does not tell the end: a broker that is away is silent too. */
  async #isAtEnd(): Promise<boolean> {
    const { admin, topic } = this.#plan;
    for (const [lane, next] of this.#next) {
      if ((await admin.bounds(topic, lane)).end > next) return false;
    }
    return true;
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}
