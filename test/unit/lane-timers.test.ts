// Which timers a lane hands to its next block, and when it looks into the table at all.
import { describe, expect, test } from "vitest";
import type { TimerKey } from "../../src/domain/books.ts";
import type { TimerPosition } from "../../src/domain/head.ts";
import { LaneTimers } from "../../src/processor/timers.ts";
import type { ConnectionPool } from "../../src/store/database.ts";

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
