// How a lane finds the one intent that the database refuses, or the one input that halts it, whatever else waits with it.

import { expect, test } from "vitest";
import type { Head } from "../../src/domain/head.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { NO_PAIRS } from "../../src/processor/crossing.ts";
import { Lane, type LaneEnd, type LaneParts } from "../../src/processor/lane.ts";
import { producing, RULES } from "../support/ledger.ts";
import { codecWith, MemoryRegistry } from "./codec-fixtures.ts";

const HOLDER = "ann";
const NUMBER = homeLane(HOLDER, RULES.lanes);
const NOW_MS = Date.parse("2100-01-01");
const NOTHING = { next: 0n, last: -1n, lastAtMs: 0, lastHash: Buffer.alloc(0) };
const HEAD: Head = {
  epoch: 1n,
  block: 0n,
  digest: Buffer.alloc(32),
  nowMs: 0,
  intents: NOTHING,
  reports: NOTHING,
  timer: { dueMs: 0, caseId: "0".repeat(32), name: "" },
  outcomesNext: 0n,
  commandsNext: 0n,
  deadLettersNext: 0n,
  accounts: 0n,
};
const COMMITTED = { kind: "committed", block: null } as unknown as Awaited<ReturnType<Lane["commit"]>>;
const IMPOSSIBLE = { kind: "halt", cause: "lane_message_not_sent", evidence: {} } as const;
const UNUSABLE = { kind: "unusable", error: new Error("numeric field overflow") } as const;
const codec = codecWith(new MemoryRegistry());
const INTENT = codec.encoders.intent.encode(producing.payIn(HOLDER, 1));
const REPORT = codec.encoders.report.encode({
  holderId: HOLDER,
  caseId: "pay_01JD3Z7Q6R8W2V5K9T0M4N1B7C",
  call: "authorize",
  attempt: 1,
  result: "approved",
  observation: "seen",
  payload: {},
  occurredAt: 0n,
  from: null,
});

type Offsets = readonly bigint[];
type Written = { readonly reports: Offsets; readonly intents: Offsets; readonly putAside: Offsets };
const WRITTEN = ["reports", "intents", "putAside"] as const;

/** `impossible`: reports that halt the lane */
type Refused = { readonly intents?: Offsets; readonly reports?: Offsets; readonly impossible?: Offsets };

/** A lane whose database refuses every block in which it would write one of these. */
class Site {
  readonly blocks: Written[] = [];
  #given = { intents: 0n, reports: 0n };
  readonly #lane: Lane;

  constructor(refused: Refused, afterBlock: (site: Site) => void) {
    const nothing = (): void => undefined;
    const parts = {
      rules: RULES,
      codec,
      committer: { pool: { lend: async () => [] } },
      publisher: { backlog: () => 0 },
      events: { triedAgain: nothing },
      limits: {
        recordBytesMax: 65_536,
        futureMs: 0,
        blockRowsMax: 8,
        blockBytesMax: 1 << 20,
        readAheadRecordsMax: 100,
        readAheadBytesMax: 1 << 20,
        relayBacklogMax: 10,
        blockWaitMs: 0,
        timersPerBlockMax: 10,
        timerMarginMs: 100,
        attemptsMax: 1,
      },
      intentsTopic: "intents",
      reportsTopic: "reports",
      wakeReader: nothing,
    } as unknown as LaneParts;
    this.#lane = new Lane(NUMBER, parts, { head: HEAD, house: new Map(), pairs: NO_PAIRS });
    this.#lane.commit = async (prepare) => {
      const { reports, intents } = prepare();
      const written = {
        reports: reports.map(({ offset }) => offset),
        intents: intents.flatMap((one) => (one.kind === "intent" ? one.offset : [])),
        putAside: intents.flatMap((one) => (one.kind === "misfit" ? one.record.offset : [])),
      };
      if (written.intents.some((offset) => refused.intents?.includes(offset))) return UNUSABLE;
      if (written.reports.some((offset) => refused.reports?.includes(offset))) return UNUSABLE;
      if (written.reports.some((offset) => refused.impossible?.includes(offset))) return IMPOSSIBLE;
      this.blocks.push(written);
      afterBlock(this);
      const done = WRITTEN.reduce((sum, what) => sum + this.all(what).length, 0);
      if (BigInt(done) === this.#given.intents + this.#given.reports || this.blocks.length > 100) this.#lane.stop();
      return COMMITTED;
    };
  }

  give(topic: "intents" | "reports", count: number): void {
    const fromOffset = this.#given[topic];
    const nextOffset = fromOffset + BigInt(count);
    const [key, value] = [Buffer.from(HOLDER), topic === "intents" ? INTENT : REPORT];
    const records = Array.from({ length: count }, (_, at) => ({
      offset: fromOffset + BigInt(at),
      appendedAtMs: NOW_MS,
      key,
      value,
    }));
    this.#given[topic] = nextOffset;
    this.#lane.received({ lane: NUMBER, topic, fromOffset, nextOffset, logEnd: nextOffset, bytes: 1, records });
  }

  /** Behind all that was given; the lane does not end before. */
  damaged(topic: "intents" | "reports"): void {
    this.#given[topic] += 1n;
    this.#lane.unreadable(topic, this.#given[topic] - 1n, "the batch's checksum is wrong");
  }

  run(): Promise<LaneEnd> {
    return this.#lane.run();
  }

  all(what: keyof Written): Offsets {
    return this.blocks.flatMap((block) => block[what]);
  }
}

const range = (to: number): bigint[] => Array.from({ length: to }, (_, at) => BigInt(at));
const nothingMore = (): void => undefined;

test.each([1, 3, 20])(
  "an intent that the database refuses is put aside alone, with %i reports waiting",
  async (reports) => {
    const site = new Site({ intents: [2n] }, nothingMore);
    site.give("reports", reports);
    site.give("intents", 6);
    expect(await site.run()).toEqual({ kind: "stopped" });
    expect(site.all("putAside")).toEqual([2n]);
    expect(site.all("intents")).toEqual(range(6).filter((offset) => offset !== 2n));
    expect(site.all("reports")).toEqual(range(reports));
  },
);

test("it is found however many reports come meanwhile", async () => {
  const site = new Site({ intents: [2n] }, (one) => one.give("reports", 3));
  site.give("reports", 3);
  site.give("intents", 6);
  await site.run();
  expect(site.all("putAside")).toEqual([2n]);
});

test("a report that the database refuses halts the lane once all before it is written", async () => {
  const site = new Site({ reports: [5n] }, (one) => one.give("intents", 3));
  site.give("reports", 10);
  site.give("intents", 6);
  expect(await site.run()).toMatchObject({ kind: "halted", cause: "commit_refused" });
  expect(site.all("putAside")).toEqual([]);
  expect(site.all("reports")).toEqual(range(5));
});

test.each([0, 1, 5, 9])(
  "a report that halts the lane does so alone: of ten those before number %i are taken",
  async (at) => {
    const site = new Site({ impossible: [BigInt(at)] }, nothingMore);
    site.give("reports", 10);
    site.give("intents", 6);
    expect(await site.run()).toMatchObject({ kind: "halted", cause: "lane_message_not_sent" });
    expect(site.all("reports")).toEqual(range(at));
  },
);

test("what came before unreadable bytes is taken before the lane halts for them", async () => {
  const site = new Site({}, nothingMore);
  site.give("reports", 3);
  site.give("intents", 20);
  site.damaged("intents");
  expect(await site.run()).toMatchObject({ kind: "halted", cause: "input_unreadable", evidence: { offset: 20n } });
  expect(site.all("intents")).toEqual(range(20));
});
