// floor: what Postgres alone takes in, with the service's own statements, on blocks that were decided beforehand. No
// Kafka, no deciding: the rest of the way can only be slower than this.

import { type CompiledFlow, compileFlow } from "../../domain/flow/compile/compile.ts";
import { makeRules, type Rules } from "../../domain/rules.ts";
import { beginBlock, writeBlock } from "../../store/blocks.ts";
import { type Connection, connect } from "../../store/database.ts";
import { readLaneHead } from "../../store/lanes.ts";
import { NOMINAL_RATE, Transfers } from "../generate/generate.ts";
import type { Outbound } from "../load/pump.ts";
import { assertWanted, BenchFailed, type Benchmark, type BenchSite, rounded } from "./bench.ts";
import { cpuBetween, cpuSeconds } from "./cpu.ts";
import { LaneBlocks, type PreparedBlock } from "./floor-blocks.ts";

const COUNT = 100_000;
const HOLDERS = 50_000;
const SEED = 1;
const CASE_WINDOW_MS = 400 * 86_400_000;
const CASE_FUTURE_MS = 86_400_000;

/** Accounts are opened before; every block measured holds as many transfers as a block of the service may. */
export const floor: Benchmark = async (site, { count: wished }) => {
  const count = wished ?? COUNT;
  const holders = Math.min(HOLDERS, count);
  const { blockRowsMax, blockConnections } = site.service;
  const connections = await Promise.all(
    Array.from({ length: blockConnections }, () => connect(site.database, "service")),
  );
  try {
    site.note(`floor: preparing ${holders} accounts and ${count} transfers`);
    const { openings, transfers } = await prepare(site, connections[0] as Connection, holders, count);
    await writeAll(connections, openings);
    assertWanted(site);
    const pids = { ...site.stackPids, node: process.pid };
    const before = cpuSeconds(pids);
    const startedMs = performance.now();
    await writeAll(connections, transfers);
    const seconds = (performance.now() - startedMs) / 1000;
    return {
      count,
      seconds: rounded(seconds),
      perSecond: Math.round(count / seconds),
      settings: { holders, lanes: site.lanes, blockRowsMax, blockConnections },
      cpu: cpuBetween(before, cpuSeconds(pids)),
    };
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
};

/** By lane, in order. */
type LanesBlocks = readonly (readonly PreparedBlock[])[];

async function prepare(site: BenchSite, connection: Connection, holders: number, count: number) {
  const plan = { count: holders + count, seed: SEED, holders, zipf: 0, runAtMs: Date.now(), rate: NOMINAL_RATE };
  const source = new Transfers(plan, { encoder: site.codec.encoders.intent, lanes: site.lanes });
  const outbound: Outbound[] = [];
  for (let chunk = await source.next(); chunk !== null; chunk = await source.next()) outbound.push(...chunk);
  const rules = rulesOf(site);
  const openings: PreparedBlock[][] = [];
  const transfers: PreparedBlock[][] = [];
  for (let lane = 0; lane < site.lanes; lane++) {
    const head = await readLaneHead(connection, lane);
    if (head === null) throw new BenchFailed(`lane ${lane} has no row`);
    const blocks = new LaneBlocks({ rules, codec: site.codec }, lane, head);
    const cut = (from: number, until: number): PreparedBlock[] => {
      const own = outbound.slice(from, until).filter(({ partition }) => partition === lane);
      return chunks(own, site.service.blockRowsMax).map((chunk) => blocks.next(chunk));
    };
    openings.push(cut(0, holders));
    transfers.push(cut(holders, holders + count));
  }
  return { openings, transfers };
}

function chunks<Item>(items: readonly Item[], size: number): Item[][] {
  const made: Item[][] = [];
  for (let at = 0; at < items.length; at += size) made.push(items.slice(at, at + size));
  return made;
}

function rulesOf({ declared, lanes }: BenchSite): Rules {
  const flows: CompiledFlow[] = declared.flows.map((flow, index) => compileFlow(flow, index + 1));
  const { chart, currencies } = declared;
  return makeRules({
    chart,
    currencies,
    flows,
    retired: [],
    lanes,
    caseWindowMs: CASE_WINDOW_MS,
    caseFutureMs: CASE_FUTURE_MS,
  });
}

/** Every connection takes the next lane that nobody writes, as the service's do. */
async function writeAll(connections: readonly Connection[], lanes: LanesBlocks): Promise<void> {
  const waiting = lanes.map((blocks) => [...blocks]).filter((blocks) => blocks.length > 0);
  await Promise.all(connections.map((connection) => writeWaiting(connection, waiting)));
}

async function writeWaiting(connection: Connection, waiting: PreparedBlock[][]): Promise<void> {
  for (let blocks = waiting.shift(); blocks !== undefined; blocks = waiting.shift()) {
    const { concerned, rows } = blocks.shift() as PreparedBlock;
    await beginBlock(connection, rows.lane, concerned);
    const answered = await writeBlock(connection, rows);
    if (answered !== "COMMIT") throw new BenchFailed(`COMMIT was answered with ${answered}`);
    if (blocks.length > 0) waiting.push(blocks);
  }
}
