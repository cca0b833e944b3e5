// The one place that writes ledger lines: a batch becomes a block, in one dbTransaction, or nothing of it does.
//
// Two flights to the database: begin, lock the lane row, read what the batch concerns; then write everything, head last,
// and COMMIT. What can go wrong between them, and what it means, is the table of `CommitResult`.

import { AssertionFailed } from "../domain/assert.ts";
import { concerned } from "../domain/concerned.ts";
import { Undecidable } from "../domain/decide/decide.ts";
import type { HaltCause } from "../domain/halts.ts";
import type { Head } from "../domain/head.ts";
import type { Rules } from "../domain/rules.ts";
import type { Seeking } from "../domain/seeking.ts";
import { reach } from "../failpoints.ts";
import { Unencodable } from "../kafka/codec.ts";
import { type BlockRows, beginBlock, readMore, type Situation, writeBlock } from "../store/blocks.ts";
import {
  type Connection,
  ConnectionLost,
  type ConnectionPool,
  DatabaseUnreachable,
  sqlState,
} from "../store/database.ts";
import { readAlso, seekNamed } from "../store/situation.ts";
import { rollback } from "../store/sql/begin.ts";
import { type Batch, type Block, type BlockMaker, type LaneMemory, makeBlock, NotRead } from "./block.ts";
import { ImpossibleMessage } from "./crossing.ts";

export type CommitResult =
  | { readonly kind: "committed"; readonly block: SentBlock }
  /** a newer owner has the lane; nothing of ours was written after it took over */
  | { readonly kind: "fenced" }
  /** nothing was written; the same batch may be tried again */
  | { readonly kind: "again"; readonly reason: string }
  /** the database refuses something in the data; nothing was written */
  | { readonly kind: "unusable"; readonly error: Error }
  /** the database did not say in time whether the block exists; whoever takes the lane next reads it from its row */
  | { readonly kind: "unanswered" }
  | { readonly kind: "halt"; readonly cause: HaltCause; readonly evidence: Record<string, unknown> };

export type PhaseClock = {
  readonly add: (phase: "intake" | "wait" | "read" | "decide" | "write", ms: number) => void;
};

export type Committer = {
  readonly pool: ConnectionPool;
  readonly maker: BlockMaker;
  readonly clock: PhaseClock;
  readonly clockSkewMaxMs: number;
  /** how long the outcome of a lost COMMIT is asked for before the lane is given back */
  readonly unknownMs: number;
  readonly unknownResolved: (how: "committed" | "absent" | "fenced" | "halt" | "unanswered") => void;
};

/** Commits a batch as the next block of a lane.
 *  @param prepare  makes the batch; called once a connection is there, because lanes that wait for one should wait with
 *                  bytes, not with ten times as many objects
 *  @throws AssertionFailed a bug: the process must stop */
export async function commitBlock(
  committer: Committer,
  lane: number,
  memory: LaneMemory,
  prepare: () => Batch,
): Promise<CommitResult> {
  const attempt: Attempt = { block: null, mayBeWritten: false };
  const asked = performance.now();
  try {
    return await committer.pool.lend(async (connection) => {
      committer.clock.add("wait", performance.now() - asked);
      try {
        return await attemptBlock(committer, connection, { lane, memory, prepare }, attempt);
      } catch (error) {
        await leave(connection);
        throw error;
      }
    });
  } catch (error) {
    return judge(committer, lane, memory, attempt, error);
  }
}

/** Ends the dbTransaction of a connection that others will use next; one that cannot be ended is cut. */
async function leave(connection: Connection): Promise<void> {
  if (!connection.broken) await connection.run(rollback, []).catch(() => connection.destroy());
}

/** What is kept of a block once it is on its way: not its inputs, cases and lines. Held until the answer comes, those of two
 *  blocks in three would be alive for nothing, and whatever is alive has to be copied by each collection. */
export type SentBlock = Omit<Block, "rows"> & {
  readonly rows: Pick<BlockRows, "after" | "timersArmed" | "quarantine">;
  readonly lines: number;
};

type Attempt = { block: SentBlock | null; mayBeWritten: boolean };
type Task = { readonly lane: number; readonly memory: LaneMemory; readonly prepare: () => Batch };
type TakenIn = { readonly lane: number; readonly memory: LaneMemory; readonly batch: Batch };

