// The relay of one lane. Its writer is fenced, its cursor is the tail of each output partition: only this lane writes
// there, so the last message says what was published.
//
// Opening, in this order: (1) is the lane still ours? asked of the lane row, because opening a writer fences whoever has
// it; (2) fence; (3) read the tails, now that nobody else can append; (4) compare each tail with the database; (5) load
// what is committed and not published. Any error after that starts again at (1).

import type { HaltCause } from "../domain/halts.ts";
import type { Head } from "../domain/head.ts";
import { reach } from "../failpoints.ts";
import type { LaneWriter, OutgoingRecord } from "../kafka/port.ts";
import type { OutgoingMessages, OutgoingTopic } from "../store/blocks.ts";
import { BEGUN_ANEW } from "../store/outbox.ts";
import { judgeTail, type TailJudgement } from "./cursor.ts";
import { isOutage } from "./outage.ts";
import { missingIn, OutgoingQueue } from "./outgoing-queue.ts";
import { Outlets, type OutletsParts } from "./outlets.ts";

export type PublishedMark = { readonly sequence: bigint; readonly offset: bigint; readonly producerId: bigint };

/** The database as the relay uses it. */
export interface RelayStore {
  /** whether lane and epoch are still ours, by the lane row and the lease */
  isOurs(lane: number, epoch: bigint): Promise<boolean>;
  marks(lane: number): Promise<ReadonlyMap<OutgoingTopic, PublishedMark>>;
  /** messages with `from <= sequence < until`, in order, at most `limit` */
  messages(
    lane: number,
    topic: OutgoingTopic,
    from: bigint,
    until: bigint,
    limit: number,
  ): Promise<readonly StoredMessage[]>;
  blockDigest(lane: number, block: bigint): Promise<Buffer | null>;
  mark(
    lane: number,
    epoch: bigint,
    topic: OutgoingTopic,
    mark: PublishedMark & { readonly producerEpoch: number },
  ): Promise<void>;
}

export type StoredMessage = { readonly sequence: bigint; readonly key: string; readonly value: Buffer };

export interface RelayEvents {
  published(lane: number, topic: OutgoingTopic, messages: number): void;
  opened(lane: number, backlog: number, ms: number): void;
  reopening(lane: number, reason: string): void;
  producerChanged(lane: number, expected: bigint, found: bigint): void;
}

export type TailReading = { readonly sequence: bigint; readonly block: bigint; readonly blockDigest: Buffer };

export type LaneRelayParts = {
  readonly store: RelayStore;
  readonly events: RelayEvents;
  readonly topics: Readonly<Record<OutgoingTopic, string>>;
  readonly openWriter: (lane: number) => Promise<LaneWriter>;
  readonly readTail: (topic: OutgoingTopic, value: Buffer) => Promise<TailReading>;
  readonly crossing: Pick<OutletsParts, "outlets" | "messages" | "send" | "sent" | "waits">;
  readonly batchRecordsMax: number;
  readonly batchBytesMax: number;
  readonly reopenMs: number;
  readonly markMs: number;
  /** the database has lost committed blocks, or the topic is not the one it was */
  readonly halt: (lane: number, cause: HaltCause, evidence: Record<string, unknown>) => void;
  readonly fenced: (lane: number) => void;
  /** an assertion of our own failed */
  readonly crash: (error: unknown) => void;
};

export const OUTGOING_TOPICS: readonly OutgoingTopic[] = ["outcomes", "commands", "deadLetters"];
const PAGE = 2_000;

export class LaneRelay {
  readonly #lane: number;
  readonly epoch: bigint;
  readonly #parts: LaneRelayParts;
  readonly #queues: Record<OutgoingTopic, OutgoingQueue>;
  readonly #outlets: Outlets;
  #writer: LaneWriter | null = null;
  #closed = false;
  /** it publishes nothing any more, closed or not: the lane is not ours, or had to be halted */
  #ended = false;
  #done: Promise<void> = Promise.resolve();
  #tellOpened: (isOpen: boolean) => void = () => undefined;
  /** true once the tails agree with the database; false when that never came to be */
  readonly opened: Promise<boolean>;

