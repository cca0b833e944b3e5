// One lane's commands: read in their order, put to their providers, and what those say appended to the lane's reports.
//
//   commands of lane p ──► waiting ──► provider ──► what is told at once ──► reports of lane p
//                                            └────► what is told late, by a timer ──┘
//
// Commands are read one after the other and put side by side: a provider that is slow delays its own alone. Those of one
// case keep their order, each is put when what was said of the one before it is on its way to the reports. How many may be
// with a provider is that provider's to say, for all lanes of the process together (`slots.ts`); how many a lane has read
// and not told of is bounded here.
//
// The position is that of the first command of which something is still to be told, with its sequence; behind everything
// when there is none, markers too. A lane that is opened anew puts those behind it again, which a provider and a case both
// absorb.
//
// No command is ever passed over. Its lane alone writes them, so one that cannot be read halts the lane, as an input does; a
// schema that the registry does not give out is waited for.

import { setTimeout as sleep } from "node:timers/promises";
import { type Codec, Undecodable } from "../kafka/codec.ts";
import type { CommandMessage } from "../kafka/codec-messages.ts";
import type { InputRecord, LaneSink, OutgoingRecord, Run } from "../kafka/port.ts";
import {
  type Answer,
  inTime,
  mayExecute,
  type Provider,
  reportOf,
  UNAVAILABLE,
  unavailableAnswer,
  unknownAnswer,
} from "./contract.ts";
import type { Slots } from "./slots.ts";

/** Everything before `offset` is done with. `sequence` is the lane's first command that is not; null while nothing says it. */
export type Position = { readonly offset: bigint; readonly sequence: bigint | null };

/** A command for which certainly nothing was sent, and until when it could have been. */
export type UnavailableCall = { readonly sequence: bigint; readonly notAfterMs: number };

export type LaneGatewayParts = {
  readonly lane: number;
  readonly from: Position;
  /** offset of the first command that was put to no provider before this lane was opened here */
  readonly freshFrom: bigint;
  /** sequences of commands for which nothing was sent, as whoever served the lane before has said */
  readonly unavailable: ReadonlySet<bigint>;
  readonly codec: Codec;
  readonly providers: ReadonlyMap<string, Provider>;
  /** of the providers that bound how many calls they take at once */
  readonly slots: ReadonlyMap<string, Slots>;
  /** whether the case of a command can take what is said of it */
  readonly fits: (command: CommandMessage, answer: Answer) => boolean | Promise<boolean>;
  /** appends to the lane's reports until they are there; rejects only when the gateway was stopped */
  readonly append: (lane: number, records: readonly OutgoingRecord[]) => Promise<void>;
  /** keeps for whoever serves the lane next that nothing was sent for these; rejects only when the gateway was stopped
   *  @returns false when the lane is another's by now */
  readonly keepUnavailable: (calls: readonly UnavailableCall[]) => Promise<boolean>;
  readonly events: GatewayEvents;
  /** what is at this offset cannot be read: the lane must halt, and nothing behind it is put to anybody */
  readonly unreadable: (lane: number, offset: bigint, reason: string) => void;
  /** the commands are not where they should be: read from the first that is there */
  readonly expired: (lane: number, wanted: bigint) => void;
  readonly roomFreed: () => void;
};

export interface GatewayEvents {
  /** a command is put to its provider; NOT_SERVED stands for those that this process does not serve */
  taken(provider: string): void;
  /** what a provider said is appended to the reports */
  answered(provider: string, result: string): void;
  /** a case asks a provider that this process does not serve; its case will ask again and then a person */
  notServed(provider: string): void;
  /** a provider's adapter threw: a bug in it, and the call's result is unknown */
  failed(provider: string, op: string, error: unknown): void;
  waitsForSchema(lane: number, reason: string): void;
  /** reading from where the lane was, or appending its reports, is tried again */
  triedAgain(lane: number, error: unknown): void;
}

/** For metrics: any text can be a provider's name, and a label of it would be one more series each. */
export const NOT_SERVED = "not_served";

const WAITING_MAX = 4_000;
/** Commands that wait for their provider, a slot of it or the case's one before: what a slow provider may hold in memory
 *  before the lane's other commands wait behind it. */
const BESIDE_MAX = 2_000;
const APPEND_RECORDS_MAX = 1_000;

const LEARN_AGAIN_MS = 200;

/** A command of which something is still to be told. */
type Open = {
  readonly offset: bigint;
  /** null until it is read */
  sequence: bigint | null;
  readonly appendedAtMs: number;
  left: number;
  /** "" until it is read */
  provider: string;
  /** something of what was said is among the reports */
  isAnswered: boolean;
};

