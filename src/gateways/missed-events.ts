// What a provider did and no webhook told of, because it sent none, gave up, or we were away for longer than it tries: read
// from the provider's own list of events, which is looked into as webhooks are. One process at a time reads a provider's list,
// the owner of the lane to which the provider's name hashes, and keeps in the lane's epoch how far it came; whoever takes the
// lane goes on from there. What is read twice the cases absorb.

import { setTimeout as sleep } from "node:timers/promises";
import { homeLane } from "../domain/holder.ts";
import { EVENT_RESULTS, type EventDesk } from "./event-desk.ts";
import type { EventPage, ProviderEvent } from "./providers/http-provider.ts";

/** What became of a missed event, for metrics. */
export const MISSED_RESULTS = [...EVENT_RESULTS, "not_ours", "passed_over"] as const;
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
  /** @returns `not_ours` when the epoch is not the lane's any more, `moved` when somebody has set the position back: nothing
   *           is kept then */
  keep(
    owned: Owned,
    step: { readonly provider: string; readonly from: string; readonly to: string },
  ): Promise<"kept" | "moved" | "not_ours">;
}

/** A lane in the epoch in which it is ours. */
type Owned = { readonly lane: number; readonly epoch: bigint };

export interface MissedEventsEvents {
  missedEvent(provider: string, result: MissedResult): void;
  /** the list cannot be read, or how far it was read cannot be kept; it is tried again */
  missedEventsUnread(provider: string, error: unknown): void;
  /** the provider told of it and shows nothing of it, however often it is asked */
  missedEventPassedOver(provider: string, eventId: string, position: string): void;
}

/** How often an event is looked into of which the provider, that can be reached, shows nothing. */
const TRIES_MAX = 10;
/** Events of a page that are looked into at once: webhooks have the same slots, and their senders wait. */
const AT_ONCE = 4;
/** What is under way is left behind then: nothing of it is kept, and who reads the list next reads it again. */
const STOP_MS = 1_000;

type Following = { readonly owned: Owned; readonly desk: EventDesk; readonly signal: AbortSignal };

export class MissedEvents {
  readonly #parts: MissedEventsParts;
  readonly #followed = new Map<number, AbortController>();
  readonly #running = new Set<Promise<void>>();
  /** by provider: when its list was last read to the end, or began to be read */
  readonly #currentAtMs = new Map<string, number>();
  #isStopped = false;

  constructor(parts: MissedEventsParts) {
    this.#parts = parts;
  }

  took(owned: Owned): void {
    this.gaveBack(owned.lane);
    if (this.#isStopped) return;
    const desks = this.#desksOf(owned.lane);
    if (desks.length === 0) return;
    const stop = new AbortController();
    this.#followed.set(owned.lane, stop);
    for (const desk of desks) {
      this.#currentAtMs.set(desk.provider.name, this.#parts.nowMs());
      const run = this.#follow({ owned, desk, signal: stop.signal }).finally(() => this.#running.delete(run));
      this.#running.add(run);
    }
  }

  gaveBack(lane: number): void {
    this.#followed.get(lane)?.abort();
    this.#followed.delete(lane);
    for (const { provider } of this.#desksOf(lane)) this.#currentAtMs.delete(provider.name);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const lane of this.#followed.keys()) this.gaveBack(lane);
    await Promise.race([Promise.all(this.#running), sleep(STOP_MS, undefined, { ref: false })]);
  }

  /** Of the lists that this process reads: milliseconds since each was last read to its end. */
  behindMs(): ReadonlyMap<string, number> {
    const now = this.#parts.nowMs();
    return new Map([...this.#currentAtMs].map(([provider, atMs]) => [provider, Math.max(0, now - atMs)]));
  }

  #desksOf(lane: number): readonly EventDesk[] {
    const { desks, lanes } = this.#parts;
    return desks.filter(({ provider }) => provider.listsEvents && homeLane(provider.name, lanes) === lane);
  }

  async #follow(following: Following): Promise<void> {
    const { desk, signal } = following;
    const { patienceMs, events } = this.#parts;
    const tries: Tries = new Map();
    while (!signal.aborted) {
      try {
        if (await this.#readOn(following, tries)) continue;
      } catch (error) {
        if (!signal.aborted) events.missedEventsUnread(desk.provider.name, error);
      }
      await sleep(patienceMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @returns whether there is more to read at once
   *  @throws  when the list cannot be read, or its position neither read nor kept */
  async #readOn({ owned, desk, signal }: Following, tries: Tries): Promise<boolean> {
    const { positions, patienceMs, nowMs } = this.#parts;
    const { name } = desk.provider;
    // Read anew each time: a person may have set it back.
    const from = await positions.read(owned.lane, name);
    const page = await desk.provider.missed(from, nowMs() - patienceMs);
    if (page === null) throw new Error("the provider cannot be asked for its events, or they cannot be read");
    if (!(await this.#lookIntoAll({ desk, signal }, page, { from, tries })) || signal.aborted) return false;
    const isFurther = page.next !== from;
    const kept = isFurther ? await positions.keep(owned, { provider: name, from, to: page.next }) : "kept";
    // Given back meanwhile, and maybe taken again: by this process too, which follows it in another epoch then.
    if (signal.aborted) return false;
    if (kept === "not_ours") {
      this.gaveBack(owned.lane);
      return false;
    }
    tries.clear();
    if (kept === "moved") return true;
    if (page.isLast) this.#currentAtMs.set(name, nowMs());
    return isFurther && !page.isLast;
  }

  /** @returns whether the page is done with. If it is not, all of it is looked into again, which costs nothing where an event
   *           was taken */
  async #lookIntoAll(
    { desk, signal }: Pick<Following, "desk" | "signal">,
    { events }: EventPage,
    reading: Reading,
  ): Promise<boolean> {
    let isDone = true;
    for (let at = 0; at < events.length && !signal.aborted; at += AT_ONCE) {
      const some = events.slice(at, at + AT_ONCE).map((event) => this.#lookInto(desk, event, reading));
      isDone = (await Promise.all(some)).every(Boolean) && isDone;
    }
    return isDone;
  }

  /** @returns whether the event is done with */
  async #lookInto(desk: EventDesk, event: ProviderEvent | null, { from, tries }: Reading): Promise<boolean> {
    const { missedEvent, missedEventPassedOver } = this.#parts.events;
    const { name } = desk.provider;
    const result = event === null ? "not_ours" : await desk.take(event);
    missedEvent(name, result);
    if (result === "failed") return false;
    if (event === null || result !== "not_shown") return true;
    const tried = (tries.get(event.eventId) ?? 0) + 1;
    tries.set(event.eventId, tried);
    if (tried === TRIES_MAX) {
      missedEvent(name, "passed_over");
      missedEventPassedOver(name, event.eventId, from);
    }
    return tried >= TRIES_MAX;
  }
}

/** Of events of which nothing is shown, by their ids. */
type Tries = Map<string, number>;

/** `from` is where the page begins. */
type Reading = { readonly from: string; readonly tries: Tries };
