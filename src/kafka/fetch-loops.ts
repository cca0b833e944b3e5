// The fetch loop: one fetch in flight per broker, the next one starts at once. Feeds (one per partition) come and go
// between fetches; one that has no room is left out of the next. An answer for a feed that was removed, or replaced by
// another for the same partition, meanwhile is dropped: feeds are compared as objects.
//
//   supervisor (500 ms) ── a loop for every broker that the cluster has now; metadata again while a partition has no leader
//   loop of a broker    ── feeds with room led there → fetch → decode → hand on → again
//
// A broker that was down at our start and leads a partition later gets its loop from the supervisor; loops made once at
// start left lanes standing.
import { setTimeout as sleep } from "node:timers/promises";
import { reach } from "../failpoints.ts";
import { type HeaderUse, type RecordSet, readRecordSet } from "./batch-read.ts";
import type { KafkaClient } from "./client.ts";
import { Unreadable } from "./compression.ts";
import { describeKafkaError } from "./errors.ts";
import type { FetchAnswer, FetchedPartition } from "./fetch-answer.ts";
import { Waker } from "./waker.ts";
import { protocolError } from "./wire.ts";

/** One partition in the loop. Methods are synchronous and must not throw: a throw ends the process, because what was
 *  handed on before it cannot be known. */
export type Feed = {
  readonly topic: string;
  readonly partition: number;
  /** where the next fetch begins; the loop moves it */
  next: bigint;
  hasRoom(): boolean;
  /** called when something was passed; `records` is empty when it was only markers */
  /** @param logEnd end of the log as the broker gave it along */
  received(set: RecordSet, logEnd: bigint): void;
  /** `next` is at the end of the log, as of a fetch that began at `startedAtMs` (process clock) */
  caughtUp(startedAtMs: number): void;
  /** the loop has removed the feed */
  outOfRange(): void;
  /** the loop has removed the feed */
  unreadable(reason: string): void;
};

export type FetchOptions = {
  readonly maxWaitMs: number;
  /** of one answer; the first batch is sent whole even when it is larger */
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  /** how long records may gather after a small answer before the next fetch; 0: not at all */
  readonly gatherMs: number;
  readonly headers: HeaderUse;
};

export const FETCH_DEFAULTS: FetchOptions = {
  maxWaitMs: 50,
  maxBytes: 4 << 20,
  partitionMaxBytes: 512 << 10,
  gatherMs: 0,
  headers: "drop",
};

const READ_COMMITTED = 1;
const OFFSET_OUT_OF_RANGE = 1;
const SUPERVISE_MS = 500;
const SMALL_BYTES = 32 << 10;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 400;
const MOVED_PAUSE_MS = 100;
/** Requests have their own time-out (5 s); this is for what might hang without one. */
const STUCK_MS = 10_000;
const METADATA_AGE_MAX_MS = 30_000;
const SAY_EVERY_MS = 5_000;

type LoopState = { busySinceMs: number | null; failingSinceMs: number | null; saidMs: number };

export class FetchLoops {
  readonly #client: KafkaClient;
  readonly #options: FetchOptions;
  readonly #feeds = new Map<string, Feed>();
  readonly #pausedUntilMs = new Map<string, number>();
  readonly #loops = new Map<number, LoopState>();
  readonly #waker = new Waker();
  readonly #supervisor: NodeJS.Timeout;
  #turn = 0;
  #lastAnswerMs = performance.now();
  #refreshedMs = performance.now();
  #stopped = false;

  constructor(client: KafkaClient, options: FetchOptions) {
    this.#client = client;
    this.#options = options;
    this.#supervisor = setInterval(() => this.#supervise(), SUPERVISE_MS);
    this.#startMissingLoops();
  }

  /** @returns the feed that it takes the place of */
  add(feed: Feed): Feed | undefined {
    const name = nameOf(feed);
    const before = this.#feeds.get(name);
    this.#feeds.set(name, feed);
    this.#pausedUntilMs.delete(name);
    this.#waker.wake();
    return before;
  }