  constructor(lane: number, head: Head, parts: LaneRelayParts) {
    this.#lane = lane;
    this.epoch = head.epoch;
    this.#parts = parts;
    this.opened = new Promise((resolve) => {
      this.#tellOpened = resolve;
    });
    const { crossing, halt, batchRecordsMax, batchBytesMax } = parts;
    this.#outlets = new Outlets(lane, { ...crossing, halt, batchRecordsMax, batchBytesMax });
    this.#queues = {
      outcomes: new OutgoingQueue(head.outcomesNext),
      commands: new OutgoingQueue(head.commandsNext),
      deadLetters: new OutgoingQueue(head.deadLettersNext),
    };
  }

  get backlog(): number {
    return OUTGOING_TOPICS.reduce((sum, topic) => sum + this.#queues[topic].length, this.#outlets.backlog);
  }

  ageMs(): number {
    const oldest = [
      ...OUTGOING_TOPICS.map((topic) => this.#queues[topic].oldestSinceMs),
      this.#outlets.oldestSinceMs(),
    ];
    const since = oldest.filter((ms) => ms !== null);
    return since.length === 0 ? 0 : performance.now() - Math.min(...since);
  }

  add(messages: OutgoingMessages): void {
    messages.sequences.forEach((sequence, index) => {
      const start = messages.starts[index] as number;
      const value = messages.bytes.subarray(start, start + (messages.sizes[index] as number));
      const key = messages.keys[index] as string;
      this.#queues[messages.topics[index] as OutgoingTopic].push({ sequence, key, value });
    });
    this.#rouse();
    this.#outlets.add(messages.crossing, messages.bytes);
  }

  start(): void {
    this.#done = this.#run()
      .catch((error) => this.#parts.crash(error))
      .finally(() => {
        this.#ended = true;
        this.#tellOpened(false);
      });
  }

  async drain(deadlineMs: number): Promise<void> {
    const until = performance.now() + deadlineMs;
    const isUnderWay = (): boolean => !this.#closed && !this.#ended;
    while (isUnderWay() && (this.backlog > 0 || this.#writer === null) && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const writer = this.#writer;
    if (writer !== null && !this.#closed) await this.#markAll(writer).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#outlets.close();
    // Of the topics that have nothing to publish too: a lane that is given back would stand still for their patience.
    for (const topic of OUTGOING_TOPICS) this.#queues[topic].letGo();
    await this.#writer?.close().catch(() => undefined);
    await this.#done;
  }

  // The loop -------------------------------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    for (let pauseMs = 50; !this.#closed; pauseMs = Math.min(pauseMs * 2, 2_000)) {
      try {
        const writer = await this.#open();
        if (writer === null) return;
        this.#tellOpened(true);
        pauseMs = 25;
        await this.#publish(writer);
      } catch (error) {
        if (this.#closed) break;
        // After an outage the lane row is asked before a writer is opened again.
        if (!isOutage(error)) throw error;
        this.#parts.events.reopening(this.#lane, (error as Error).message);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      } finally {
        await this.#writer?.close().catch(() => undefined);
        this.#writer = null;
      }
    }
  }

  /** @returns null when the lane is not ours any more, or had to be halted */
  async #open(): Promise<LaneWriter | null> {
    const began = performance.now();
    const { store, events } = this.#parts;
    if (!(await store.isOurs(this.#lane, this.epoch))) {
      if (!this.#closed) this.#parts.fenced(this.#lane);
      return null;
    }
    const marks = await store.marks(this.#lane);
    if (this.#closed) return null;
    const writer = await this.#parts.openWriter(this.#lane);
    this.#writer = writer;
    const expected = marks.get("outcomes")?.producerId ?? -1n;
    // Another producer id means that the broker forgot ours: an owner from before is not fenced by this writer.
    if (expected !== -1n && expected !== writer.producerId)
      events.producerChanged(this.#lane, expected, writer.producerId);
    for (const topic of OUTGOING_TOPICS) {
      const judged = await this.#judge(writer, topic, marks.get(topic));
      // A closed relay says nothing any more: the lane may be ours again, with a relay of its own.
      if (this.#closed) return null;
      if (judged.kind === "halt") {
        this.#parts.halt(this.#lane, judged.cause, { topic: this.#parts.topics[topic], ...judged.evidence });
        return null;
      }
      if (!(await this.#load(topic, judged.published + 1n))) return null;
    }
    if (!(await this.#outlets.open())) return null;
    reach("backlog.loaded");
    events.opened(this.#lane, this.backlog, performance.now() - began);
    return writer;
  }

  async #judge(writer: LaneWriter, topic: OutgoingTopic, mark: PublishedMark | undefined): Promise<TailJudgement> {
    const tail = writer.tails.get(this.#parts.topics[topic]);
    const value = tail?.record?.value ?? null;
    const reading = value === null ? null : await this.#parts.readTail(topic, value);
    const digest = reading === null ? null : await this.#parts.store.blockDigest(this.#lane, reading.block);
    const queue = this.#queues[topic];
    const marked = mark?.sequence ?? -1n;
    const known = marked > queue.acknowledged ? marked : queue.acknowledged;
    if (queue.acknowledged < 0n) queue.publishedOffset = tail?.record?.offset ?? mark?.offset ?? -1n;
    const begunAnew = queue.publishedOffset === BEGUN_ANEW;
    return judgeTail({ low: tail?.low ?? 0n, reading, digest, marked: known, begunAnew, committedNext: queue.end });
  }

  /** Brings the queue to begin at `from`: forgets what is published, loads what is committed but not in memory. */
  async #load(topic: OutgoingTopic, from: bigint): Promise<boolean> {
    const queue = this.#queues[topic];
    queue.forgetBefore(from);
    const until = queue.begin;
    const loaded: StoredMessage[] = [];
    for (let next = from; next < until; ) {
      const page = await this.#parts.store.messages(this.#lane, topic, next, until, PAGE);
      if (this.#closed) return false;
      const missing = missingIn(page, next);
      if (missing !== null) {
        const evidence = { topic: this.#parts.topics[topic], missingSequence: missing, until };
        this.#parts.halt(this.#lane, "outbox_gap", evidence);
        return false;
      }
      loaded.push(...page);
      next = (page.at(-1) as StoredMessage).sequence + 1n;
    }
    queue.prepend(loaded);
    return true;
  }

  async #publish(writer: LaneWriter): Promise<void> {
    const reopenAt = performance.now() + this.#parts.reopenMs;
    const workers = OUTGOING_TOPICS.map((topic) => this.#publishTopic(writer, topic, reopenAt));
    const marking = this.#markRegularly(writer, reopenAt);
    const published = Promise.all(workers).then(() => undefined);
    try {
      await Promise.all([published, this.#outlets.run(published)]);
    } finally {
      this.#stopMarking();
      await marking;
    }
  }

  /** One batch in flight; every repeat of it is the writer's, with the same sequence numbers. */
  async #publishTopic(writer: LaneWriter, topic: OutgoingTopic, reopenAt: number): Promise<void> {
    const queue = this.#queues[topic];
    while (!this.#closed && performance.now() < reopenAt) {
      const batch = queue.peek(this.#parts.batchRecordsMax, this.#parts.batchBytesMax);
      if (batch.length === 0) {
        await queue.wait(IDLE_MS);
        continue;
      }
      const { baseOffset } = await writer.append(this.#parts.topics[topic], batch.map(toRecord));
      // Nobody else appends here, so offsets only grow. A broker takes a batch of any sequence into a topic that was made
      // anew under us, and readers would begin in the middle without a word.
      if (baseOffset <= queue.publishedOffset) {
        const evidence = {
          topic: this.#parts.topics[topic],
          appendedAt: baseOffset,
          publishedAt: queue.publishedOffset,
        };
        return this.#parts.halt(this.#lane, "output_topic_recreated", evidence);
      }
      queue.published(batch.length, baseOffset);
      reach("relay.acknowledged");
      this.#parts.events.published(this.#lane, topic, batch.length);
    }
  }

  // Marks: the hint for the day when a tail has expired -------------------------------------------------------------------

  #stopMarking: () => void = () => undefined;

  async #markRegularly(writer: LaneWriter, reopenAt: number): Promise<void> {
    let stopped = false;
    const stop = new Promise<void>((resolve) => {
      this.#stopMarking = () => {
        stopped = true;
        resolve();
      };
    });
    while (!this.#closed && !stopped && performance.now() < reopenAt) {
      await Promise.race([stop, new Promise((resolve) => setTimeout(resolve, this.#parts.markMs))]);
      // A hint only: that it could not be written is no reason to stop publishing.
      await this.#markAll(writer).catch(() => undefined);
    }
  }

  async #markAll(writer: LaneWriter): Promise<void> {
    for (const topic of OUTGOING_TOPICS) {
      const { publishedTo, publishedOffset } = this.#queues[topic];
      if (this.#queues[topic].marked === publishedTo) continue;
      const mark = {
        sequence: publishedTo,
        offset: publishedOffset,
        producerId: writer.producerId,
        producerEpoch: writer.producerEpoch,
      };
      reach("mark.due");
      await this.#parts.store.mark(this.#lane, this.epoch, topic, mark);
      reach("mark.written");
      this.#queues[topic].marked = publishedTo;
    }
  }

  #rouse(): void {
    for (const topic of OUTGOING_TOPICS) this.#queues[topic].rouse();
  }
}

const IDLE_MS = 1_000;

/** A dead letter of a record without a key has none either; every other message has one. */
function toRecord(message: StoredMessage): OutgoingRecord {
  return { key: message.key === "" ? null : Buffer.from(message.key, "utf8"), value: message.value };
}