async function attemptBlock(
  committer: Committer,
  connection: Connection,
  task: Task,
  attempt: Attempt,
): Promise<CommitResult> {
  const sent = await sendBlock(committer, connection, task, attempt);
  if (!("answer" in sent)) {
    await connection.run(rollback, []);
    return sent;
  }
  const answered = await sent.answer;
  committer.clock.add("write", performance.now() - sent.atMs);
  // A COMMIT of a failed dbTransaction is answered, without any error, with ROLLBACK.
  if (answered !== "COMMIT") return { kind: "again", reason: `COMMIT was answered with ${answered}` };
  reach("block.answered");
  return { kind: "committed", block: attempt.block as SentBlock };
}

type Sent = { readonly answer: Promise<string>; readonly atMs: number };

/** Takes in, reads, decides, and sends what is to be written. A function of its own, and not awaited to the end: what it
 *  held is free while the database works.
 *  @returns the answer to come, or why there was nothing to send */
async function sendBlock(
  committer: Committer,
  connection: Connection,
  { lane, memory, prepare }: Task,
  attempt: Attempt,
): Promise<Sent | CommitResult> {
  let at = performance.now();
  const lap = (phase: "intake" | "read" | "decide"): void => {
    const now = performance.now();
    committer.clock.add(phase, now - at);
    at = now;
  };
  const taken = { lane, memory, batch: prepare() };
  lap("intake");
  reach("block.taken_in");
  const situation = await readSituation(committer.maker.rules, connection, taken);
  reach("block.read");
  lap("read");
  const misplaced =
    compareHead(memory.head, situation) ?? compareClocks(committer, taken.batch, situation as Situation);
  if (misplaced !== null) return misplaced;
  const { rows, ...block } = await decide(committer.maker, connection, taken, situation as Read);
  const { after, timersArmed, quarantine } = rows;
  attempt.block = { ...block, rows: { after, timersArmed, quarantine }, lines: rows.lines.length };
  reach("block.decided");
  lap("decide");
  attempt.mayBeWritten = true; // from here on, a lost connection leaves the outcome unknown
  return { answer: writeBlock(connection, rows), atMs: at };
}

/** What was read, and what it was sought by. */
type Read = Situation & { readonly sought: Seeking };

/** How often a block may turn out to need more than was read. Each time leads one step further along what names what: a
 *  case, its parent or quote, their accounts. */
const READS_MAX = 8;

async function decide(
  maker: BlockMaker,
  connection: Connection,
  { lane, memory, batch }: TakenIn,
  first: Read,
): Promise<Block> {
  let situation = first;
  for (let reads = 1; ; reads++) {
    try {
      return makeBlock(maker, lane, memory, batch, situation);
    } catch (error) {
      if (!(error instanceof NotRead) || reads === READS_MAX) throw error;
      situation.sought.addMissing(error.missing);
      situation = await readFurther(connection, lane, situation);
    }
  }
}

async function readSituation(
  rules: Rules,
  connection: Connection,
  { lane, memory, batch }: TakenIn,
): Promise<Read | null> {
  const sought = concerned(rules, lane, batch);
  // What was taken before is dropped, whatever became of the outbox meanwhile.
  const messages = batch.messages.filter(
    ({ fromLane, sequence }) => sequence > (memory.pairs.seen.get(fromLane) ?? -1n),
  );
  const begun = await beginBlock(connection, lane, sought.next(), messages);
  if (begun === null) return null;
  seekNamed(sought, rules, batch, begun.cases);
  return readFurther(connection, lane, { ...begun, sought });
}

/** Reads what was not asked for yet. */
async function readFurther(connection: Connection, lane: number, situation: Read): Promise<Read> {
  const further = situation.sought.next();
  if (further.caseIds.length + further.paths.length === 0) return situation;
  return readAlso(situation, await readMore(connection, lane, further));
}

function compareHead(head: Head, situation: Situation | null): CommitResult | null {
  if (situation === null) return { kind: "halt", cause: "lane_missing", evidence: {} };
  const { epoch, block, digest } = situation.lane;
  if (epoch !== head.epoch) return { kind: "fenced" };
  if (block === head.block && digest.equals(head.digest)) return null;
  const evidence = {
    expectedBlock: head.block,
    foundBlock: block,
    expectedDigest: hex(head.digest),
    foundDigest: hex(digest),
  };
  return { kind: "halt", cause: "head_moved_by_another", evidence };
}

