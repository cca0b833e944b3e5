// Which timers a lane hands to its next block, and when it looks into the table at all.

import { describe, expect, test } from "vitest";
import type { TimerKey } from "../../src/domain/books.ts";
import { NO_RATES } from "../../src/domain/fx/rates.ts";
import type { Head, TimerPosition } from "../../src/domain/head.ts";
import { NO_PARAMETERS } from "../../src/domain/parameters/parameters.ts";
import { NO_PAIRS } from "../../src/processor/crossing.ts";
import { Lane, type LaneParts } from "../../src/processor/lane.ts";
import { LaneTimers } from "../../src/processor/timers.ts";
import { ConnectionLost, type ConnectionPool } from "../../src/store/database.ts";
import { producing, RULES } from "../support/ledger.ts";
import { codecWith, MemoryRegistry } from "./codec-fixtures.ts";

const NONE: TimerPosition = { dueMs: 0, caseId: "0".repeat(32), name: "" };

function timer(dueMs: number, caseId = "1".repeat(32)): TimerKey {
  return { dueMs, caseId, name: "expiry" };
}

/** A table of timers that counts how often it is read. */
function tableOf(timers: readonly TimerKey[], max = 10) {
  const table = { reads: 0, timers: [...timers] };
  const run = async (_statement: unknown, [, after, , , limit]: [number, string, string, string, number]) => {
    table.reads += 1;
    const behind = table.timers.filter(({ dueMs }) => dueMs > Date.parse(after)).slice(0, limit);
    const rows = behind.map(({ dueMs, caseId, name }) => ({
      due_at: new Date(dueMs).toISOString().replace("T", " ").replace("Z", "+00"),
      case_id: caseId,
      name,
    }));
    return { rows };
  };
  const pool = { lend: (work: (connection: unknown) => unknown) => work({ run }) } as unknown as ConnectionPool;
  return { table, timers: new LaneTimers(1, pool, max) };
}

describe("a lane's timers", () => {
  test("are read once at first, then only when one may be due", async () => {
    const { table, timers } = tableOf([timer(500), timer(900)]);
    expect(timers.mayBeDue(100)).toBe(true);
    expect(await timers.due(NONE, 100)).toEqual([]);
    expect([timers.mayBeDue(499), timers.mayBeDue(500)]).toEqual([false, true]);
    expect(table.reads).toBe(1);
  });

  test("are due up to the watermark, in order", async () => {
    const { timers } = tableOf([timer(500), timer(700), timer(900)]);
    expect((await timers.due(NONE, 700)).map(({ timer: one }) => one.dueMs)).toEqual([500, 700]);
  });

  test("stay due until a block has moved the position behind them", async () => {
    const { timers } = tableOf([timer(500), timer(900)]);
    const due = await timers.due(NONE, 600);
    expect(due).toHaveLength(1);
    expect(timers.mayBeDue(600)).toBe(true); // the block with it may have to be tried again
    expect(await timers.due(NONE, 600)).toEqual(due);
    expect(await timers.due(timer(500), 600)).toEqual([]);
    expect([timers.mayBeDue(600), timers.mayBeDue(900)]).toEqual([false, true]);
  });

  test("none left means none due, until one is armed", async () => {
    const { timers } = tableOf([]);
    await timers.due(NONE, 100);
    expect(timers.mayBeDue(Number.MAX_SAFE_INTEGER)).toBe(false);
    timers.learn([timer(900), timer(800), timer(1000)]);
    expect([timers.mayBeDue(799), timers.mayBeDue(800)]).toEqual([false, true]);
  });

  test("are bounded for a block, and go on behind it", async () => {
    const { timers } = tableOf([timer(100), timer(200), timer(300)], 2);
    expect(await timers.due(NONE, 1000)).toHaveLength(2);
    expect(timers.mayBeDue(1000)).toBe(true);
    expect(await timers.due(timer(200), 1000)).toHaveLength(1);
  });
});

const NOTHING = { next: 0n, last: -1n, lastAtMs: 0, lastHash: Buffer.alloc(0) };
const HEAD: Head = {
  epoch: 1n,
  block: 0n,
  digest: Buffer.alloc(32),
  nowMs: 0,
  intents: NOTHING,
  reports: NOTHING,
  timer: NONE,
  outcomesNext: 0n,
  commandsNext: 0n,
  deadLettersNext: 0n,
  accounts: 0n,
};

/** A lane whose database has these timers and breaks off every block at its first question.
 *  @returns the lane, and the questions: each as the text of its parameters */
function laneWith(timers: readonly TimerKey[]) {
  const asked: string[] = [];
  const rows = timers.map(({ dueMs, caseId, name }) => ({
    due_at: new Date(dueMs).toISOString().replace("T", " ").replace("Z", "+00"),
    case_id: caseId,
    name,
  }));
  const connection = {
    broken: true,
    run: async () => ({ rows }),
    flight: async (steps: readonly { values: readonly unknown[] }[]) => {
      asked.push(steps.map(({ values }) => values.join(" ")).join("\n"));
      throw new ConnectionLost("cut by the test");
    },
  };
  const codec = codecWith(new MemoryRegistry());
  const nothing = (): void => undefined;
  const parts = {
    rules: RULES,
    codec,
    committer: {
      pool: { lend: (work: (one: unknown) => unknown) => work(connection) },
      maker: {
        rules: RULES,
        rates: () => NO_RATES,
        parameters: () => NO_PARAMETERS,
        codec,
        intentsTopic: "intents",
        process: 1n,
      },
      clock: { add: nothing },
      clockSkewMaxMs: 1000,
      unknownMs: 100,
      unknownResolved: nothing,
    },
    publisher: { backlog: () => 0 },
    events: { triedAgain: nothing },
    limits: {
      recordBytesMax: 65_536,
      futureMs: 0,
      blockRowsMax: 10,
      blockBytesMax: 1 << 20,
      readAheadRecordsMax: 10,
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
  const lane = new Lane(1, parts, { head: HEAD, house: new Map(), pairs: NO_PAIRS });
  const value = codec.encoders.intent.encode(producing.payIn("ann", 1));
  /** one answer of the broker: an intent, and that there is no report */
  const answer = (appendedAtMs: number, startedAtMs: number): void => {
    const record = { offset: 0n, appendedAtMs, key: Buffer.from("ann"), value };
    const run = { lane: 1, topic: "intents", fromOffset: 0n, nextOffset: 1n, logEnd: 1n, bytes: 1 };
    lane.received({ ...run, records: [record] });
    lane.caughtUp("reports", 0n, startedAtMs);
  };
  return { lane, asked, answer };
}

describe("a busy lane", () => {
  test.each<[string, number, number, boolean]>([
    ["takes a timer that was due before the intent", 500, 600, true],
    ["takes one that was due as the intent came", 500, 500, true],
    ["leaves one that was due after the intent", 500, 499, false],
  ])("%s", async (_what, dueMs, appendedAtMs, isTaken) => {
    const { lane, asked, answer } = laneWith([timer(dueMs)]);
    answer(appendedAtMs, 10_000);
    expect(await lane.run()).toEqual({ kind: "stopped" });
    expect(asked).toHaveLength(1);
    expect(asked[0]?.includes("1".repeat(32))).toBe(isTaken);
  });

  test("leaves a timer for which a report may still come", async () => {
    const { lane, asked, answer } = laneWith([timer(500)]);
    answer(600, 599); // the fetch that found no report began less than the margin after the timer was due
    expect(await lane.run()).toEqual({ kind: "stopped" });
    expect(asked[0]).not.toContain("1".repeat(32));
  });
});
