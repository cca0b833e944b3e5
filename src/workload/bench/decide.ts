// decide: how many events one core decides. No Kafka and no Postgres: blocks of card payments of all ages are made beforehand,
// and the same blocks are decided again and again, each from the rows that were read for it. Half as many go before, because
// the engine compiles what runs often, and again when it has seen more.

import { type CompiledFlow, compileFlow } from "../../domain/flow/compile/compile.ts";
import { makeRules, type Rules } from "../../domain/rules.ts";
import type { Rows } from "../../store/situation.ts";
import { wallMs } from "../load/pump.ts";
import {
  assertWanted,
  BenchFailed,
  type BenchFigures,
  type BenchGround,
  type CoreBenchmark,
  rounded,
} from "./bench.ts";
import { BLOCK_EVENTS, type LivedBlock, livedBlocks, RATES } from "./card-lives.ts";
import { cpuBetween, cpuSeconds } from "./cpu.ts";
import { decideBlock, type Meter } from "./decide-block.ts";

const COUNT = 1_000_000;
const BLOCKS = 10;
const DAY_MS = 86_400_000;
const CASE_WINDOW_MS = 400 * DAY_MS;
const CASE_FUTURE_MS = DAY_MS;

export const decide: CoreBenchmark = async (ground, { count: wished }) => {
  const count = wished ?? COUNT;
  const rules = rulesOf(ground);
  const pass = await livedBlocks(
    { rules, codec: ground.codec },
    Math.min(BLOCKS, Math.ceil(count / BLOCK_EVENTS)),
    Date.now(),
  );
  const warm = await measure(ground, { rules, pass, count: Math.ceil(count / 2) });
  const run = await measure(ground, { rules, pass, count });
  const warmUp = { warmUp: warm.count, warmUpPerSecond: warm.perSecond };
  return { ...run, settings: { ...run.settings, ...mixOf(pass), ...warmUp } };
};

type Measured = { readonly rules: Rules; readonly pass: readonly LivedBlock[]; readonly count: number };

/** Whole blocks until `count` events are decided. Its times are those of a block.
 *  @throws BenchFailed when a block is decided otherwise than it was before */
async function measure(ground: BenchGround, { rules, pass, count }: Measured): Promise<BenchFigures> {
  const pids = { node: process.pid, postgres: null, kafka: null };
  const blocks = Math.ceil(count / BLOCK_EVENTS);
  const times = new Float64Array(blocks);
  const bySecond = new Map<number, number>();
  const meter: Meter = { eventsMs: 0 };
  const before = cpuSeconds(pids);
  const startedAtMs = wallMs();
  let atMs = performance.now();
  const startedMs = atMs;
  for (let block = 0; block < blocks; block++) {
    decideAgain(rules, pass[block % pass.length] as LivedBlock, meter);
    const endedMs = performance.now();
    times[block] = endedMs - atMs;
    atMs = endedMs;
    const second = Math.floor(wallMs() / 1000);
    bySecond.set(second, (bySecond.get(second) ?? 0) + BLOCK_EVENTS);
    if ((block + 1) % pass.length === 0) {
      await new Promise(setImmediate);
      assertWanted(ground);
    }
  }
  const seconds = (atMs - startedMs) / 1000;
  const cpu = cpuBetween(before, cpuSeconds(pids));
  times.sort();
  const part = (share: number): number => rounded(times[Math.ceil(share * blocks) - 1] as number);
  return {
    count: blocks * BLOCK_EVENTS,
    seconds: rounded(seconds),
    perSecond: Math.round((blocks * BLOCK_EVENTS) / seconds),
    p50Ms: part(0.5),
    p99Ms: part(0.99),
    maxMs: part(1),
    settings: {
      eventsAlonePerSecond: Math.round((blocks * BLOCK_EVENTS) / (meter.eventsMs / 1000)),
      blockEvents: BLOCK_EVENTS,
      lowestMs: part(1 / blocks),
      p90Ms: part(0.9),
      p999Ms: part(0.999),
    },
    cpu,
    course: { kind: "counted", startedAtMs, bySecond: [...bySecond] },
  };
}

function decideAgain(rules: Rules, block: LivedBlock, meter: Meter): void {
  let reads = 0;
  const read = (): Rows => {
    const rows = block.read[reads++];
    if (rows === undefined) throw new BenchFailed(`block ${block.head.block} asks for more than before`);
    return rows;
  };
  const books = decideBlock(rules, RATES, block, read, meter);
  const { outcomes, commands, lines } = books;
  if (outcomes.length !== block.outcomes || commands.length !== block.commands || lines.length !== block.lines)
    throw new BenchFailed(`block ${block.head.block} was decided otherwise than before`);
}

/** What the events are and come to, in shares of all. */
function mixOf(pass: readonly LivedBlock[]): Record<string, unknown> {
  const all = pass.length * BLOCK_EVENTS;
  const share = (of: (block: LivedBlock) => number): number =>
    rounded(pass.reduce((sum, block) => sum + of(block), 0) / all);
  return {
    intents: share(({ events }) => events.intents),
    reports: share(({ events }) => events.reports),
    timers: share(({ events }) => events.timers),
    outcomesPerEvent: share(({ outcomes }) => outcomes),
    linesPerEvent: share(({ lines }) => lines),
    commandsPerEvent: share(({ commands }) => commands),
  };
}

function rulesOf({ declared: { chart, currencies, flows } }: BenchGround): Rules {
  const compiled: CompiledFlow[] = flows.map((flow, index) => compileFlow(flow, index + 1));
  const times = { caseWindowMs: CASE_WINDOW_MS, caseFutureMs: CASE_FUTURE_MS };
  return makeRules({ chart, currencies, flows: compiled, retired: [], lanes: 1, ...times });
}