/** An append time ahead of the database's clock: one of the two is wrong, and timers go by both. */
function compareClocks(committer: Committer, { nowMs }: Batch, { lane }: Situation): CommitResult | null {
  if (nowMs === null || nowMs - lane.clockMs <= committer.clockSkewMaxMs) return null;
  const evidence = {
    appendedAt: new Date(nowMs),
    databaseClock: new Date(lane.clockMs),
    aheadMs: nowMs - lane.clockMs,
  };
  return { kind: "halt", cause: "clocks_apart", evidence };
}

const hex = (bytes: Buffer): string => bytes.toString("hex");

// Faults ------------------------------------------------------------------------------------------------------------------

const TRY_AGAIN = new Set(["40001", "40P01", "55P03", "57014"]); // serialization, deadlock, lock and statement timeout

async function judge(
  committer: Committer,
  lane: number,
  memory: LaneMemory,
  attempt: Attempt,
  error: unknown,
): Promise<CommitResult> {
  if (error instanceof AssertionFailed) throw error;
  if (error instanceof Undecidable)
    return { kind: "halt", cause: "input_undecidable", evidence: { reason: error.message } };
  if (error instanceof ImpossibleMessage) return { kind: "halt", cause: error.haltCause, evidence: error.evidence };
  if (error instanceof DatabaseUnreachable) return { kind: "again", reason: error.message };
  if (error instanceof ConnectionLost) {
    if (!attempt.mayBeWritten) return { kind: "again", reason: error.message };
    return resolveUnknown(committer, lane, memory, attempt.block as SentBlock);
  }
  // Something in an intent that the outcome's schema cannot carry: found and put aside like what the database refuses.
  if (error instanceof Unencodable) return { kind: "unusable", error };
  const state = sqlState(error);
  if (state === null) throw error;
  if (TRY_AGAIN.has(state)) return { kind: "again", reason: `SQLSTATE ${state}` };
  if (state === "MR001") return { kind: "fenced" };
  if (state === "MR002") throw new AssertionFailed((error as Error).message);
  if (state.startsWith("22") || state.startsWith("54")) return { kind: "unusable", error: error as Error };
  if (state.startsWith("53")) return { kind: "again", reason: `SQLSTATE ${state}: ${(error as Error).message}` };
  return { kind: "halt", cause: "commit_refused", evidence: { sqlState: state, message: (error as Error).message } };
}

/** The connection broke while the block may have been written: the lane row tells. Most such COMMITs have happened.
 *  Locking the row waits for the lost session to end, so what is read then is final. */
async function resolveUnknown(
  committer: Committer,
  lane: number,
  memory: LaneMemory,
  block: SentBlock,
): Promise<CommitResult> {
  const until = performance.now() + committer.unknownMs;
  for (let pauseMs = 20; performance.now() < until; pauseMs = Math.min(pauseMs * 2, 500)) {
    try {
      const result = await committer.pool.lend((connection) => askLane(connection, lane, memory.head, block));
      committer.unknownResolved(result.kind === "again" ? "absent" : (result.kind as "committed" | "fenced" | "halt"));
      return result;
    } catch (error) {
      if (error instanceof AssertionFailed) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
  committer.unknownResolved("unanswered");
  return { kind: "unanswered" };
}

async function askLane(connection: Connection, lane: number, before: Head, block: SentBlock): Promise<CommitResult> {
  const situation = await beginBlock(connection, lane, { caseIds: [], paths: [] }).finally(() => leave(connection));
  if (situation === null) return { kind: "halt", cause: "lane_missing", evidence: {} };
  reach("unknown.asked");
  const { epoch, block: number, digest } = situation.lane;
  const { after } = block.rows;
  if (epoch !== before.epoch) return { kind: "fenced" }; // the new owner reads what we left, whichever it is
  if (number === after.block && digest.equals(after.digest)) return { kind: "committed", block };
  if (number === before.block && digest.equals(before.digest))
    return { kind: "again", reason: "the lost COMMIT did not happen" };
  const evidence = {
    foundBlock: number,
    foundDigest: hex(digest),
    ourBlock: after.block,
    ourDigest: hex(after.digest),
  };
  return { kind: "halt", cause: "head_moved_by_another", evidence };
}
