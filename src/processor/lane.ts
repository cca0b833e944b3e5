// One lane while we own it: read-ahead in, one block after another out, and the state in between. A lane never waits for
// another lane; it stops for good (until it is taken again) when it is fenced, halted or given back.

import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { TimerInput } from "../domain/books.ts";
import type { Head } from "../domain/head.ts";
import type { Rules } from "../domain/rules.ts";
import type { Codec } from "../kafka/codec.ts";
import type { LaneSink, Run } from "../kafka/port.ts";
import { ConnectionLost, DatabaseUnreachable } from "../store/database.ts";
import type { Batch, LaneMemory } from "./block.ts";
import { commitBlock, type Committer, type CommitResult } from "./commit.ts";
import { type IntakeLimits, type Misfit, takeIn } from "./intake.ts";
import type { ProcessorEvents, Publisher } from "./ports.ts";
import { InputQueue, type Taken, type Waiting } from "./queue.ts";
import { LaneTimers } from "./timers.ts";

export type LaneLimits = IntakeLimits & {
  readonly blockRowsMax: number;
  readonly blockBytesMax: number;
  readonly readAheadRecordsMax: number;
  readonly readAheadBytesMax: number;
  readonly relayBacklogMax: number;
  readonly timersPerBlockMax: number;
  readonly timerMarginMs: number;
  readonly attemptsMax: number;
};

export type LaneParts = {
  readonly rules: Rules;
  readonly codec: Codec;
  readonly committer: Committer;
  readonly publisher: Publisher;
  readonly events: ProcessorEvents;
  readonly limits: LaneLimits;
  readonly intentsTopic: string;
  readonly reportsTopic: string;
  /** the reader has room for this lane again */
  readonly wakeReader: () => void;
};

export type LaneEnd =
  | { readonly kind: "stopped" }
  | { readonly kind: "fenced" }
  | { readonly kind: "halted"; readonly cause: string; readonly evidence: Record<string, unknown> };

export class Lane implements LaneSink {
  readonly number: number;
  readonly #parts: LaneParts;
  #memory: LaneMemory;
  readonly #intents: InputQueue;
  readonly #reports: InputQueue;
  readonly #timers: LaneTimers;
  readonly #arriving: Run[] = [];
  #takingIn = false;
  #stopping = false;
  /** what the reader found; acted on between blocks */
  #halting: LaneEnd | null = null;
  #wake: (() => void) | null = null;
  #rowsMax: number;
  #busy = false;
  /** since when an unknown schema id cannot be looked up; null while all is well */
  schemaWaitSinceMs: number | null = null;

  constructor(number: number, parts: LaneParts, memory: LaneMemory) {
    this.number = number;
    this.#parts = parts;
    this.#memory = memory;
    this.#intents = new InputQueue(memory.head.intents.next);
    this.#reports = new InputQueue(memory.head.reports.next);
    this.#timers = new LaneTimers(number, parts.committer.pool, parts.limits.timersPerBlockMax);
    this.#rowsMax = parts.limits.blockRowsMax;
  }

  get head(): Head {
    return this.#memory.head;
  }

  /** Append time of the oldest input waiting here, or null. */
  oldestInputMs(): number | null {
    return this.#intents.oldestMs() ?? this.#reports.oldestMs();
  }

  waitingInputs(): number {
    return this.#intents.length + this.#reports.length;
  }

