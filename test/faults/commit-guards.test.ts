// Each guard of a block's commit by itself: what stops a block in each interleaving of two owners, two histories, and a
// connection that is lost. scripts/guards.mjs takes the guards out one by one and sees these tests fail.

import { expect, onTestFinished, test } from "vitest";
import { NO_RATES } from "../../src/domain/fx/rates.ts";
import type { Head } from "../../src/domain/head.ts";
import { NO_PARAMETERS } from "../../src/domain/parameters/parameters.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { type Batch, type Block, type LaneMemory, makeBlock } from "../../src/processor/block.ts";
import { type CommitResult, type Committer, commitBlock } from "../../src/processor/commit.ts";
import { NO_PAIRS } from "../../src/processor/crossing.ts";
import { beginBlock, writeBlock } from "../../src/store/blocks.ts";
import { type Connection, ConnectionPool, connect, type DatabaseSettings, sqlState } from "../../src/store/database.ts";
import { haltForAudit, raiseEpoch, recordHalt, takeLeases } from "../../src/store/lanes.ts";
import { migrateDatabase } from "../../src/store/migrate.ts";
import { createPartitionsAhead, setUpLanes } from "../../src/store/setup.ts";
import { begin } from "../../src/store/sql/begin.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { available, Producing } from "../support/intents.ts";
import { inputOf, RULES } from "../support/ledger.ts";
import { openDatabaseProxy } from "../support/proxy-database.ts";
import { freshDatabase } from "../support/stack.ts";
import { codecWith, MemoryRegistry } from "../unit/codec-fixtures.ts";

const LANE = 0;
const TTL_MS = 60_000;
const producing = new Producing();
const codec = codecWith(new MemoryRegistry());

type Database = {
  readonly url: string;
  readonly owner: Connection;
  readonly settings: (url?: string) => DatabaseSettings;
};

/** A database that is set up, and a session of its owner. */
async function openDatabase(): Promise<Database> {
  const url = await freshDatabase();
  const settings = (from = url): DatabaseSettings => ({
    url: from,
    role: "millrace_service",
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 5_000,
    lockTimeoutMs: 1_000,
    applicationName: "guards",
  });
  await migrateDatabase(url, `${SHIPPED_SCHEMAS}/database`);
  const owner = await connect({ ...settings(), role: null }, "tool");
  onTestFinished(() => owner.close());
  await setUpLanes(owner, RULES.lanes);
  await createPartitionsAhead(owner, 2);
  return { url, owner, settings };
}

async function openSession(database: Database): Promise<Connection> {
  const session = await connect(database.settings(), "service");
  onTestFinished(() => session.close());
  return session;
}

/** Takes the lane as this process, as `Processor` does: lease, then epoch. */
async function takeLane(database: Database, process: bigint): Promise<LaneMemory> {
  await database.owner.plain("update lease set owner = null");
  await takeLeases(database.owner, process, TTL_MS, [LANE]);
  const head = await raiseEpoch(database.owner, process, LANE);
  if (typeof head === "string") throw new Error(`the lane is ${head}`);
  return { head, house: new Map(), pairs: NO_PAIRS };
}

type Owner = Committer & { readonly resolved: string[] };

function openPool(database: Database, url = database.url, size = 1): ConnectionPool {
  const pool = new ConnectionPool(database.settings(url), size);
  onTestFinished(() => pool.close());
  return pool;
}

function ownerOn(pool: ConnectionPool, process = 1n): Owner {
  const resolved: string[] = [];
  return {
    pool,
    resolved,
    maker: {
      rules: RULES,
      rates: () => NO_RATES,
      parameters: () => NO_PARAMETERS,
      codec,
      intentsTopic: "intents",
      process,
    },
    clock: { add: () => undefined },
    clockSkewMaxMs: 60_000,
    unknownMs: 1_500,
    unknownResolved: (how) => resolved.push(how),
  };
}

function batchOf({ intents }: Head, messages: readonly NewIntent[]): Batch {
  const now = Date.now();
  const inputs = messages.map((message, index) => inputOf(message, intents.next + BigInt(index), now));
  const next = intents.next + BigInt(inputs.length);
  const last = { offset: next - 1n, appendedAtMs: now, key: Buffer.from("k"), value: Buffer.from("v") };
  return {
    timers: [],
    reports: [],
    reportsLast: null,
    messages: [],
    reportsNext: 0n,
    intents: inputs,
    intentsNext: next,
    intentsLast: last,
    nowMs: now,
    accepted: null,
  };
}

const payIn = (minor: number): NewIntent[] => [producing.payIn("ann", minor)];

function commit(owner: Owner, memory: LaneMemory, messages: readonly NewIntent[]): Promise<CommitResult> {
  return commitBlock(owner, LANE, memory, () => batchOf(memory.head, messages));
}

async function committed(owner: Owner, memory: LaneMemory, messages: readonly NewIntent[]): Promise<LaneMemory> {
  const result = await commit(owner, memory, messages);
  if (result.kind !== "committed") throw new Error(`not committed: ${JSON.stringify(result)}`);
  const house = new Map(result.block.newHouse.map(({ path, currency, id }) => [`${path} ${currency}`, id]));
  return { head: result.block.rows.after, house: new Map([...memory.house, ...house]), pairs: result.block.pairs };
}

