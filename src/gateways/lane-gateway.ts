// One lane's commands: read in their order, put to their providers, and what those say appended to the lane's reports.
//
//   commands of lane p ──► waiting ──► provider ──► what is told at once ──► reports of lane p
//                                            └────► what is told late, by a timer ──┘
//
// The position is that of the first command of which something is still to be told: a lane that is opened anew puts those
// behind it again, which a provider and a case both absorb.

import type { Codec } from "../kafka/codec.ts";
import type { CommandMessage } from "../kafka/codec-messages.ts";
import type { InputRecord, LaneSink, RawRecord, Run } from "../kafka/port.ts";
import { type Answer, inTime, mayExecute, type Provider, reportOf, unknownAnswer } from "./contract.ts";

export type LaneGatewayParts = {
  readonly lane: number;
  readonly from: bigint;
  readonly codec: Codec;
  readonly providers: ReadonlyMap<string, Provider>;
  /** appends to the lane's reports until they are there; rejects only when the gateway was stopped */
  readonly append: (lane: number, records: readonly RawRecord[]) => Promise<void>;
  readonly events: GatewayEvents;
  /** the commands are not where they should be: read from the first that is there */
  readonly expired: (lane: number, wanted: bigint) => void;
  readonly roomFreed: () => void;
};

export interface GatewayEvents {
  /** a case asks a provider that this process does not serve; its case will ask again and then a person */
  notServed(provider: string): void;
  /** a provider's adapter threw: a bug in it, and the call's result is unknown */
  failed(provider: string, op: string, error: unknown): void;
  /** a command that cannot be read is passed over: nothing can be done for it */
  unreadable(lane: number, offset: bigint, reason: string): void;
  /** the log cannot be read from here on: nothing more of the lane reaches a provider until somebody has looked at it */
  stuck(lane: number, offset: bigint, reason: string): void;
  answered(commands: number, reports: number): void;
  appendFailed(lane: number, error: unknown): void;
}

const WAITING_MAX = 4_000;
const APPEND_RECORDS_MAX = 1_000;

/** A command of which something is still to be told. */
type Open = { readonly next: bigint; left: number };

export class LaneGateway implements LaneSink {
  readonly #parts: LaneGatewayParts;
  readonly #waiting: Run[] = [];
  #waitingRecords = 0;
  /** in the order of the log; those told of at its head are let go */
  readonly #open: Open[] = [];
  #passed: bigint;
  readonly #late = new Map<NodeJS.Timeout, () => void>();
  #outgoing: { record: RawRecord; of: Open }[] = [];
  #isTaking = false;
  #isAppending = false;
  #isClosed = false;

  constructor(parts: LaneGatewayParts) {
    this.#parts = parts;
    this.#passed = parts.from;
  }

  /** Everything before it is done with. */
  get position(): bigint {
    return this.#passed;
  }

  hasRoom(): boolean {
    return this.#waitingRecords < WAITING_MAX && this.#outgoing.length < WAITING_MAX && !this.#isClosed;
  }

  received(run: Run): void {
    this.#waiting.push(run);
    this.#waitingRecords += run.records.length;
    void this.#take();
  }

  caughtUp(): void {}

  outOfRange(_topic: string, wantedOffset: bigint): void {
    this.#parts.expired(this.#parts.lane, wantedOffset);
  }

  unreadable(_topic: string, offset: bigint, reason: string): void {
    // The reader has let go of the log; there is no offset behind the damage that it could be asked to go on from.
    this.#parts.events.stuck(this.#parts.lane, offset, reason);
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
      }
      this.#waitingRecords -= run.records.length;
      this.#parts.events.answered(run.records.length, 0);
    }
    this.#isTaking = false;
    this.#parts.roomFreed();
  }

  /** @returns null when it is done: a provider in process answers at once, and waiting for nothing would cost as much */
  #takeOne(record: InputRecord): Promise<void> | null {
    const open: Open = { next: record.offset + 1n, left: 1 };
    this.#open.push(open);
    const read = this.#read(record);
    if (read instanceof Promise) return read.then((command) => this.#putAndTell(command, open) ?? undefined);
    return this.#putAndTell(read, open);
  }

  #putAndTell(command: CommandMessage | null, open: Open): Promise<void> | null {
    const answered = command === null ? [] : this.#put(command);
    const tell = (answers: readonly Answer[]): null => {
      open.left += answers.length;
      for (const answer of answers) this.#tell(command as CommandMessage, answer, open);
      this.#settle(open);
      return null;
    };
    return answered instanceof Promise ? answered.then((answers) => void tell(answers)) : tell(answered);
  }

  #read({ offset, value }: InputRecord): CommandMessage | null | Promise<CommandMessage | null> {
    const { decoders } = this.#parts.codec;
    const passOver = (error: unknown): null => {
      this.#parts.events.unreadable(this.#parts.lane, offset, (error as Error).message);
      return null;
    };
    if (value === null) return passOver(new Error("it has no value"));
    try {
      if (decoders.command.needs(value) === null) return decoders.command.decode(value);
    } catch (error) {
      return passOver(error);
    }
    return decoders.command.read(value).catch(passOver);
  }

  #put(command: CommandMessage): readonly Answer[] | Promise<readonly Answer[]> {
    const name = command.payload["provider"] ?? "";
    const provider = this.#parts.providers.get(name);
    if (provider === undefined) {
      this.#parts.events.notServed(name);
      return [unknownAnswer(command)];
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

  #tell(command: CommandMessage, answer: Answer, open: Open): void {
    const tell = (): void => {
      const value = this.#parts.codec.encoders.report.encode(reportOf(command, answer, Date.now()));
      this.#outgoing.push({ record: { key: Buffer.from(command.holderId), value }, of: open });
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
        await this.#parts.append(
          this.#parts.lane,
          batch.map(({ record }) => record),
        );
        this.#parts.events.answered(0, batch.length);
        for (const { of } of batch) this.#settle(of);
      }
    } catch (error) {
      // Stopped in the middle of it: the position stays in front of what was not told.
      this.#parts.events.appendFailed(this.#parts.lane, error);
    } finally {
      this.#isAppending = false;
    }
  }

  #settle(open: Open): void {
    open.left -= 1;
    for (let first = this.#open[0]; first !== undefined && first.left === 0; first = this.#open[0]) {
      this.#passed = first.next;
      this.#open.shift();
    }
  }
}
