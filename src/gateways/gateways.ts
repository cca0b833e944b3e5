// The gateways of a process: they serve the lanes that the process owns, so that an instance that is killed leaves its
// commands to whoever takes its lanes. Positions are offsets of a group that nobody joins: when they lag, commands come
// again, which providers and cases absorb.

import { setTimeout as sleep } from "node:timers/promises";
import type { Codec } from "../kafka/codec.ts";
import type { KafkaSettings, Producer, RawRecord, Reader, TopicAdmin } from "../kafka/port.ts";
import { openProducer } from "../kafka/producer.ts";
import type { Provider } from "./contract.ts";
import { type GatewayEvents, LaneGateway } from "./lane-gateway.ts";

export type GatewaysParts = {
  readonly kafka: KafkaSettings;
  readonly reader: Reader;
  readonly admin: TopicAdmin;
  readonly codec: Codec;
  readonly providers: readonly Provider[];
  readonly commandsTopic: string;
  readonly reportsTopic: string;
  readonly group: string;
  readonly events: GatewayEvents;
};

const MARK_EVERY_MS = 1_000;
const APPEND_AGAIN_MS = 200;
const DRAIN_POLL_MS = 5;

export class Gateways {
  readonly #parts: GatewaysParts;
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #lanes = new Map<number, LaneGateway>();
  /** which lanes are wanted, and by which opening: one that was overtaken gives up */
  readonly #wanted = new Map<number, symbol>();
  readonly #marker: NodeJS.Timeout;
  #producer: Promise<Producer> | null = null;
  #isStopped = false;

  constructor(parts: GatewaysParts) {
    this.#parts = parts;
    this.#providers = new Map(parts.providers.map((provider) => [provider.name, provider]));
    this.#marker = setInterval(() => void this.#mark(), MARK_EVERY_MS);
  }

  /** Serves the lane from where whoever had it before was. */
  async open(lane: number): Promise<void> {
    const opening = Symbol(`lane ${lane}`);
    this.#wanted.set(lane, opening);
    while (this.#wanted.get(lane) === opening && !this.#isStopped) {
      try {
        const from = await this.#startOf(lane);
        if (this.#wanted.get(lane) === opening) this.#serve(lane, from);
        return;
      } catch (error) {
        this.#parts.events.appendFailed(lane, error);
        await sleep(APPEND_AGAIN_MS);
      }
    }
  }

  /** Ends serving it. What is still to be told is told by whoever serves it next. */
  close(lane: number): void {
    this.#wanted.delete(lane);
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
    await this.#producer?.then((producer) => producer.close()).catch(() => undefined);
  }

  async #startOf(lane: number): Promise<bigint> {
    const { admin, group, commandsTopic } = this.#parts;
    const [known, { low, end }] = await Promise.all([
      admin.groupOffset(group, commandsTopic, lane),
      admin.bounds(commandsTopic, lane),
    ]);
    // A topic that was made anew, or one whose marks have expired, is read from its first record.
    return known !== null && known >= low && known <= end ? known : low;
  }

  #serve(lane: number, from: bigint): void {
    const { reader, codec, events, commandsTopic } = this.#parts;
    const gateway = new LaneGateway({
      lane,
      from,
      codec,
      events,
      providers: this.#providers,
      append: (to, records) => this.#append(to, records),
      expired: (at) => this.#openAnew(at),
      roomFreed: () => reader.wake(),
    });
    this.#lanes.set(lane, gateway);
    reader.open(lane, new Map([[commandsTopic, from]]), gateway);
  }

  #openAnew(lane: number): void {
    this.close(lane);
    void this.open(lane);
  }

  /** Until it is there: a report that is lost would leave its case to ask for it. */
  async #append(lane: number, records: readonly RawRecord[]): Promise<void> {
    while (!this.#isStopped) {
      this.#producer ??= openProducer(this.#parts.kafka);
      const used = this.#producer;
      try {
        await (await used).send(this.#parts.reportsTopic, lane, records);
        return;
      } catch (error) {
        this.#parts.events.appendFailed(lane, error);
        this.#giveUp(used);
        await sleep(APPEND_AGAIN_MS);
      }
    }
    throw new Error("the gateways were stopped");
  }

  /** A producer that failed one lane has ended for all of them. */
  #giveUp(used: Promise<Producer>): void {
    if (this.#producer !== used) return;
    this.#producer = null;
    used.then((producer) => producer.close()).catch(() => undefined);
  }

  async #mark(): Promise<void> {
    const { admin, group, commandsTopic } = this.#parts;
    const offsets = [...this.#lanes].map(([partition, { position }]) => ({
      topic: commandsTopic,
      partition,
      offset: position,
    }));
    if (offsets.length > 0) await admin.publishGroupOffsets(group, offsets).catch(() => undefined);
  }
}
