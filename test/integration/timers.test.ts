// Timers of cases on the real stack: each fires once, at its time and not before, whatever happens to the service.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { auditService, problemsOf } from "../support/audit.ts";
import { replaceOnce, SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { available, Producing } from "../support/intents.ts";
import { startTestService, type TestOutcome, type TestService } from "../support/service.ts";
import { waitFor } from "../support/wait.ts";

const LANES = 2;
const EXPIRY_MS = 2_000;
const MARGIN_MS = 1_000;
const make = new Producing();
const HOLDERS = ["ann", "bob", "cyd", "dan", "eve", "fay"];
/** Holders of the two lanes. */
const [HERE, THERE] = [0, 1].map((lane) => HOLDERS.find((holder) => homeLane(holder, LANES) === lane)) as [
  string,
  string,
];

const flowsDir = mkdtempSync(join(tmpdir(), "millrace-flows-"));
let system: TestService;

beforeAll(() => {
  cpSync(join(SHIPPED_SCHEMAS, "flows"), flowsDir, { recursive: true });
  const hold = readFileSync(join(TEST_FLOWS, "hold.flow.yaml"), "utf8");
  writeFileSync(join(flowsDir, "hold.flow.yaml"), replaceOnce(hold, "PT15M", `PT${EXPIRY_MS / 1000}S`));
});
afterAll(() => rmSync(flowsDir, { recursive: true, force: true }));

beforeEach(async () => {
  system = await startTestService({
    prefix: "timers",
    lanes: LANES,
    config: {
      flowsDir,
      timerMarginMs: MARGIN_MS,
      clockSkewMaxMs: MARGIN_MS,
      timersPerBlockMax: 5,
      lockTimeoutMs: 300,
    },
  });
});
/** Every test leaves a ledger that the auditor finds nothing wrong with, and no lane halted. */
afterEach(async () => {
  try {
    expect(await system.query("select * from halt")).toEqual([]);
    expect(problemsOf(await auditService(system, { depth: "deep", waitMs: 10_000 }))).toEqual({});
  } finally {
    await system.stop();
  }
});

/** Pays money in and sets some aside; resolves when it is held.
 *  @returns the case and when its timer is due */
async function place(holder: string, minor = 400, funds = minor): Promise<{ hold: string; dueMs: number }> {
  const intent = make.holdPlace(holder, minor);
  await system.publish([make.payIn(holder, funds), intent]);
  const held = await outcomeOf((one) => one.caseId === intent.caseId && one.type === "hold.placed");
  return { hold: intent.caseId as string, dueMs: Number(held.recordedAt / 1000n) + EXPIRY_MS };
}

async function outcomeOf(isIt: (outcome: TestOutcome) => boolean): Promise<TestOutcome> {
  const read = await system.readOutcomes({ until: (all) => all.some(isIt) });
  return read.find(isIt) as TestOutcome;
}

/** Types of a case's outcomes, once an intent sent just now to every lane has been answered. */
async function storyOf(hold: string): Promise<string[]> {
  await settle(HERE);
  await settle(THERE);
  const read = await system.readOutcomes({ until: 0 });
  return read.filter((one) => one.caseId === hold).map(({ type }) => type);
}

async function settle(holder: string): Promise<void> {
  const intent = make.payIn(holder, 1);
  await system.publish([intent]);
  await outcomeOf((one) => one.caseId === intent.caseId);
}

async function pastDue(dueMs: number): Promise<void> {
  await sleep(Math.max(0, dueMs + MARGIN_MS + 700 - Date.now()));
}

async function timersLeft(): Promise<number> {
  return (await system.query("select from timer")).length;
}

async function balanceOf(path: string): Promise<string> {
  const [row] = await system.query("select credits - debits as balance from balance where path = $1", [path]);
  return String(row?.["balance"]);
}

describe("a timer", () => {
  test("fires exactly once, not before it is due, and the money goes back", async () => {
    const { hold, dueMs } = await place(HERE);
    expect(await timersLeft()).toBe(1);
    const expired = await outcomeOf((one) => one.type === "hold.expired");
    expect(Date.now()).toBeGreaterThan(dueMs);
    expect(expired).toMatchObject({ caseId: hold, intentType: null, status: "expired", lines: 1 });
    expect(expired.occurredAt).toBe(BigInt(dueMs) * 1000n);
    expect(expired.recordedAt >= expired.occurredAt).toBe(true);
    await sleep(1_500);
    expect(await storyOf(hold)).toEqual(["hold.placed", "hold.expired"]);
    expect([await timersLeft(), await balanceOf(`liability:customer:${HERE}:hold`)]).toEqual([0, "0"]);
    const fired = await system.query("select sum(timers)::int as fired from block");
    expect(fired).toEqual([{ fired: 1 }]);
  });

  test("is cancelled by a capture before it is due", async () => {
    const { hold, dueMs } = await place(HERE);
    await system.publish([make.holdCapture(HERE, hold)]);
    await outcomeOf((one) => one.type === "hold.captured");
    expect(await timersLeft()).toBe(0);
    await pastDue(dueMs);
    expect(await storyOf(hold)).toEqual(["hold.placed", "hold.captured"]);
  });

  test("fires while its lane is busy", async () => {
    const { hold, dueMs } = await place(HERE);
    let isOver = false;
    const busy = (async () => {
      for (; !isOver; await sleep(20)) await system.publish([make.payIn(HERE, 1)]);
    })();
    const expired = await outcomeOf((one) => one.type === "hold.expired").finally(() => {
      isOver = true;
    });
    await busy;
    expect(Number(expired.recordedAt / 1000n) - dueMs).toBeLessThan(MARGIN_MS + 1_500);
    expect(await storyOf(hold)).toEqual(["hold.placed", "hold.expired"]);
  });

  test("among many that are due at once fires once each, some in each block", async () => {
    const intents = Array.from({ length: 12 }, () => make.holdPlace(HERE, 10));
    await system.publish([make.payIn(HERE, 1000), ...intents]);
    const isExpired = ({ type }: TestOutcome): boolean => type === "hold.expired";
    const read = await system.readOutcomes({ until: (all) => all.filter(isExpired).length >= 12 });
    const cases = read.filter(isExpired).map(({ caseId }) => caseId);
    expect(new Set(cases)).toEqual(new Set(intents.map(({ caseId }) => caseId)));
    const blocks = await system.query("select timers from block where timers > 0 order by block");
    expect(blocks.map(({ timers }) => timers)).toEqual([5, 5, 2]);
  });

  test.each(["freeze", "close"])("on an account after its %s does not halt the lane", async (change) => {
    const { hold } = await place(HERE);
    await system.publish([make.accountUpdate(HERE, change)]);
    await outcomeOf((one) => one.type === "account.updated");
    await outcomeOf((one) => one.type === "hold.expired");
    expect(await balanceOf(available(HERE))).toBe("400");
    expect(await storyOf(hold)).toEqual(["hold.placed", "hold.expired"]);
  });
});

describe("when the service is away", () => {
  async function stopAll(): Promise<void> {
    await Promise.all(system.instances.map((instance) => instance.stop()));
  }

  test("a timer is not forgotten: the next instance fires it", async () => {
    const { hold } = await place(HERE);
    await stopAll();
    await system.start("second");
    await outcomeOf((one) => one.type === "hold.expired");
    expect(await storyOf(hold)).toEqual(["hold.placed", "hold.expired"]);
  });

  test("a timer does not overtake an input that was in time, however late it is taken", async () => {
    const { hold, dueMs } = await place(HERE);
    await stopAll();
    await system.publish([make.holdCapture(HERE, hold)]);
    expect(Date.now()).toBeLessThan(dueMs);
    await pastDue(dueMs);
    await system.start("second");
    await outcomeOf((one) => one.type === "hold.captured");
    await pastDue(0);
    expect(await storyOf(hold)).toEqual(["hold.placed", "hold.captured"]);
  });

  test("for a moment around the due time, an input that was in time still wins", async () => {
    const { hold, dueMs } = await place(HERE);
    await stopAll();
    await sleep(Math.max(0, dueMs - 300 - Date.now()));
    await system.publish([make.holdCapture(HERE, hold)]);
    expect(Date.now()).toBeLessThan(dueMs);
    await sleep(Math.max(0, dueMs + 50 - Date.now()));
    await system.start("second");
    await outcomeOf((one) => one.type === "hold.captured");
    await pastDue(dueMs);
    expect(await storyOf(hold)).toEqual(["hold.placed", "hold.captured"]);
  });

  test("two instances that hand the lanes over fire each timer once", async () => {
    const holds = [await place(HERE), await place(THERE)];
    await system.start("second");
    await sleep(500);
    await system.instances[0]?.stop();
    for (const { hold } of holds) await outcomeOf((one) => one.caseId === hold && one.type === "hold.expired");
    await sleep(1_000);
    for (const { hold } of holds) expect(await storyOf(hold)).toEqual(["hold.placed", "hold.expired"]);
  });
});

describe("when the block with a due timer cannot be written", () => {
  /** Holds the lane's row from now on; the answer lets go of it. */
  async function lockLane(lane: number): Promise<() => Promise<void>> {
    const client = new pg.Client({ connectionString: system.addresses.databaseUrl });
    await client.connect();
    await client.query("begin");
    await client.query("select from millrace.lane where lane = $1 for update", [lane]);
    return async () => {
      await client.query("rollback");
      await client.end();
    };
  }

  function triedAgain(): number {
    const lines = system.instances.flatMap(({ log }) => log);
    return lines.filter(({ message }) => message === "block not written; trying again").length;
  }

  test("at first, the timer is in the block that is written in the end", async () => {
    const { hold, dueMs } = await place(HERE);
    const unlock = await lockLane(homeLane(HERE, LANES));
    await pastDue(dueMs);
    await waitFor("the block to be tried again", () => triedAgain() >= 2);
    await unlock();
    await outcomeOf((one) => one.type === "hold.expired");
    expect(await storyOf(hold)).toEqual(["hold.placed", "hold.expired"]);
  });

  test("because of an intent, that is put aside, and the timer and all others go on", async () => {
    await system.query(`create function refuse_poison() returns trigger language plpgsql as $$
      begin
        if new.kind = 'poison' then raise exception 'a value that the database refuses' using errcode = '22000'; end if;
        return new;
      end $$`);
    await system.query(
      "create trigger poison before insert on case_state for each row execute function refuse_poison()",
    );
    const { hold, dueMs } = await place(HERE);
    const unlock = await lockLane(homeLane(HERE, LANES));
    const good = [make.payIn(HERE, 7), make.payIn(HERE, 8)];
    const poison = make.payIn(HERE, 9, { caseId: make.caseId("poison") });
    await pastDue(dueMs);
    await waitFor("the timer's block to be tried again", () => triedAgain() >= 1);
    await system.publish([poison, ...good]);
    await sleep(300);
    await unlock();
    await outcomeOf((one) => one.type === "hold.expired");
    for (const { caseId } of good) {
      expect((await outcomeOf((one) => one.caseId === caseId)).type).toBe("transfer.completed");
    }
    const aside = await system.query("select reason, detail from quarantine");
    expect(aside).toEqual([
      { reason: "invalid_field", detail: "the database refuses it: a value that the database refuses" },
    ]);
    expect(await storyOf(hold)).toEqual(["hold.placed", "hold.expired"]);
  });
});