/** What is not told yet of the commands that were read for a provider; `sinceMs` is when the oldest was appended of which nothing is told, by the
 *  broker's clock, null when there is none. */
export type ProviderFigures = { readonly inFlight: number; readonly sinceMs: number | null };

type Outgoing = {
  readonly record: OutgoingRecord;
  readonly of: Open;
  readonly result: string;
  /** null unless it is told that nothing was sent */
  readonly unavailable: UnavailableCall | null;
};

export class LaneGateway implements LaneSink {
  readonly #parts: LaneGatewayParts;
  readonly #waiting: Run[] = [];
  #waitingRecords = 0;
  /** in the order of the log; those told of at its head are let go */
  readonly #open: Open[] = [];
  #passed: Position;
  readonly #late = new Map<NodeJS.Timeout, () => void>();
  #outgoing: Outgoing[] = [];
  #isTaking = false;
  /** by case, the last of its commands that is not done being put */
  readonly #ofCase = new Map<string, Promise<void>>();
  #beside = 0;
  #roomBeside: (() => void) | null = null;
  /** what cannot be read, behind all that is still to be told */
  #damage: { readonly offset: bigint; readonly reason: string } | null = null;
  /** since when an unknown schema cannot be looked up; null while all is well */
  schemaWaitSinceMs: number | null = null;
  #isAppending = false;
  #isClosed = false;

  constructor(parts: LaneGatewayParts) {
    this.#parts = parts;
    this.#passed = parts.from;
  }

  get position(): Position {
    return this.#passed;
  }