/** What the lane holds: `block/process` of its blocks, and how many rows there are beside them. */
async function contents({
  owner,
}: Database): Promise<{ blocks: string[]; lines: number; cases: number; outbox: number }> {
  const { rows } = await owner.plain(`select
    (select coalesce(array_agg(block || '/' || process order by block), '{}') from block) as blocks,
    (select count(*)::int from line) as lines, (select count(*)::int from case_state) as cases,
    (select count(*)::int from outbox) as outbox`);
  return rows[0] as Awaited<ReturnType<typeof contents>>;
}

// Fence and head --------------------------------------------------------------------------------------------------------

test("the block of an owner whose successor has written is fenced", async () => {
  const database = await openDatabase();
  const [old, heir] = [ownerOn(openPool(database), 1n), ownerOn(openPool(database), 2n)];
  const before = await takeLane(database, 1n);
  await committed(heir, await takeLane(database, 2n), payIn(100));
  expect(await commit(old, before, payIn(200))).toEqual({ kind: "fenced" });
  expect(await contents(database)).toEqual({ blocks: ["1/2"], lines: 1, cases: 1, outbox: 1 });
});

test("the block of an owner whose successor has not written yet is fenced", async () => {
  const database = await openDatabase();
  const before = await takeLane(database, 1n);
  await takeLane(database, 2n);
  expect(await commit(ownerOn(openPool(database)), before, payIn(200))).toEqual({ kind: "fenced" });
  expect(await contents(database)).toEqual({ blocks: [], lines: 0, cases: 0, outbox: 0 });
});

test("a head that something else has moved under our epoch halts the lane", async () => {
  const database = await openDatabase();
  const before = await takeLane(database, 1n);
  await committed(ownerOn(openPool(database), 7n), before, payIn(100));
  const result = await commit(ownerOn(openPool(database)), before, payIn(200));
  expect(result).toMatchObject({
    kind: "halt",
    cause: "head_moved_by_another",
    evidence: { expectedBlock: 0n, foundBlock: 1n },
  });
  expect((await contents(database)).blocks).toEqual(["1/7"]);
});

/** A block that was decided on what its session read, about to be written on a session that holds no lock. */
async function decided(database: Database, memory: LaneMemory): Promise<{ session: Connection; block: Block }> {
  const session = await openSession(database);
  const paths = [available("ann")];
  const situation = await beginBlock(session, LANE, { caseIds: [], paths });
  if (situation === null) throw new Error("the lane has no row");
  await session.plain("rollback");
  const block = makeBlock(ownerOn(openPool(database)).maker, LANE, memory, batchOf(memory.head, payIn(300)), situation);
  await session.run(begin, []);
  return { session, block };
}

// The lock on the lane's row makes these impossible, as far as it is held; the move of the head does not lean on it.
test.each<[string, string]>([
  ["the epoch was raised", "update lane set epoch = epoch + 1"],
  ["the head has moved on", "update lane set block = block + 1"],
  ["the head has another digest", "update lane set digest = decode(repeat('ab', 32), 'hex')"],
])("a block cannot be written when %s, and COMMIT keeps none of its rows", async (_what, change) => {
  const database = await openDatabase();
  const owner = ownerOn(openPool(database));
  const memory = await committed(owner, await takeLane(database, 1n), payIn(100));
  const { session, block } = await decided(database, memory);
  const before = await contents(database);
  await database.owner.plain(change);
  const error = await writeBlock(session, block.rows).catch((thrown: unknown) => thrown);
  expect(await contents(database)).toEqual(before);
  expect(sqlState(error)).toBe("MR001");
});

test("a block that changes another number of rows than it read is not written, and is a bug", async () => {
  const database = await openDatabase();
  const owner = ownerOn(openPool(database));
  const memory = await committed(owner, await takeLane(database, 1n), payIn(100));
  const { session, block } = await decided(database, memory);
  const before = await contents(database);
  await database.owner.plain("delete from balance where account > 0");
  const error = await writeBlock(session, block.rows).catch((thrown: unknown) => thrown);
  expect(await contents(database)).toEqual(before);
  expect(sqlState(error)).toBe("MR002");
});

// Unknown ---------------------------------------------------------------------------------------------------------------

type Lost = { readonly owner: Owner; readonly lose: (what: "question" | "answer") => void };

/** An owner whose first connection goes by a proxy that can lose a COMMIT; `between` happens before the row is asked. */
async function losing(database: Database, between: () => Promise<unknown> = async () => undefined): Promise<Lost> {
  const proxy = await openDatabaseProxy(database.url);
  const [first, later] = [openPool(database, proxy.url), openPool(database)];
  let lent = 0;
  const pool = {
    lend: async <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
      lent += 1;
      if (lent === 1) return first.lend(work);
      if (lent === 2) await between();
      return later.lend(work);
    },
  };
  return {
    owner: ownerOn(pool as unknown as ConnectionPool),
    lose: (what) => void proxy.failNextCommit({ lose: what, how: "close" }),
  };
}

