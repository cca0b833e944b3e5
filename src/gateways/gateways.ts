// The gateways of a process: they serve the lanes that the process owns, so that an instance that is killed leaves its
// commands to whoever takes its lanes. Positions are offsets of a group that nobody joins: when they lag, commands come
// again, which providers and cases absorb.

import { setTimeout as sleep } from "node:timers/promises";
import { type Codec, Undecodable } from "../kafka/codec.ts";
import type { CommandMessage } from "../kafka/codec-messages.ts";
import type { GroupOffset, OutgoingRecord, Reader, TopicAdmin } from "../kafka/port.ts";
import type { SharedProducer } from "../kafka/shared-producer.ts";
import type { Answer, Provider } from "./contract.ts";
import {
  type GatewayEvents,
  LaneGateway,
  NOT_SERVED,
  type Position,
  type ProviderFigures,
  type UnavailableCall,
} from "./lane-gateway.ts";
import { Slots } from "./slots.ts";

export type GatewaysParts = {
  readonly reader: Reader;
  readonly admin: TopicAdmin;
  readonly codec: Codec;
  readonly providers: readonly Provider[];
  readonly commandsTopic: string;
  /** to the reports: what a lane's calls are answered and what webhooks tell of it go to one partition at once */
  readonly producer: SharedProducer;
  readonly group: string;
  readonly events: GatewayEvents;
  /** whether a case can take what a provider said of a call of it */
  readonly fits: (command: CommandMessage, answer: Answer) => boolean | Promise<boolean>;
  /** sequence behind the last command that the lane is known to have published; 0 when there is none */
  readonly publishedTo: (lane: number) => Promise<bigint>;
  /** commands for which nothing was sent, kept where the next owner of the lane finds them */
  readonly unavailable: UnavailableCalls;
  /** Halts a lane whose commands cannot be read. */
  readonly halt: (lane: number, evidence: Record<string, unknown>) => void;
};

export interface UnavailableCalls {
  /** @returns sequences of the lane's commands from one on */
  read(lane: number, from: bigint): Promise<ReadonlySet<bigint>>;
  /** @returns false, and nothing is kept, when the epoch is not the lane's any more */
  keep(owned: Owned, calls: readonly UnavailableCall[]): Promise<boolean>;
}

/** A lane in the epoch in which it is ours. */
export type Owned = { readonly lane: number; readonly epoch: bigint };

const MARK_EVERY_MS = 1_000;
const APPEND_AGAIN_MS = 200;
const DRAIN_POLL_MS = 5;
/** An outage that lasts as long is told; a leader that moves is over sooner. */
const TROUBLE_MS = 5_000;

/** Where a lane is served from, and where its log ended then. */
type Start = Position & { readonly end: bigint };
type Opened = Start & { readonly unavailable: ReadonlySet<bigint> };

type Trouble = { readonly sinceMs: number; readonly what: string };

export class Gateways {
  readonly #parts: GatewaysParts;
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #slots: ReadonlyMap<string, Slots>;
  readonly #lanes = new Map<number, LaneGateway>();
  /** which lanes are wanted, and by which opening: one that was overtaken gives up */
  readonly #wanted = new Map<number, symbol>();
  /** what does not succeed, by lane, since when */
  readonly #troubles = new Map<number, Trouble>();
  readonly #marker: NodeJS.Timeout;
  #isStopped = false;

  constructor(parts: GatewaysParts) {
    this.#parts = parts;
    this.#providers = new Map(parts.providers.map((provider) => [provider.name, provider]));
    const bounded = parts.providers.filter(({ callsMax }) => callsMax !== undefined);
    this.#slots = new Map(bounded.map(({ name, callsMax }) => [name, new Slots(callsMax as number)]));
    this.#marker = setInterval(() => void this.#mark(), MARK_EVERY_MS);
  }