  hasRoom(): boolean {
    if (this.#isClosed || this.#damage !== null) return false;
    return this.#waitingRecords < WAITING_MAX && this.#outgoing.length < WAITING_MAX;
  }

  received(run: Run): void {
    this.#waiting.push(run);
    this.#waitingRecords += run.records.length;
    void this.#take();
  }

  /** Each takeover of a lane leaves markers behind its last command. A position in front of them would leave the log with
   *  time, as if something had been lost. */
  caughtUp(_topic: string, nextOffset: bigint): void {
    if (!this.isIdle || this.#isTaking || this.#damage !== null) return;
    if (nextOffset > this.#passed.offset) this.#passed = { ...this.#passed, offset: nextOffset };
  }

  outOfRange(_topic: string, wantedOffset: bigint): void {
    this.#parts.expired(this.#parts.lane, wantedOffset);
  }

  unreadable(_topic: string, offset: bigint, reason: string): void {
    this.#damage ??= { offset, reason };
    this.#haltWhenTold();
  }

  /** The lane halts when all in front is told of: who then goes on behind what cannot be read leaves out nothing else. */
  #haltWhenTold(): void {
    if (this.#damage === null || this.#isClosed || this.#isTaking || this.#waiting.length > 0) return;
    this.hurry();
    if (this.#open.length > 0) return;
    const { offset, reason } = this.#damage;
    this.close();
    this.#parts.unreadable(this.#parts.lane, offset, reason);
  }

  /** Adds what was read for a provider and is not told yet, by provider: put to it, or waiting for its turn. */
  addTo(figures: Map<string, ProviderFigures>): void {
    for (const { provider, appendedAtMs, isAnswered, left } of this.#open) {
      if (left === 0) continue; // done, behind one that is not
      const { inFlight = 0, sinceMs = null } = figures.get(provider) ?? {};
      const oldest = isAnswered ? sinceMs : Math.min(sinceMs ?? appendedAtMs, appendedAtMs);
      figures.set(provider, { inFlight: inFlight + 1, sinceMs: oldest });
    }
  }

  /** Tells what was to be told late at once. */
  hurry(): void {
    for (const [timer, tell] of this.#late) {
      clearTimeout(timer);
      this.#late.delete(timer);
      tell();
    }
  }

  /** @returns when everything that was taken is told of */
  get isIdle(): boolean {
    return this.#open.length === 0 && this.#waiting.length === 0;
  }

  close(): void {
    this.#isClosed = true;
    this.#roomBeside?.();
    for (const timer of this.#late.keys()) clearTimeout(timer);
    this.#late.clear();
  }

  async #take(): Promise<void> {
    if (this.#isTaking) return;
    this.#isTaking = true;
    for (let run = this.#waiting.shift(); run !== undefined && !this.#isClosed; run = this.#waiting.shift()) {
      for (const record of run.records) {
        const taking = this.#takeOne(record);
        if (taking !== null) await taking;
        if (this.#isClosed) return;
        if (this.#damage?.offset !== record.offset) continue;
        this.#waiting.length = 0;
        break;
      }
      this.#waitingRecords -= run.records.length;
    }
    this.#isTaking = false;
    this.#haltWhenTold();
    this.#parts.roomFreed();
  }

  /** @returns null when the next one may be taken: a provider in process answers at once, and waiting for nothing would
   *  cost as much */
  #takeOne(record: InputRecord): Promise<void> | null {
    const { offset, appendedAtMs } = record;
    const open: Open = { offset, sequence: null, appendedAtMs, left: 1, provider: "", isAnswered: false };
    this.#open.push(open);
    const read = this.#read(record);
    if (read instanceof Promise) return read.then((command) => this.#putBeside(command, open) ?? undefined);
    return this.#putBeside(read, open);
  }

  /** @param command null: it cannot be read
   *  @returns null, or what to wait for before another one is taken */
  #putBeside(command: CommandMessage | null, open: Open): Promise<void> | null {
    if (command === null || this.#isClosed) return null;
    open.sequence = command.sequence;
    const name = command.payload["provider"] ?? "";
    open.provider = this.#parts.providers.has(name) ? name : NOT_SERVED;
    const before = this.#ofCase.get(command.caseId);
    const putting =
      before === undefined ? this.#putAndTell(command, open) : before.then(() => this.#putAndTell(command, open));
    if (putting === null) return null;
    const done: Promise<void> = putting.then(() => this.#doneBeside(command.caseId, done));
    this.#ofCase.set(command.caseId, done);
    this.#beside += 1;
    if (this.#beside < BESIDE_MAX) return null;
    return new Promise((resolve) => {
      this.#roomBeside = resolve;
    });
  }

  #doneBeside(caseId: string, done: Promise<void>): void {
    if (this.#ofCase.get(caseId) === done) this.#ofCase.delete(caseId);
    this.#beside -= 1;
    this.#roomBeside?.();
    this.#roomBeside = null;
  }

  /** @returns null when it was answered at once */
  #putAndTell(command: CommandMessage, open: Open): Promise<void> | null {
    if (this.#isClosed) return null;
    const slot = this.#parts.slots.get(command.payload["provider"] ?? "");
    if (slot !== undefined) return slot.hold(() => this.#putAndTellNow(command, open) ?? Promise.resolve());
    return this.#putAndTellNow(command, open);
  }

  #putAndTellNow(command: CommandMessage, open: Open): Promise<void> | null {
    if (this.#isClosed) return null;
    const answered = this.#put(command, open);
    if (answered instanceof Promise)
      return answered.then((answers) => this.#judgeAndTell(command, answers, open) ?? undefined);
    return this.#judgeAndTell(command, answered, open);
  }

  /** @returns null when it is told already: only where versions of a flow differ the case has to be looked at */
  #judgeAndTell(command: CommandMessage, answers: readonly Answer[], open: Open): Promise<void> | null {
    const judged = answers.map((answer) => this.#fitting(command, answer, open));
    const tell = (fitting: readonly Answer[]): null => {
      open.left += fitting.length;
      for (const answer of fitting) this.#tell(command, answer, open);
      this.#settle(open);
      return null;
    };
    if (judged.some((one) => one instanceof Promise)) return Promise.all(judged).then((fitting) => void tell(fitting));
    return tell(judged as readonly Answer[]);
  }

  #read({ offset, value }: InputRecord): CommandMessage | null | Promise<CommandMessage | null> {
    const decoder = this.#parts.codec.decoders.command;
    const isMissing = value !== null && decoder.needs(value) !== null;
    return isMissing ? this.#learn(value).then(() => this.#decode(offset, value)) : this.#decode(offset, value);
  }

  #decode(offset: bigint, value: Buffer | null): CommandMessage | null {
    if (this.#isClosed) return null;
    try {
      if (value === null) throw new Undecodable("undecodable", "it has no value");
      return this.#parts.codec.decoders.command.decode(value);
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error;
      this.#open.pop(); // its own: the position stays in front of it
      this.#damage = { offset, reason: error.message };
      return null;
    }
  }

  /** Nothing is passed over for an outage of the registry. */
  async #learn(value: Buffer): Promise<void> {
    const decoder = this.#parts.codec.decoders.command;
    for (let id = decoder.needs(value); id !== null && !this.#isClosed; id = decoder.needs(value)) {
      try {
        await decoder.learn(id);
      } catch (error) {
        this.schemaWaitSinceMs ??= Date.now();
        this.#parts.events.waitsForSchema(this.#parts.lane, `schema ${id}: ${(error as Error).message}`);
        await sleep(LEARN_AGAIN_MS);
      }
    }
    this.schemaWaitSinceMs = null;
  }

  #put(command: CommandMessage, open: Open): readonly Answer[] | Promise<readonly Answer[]> {
    const name = command.payload["provider"] ?? "";
    const provider = this.#parts.providers.get(name);
    this.#parts.events.taken(open.provider);
    // The case may have asked another provider since.
    if (this.#parts.unavailable.has(command.sequence)) return [unavailableAnswer(command)];
    if (provider === undefined) {
      this.#parts.events.notServed(name);
      return [unavailableAnswer(command)];
    }
    const failed = (error: unknown): readonly Answer[] => {
      this.#parts.events.failed(name, command.op, error);
      return [unknownAnswer(command)];
    };
    try {
      const answers = mayExecute(command, Date.now()) ? provider.execute(command) : provider.ask(command);
      return answers instanceof Promise ? inTime(command, answers).catch(failed) : answers;
    } catch (error) {
      return failed(error);
    }
  }

  /** What no case could take is a bug in the provider's adapter, and its report would halt the lane. */
  #fitting(command: CommandMessage, answer: Answer, open: Open): Answer | Promise<Answer> {
    if (answer.result === UNAVAILABLE && !this.#mayBeUnavailable(command, open)) return unknownAnswer(command);
    const fits = this.#parts.fits(command, answer);
    if (fits instanceof Promise) return fits.then((isFitting) => this.#orUnknown(command, answer, isFitting));
    return this.#orUnknown(command, answer, fits);
  }

  #orUnknown(command: CommandMessage, answer: Answer, isFitting: boolean): Answer {
    if (isFitting) return answer;
    const why = new Error(`${command.call} has no result ${answer.result} with what it carries`);
    this.#parts.events.failed(command.payload["provider"] ?? "", command.op, why);
    return unknownAnswer(command);
  }

  /** A command that comes again may have reached its provider the first time, whatever is sent of it now. And only a case whose
   *  call says which choice it is knows the result: one of an earlier version would halt its lane. */
  #mayBeUnavailable({ payload, readOnly, sequence }: CommandMessage, { offset }: Open): boolean {
    if (this.#parts.unavailable.has(sequence)) return true;
    return !readOnly && offset >= this.#parts.freshFrom && payload["route"] !== undefined;
  }

  #tell(command: CommandMessage, answer: Answer, open: Open): void {
    const tell = (): void => {
      const value = this.#parts.codec.encoders.report.encode(reportOf(command, answer, Date.now()));
      const record = { key: Buffer.from(command.holderId), value };
      const { sequence, notAfter } = command;
      const isUnavailable = answer.result === UNAVAILABLE;
      const unavailable = isUnavailable ? { sequence, notAfterMs: Number(notAfter / 1000n) } : null;
      this.#outgoing.push({ record, of: open, result: answer.result, unavailable });
      void this.#append();
    };
    if (answer.afterMs === 0) return tell();
    const timer = setTimeout(() => {
      this.#late.delete(timer);
      tell();
    }, answer.afterMs);
    this.#late.set(timer, tell);
  }

  /** One append at a time, of all that has gathered. */
  async #append(): Promise<void> {
    if (this.#isAppending) return;
    this.#isAppending = true;
    await Promise.resolve();
    try {
      while (this.#outgoing.length > 0 && !this.#isClosed) {
        const batch = this.#outgoing.splice(0, APPEND_RECORDS_MAX);
        if (!(await this.#keepUnavailable(batch))) return this.close();
        await this.#parts.append(
          this.#parts.lane,
          batch.map(({ record }) => record),
        );
        for (const { of, result } of batch) {
          of.isAnswered = true;
          this.#parts.events.answered(of.provider, result);
          this.#settle(of);
        }
      }
    } catch (error) {
      // Stopped in the middle of it: the position stays in front of what was not told.
      this.#parts.events.triedAgain(this.#parts.lane, error);
    } finally {
      this.#isAppending = false;
    }
  }

  /** Whoever reads the command again may reach its provider, and the case that hears of this asks another one. */
  async #keepUnavailable(batch: readonly Outgoing[]): Promise<boolean> {
    const calls = batch.flatMap(({ unavailable }) => (unavailable === null ? [] : [unavailable]));
    return calls.length === 0 || (await this.#parts.keepUnavailable(calls));
  }

  #settle(open: Open): void {
    open.left -= 1;
    for (let first = this.#open[0]; first !== undefined && first.left === 0; first = this.#open[0]) {
      this.#passed = { offset: first.offset + 1n, sequence: first.sequence === null ? null : first.sequence + 1n };
      this.#open.shift();
    }
    this.#haltWhenTold();
  }
}
