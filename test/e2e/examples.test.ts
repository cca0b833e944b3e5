// The examples of README.md as its readers run them: against a broker, a database and a registry, beside an instance.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Environment, type Instance, MAIN, millrace, millraceJson, startInstance } from "../support/millrace.ts";
import { ROOT } from "../support/source.ts";
import { freshDatabase, testStack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";

const EXAMPLES = join(ROOT, "docs", "examples");
const PYTHON = process.env["PYTHON"] ?? "python3";
const NEEDED = "from confluent_kafka.schema_registry.avro import AvroSerializer";
const hasLibrdkafka = spawnSync(PYTHON, ["-c", NEEDED]).status === 0;
const DAY = new Date().toISOString().slice(0, 10);
const SETTLED = ["account.opened", "transfer.completed", "transfer.completed", "transfer.rejected"];
const REPEATED = Array<string>(4).fill("intent.repeated");

const folder = mkdtempSync(join(tmpdir(), "millrace-examples-"));
const environments: Environment[] = [];

/** A database and topics of their own. */
async function openWorld(name: string): Promise<Environment> {
  const { kafkaBrokers, schemaRegistryUrl } = testStack();
  const environment = {
    KAFKA_BROKERS: kafkaBrokers,
    DATABASE_URL: await freshDatabase(),
    SCHEMA_REGISTRY_URL: schemaRegistryUrl,
    MILLRACE_TOPIC_PREFIX: `${name}${process.pid}.`,
    MILLRACE_PARTITIONS_AHEAD_HOURS: "2",
  };
  environments.push(environment);
  return environment;
}

type Running = {
  readonly child: ChildProcess;
  /** what it printed on stdout; KafkaJS has warnings of its own on stderr, with Node 24 */
  readonly out: () => string;
  readonly complaints: () => string;
  readonly ended: Promise<number | null>;
};

function start(command: string, args: readonly string[], environment: Environment, cwd = folder): Running {
  const child = spawn(command, args, { cwd, env: { PATH: process.env["PATH"], HOME: folder, DAY, ...environment } });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => {
      said[name] += chunk.toString();
    });
  }
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, out: () => said.stdout, complaints: () => said.stderr, ended };
}

