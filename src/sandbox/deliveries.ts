// What the sandbox tells without being asked: a POST for each turn of an operation, again and again until it is taken or
// given up. A delivery that came to its end is in the journal; every other one begins anew after a restart, so each comes
// at least once and now and then once more, as webhooks do.

import { setTimeout as sleep } from "node:timers/promises";
import type { Post } from "./behaviour.ts";

export type Delivery = {
  readonly id: string;
  readonly url: string;
  readonly dueAt: number;
  /** made when it is sent, since signatures carry that time */
  readonly make: () => { readonly body: string; readonly headers: Readonly<Record<string, string>> };
  /** whether it is sent once and nobody minds what is answered */
  readonly isForged: boolean;
};

export type Copy = {
  readonly suffix: string;
  readonly delay: "none" | "late" | "twice_late";
  readonly isForged: boolean;
};

const COPY: Copy = { suffix: "", delay: "none", isForged: false };

/** How the webhook of a turn comes.
 *  @param index of the turn, 0 for the first */
export function copiesOf(post: Post, index: number): readonly Copy[] {
  switch (post) {
    case "unsent":
      return [];
    case "twice":
      return [COPY, { ...COPY, suffix: "/again", delay: "late" }];
    case "late":
      return [{ ...COPY, delay: "late" }];
    case "swapped":
      return [index === 0 ? { ...COPY, delay: "twice_late" } : COPY];
    case "forged":
      return [{ ...COPY, suffix: "/forged", isForged: true }, COPY];
    default:
      return [COPY];
  }
}

export type DeliverySettings = {
  /** for an answer, connection included */
  readonly timeoutMs: number;
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  readonly triesMax: number;
  readonly inFlightMax: number;
  /** resolves when what is told of is on disk */
  readonly settled: () => Promise<void>;
  /** told when a delivery has come to its end */
  readonly ended: (id: string, how: "taken" | "given_up") => void;
};

export class Deliveries {
  readonly #settings: DeliverySettings;
  readonly #stop = new AbortController();
  readonly #attempted = new Map<string, { readonly promise: Promise<void>; readonly resolve: () => void }>();
  readonly #running = new Set<Promise<void>>();
  readonly #queue: (() => void)[] = [];
  #inFlight = 0;

  constructor(settings: DeliverySettings) {
    this.#settings = settings;
  }

  /** Takes it on; it is sent when it is due, and again until it comes to its end or the sandbox stops. */
  add(delivery: Delivery): void {
    const run = this.#run(delivery)
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) throw error; // A wait that the stop cut off: the next start begins anew.
      })
      .finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Resolves when the delivery was sent for the first time, whatever was answered, or is none of those that run. */
  attempted(id: string): Promise<void> {
    return this.#attempted.get(id)?.promise ?? Promise.resolve();
  }

  /** Ends what runs; the rest is for the next start. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const next of this.#queue.splice(0)) next();
    await Promise.all(this.#running);
  }

  async #run(delivery: Delivery): Promise<void> {
    const { firstRetryMs, longestRetryMs, triesMax, settled, ended } = this.#settings;
    const { signal } = this.#stop;
    this.#attempted.set(delivery.id, makePromise());
    try {
      await settled();
      await sleep(Math.max(0, delivery.dueAt - Date.now()), undefined, { signal });
      for (let tries = 1; tries <= triesMax; tries++) {
        const isTaken = await this.#send(delivery);
        this.#attempted.get(delivery.id)?.resolve();
        if (signal.aborted) return;
        if (isTaken || delivery.isForged) return ended(delivery.id, "taken");
        await sleep(Math.min(longestRetryMs, firstRetryMs * 2 ** (tries - 1)), undefined, { signal });
      }
      ended(delivery.id, "given_up");
    } finally {
      this.#attempted.get(delivery.id)?.resolve();
      this.#attempted.delete(delivery.id);
    }
  }

  /** @returns whether it was answered with 2xx in time */
  async #send({ url, make }: Delivery): Promise<boolean> {
    const { inFlightMax, timeoutMs } = this.#settings;
    if (this.#inFlight >= inFlightMax) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#inFlight += 1;
    try {
      const { body, headers } = make();
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(timeoutMs)]);
      const response = await fetch(url, { method: "POST", body, headers, signal, redirect: "manual" });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false; // Refused, cut or too slow: it is sent again.
    } finally {
      this.#inFlight -= 1;
      this.#queue.shift()?.();
    }
  }
}

function makePromise(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
