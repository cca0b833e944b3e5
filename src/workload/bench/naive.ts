// naive: the same transfers the usual way, for the ratio: one message, one dbTransaction, one send, one offset.

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openAdmin } from "../../kafka/admin.ts";
import { placeOf } from "../../kafka/port.ts";
import { connect } from "../../store/database.ts";
import { Holders, NOMINAL_RATE, Transfers } from "../generate/generate.ts";
import { Portions } from "../load/load.ts";
import { BenchFailed, type Benchmark, type BenchSite, rounded } from "./bench.ts";
import { cpuBetween, cpuSeconds } from "./cpu.ts";
import { publish } from "./drain.ts";
import type { NaiveDone, NaiveOrder } from "./naive-main.ts";
import * as sql from "./naive-sql.ts";
import { ReaderProcess } from "./reader.ts";

const MAIN = fileURLToPath(new URL("./naive-main.js", import.meta.url));
const SECONDS = 10;
const HOLDERS = 10_000;
const SEED = 1;
/** More than it can do, so that it never runs dry. */
const BACKLOG_PER_SECOND = 3_000;

export const naive: Benchmark = async (site, wishes) => {
  const seconds = wishes.seconds ?? (wishes.count === null ? SECONDS : 3_600);
  const count = wishes.count ?? seconds * BACKLOG_PER_SECOND;
  const holders = Math.min(HOLDERS, count);
  await openAccounts(site, holders);
  await publishTransfers(site, holders, count);
  const offsets = await beginnings(site);
  site.note("naive: measuring");
  const reader = await ReaderProcess.open(site, { topic: site.topics.outcomes, count });
  try {
    const { kafka, database, topics, schemas } = site;
    const order = { kafka: placeOf(kafka), database, topics, source: schemas, offsets, count, seconds };
    const before = cpuSeconds({ ...site.stackPids, node: null });
    const { done, cpu } = await consume(site, order);
    const after = cpuBetween({ ...before, node: 0 }, { ...cpuSeconds({ ...site.stackPids, node: null }), node: cpu });
    reader.finishAt(done.count);
    const read = await reader.done();
    const tookSeconds = (read.lastAtMs - done.startedAtMs) / 1000;
    return {
      count: done.count,
      seconds: rounded(tookSeconds),
      perSecond: Math.round(done.count / tookSeconds),
      settings: { holders, partitions: site.lanes },
      cpu: after,
      course: { kind: "counted", startedAtMs: done.startedAtMs, bySecond: read.bySecond },
    };
  } finally {
    reader.stop();
  }
};

async function openAccounts(site: BenchSite, holders: number): Promise<void> {
  const connection = await connect(site.database, "tool");
  await connection.plain(sql.CREATE_TABLES);
  const { paths } = new Holders({ seed: SEED, holders }, site.lanes);
  await connection.run(sql.openAccounts, [["asset:bank:main", ...paths], "EUR"]);
  await connection.close();
}

async function publishTransfers(site: BenchSite, holders: number, count: number): Promise<void> {
  const plan = { count: holders + count, seed: SEED, holders, zipf: 0, runAtMs: Date.now(), rate: NOMINAL_RATE };
  const source = new Transfers(plan, { encoder: site.codec.encoders.intent, lanes: site.lanes });
  const portions = new Portions(source);
  const openings = portions.take(holders);
  while ((await openings.next()) !== null); // their accounts are there already
  site.note(`naive: publishing ${count} transfers`);
  await publish(site, portions.take(count));
}

async function beginnings(site: BenchSite): Promise<string[]> {
  const admin = await openAdmin(site.kafka);
  const offsets: string[] = [];
  for (let at = 0; at < site.lanes; at++) offsets.push((await admin.bounds(site.topics.intents, at)).low.toString());
  await admin.close();
  return offsets;
}

/** @returns what it did, and the CPU seconds of its process */
function consume(site: BenchSite, order: NaiveOrder): Promise<{ done: NaiveDone; cpu: number | null }> {
  const child = fork(MAIN, [], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  return new Promise((resolve, reject) => {
    child.once("message", (done) => {
      const { node } = cpuSeconds({ ...site.stackPids, node: child.pid ?? null });
      resolve({ done: done as NaiveDone, cpu: node });
    });
    child.once("close", (code) => reject(new BenchFailed(`the naive consumer ended with ${code}`)));
    site.stop.addEventListener("abort", () => child.kill("SIGKILL"));
    child.send(order);
  });
}