async function run(command: string, args: readonly string[], environment: Environment): Promise<string> {
  const { ended, out, complaints } = start(command, args, environment);
  expect(await ended, `${out()}${complaints()}`).toBe(0);
  return out();
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("producers and consumer", () => {
  const running: Instance[] = [];
  let environment: Environment;

  beforeAll(async () => {
    environment = await openWorld("examples");
    await millraceJson(environment, ["migrate"]);
    running.push(await startInstance(environment, "examples"));
  });

  afterAll(() => Promise.all(running.map((instance) => instance.stop("SIGTERM"))));

  const publish = () => run(process.execPath, [join(EXAMPLES, "producer.mjs")], environment);
  const consume = (group: string) =>
    start(process.execPath, [join(EXAMPLES, "consumer.mjs")], { ...environment, GROUP: group });
  let answered = 0;

  /** Types of the outcomes since the last call, once there are `count` of them. */
  async function answers(count: number): Promise<string[]> {
    const all = await millraceJson(environment, ["outcomes", "--from-beginning", "--until-idle", "1"]);
    if (all.length < answered + count) return answers(count);
    const types = all.slice(answered).map(({ type }) => String(type));
    answered = all.length;
    return types;
  }

  test("with KafkaJS, intents are settled, and the second run is answered as repeats", async () => {
    const first = await publish();
    expect(first).toContain("order-1 trf_");
    expect(await answers(4)).toEqual(SETTLED);
    expect(await publish()).toBe(first);
    expect(await answers(4)).toEqual(REPEATED);
  });

  test("derive the case ids that `load` derives", async () => {
    const holderId = "cust_34";
    const account = "liability:customer:cust_34:available";
    const occurredAt = `${DAY}T00:00:00Z`;
    const transfer = (sourceId: string, from: string, to: string, minor: string) => {
      const amount = { currency: "EUR", minor };
      return { type: "transfer_create", holderId, sourceId, from, to, amount, occurredAt };
    };
    const lines = [
      { type: "account_open", holderId, sourceId: "open", account, currency: "EUR", occurredAt },
      transfer("order-1", "asset:bank:main", account, "5000"),
      transfer("order-2", account, "revenue:processing_fee", "125"),
      transfer("order-3", account, "asset:bank:main", "999999"),
    ];
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    const loaded = await millrace(environment, ["load", "--from", "-", "--run-at", occurredAt], text);
    expect(loaded.code, loaded.stderr).toBe(0);
    expect(await answers(4)).toEqual(REPEATED);
  });

  if (!hasLibrdkafka) process.stderr.write(`${PYTHON} has no confluent_kafka with avro: its example is not run\n`);

  test.skipIf(!hasLibrdkafka)("with librdkafka, the same intents are repeats", async () => {
    await run(PYTHON, [join(EXAMPLES, "producer_librdkafka.py")], environment);
    expect(await answers(4)).toEqual(REPEATED);
  });

  test.skipIf(!hasLibrdkafka)("with librdkafka's own partitioner they end in quarantine as wrong_lane", async () => {
    const text = readFileSync(join(EXAMPLES, "producer_librdkafka.py"), "utf8");
    const astray = join(folder, "astray.py");
    writeFileSync(astray, text.replace(/^ +"partitioner".*\n/m, ""));
    await run(PYTHON, [astray], environment);
    let reasons: unknown[] = [];
    await waitFor("four records in quarantine", async () => {
      reasons = (await millraceJson(environment, ["quarantine", "list"])).map(({ reason }) => reason);
      return reasons.length === 4;
    });
    expect(reasons).toEqual(Array<string>(4).fill("wrong_lane"));
  });

  describe("the consumer", () => {
    const book = join(folder, "book.jsonl");
    const read = (): string => readFileSync(book, "utf8");

    /** Lines of its lane, which are the sequence: nothing missing, nothing doubled. */
    function expectWhole(count: number): void {
      const lines = read().trimEnd().split("\n");
      const found = lines.map((line) => (JSON.parse(line) as { sequence: number }).sequence);
      expect(found).toEqual(Array.from({ length: count }, (_, sequence) => sequence));
    }

    async function consumeUntil(group: string, sequence: number): Promise<void> {
      const consumer = consume(group);
      await waitFor(`outcome ${sequence}`, async () => consumer.out().includes(`"sequence":${sequence},`));
      consumer.child.kill("SIGTERM");
      expect(await consumer.ended, consumer.complaints()).toBe(0);
    }

    test("has every outcome once", async () => {
      await consumeUntil("one", answered - 1);
      expectWhole(answered);
    });

    test("has them once when all are delivered again, and behind a line that a crash tore", async () => {
      appendFileSync(book, '{"lane":11,"seq');
      await publish();
      await answers(4);
      await consumeUntil("another", answered - 1);
      expectWhole(answered);
    });

    test("stops at a gap", async () => {
      const lines = read().split("\n");
      writeFileSync(book, `${lines.slice(0, -2).join("\n")}\n`);
      await publish();
      await answers(4);
      const consumer = consume("another");
      expect(await consumer.ended, consumer.complaints()).toBe(1);
      expect(consumer.complaints()).toContain(`expected outcome ${answered - 5}, found ${answered - 4}`);
      expectWhole(answered - 5);
    });
  });
});

test("the walk-through prints what it should, and leaves nothing running", async () => {
  const environment = await openWorld("walk");
  const script = readFileSync(join(EXAMPLES, "walk-through.sh"), "utf8");
  symlinkSync(join(ROOT, "docs"), join(folder, "docs"));
  // Spared are npx and its second per call; the words that follow are those of the page.
  const text = script.replaceAll(/npx millrace|node_modules\/\.bin\/millrace/g, `"${process.execPath}" "${MAIN}"`);
  const out = await run("bash", ["-euo", "pipefail", "-c", text], environment);
  expect(out).toMatch(/"reason":\{"category":"funds","code":"insufficient_funds"\}/);
  expect(out).toMatch(/liability:customer:cust_12:available +EUR +697\.50 +2\.50 +700\.00/);
  expect(out).toMatch(/^trf_\w{26} {2}completed$/m);
  expect(out).toContain("every currency sums to zero");
  expect(out).toContain("every invariant holds");
  expect(readFileSync(join(folder, "run.log"), "utf8")).toMatch(/"message":"stopped"\}\n$/);
});
