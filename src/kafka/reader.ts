// Reads lanes: partition `lane` of each input topic, from positions that the lane's owner keeps. No consumer group; who
// owns a lane is decided in Postgres.
import { assert } from "../domain/assert.ts";
import { connectClient } from "./client.ts";
import { FETCH_DEFAULTS, type Feed, FetchLoops, type FetchOptions } from "./fetch-loops.ts";
import type { KafkaSettings, LaneSink, Reader } from "./port.ts";

/** @param topics  the input topics; all must exist
 *  @throws KafkaUnreachable within 10 s | KafkaRefused when a topic does not exist */
export async function openReader(
  settings: KafkaSettings,
  topics: readonly string[],
  options: Partial<FetchOptions> = {},
): Promise<Reader> {
  const client = await connectClient(settings, { topics });
  return new LaneReader(new FetchLoops(client, { ...FETCH_DEFAULTS, ...options }));
}

class LaneReader implements Reader {
  readonly #loops: FetchLoops;
  readonly #feeds = new Map<number, readonly Feed[]>();

  constructor(loops: FetchLoops) {
    this.#loops = loops;
  }

  open(lane: number, offsets: ReadonlyMap<string, bigint>, sink: LaneSink): void {
    assert(!this.#feeds.has(lane), `lane ${lane} is read already`);
    const feeds = [...offsets].map(([topic, offset]) => laneFeed(lane, topic, offset, sink));
    this.#feeds.set(lane, feeds);
    for (const feed of feeds) assert(this.#loops.add(feed) === undefined, `lane ${lane} was in the loop already`);
  }

  close(lane: number): void {
    for (const feed of this.#feeds.get(lane) ?? []) this.#loops.remove(feed);
    this.#feeds.delete(lane);
  }

  wake(): void {
    this.#loops.wake();
  }

  silentMs(): number {
    return this.#loops.silentMs();
  }

  stop(): Promise<void> {
    this.#feeds.clear();
    return this.#loops.stop();
  }
}

function laneFeed(lane: number, topic: string, offset: bigint, sink: LaneSink): Feed {
  let handedOn = offset;
  return {
    topic,
    partition: lane,
    next: offset,
    hasRoom: () => sink.hasRoom(topic),
    received({ records, nextOffset, bytes }, logEnd): void {
      // Markers alone make no run: the next run covers them, so that runs join without gaps.
      if (records.length === 0) return;
      const fromOffset = handedOn;
      handedOn = nextOffset;
      sink.received({ lane, topic, fromOffset, nextOffset, records, bytes, logEnd });
    },
    caughtUp(startedAtMs): void {
      sink.caughtUp(topic, this.next, startedAtMs);
    },
    outOfRange(): void {
      sink.outOfRange(topic, this.next);
    },
    unreadable(reason): void {
      sink.unreadable(topic, this.next, reason);
    },
  };
}