  /** The same lane anew, with empty queues that begin at its head. */
  atHead(): Lane {
    return new Lane(this.number, this.#parts, this.#memory);
  }

  // What the reader calls --------------------------------------------------------------------------------------------

  hasRoom(topic: string): boolean {
    if (this.#stopping || this.#arriving.length > 0) return false;
    const queue = this.#queueOf(topic);
    return queue.length < this.#parts.limits.readAheadRecordsMax && queue.bytes < this.#parts.limits.readAheadBytesMax;
  }

  received(run: Run): void {
    this.#arriving.push(run);
    if (!this.#takingIn) void this.#takeInArriving();
  }

  caughtUp(topic: string, nextOffset: bigint, startedAtMs: number): void {
    if (this.#arriving.length > 0) return;
    this.#queueOf(topic).caughtUp(nextOffset, startedAtMs);
    if (this.#timers.mayBeDue(this.#watermarkMs())) this.#rouse();
  }

  outOfRange(topic: string, wantedOffset: bigint): void {
    this.halt("position_out_of_range", { topic, partition: this.number, wantedOffset });
  }

  unreadable(topic: string, offset: bigint, reason: string): void {
    this.halt("input_unreadable", { topic, partition: this.number, offset, reason });
  }

  /** Ends the lane between two blocks, with a cause that an operator has to look at. */
  halt(cause: string, evidence: Record<string, unknown>): void {
    this.#halting ??= { kind: "halted", cause, evidence };
    this.#rouse();
  }

  #queueOf(topic: string): InputQueue {
    return topic === this.#parts.intentsTopic ? this.#intents : this.#reports;
  }

  // Intake -----------------------------------------------------------------------------------------------------------

  async #takeInArriving(): Promise<void> {
    this.#takingIn = true;
    try {
      for (let run = this.#arriving[0]; run !== undefined && !this.#stopping; run = this.#arriving[0]) {
        const isIntents = run.topic === this.#parts.intentsTopic;
        if (isIntents) await this.#learnSchemas(run);
        if (this.#stopping) return;
        this.#queueOf(run.topic).push(
          isIntents ? this.#takeInRun(run) : run.records.map((record) => ({ record, input: null })),
          run.nextOffset,
        );
        this.#arriving.shift();
        this.#rouse();
      }
    } finally {
      this.#takingIn = false;
    }
  }

  #takeInRun(run: Run): Waiting[] {
    const { rules, codec, limits, events } = this.#parts;
    return run.records.map((record) => {
      const input = takeIn(record, this.number, rules, codec.decoders.intent, limits);
      if (input.kind === "misfit") events.quarantined(this.number, record.offset, input.reason, input.detail);
      return { record, input };
    });
  }

  /** Known schemas go on; a lane that meets an unknown id waits for the registry. Nothing is quarantined for an outage.
   *  All records are looked at again after each answer: what was learned a while ago may be forgotten by now. */
  async #learnSchemas(run: Run): Promise<void> {
    const decoder = this.#parts.codec.decoders.intent;
    let pauseMs = 100;
    while (!this.#stopping) {
      const record = run.records.find(({ value }) => value !== null && decoder.needs(value) !== null);
      const id = record === undefined ? null : decoder.needs(record.value as Buffer);
      if (id === null) break;
      try {
        await decoder.learn(id);
      } catch (error) {
        this.schemaWaitSinceMs ??= Date.now();
        this.#parts.events.waitsForSchema(this.number, `schema ${id}: ${(error as Error).message}`);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        pauseMs = Math.min(pauseMs * 2, 5_000);
      }
    }
    this.schemaWaitSinceMs = null;
  }

  // Blocks -----------------------------------------------------------------------------------------------------------

  /** Runs until the lane is given back, fenced or halted. The block in hand is finished or known not to exist.
   *  @throws AssertionFailed */
  async run(): Promise<LaneEnd> {
    for (let attempt = 0; ; ) {
      if (this.#stopping) return { kind: "stopped" };
      if (this.#halting !== null) return this.#halting;
      const batch = await this.#nextBatch();
      if (batch === null) {
        await this.#sleep();
        continue;
      }
      const result = batch === "unreadable" ? TIMERS_UNREADABLE : await this.commit(batch.batch);
      if (result.kind === "committed") {
        attempt = 0;
        this.#rowsMax = this.#parts.limits.blockRowsMax;
        this.#drop(batch as PreparedBatch);
        continue;
      }
      if (result.kind === "fenced") return { kind: "fenced" };
      if (result.kind === "halt") return { kind: "halted", cause: result.cause, evidence: result.evidence };
      attempt += 1;
      const end = await this.#recover(batch === "unreadable" ? null : batch, result, attempt);
      if (end !== null) return end;
    }
  }

  /** Commits one batch and hands the block to the publisher. Also used for a block that only moves a position. */
  async commit(batch: Batch): Promise<CommitResult> {
    this.#busy = true;
    const began = performance.now();
    try {
      const result = await commitBlock(this.#parts.committer, this.number, this.#memory, batch);
      if (result.kind !== "committed") return result;
      const { block } = result;
      for (const account of block.newHouse) this.#memory.house.set(`${account.path} ${account.currency}`, account.id);
      this.#memory = { head: block.rows.after, house: this.#memory.house };
      this.#timers.learn(block.rows.timersArmed);
      this.#parts.publisher.committed(this.number, block);
      this.#parts.events.committed(this.number, Number(block.rows.after.block), block.counts, {
        inputs: batch.intents.length + batch.reports.length + batch.timers.length,
        ...{
          lines: block.rows.lines.length,
          messages: block.messages.sequences.length,
          bytes: block.messages.bytes.length,
        },
        ...{ ms: performance.now() - began, nowMs: block.rows.after.nowMs },
      });
      return result;
    } finally {
      this.#busy = false;
    }
  }

  /** Asks the lane to end after the block in hand. */
  stop(): void {
    this.#stopping = true;
    this.#rouse();
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  async #nextBatch(): Promise<PreparedBatch | null | "unreadable"> {
    const { limits, publisher } = this.#parts;
    if (publisher.backlog(this.number) > limits.relayBacklogMax) return null;
    const watermarkMs = this.#watermarkMs();
    const timers = this.#timers.mayBeDue(watermarkMs) ? await this.#dueTimers(watermarkMs) : [];
    if (timers === null) return "unreadable";
    const reports = this.#reports.peek(this.#rowsMax, limits.blockBytesMax);
    const intents = this.#intents.peek(Math.max(this.#rowsMax - reports.items.length, 1), limits.blockBytesMax);
    if (timers.length + reports.items.length + intents.items.length === 0) return null;
    return { batch: this.#toBatch(timers, reports, intents), reports, intents };
  }

  async #dueTimers(watermarkMs: number): Promise<readonly TimerInput[] | null> {
    try {
      return await this.#timers.due(this.#memory.head.timer, watermarkMs);
    } catch (error) {
      if (error instanceof ConnectionLost || error instanceof DatabaseUnreachable) return null;
      throw error;
    }
  }

  #toBatch(timers: readonly TimerInput[], reports: Taken, intents: Taken): Batch {
    const times = [...reports.items, ...intents.items].map((item) => item.record.appendedAtMs);
    return {
      timers,
      reports: reports.items.map((item) => item.record),
      reportsNext: reports.next,
      intents: intents.items.map((item) => item.input as NonNullable<Waiting["input"]>),
      intentsNext: intents.next,
      intentsLast: intents.last,
      nowMs: times.length === 0 ? null : times.reduce((latest, ms) => Math.max(latest, ms)),
      acceptedHalt: null,
    };
  }

  /** No input that was in time for this moment is still to come. */
  #watermarkMs(): number {
    const { timerMarginMs } = this.#parts.limits;
    return Math.min(this.#intents.watermarkMs(timerMarginMs), this.#reports.watermarkMs(timerMarginMs));
  }

  #drop(prepared: PreparedBatch): void {
    this.#reports.drop(prepared.reports);
    this.#intents.drop(prepared.intents);
    this.#parts.wakeReader();
  }