  remove(feed: Feed): void {
    if (this.#feeds.get(nameOf(feed)) === feed) this.#feeds.delete(nameOf(feed));
  }

  wake(): void {
    this.#waker.wake();
  }

  /** Milliseconds since a broker answered; a loop that has nothing to ask is not silent. */
  silentMs(): number {
    return performance.now() - this.#lastAnswerMs;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#supervisor);
    this.#feeds.clear();
    this.#waker.wake();
    await this.#client.close();
  }

  #supervise(): void {
    const now = performance.now();
    for (const [nodeId, loop] of this.#loops) {
      if (loop.busySinceMs === null || now - loop.busySinceMs < STUCK_MS) continue;
      loop.busySinceMs = now;
      this.#client.dropNode(nodeId, new Error("a fetch hangs"));
    }
    const leaderless = [...this.#feeds.values()].some((feed) => this.#leaderOf(feed) === null);
    if (leaderless || now - this.#refreshedMs > METADATA_AGE_MAX_MS) this.#refresh();
    this.#startMissingLoops();
  }

  #refresh(): void {
    this.#refreshedMs = performance.now();
    this.#client.refresh().then(
      () => this.#startMissingLoops(),
      () => {}, // tried again by the supervisor
    );
  }

  #startMissingLoops(): void {
    if (this.#stopped) return;
    for (const nodeId of this.#client.nodeIds()) {
      // Not caught: a throw out of a loop is a bug in a feed, and the process must end by it.
      if (!this.#loops.has(nodeId)) void this.#run(nodeId);
    }
  }

  async #run(nodeId: number): Promise<void> {
    const loop: LoopState = { busySinceMs: null, failingSinceMs: null, saidMs: Number.NEGATIVE_INFINITY };
    this.#loops.set(nodeId, loop);
    let pauseMs = RETRY_FIRST_MS;
    while (!this.#stopped && this.#client.nodeIds().includes(nodeId)) {
      const feeds = this.#feedsOf(nodeId);
      if (feeds.size === 0) {
        this.#lastAnswerMs = performance.now();
        await this.#waker.wait(this.#options.maxWaitMs);
        continue;
      }
      const startedAtMs = Date.now();
      loop.busySinceMs = performance.now();
      const answer = await this.#fetch(nodeId, loop, feeds);
      loop.busySinceMs = null;
      if (answer === null) {
        await sleep(pauseMs);
        pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
        continue;
      }
      pauseMs = RETRY_FIRST_MS;
      this.#lastAnswerMs = performance.now();
      reach("input.fetched");
      for (const part of answer.partitions) this.#handOn(part, feeds, startedAtMs);
      const { gatherMs } = this.#options;
      if (gatherMs > 0 && isSmall(answer)) await sleep(gatherMs);
    }
    this.#loops.delete(nodeId);
  }

  /** null when it failed and the metadata has been refreshed, if it could be */
  async #fetch(nodeId: number, loop: LoopState, feeds: ReadonlyMap<string, Asked>): Promise<FetchAnswer | null> {
    try {
      const answer = await this.#client.fetch(nodeId, fetchArgs(feeds, this.#options));
      if (loop.failingSinceMs !== null) this.#sayAnswering(nodeId, loop, performance.now() - loop.failingSinceMs);
      return answer;
    } catch (error) {
      if (this.#stopped) return null;
      this.#sayFailing(nodeId, loop, error);
      await this.#client.refresh().catch(() => {});
      return null;
    }
  }

