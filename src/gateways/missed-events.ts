// What a provider did and no webhook told of, because it sent none, gave up, or we were away for longer than it tries: read
// from the provider's own list of events, which is looked into as webhooks are. One process at a time reads a provider's list,
// the owner of the lane to which the provider's name hashes, and keeps in the lane's epoch how far it came; whoever takes the
// lane goes on from there. What is read twice the cases absorb.

import { setTimeout as sleep } from "node:timers/promises";
import { homeLane } from "../domain/holder.ts";
import { EVENT_RESULTS, type EventDesk } from "./event-desk.ts";
import type { EventPage } from "./providers/http-provider.ts";

/** What became of a missed event, for metrics. */
export const MISSED_RESULTS = [...EVENT_RESULTS, "not_ours"] as const;
type MissedResult = (typeof MISSED_RESULTS)[number];

export type MissedEventsParts = {
  /** one for each provider; those of providers that keep no list are passed over */
  readonly desks: readonly EventDesk[];
  readonly lanes: number;
  /** how long webhooks may take; what is older and not told of is read */
  readonly patienceMs: number;
  readonly positions: EventPositions;
  readonly events: MissedEventsEvents;
  readonly nowMs: () => number;
};

/** How far lists were read, by provider. */
export interface EventPositions {
  /** @returns where the list goes on, as the provider says it; empty at its beginning */
  read(lane: number, provider: string): Promise<string>;
  /** @returns false, and nothing is kept, when the epoch is not the lane's any more */
  keep(owned: Owned, provider: string, position: string): Promise<boolean>;
}

/** A lane in the epoch in which it is ours. */
type Owned = { readonly lane: number; readonly epoch: bigint };

export interface MissedEventsEvents {
  missedEvent(provider: string, result: MissedResult): void;
  /** the list cannot be read, or how far it was read cannot be kept; it is tried again */
  missedEventsUnread(provider: string, error: unknown): void;
  /** an event could not be looked into, however often; it is passed over */
  missedEventPassedOver(provider: string, eventId: string): void;
}

/** How often a page is looked into that the provider cannot be asked about, while its list can be read. */
const TRIES_MAX = 10;

type Following = { readonly owned: Owned; readonly desk: EventDesk; readonly signal: AbortSignal };

export class MissedEvents {
  readonly #parts: MissedEventsParts;
  readonly #followed = new Map<number, AbortController>();
  readonly #running = new Set<Promise<void>>();

  constructor(parts: MissedEventsParts) {
    this.#parts = parts;
  }

  took(owned: Owned): void {
    this.gaveBack(owned.lane);
    const desks = this.#parts.desks.filter(
      ({ provider }) => provider.listsEvents && homeLane(provider.name, this.#parts.lanes) === owned.lane,
    );
    if (desks.length === 0) return;
    const stop = new AbortController();
    this.#followed.set(owned.lane, stop);
    for (const desk of desks) {
      const run = this.#follow({ owned, desk, signal: stop.signal }).finally(() => this.#running.delete(run));
      this.#running.add(run);
    }
  }

  gaveBack(lane: number): void {
    this.#followed.get(lane)?.abort();
    this.#followed.delete(lane);
  }

  async stop(): Promise<void> {
    for (const lane of this.#followed.keys()) this.gaveBack(lane);
    await Promise.all(this.#running);
  }

  async #follow(following: Following): Promise<void> {
    const { desk, signal } = following;
    const { patienceMs, events } = this.#parts;
    const reading: Reading = { position: null, failures: 0 };
    while (!signal.aborted) {
      try {
        if (await this.#readOn(following, reading)) continue;
      } catch (error) {
        if (!signal.aborted) events.missedEventsUnread(desk.provider.name, error);
      }
      await sleep(patienceMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @returns whether there is more to read at once
   *  @throws  when the list cannot be read, or its position neither read nor kept */
  async #readOn({ owned, desk, signal }: Following, reading: Reading): Promise<boolean> {
    const { positions, patienceMs, nowMs } = this.#parts;
    const { provider } = desk;
    reading.position ??= await positions.read(owned.lane, provider.name);
    const page = await provider.missed(reading.position, nowMs() - patienceMs);
    if (page === null) throw new Error("the provider cannot be asked for its events, or they cannot be read");
    if (!(await this.#lookInto(desk, page, reading)) || signal.aborted) return false;
    if (page.next === reading.position) return false;
    if (!(await positions.keep(owned, provider.name, page.next))) {
      // Somebody else has the lane, and reads the list.
      this.gaveBack(owned.lane);
      return false;
    }
    reading.position = page.next;
    return !page.isLast;
  }

  /** @returns whether the page is done with: an event that failed is looked into again, and the others with it, which costs
   *           nothing where they were taken */
  async #lookInto(desk: EventDesk, { events }: EventPage, reading: Reading): Promise<boolean> {
    const { missedEvent, missedEventPassedOver } = this.#parts.events;
    const { name } = desk.provider;
    const results = await Promise.all(events.map((event) => (event === null ? "not_ours" : desk.take(event))));
    for (const result of results) missedEvent(name, result);
    const failed = events.filter((_, at) => results[at] === "failed");
    reading.failures = failed.length === 0 ? 0 : reading.failures + 1;
    if (failed.length > 0 && reading.failures < TRIES_MAX) return false;
    for (const event of failed) missedEventPassedOver(name, event?.eventId ?? "");
    reading.failures = 0;
    return true;
  }
}

/** How far a list is read; null until it is known. `failures` counts how often its next page could not be done with. */
type Reading = { position: string | null; failures: number };
