// One lane while we own it: read-ahead in, one block after another out, and the state in between. A lane never waits for
// another lane; it stops for good (until it is taken again) when it is fenced, halted or given back.

import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { TimerInput } from "../domain/books.ts";
import type { HaltCause } from "../domain/halts.ts";
import type { Head } from "../domain/head.ts";
import type { Rules } from "../domain/rules.ts";
import { reach } from "../failpoints.ts";
import type { Codec, Decoder } from "../kafka/codec.ts";
import type { LaneSink, Run } from "../kafka/port.ts";
import { ConnectionLost, DatabaseUnreachable } from "../store/database.ts";
import type { Batch, LaneMemory } from "./block.ts";
import { type CommitResult, type Committer, commitBlock, type SentBlock } from "./commit.ts";
import { type IntakeLimits, type Misfit, takeIn } from "./intake.ts";
import type { ProcessorEvents, Publisher } from "./ports.ts";
import { InputQueue, type Taken } from "./queue.ts";
import { arrived, readReport } from "./reports.ts";
import { LaneTimers } from "./timers.ts";

export type LaneLimits = IntakeLimits & {
  readonly blockRowsMax: number;
  readonly blockBytesMax: number;
  readonly readAheadRecordsMax: number;
  readonly readAheadBytesMax: number;
  readonly relayBacklogMax: number;
  readonly blockWaitMs: number;
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
  | { readonly kind: "halted"; readonly cause: HaltCause; readonly evidence: Record<string, unknown> };

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
  /** what was found outside a block; acted on between two */
  #halting: LaneEnd | null = null;
  /** what the reader cannot read; acted on once all of that topic is taken that came before it */
  #unreadable: { readonly topic: string; readonly end: LaneEnd } | null = null;
  #wake: (() => void) | null = null;
  #rowsMax: number;
  /** the record that the database refuses, once it was found */
  #refused: Misfit | null = null;
  /** The batch cannot be written, and neither timers nor reports are what is to be put aside: timers go first, in a block
   *  of their own, then reports in one of theirs. Then the intents have their turn however many reports come meanwhile:
   *  who took those along would never come to look for the intent. */
  #alone: "timers" | "reports" | "intents" | null = null;
  #inHand: InHand | null = null;
  /** since when the oldest waiting input may have been waiting */
  #waitingSinceMs = 0;
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

  /** Input records that are in the log, as far as the last fetch told, and in no block yet. */
  lagRecords(): number {
    const { intents, reports } = this.#memory.head;
    return Number(this.#intents.logEnd - intents.next) + Number(this.#reports.logEnd - reports.next);
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
    // Of its own topic only: one answer brings intents and says that there are no reports, and a busy lane that forgot the
    // second for the first would never come to know that the moment of a timer has passed.
    if (this.#arriving.some((run) => run.topic === topic)) return;
    this.#queueOf(topic).caughtUp(nextOffset, startedAtMs);
    if (this.#timers.mayBeDue(this.#watermarkMs())) this.#rouse();
  }

  outOfRange(topic: string, wantedOffset: bigint): void {
    this.halt("position_out_of_range", { topic, partition: this.number, wantedOffset });
  }

  unreadable(topic: string, offset: bigint, reason: string): void {
    const evidence = { topic, partition: this.number, offset, reason };
    this.#unreadable ??= { topic, end: { kind: "halted", cause: "input_unreadable", evidence } };
    this.#rouse();
  }

  /** Whoever accepts the offset behind what cannot be read would leave out, without knowing, what waits here before it. */
  #endAtUnreadable(): LaneEnd | null {
    if (this.#unreadable === null) return null;
    const { topic, end } = this.#unreadable;
    return this.#queueOf(topic).length > 0 || this.#arriving.some((run) => run.topic === topic) ? null : end;
  }

  /** Ends the lane between two blocks, with a cause that an operator has to look at. */
  halt(cause: HaltCause, evidence: Record<string, unknown>): void {
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
        await this.#learnSchemas(run);
        if (this.#stopping) return;
        if (this.waitingInputs() === 0) this.#waitingSinceMs = performance.now();
        this.#queueOf(run.topic).push(run);
        reach("input.queued");
        this.#arriving.shift();
        this.#rouse();
      }
    } finally {
      this.#takingIn = false;
    }
  }

  /** Known schemas go on; a lane that meets an unknown id waits for the registry. Nothing is quarantined for an outage.
   *  Each record is asked for once: a flood of ids that do not exist takes longer to ask for than the first answer is
   *  believed, and who went back to it would never come to the end. */
  async #learnSchemas(run: Run): Promise<void> {
    const { intent, report } = this.#parts.codec.decoders;
    const decoder = run.topic === this.#parts.intentsTopic ? intent : report;
    for (const { value } of run.records) {
      const id = value === null ? null : decoder.needs(value);
      if (id !== null) await this.#learnSchema(decoder, id);
    }
    this.schemaWaitSinceMs = null;
  }

  async #learnSchema(decoder: Pick<Decoder<unknown>, "learn">, id: number): Promise<void> {
    for (let pauseMs = 100; !this.#stopping; pauseMs = Math.min(pauseMs * 2, 5_000)) {
      try {
        await decoder.learn(id);
        return;
      } catch (error) {
        this.schemaWaitSinceMs ??= Date.now();
        this.#parts.events.waitsForSchema(this.number, `schema ${id}: ${(error as Error).message}`);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  // Blocks -----------------------------------------------------------------------------------------------------------

  /** Runs until the lane is given back, fenced or halted. The block in hand is finished or known not to exist.
   *  @throws AssertionFailed */
  async run(): Promise<LaneEnd> {
    for (let attempt = 0; ; ) {
      if (this.#stopping) return { kind: "stopped" };
      const halted = this.#halting ?? this.#endAtUnreadable();
      if (halted !== null) return halted;
      const sleepMs = this.#sleepMs();
      if (sleepMs > 0) {
        await this.#sleep(sleepMs);
        continue;
      }
      const timers = await this.#dueTimers();
      if (timers !== null && timers.length + this.waitingInputs() === 0) continue;
      const result = timers === null ? TIMERS_UNREADABLE : await this.commit(() => this.#prepare(timers));
      if (result.kind === "committed") {
        attempt = 0;
        this.#rowsMax = this.#parts.limits.blockRowsMax;
        this.#drop();
        continue;
      }
      if (result.kind === "fenced") return { kind: "fenced" };
      if (result.kind === "unanswered") return { kind: "stopped" };
      if (result.kind === "halt") {
        if (this.#takeFewerReports(result.cause)) continue;
        return { kind: "halted", cause: result.cause, evidence: result.evidence };
      }
      attempt += 1;
      const end = await this.#recover(result, attempt);
      if (end !== null) return end;
    }
  }

  /** Commits one batch and hands the block to the publisher. Also used for a block that only moves a position. */
  async commit(prepare: () => Batch): Promise<CommitResult> {
    this.#busy = true;
    const began = performance.now();
    try {
      const result = await commitBlock(this.#parts.committer, this.number, this.#memory, prepare);
      if (result.kind !== "committed") return result;
      const { block } = result;
      for (const account of block.newHouse) this.#memory.house.set(`${account.path} ${account.currency}`, account.id);
      this.#memory = { head: block.rows.after, house: this.#memory.house, pairs: block.pairs };
      this.#timers.learn(block.rows.timersArmed);
      this.#parts.publisher.committed(this.number, block);
      reach("block.handed_over");
      this.#tell(block, performance.now() - began);
      return result;
    } finally {
      this.#busy = false;
    }
  }

  #tell({ rows, lines, messages, counts, inputs }: SentBlock, ms: number): void {
    const { events } = this.#parts;
    for (const row of rows.quarantine) events.quarantined(this.number, row.offset, row.reason, row.detail);
    events.committed(this.number, Number(rows.after.block), counts, {
      inputs,
      lines,
      messages: messages.sequences.length,
      bytes: messages.bytes.length,
      ms,
      nowMs: rows.after.nowMs,
    });
  }

  /** Asks the lane to end after the block in hand. */
  stop(): void {
    this.#stopping = true;
    this.#rouse();
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  /** How long to wait before the next block; 0: it is time. A block closes when it is full, or a little after its first
   *  input came: at a trickle, many small blocks would cost more than the few milliseconds are worth. */
  #sleepMs(): number {
    const { limits, publisher } = this.#parts;
    if (publisher.backlog(this.number) > limits.relayBacklogMax) return IDLE_MS;
    if (this.#timers.mayBeDue(this.#watermarkMs())) return 0;
    const waiting = this.waitingInputs();
    if (waiting === 0) return IDLE_MS;
    return waiting >= this.#rowsMax ? 0 : Math.max(0, this.#waitingSinceMs + limits.blockWaitMs - performance.now());
  }

  /** null: the table of timers cannot be read now */
  async #dueTimers(): Promise<readonly TimerInput[] | null> {
    const watermarkMs = this.#watermarkMs();
    if (!this.#timers.mayBeDue(watermarkMs)) return [];
    try {
      const timers = await this.#timers.due(this.#memory.head.timer, watermarkMs);
      if (timers.length > 0) reach("timers.read");
      return timers;
    } catch (error) {
      if (error instanceof ConnectionLost || error instanceof DatabaseUnreachable) return null;
      throw error;
    }
  }

  /** Takes in what the block will hold, as late as possible: what arrived while the lane waited for a connection comes
   *  along. Called again when the block is tried again; nothing is remembered in between but the one record that the
   *  database has refused. */
  #prepare(timers: readonly TimerInput[]): Batch {
    const { rules, codec, limits } = this.#parts;
    const alone = this.#alone === "timers" && timers.length === 0 ? null : this.#alone;
    const takesReports = alone === null || alone === "reports";
    const reports = this.#reports.peek(takesReports ? this.#rowsMax : 0, limits.blockBytesMax);
    const takesIntents = alone === null || alone === "intents";
    const rowsLeft = takesIntents ? Math.max(this.#rowsMax - reports.records.length, 1) : 0;
    const intents = this.#intents.peek(rowsLeft, limits.blockBytesMax);
    this.#inHand = { timers, reports, intents };
    const told = reports.records.map((record) => readReport(record, this.number, rules.lanes, codec.decoders.report));
    let nowMs = 0;
    for (const record of reports.records) nowMs = Math.max(nowMs, record.appendedAtMs);
    for (const record of intents.records) nowMs = Math.max(nowMs, record.appendedAtMs);
    return {
      timers,
      reports: told,
      messages: arrived(told, reports.records),
      reportsNext: reports.next,
      reportsLast: reports.last,
      intents: intents.records.map((record) => {
        if (record.offset === this.#refused?.record.offset) return this.#refused;
        return takeIn(record, this.number, rules, codec.decoders.intent, limits);
      }),
      intentsNext: intents.next,
      intentsLast: intents.last,
      nowMs: nowMs === 0 ? null : nowMs,
      accepted: null,
    };
  }

  /** No input that was in time for this moment is still to come. */
  #watermarkMs(): number {
    const { timerMarginMs } = this.#parts.limits;
    return Math.min(this.#intents.watermarkMs(timerMarginMs), this.#reports.watermarkMs(timerMarginMs));
  }

  #drop(): void {
    this.#refused = null;
    this.#alone = this.#alone === "reports" ? "intents" : null;
    if (this.#inHand === null) return;
    this.#reports.drop(this.#inHand.reports);
    this.#intents.drop(this.#inHand.intents);
    this.#inHand = null;
    this.#waitingSinceMs = performance.now();
    this.#parts.wakeReader();
  }

  /** The report that halts the lane has to be the next one: whoever accepts the offset behind it would leave out, without
   *  knowing, what came before it in the same batch. So that is taken first, by halves. */
  #takeFewerReports(cause: HaltCause): boolean {
    const reports = this.#inHand?.reports.records.length ?? 0;
    if (!OF_REPORTS.has(cause) || reports <= 1) return false;
    this.#rowsMax = Math.floor(Math.min(this.#rowsMax, reports) / 2);
    return true;
  }

  async #recover(
    result: Exclude<CommitResult, { kind: "committed" | "fenced" | "halt" | "unanswered" }>,
    attempt: number,
  ): Promise<LaneEnd | null> {
    const { events, limits } = this.#parts;
    if (result.kind === "unusable" && this.#inHand !== null) {
      const halted = this.#bisect(this.#inHand, result.error);
      await yieldToOthers();
      return halted;
    }
    events.triedAgain(this.number, result.kind === "again" ? result.reason : result.error.message, attempt);
    if (attempt >= limits.attemptsMax) return { kind: "stopped" }; // give the lane back: another process may reach the database
    await new Promise((resolve) => setTimeout(resolve, Math.min(20 * 2 ** attempt, 1_000) * (0.5 + Math.random() / 2)));
    return null;
  }

  /** Finds the intent whose data the database refuses by halving the batch, and quarantines it alone. */
  #bisect({ timers, reports, intents }: InHand, error: Error): LaneEnd | null {
    const [only] = intents.records;
    const rows = reports.records.length + intents.records.length;
    if (timers.length > 0 && rows > 0) {
      this.#alone = "timers";
      return null;
    }
    if (reports.records.length > 0 && only !== undefined) {
      this.#alone = "reports";
      return null;
    }
    if (rows === 1 && only !== undefined && this.#refused === null) {
      const detail = `the database refuses it: ${error.message}`;
      this.#refused = { kind: "misfit", record: only, reason: "invalid_field", detail };
      return null;
    }
    if (this.#rowsMax > 1) {
      this.#rowsMax = Math.max(1, Math.floor(Math.min(this.#rowsMax, rows) / 2));
      return null;
    }
    return { kind: "halted", cause: "commit_refused", evidence: { message: error.message } };
  }

  #rouse(): void {
    this.#wake?.();
  }

  /** Until something arrives, at most `ms`. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
    });
  }
}

/** for a relay that has to catch up, and for timers whose watermark nobody reports */
const IDLE_MS = 50;
const OF_REPORTS: ReadonlySet<HaltCause> = new Set(["input_undecidable", "lane_message_gap", "lane_message_not_sent"]);
const TIMERS_UNREADABLE: CommitResult = { kind: "again", reason: "the timers cannot be read" };

/** what the block being written takes from the queues */
type InHand = { readonly timers: readonly TimerInput[]; readonly reports: Taken; readonly intents: Taken };