  /** The first failure and then one every few seconds: a broker that restarts fails several times a second. */
  #sayFailing(nodeId: number, loop: LoopState, error: unknown): void {
    const now = performance.now();
    loop.failingSinceMs ??= now;
    if (now - loop.saidMs < SAY_EVERY_MS) return;
    loop.saidMs = now;
    const { type, broker, message } = describeKafkaError(error);
    const failingMs = Math.round(now - loop.failingSinceMs);
    this.#client.settings.log("warn", { nodeId, broker, type, failingMs }, `fetch failed, tried again: ${message}`);
  }

  #sayAnswering(nodeId: number, loop: LoopState, failedMs: number): void {
    loop.failingSinceMs = null;
    loop.saidMs = Number.NEGATIVE_INFINITY;
    this.#client.settings.log("info", { nodeId, failedMs: Math.round(failedMs) }, "fetches are answered again");
  }

  /** The feeds to ask for, beginning with another one each time: a batch larger than the limits is only sent for the
   *  partition that comes first. */
  #feedsOf(nodeId: number): Map<string, Asked> {
    const now = performance.now();
    const ready: [string, Asked][] = [];
    for (const [name, feed] of this.#feeds) {
      if ((this.#pausedUntilMs.get(name) ?? 0) > now) continue;
      if (this.#leaderOf(feed) === nodeId && feed.hasRoom()) ready.push([name, { feed, offset: feed.next }]);
    }
    const first = ready.length === 0 ? 0 : this.#turn++ % ready.length;
    return new Map([...ready.slice(first), ...ready.slice(0, first)]);
  }

  #leaderOf(feed: Feed): number | null {
    return this.#client.leaderOf(feed.topic, feed.partition);
  }

  #handOn(part: FetchedPartition, asked: ReadonlyMap<string, Asked>, startedAtMs: number): void {
    const name = nameOf(part);
    const feed = asked.get(name)?.feed;
    if (feed === undefined || this.#feeds.get(name) !== feed) return;
    if (part.errorCode === OFFSET_OUT_OF_RANGE) {
      this.#feeds.delete(name);
      feed.outOfRange();
    } else if (part.errorCode !== 0) {
      this.#pause(name, feed, part.errorCode);
    } else {
      this.#decode(name, feed, part, startedAtMs);
    }
  }

  #decode(name: string, feed: Feed, part: FetchedPartition, startedAtMs: number): void {
    let set: RecordSet;
    try {
      set = readRecordSet(part.recordSet, feed.next, part.aborted, this.#options.headers);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.#feeds.delete(name);
      feed.unreadable(error.message);
      return;
    }
    if (set.nextOffset > feed.next) {
      feed.next = set.nextOffset;
      feed.received(set, part.highWatermark);
    } else if (feed.next >= part.highWatermark) {
      // An empty answer alone proves nothing: other partitions may have used up its bytes.
      feed.caughtUp(startedAtMs);
    }
  }

  /** A leader that moves is found by fresh metadata; what the cluster refuses (authorization) waits for people. */
  #pause(name: string, { topic, partition }: Feed, code: number): void {
    const error = protocolError(code);
    const [level, pauseMs] = error.retriable
      ? (["debug", MOVED_PAUSE_MS] as const)
      : (["error", SAY_EVERY_MS] as const);
    this.#client.settings.log(level, { topic, partition, type: error.type }, `not readable now: ${error.message}`);
    this.#pausedUntilMs.set(name, performance.now() + pauseMs);
    this.#refresh();
  }
}

/** An answer with little in it: at a steady trickle a fetch is answered at once, hundreds of times a second for a handful
 *  of records each, and asking costs more than deciding. An empty answer has waited already. */
function isSmall({ partitions }: FetchAnswer): boolean {
  let bytes = 0;
  for (const { recordSet } of partitions) bytes += recordSet.length;
  return bytes > 0 && bytes < SMALL_BYTES;
}

type Asked = { readonly feed: Feed; readonly offset: bigint };

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}

function fetchArgs(asked: ReadonlyMap<string, Asked>, { maxWaitMs, maxBytes, partitionMaxBytes }: FetchOptions) {
  const topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[] = [];
  for (const { feed, offset } of asked.values()) {
    const wish = { partition: feed.partition, fetchOffset: offset.toString(), maxBytes: partitionMaxBytes };
    const last = topics.at(-1);
    if (last?.topic === feed.topic) last.partitions.push(wish);
    else topics.push({ topic: feed.topic, partitions: [wish] });
  }
  return { maxWaitTime: maxWaitMs, minBytes: 1, maxBytes, isolationLevel: READ_COMMITTED, topics };
}