  /** Serves the lane from where whoever had it before was.
   *  @param owned its epoch is raised already: what its earlier owners have not kept they cannot say any more */
  async open(owned: Owned): Promise<void> {
    const { lane } = owned;
    const opening = Symbol(`lane ${lane}`);
    this.#wanted.set(lane, opening);
    while (this.#wanted.get(lane) === opening && !this.#isStopped) {
      try {
        const start = await this.#startOf(lane);
        const unavailable = start && (await this.#parts.unavailable.read(lane, start.sequence ?? 0n));
        this.#troubles.delete(lane);
        if (this.#wanted.get(lane) !== opening || start === null || unavailable === null) return;
        this.#serve(owned, { ...start, unavailable });
        return;
      } catch (error) {
        this.#troubled(lane, `the commands of lane ${lane} cannot be read`, error);
        await sleep(APPEND_AGAIN_MS);
      }
    }
  }

  /** Ends serving it. What is still to be told is told by whoever serves it next. */
  close(lane: number): void {
    this.#wanted.delete(lane);
    this.#troubles.delete(lane);
    const served = this.#lanes.get(lane);
    if (served === undefined) return;
    this.#parts.reader.close(lane);
    served.close();
    this.#lanes.delete(lane);
  }

  /** Tells everything that is known, late answers too, as far as the time allows. */
  async stop(deadlineMs: number): Promise<void> {
    const until = performance.now() + deadlineMs;
    const served = [...this.#lanes.values()];
    while (served.some((one) => !one.isIdle) && performance.now() < until) {
      for (const one of served) one.hurry();
      await sleep(DRAIN_POLL_MS);
    }
    await this.#mark();
    this.#isStopped = true;
    clearInterval(this.#marker);
    for (const lane of this.#lanes.keys()) this.close(lane);
    await this.#parts.reader.stop();
    await this.#parts.producer.close();
  }

  /** What is not told yet, of every provider that is served. */
  figures(): ReadonlyMap<string, ProviderFigures> {
    const none: ProviderFigures = { inFlight: 0, sinceMs: null };
    const figures = new Map([...this.#providers.keys(), NOT_SERVED].map((name) => [name, none]));
    for (const served of this.#lanes.values()) served.addTo(figures);
    // Those that wait for their schema: of whom they ask something is not known.
    figures.delete("");
    return figures;
  }

  /** Why calls are not made, a sentence each. A lane whose commands cannot be read is halted, which others tell. */
  reasons(): string[] {
    const now = performance.now();
    const lasting = [...this.#troubles.values()].filter(({ sinceMs }) => now - sinceMs > TROUBLE_MS);
    const waiting = [...this.#lanes].filter(([, { schemaWaitSinceMs }]) => schemaWaitSinceMs !== null);
    return [
      ...lasting.map(({ what }) => what),
      ...waiting.map(([lane]) => `the gateways of lane ${lane} wait for the schema registry`),
    ];
  }

  #troubled(lane: number, what: string, error: unknown): void {
    const { sinceMs = performance.now() } = this.#troubles.get(lane) ?? {};
    if (this.#wanted.has(lane)) this.#troubles.set(lane, { sinceMs, what });
    this.#parts.events.triedAgain(lane, error);
  }

  /** Where the log does not begin at its first record and the position is not in it, the commands' own sequences tell
   *  whether one is missing; what nothing says to be done is taken for missing.
   *  @returns null when commands have left the log before they were done with: the lane halts */
  async #startOf(lane: number): Promise<Start | null> {
    const { admin, group, commandsTopic } = this.#parts;
    const [known, { low, end }] = await Promise.all([
      admin.groupOffset(group, commandsTopic, lane),
      admin.bounds(commandsTopic, lane),
    ]);
    const sequence = known === null ? null : sequenceIn(known);
    if (known !== null && known.offset >= low && known.offset <= end) return { offset: known.offset, sequence, end };
    // A topic that was made anew is its writer's to judge: the lane's relay halts for it.
    if (low === 0n) return { offset: low, sequence, end };
    const done = sequence ?? 0n;
    const first = await this.#firstLeft(lane);
    if (first !== null && first <= done) return { offset: low, sequence: done, end };
    const gone = first === null ? "what is left is no command" : `commands ${done} to ${first - 1n} are gone`;
    this.#halt(lane, known?.offset ?? low, `the log begins at ${low}: ${gone}, and nothing says that they are done`);
    return null;
  }

  /** @returns the sequence of the first command that is in the log or is still to come; null when that is no command */
  async #firstLeft(lane: number): Promise<bigint | null> {
    const { admin, codec, commandsTopic, publishedTo } = this.#parts;
    // Asked before the log: what is published in between is found there.
    const published = await publishedTo(lane);
    const first = await admin.first(commandsTopic, lane);
    if (first === null) return published;
    if (first.value === null) return null;
    try {
      return (await codec.decoders.command.read(first.value)).sequence;
    } catch (error) {
      if (error instanceof Undecodable) return null;
      throw error;
    }
  }

  #serve(owned: Owned, { end: freshFrom, unavailable, ...from }: Opened): void {
    const { lane } = owned;
    const { reader, codec, events, fits, commandsTopic } = this.#parts;
    const gateway = new LaneGateway({
      fits,
      lane,
      from,
      freshFrom,
      unavailable,
      keepUnavailable: (calls) => this.#keepUnavailable(owned, calls),
      codec,
      events,
      providers: this.#providers,
      slots: this.#slots,
      append: (to, records) => this.#append(to, records),
      unreadable: (at, offset, reason) => this.#halt(at, offset, reason),
      expired: () => this.#openAnew(owned),
      roomFreed: () => reader.wake(),
    });
    this.#lanes.set(lane, gateway);
    reader.open(lane, new Map([[commandsTopic, from.offset]]), gateway);
  }

  #halt(lane: number, offset: bigint, reason: string): void {
    const { commandsTopic: topic, group, halt } = this.#parts;
    // Where a person will find the position.
    void this.#mark();
    halt(lane, { topic, partition: lane, offset, group, reason });
  }

  #openAnew(owned: Owned): void {
    this.close(owned.lane);
    void this.open(owned);
  }

  /** What a provider told unasked.
   *  @throws when it is not among the lane's reports in time: whoever told it has to tell it again */
  async report(lane: number, record: OutgoingRecord): Promise<void> {
    // Nobody would close a producer that was opened now.
    if (this.#isStopped) throw new Error("the gateways were stopped");
    await this.#parts.producer.send(lane, [record]);
  }

  /** Until it is there: a report that is lost would leave its case to ask for it. */
  async #append(lane: number, records: readonly OutgoingRecord[]): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#parts.producer.send(lane, records);
        this.#troubles.delete(lane);
        return;
      } catch (error) {
        this.#troubled(lane, `what providers say cannot be appended to the reports of lane ${lane}`, error);
        await sleep(APPEND_AGAIN_MS);
      }
    }
    throw new Error("the gateways were stopped");
  }

  /** Until the database has said whether it is kept: before that nobody may be told. */
  async #keepUnavailable(owned: Owned, calls: readonly UnavailableCall[]): Promise<boolean> {
    while (!this.#isStopped) {
      try {
        return await this.#parts.unavailable.keep(owned, calls);
      } catch (error) {
        this.#troubled(owned.lane, `what was not sent for lane ${owned.lane} cannot be kept`, error);
        await sleep(APPEND_AGAIN_MS);
      }
    }
    throw new Error("the gateways were stopped");
  }

  async #mark(): Promise<void> {
    const { admin, group, commandsTopic } = this.#parts;
    const offsets = [...this.#lanes].map(([partition, { position }]) => ({
      topic: commandsTopic,
      partition,
      offset: position.offset,
      note: position.sequence === null ? "" : String(position.sequence),
    }));
    if (offsets.length > 0) await admin.publishGroupOffsets(group, offsets).catch(() => undefined);
  }
}

/** The note of an offset is the sequence of the first command that is not done. */
function sequenceIn({ note }: GroupOffset): bigint | null {
  return /^\d{1,19}$/.test(note) ? BigInt(note) : null;
}