test("a COMMIT that happened and lost its answer is committed", async () => {
  const database = await openDatabase();
  const memory = await takeLane(database, 1n);
  const { owner, lose } = await losing(database);
  lose("answer");
  expect(await commit(owner, memory, payIn(100))).toMatchObject({ kind: "committed" });
  expect(owner.resolved).toEqual(["committed"]);
  expect(await contents(database)).toEqual({ blocks: ["1/1"], lines: 1, cases: 1, outbox: 1 });
});

test("a COMMIT that was lost on its way is tried again", async () => {
  const database = await openDatabase();
  const memory = await takeLane(database, 1n);
  const { owner, lose } = await losing(database);
  lose("question");
  expect(await commit(owner, memory, payIn(100))).toMatchObject({ kind: "again" });
  expect(owner.resolved).toEqual(["absent"]);
  expect((await contents(database)).blocks).toEqual([]);
  await committed(owner, memory, payIn(100));
});

test("a block of the same number that is not ours halts the lane, and is not taken for ours", async () => {
  const database = await openDatabase();
  const memory = await takeLane(database, 1n);
  const other = ownerOn(openPool(database), 7n);
  const { owner, lose } = await losing(database, () => committed(other, memory, payIn(999)));
  lose("question");
  expect(await commit(owner, memory, payIn(100))).toMatchObject({ kind: "halt", cause: "head_moved_by_another" });
  expect(owner.resolved).toEqual(["halt"]);
});

test("a predecessor of the same number that is not ours halts the lane, and nothing is built on it", async () => {
  const database = await openDatabase();
  const memory = await takeLane(database, 1n);
  const change = "update lane set digest = decode(repeat('ab', 32), 'hex')";
  const { owner, lose } = await losing(database, () => database.owner.plain(change));
  lose("question");
  expect(await commit(owner, memory, payIn(100))).toMatchObject({ kind: "halt", cause: "head_moved_by_another" });
});

test("a lost COMMIT is the next owner's when there is one", async () => {
  const database = await openDatabase();
  const memory = await takeLane(database, 1n);
  const { owner, lose } = await losing(database, () => takeLane(database, 2n));
  lose("answer");
  expect(await commit(owner, memory, payIn(100))).toEqual({ kind: "fenced" });
  expect((await contents(database)).blocks).toEqual(["1/1"]);
});

test("a lost COMMIT that nobody answers for leaves the lane, and no connection inside a dbTransaction", async () => {
  const database = await openDatabase();
  const memory = await takeLane(database, 1n);
  // As long as a COMMIT waits for its standby, say, the lane's row stays locked.
  const hold = "begin; select from lane for update";
  const { owner, lose } = await losing(database, () => database.owner.plain(hold));
  lose("question");
  expect(await commit(owner, memory, payIn(100))).toEqual({ kind: "unanswered" });
  expect(owner.resolved).toEqual(["unanswered"]);
  await database.owner.plain("rollback");
  await committed(owner, memory, payIn(100));
});

// Taking and halting ----------------------------------------------------------------------------------------------------

test("a lane whose row is in use is taken later, and one whose lease is another's is not", async () => {
  const database = await openDatabase();
  await takeLane(database, 1n);
  const session = await openSession(database);
  expect(await raiseEpoch(session, 2n, LANE)).toBe("lost");
  const busy = await openSession(database);
  await beginBlock(busy, LANE, { caseIds: [], paths: [] });
  expect(await raiseEpoch(session, 1n, LANE)).toBe("busy");
  await busy.plain("rollback");
  expect(await raiseEpoch(session, 1n, LANE)).toMatchObject({ epoch: 2n });
});

test("only the lane's owner halts it", async () => {
  const database = await openDatabase();
  const { head: old } = await takeLane(database, 1n);
  const { head } = await takeLane(database, 2n);
  const session = await openSession(database);
  const halt = { cause: "inputs_expired", evidence: { offset: 7n } };
  expect(await recordHalt(session, LANE, { epoch: old.epoch, ...halt })).toBe(false);
  expect((await session.plain("select lane from halt")).rows).toEqual([]);
  expect(await recordHalt(session, LANE, { epoch: head.epoch, ...halt })).toBe(true);
  expect((await session.plain("select lane, cause from halt")).rows).toEqual([{ lane: LANE, cause: "inputs_expired" }]);
});

// The auditor does not own the lane that it halts: it may come between the look that found the lane free and the take.
test("a lane that the auditor has halted since it was seen free is not taken", async () => {
  const database = await openDatabase();
  const session = await openSession(database);
  await takeLeases(session, 1n, TTL_MS, [LANE]);
  expect(await haltForAudit(session, LANE, { invariant: "lines_in_blocks", place: "block 1" })).toBe(true);
  expect(await raiseEpoch(session, 1n, LANE)).toBe("lost");
  await session.plain("update halt set resumed_at = now(), resumed_reason = 'looked at'");
  expect(await raiseEpoch(session, 1n, LANE)).toMatchObject({ epoch: 2n });
});