  async #recover(
    prepared: PreparedBatch | null,
    result: Exclude<CommitResult, { kind: "committed" | "fenced" | "halt" }>,
    attempt: number,
  ): Promise<LaneEnd | null> {
    const { events, limits } = this.#parts;
    if (result.kind === "unusable" && prepared !== null) {
      const halted = this.#bisect(prepared, result.error);
      await yieldToOthers();
      return halted;
    }
    events.triedAgain(this.number, result.kind === "again" ? result.reason : result.error.message, attempt);
    if (attempt >= limits.attemptsMax) return { kind: "stopped" }; // give the lane back: another process may reach the database
    await new Promise((resolve) => setTimeout(resolve, Math.min(20 * 2 ** attempt, 1_000) * (0.5 + Math.random() / 2)));
    return null;
  }

  /** Finds the intent whose data the database refuses by halving the batch, and quarantines it alone. */
  #bisect(prepared: PreparedBatch, error: Error): LaneEnd | null {
    const { reports, intents, batch } = prepared;
    const [only] = intents.items;
    const isAlone = batch.timers.length === 0 && reports.items.length === 0 && intents.items.length === 1;
    if (isAlone && only !== undefined && only.input?.kind === "intent") {
      const misfit: Misfit = {
        kind: "misfit",
        record: only.record,
        reason: "invalid_field",
        detail: `the database refuses it: ${error.message}`,
      };
      this.#intents.replaceFirst(misfit);
      this.#parts.events.quarantined(this.number, only.record.offset, misfit.reason, misfit.detail);
      return null;
    }
    if (this.#rowsMax > 1) {
      this.#rowsMax = Math.max(1, Math.floor(Math.min(this.#rowsMax, reports.items.length + intents.items.length) / 2));
      return null;
    }
    return { kind: "halted", cause: "commit_refused", evidence: { message: error.message } };
  }

  #rouse(): void {
    this.#wake?.();
  }

  /** Until something arrives; at the latest after a poll, for timers and for a relay that has caught up. */
  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, SLEEP_MS);
      this.#wake = done;
    });
  }
}

const SLEEP_MS = 50;
const TIMERS_UNREADABLE: CommitResult = { kind: "again", reason: "the timers cannot be read" };

type PreparedBatch = { readonly batch: Batch; readonly reports: Taken; readonly intents: Taken };
