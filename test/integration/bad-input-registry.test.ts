// The registry being away quarantines nothing: known schemas go on, a lane that meets an unknown id waits and is not ready.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { createCodec } from "../../src/kafka/codec.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { subjectOf } from "../../src/kafka/registry.ts";
import { Producing } from "../support/intents.ts";
import { type RegistryMode, RegistryProxy } from "../support/registry-proxy.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { testStack } from "../support/stack.ts";
import { waitFor } from "../support/wait.ts";
import { CHANNEL, changed, SCHEMAS } from "../unit/codec-fixtures.ts";

const LANES = 4;
const make = new Producing();
/** Two holders of different lanes. */
const [HERE, THERE] = ["ann", "bob", "cyd", "dan", "eve", "fay"].filter(
  (holder, index, all) => all.findIndex((other) => homeLane(other, LANES) === homeLane(holder, LANES)) === index,
) as [string, string];
const LANE = homeLane(HERE, LANES);

let proxy: RegistryProxy;
let system: TestService;
let versions = 0;
let sources = 0;

beforeAll(async () => {
  proxy = new RegistryProxy(testStack().schemaRegistryUrl);
  await proxy.start();
  system = await startTestService({
    prefix: "registry",
    lanes: LANES,
    addresses: { schemaRegistryUrl: proxy.url },
  });
});
afterAll(async () => {
  await system?.stop();
  await proxy?.stop();
});
afterEach(() => {
  proxy.mode = "pass";
});

/** Registers the schema of intents with one more optional field, as a newer producer would.
 *  @returns a function that writes intents by it */
async function newerProducer(): Promise<(intent: NewIntent & { channel: string }) => Buffer> {
  versions += 1;
  const field = { ...CHANNEL, name: `channel${versions}` };
  const schema = changed("intent", ({ fields }) => fields.push(field));
  const url = `${testStack().schemaRegistryUrl}/subjects/${encodeURIComponent(subjectOf(system.topics.intents))}/versions`;
  const headers = { "content-type": "application/vnd.schemaregistry.v1+json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify({ schema }) });
  expect(answer.status).toBe(200);
  const { id } = (await answer.json()) as { id: number };
  const ids = { intent: id, outcome: 1, deadLetter: 1, command: 1, report: 1 };
  const codec = createCodec({
    schemas: { ...SCHEMAS, intent: schema },
    ids,
    registry: { schemaById: () => Promise.resolve(null) },
  });
  return ({ channel, ...intent }) => codec.encoders.intent.encode({ ...intent, [field.name]: channel } as NewIntent);
}

function nextSource(): string {
  sources += 1;
  return `s-${sources}`;
}

async function sendNewer(encode: Awaited<ReturnType<typeof newerProducer>>): Promise<string> {
  const sourceId = nextSource();
  const value = encode({ ...make.payIn(HERE, 5, { sourceId }), channel: "app" });
  await system.send(LANE, [{ key: Buffer.from(HERE), value }]);
  return sourceId;
}

async function sendKnown(holderId: string): Promise<string> {
  const sourceId = nextSource();
  await system.publish([make.payIn(holderId, 5, { sourceId })]);
  return sourceId;
}

async function settled(sourceId: string): Promise<void> {
  const read = await system.readOutcomes({ until: (all) => all.some((one) => one.sourceId === sourceId) });
  expect(read.filter((one) => one.sourceId === sourceId).map(({ type }) => type)).toEqual(["transfer.completed"]);
}

async function readiness(): Promise<{ status: number; reasons: readonly string[] }> {
  const answer = await fetch(`http://127.0.0.1:${system.instances[0]?.httpPort}/readyz`);
  const { reasons } = (await answer.json()) as { reasons: string[] };
  return { status: answer.status, reasons };
}

const WAITS = { status: 503, reasons: [`lane ${LANE} waits for the schema registry`] };

async function waitsForRegistry(): Promise<void> {
  await waitFor("the lane to wait for the registry", async () => (await readiness()).status === 503);
  expect(await readiness()).toEqual(WAITS);
}

async function expectNothingAside(): Promise<void> {
  expect(await system.query("select * from quarantine")).toEqual([]);
  expect(await system.query("select * from halt")).toEqual([]);
}

test("a newer schema is learned while the service runs", async () => {
  await settled(await sendNewer(await newerProducer()));
  expect(await readiness()).toEqual({ status: 200, reasons: [] });
});

describe("a lane that meets an unknown schema waits while the registry", () => {
  test("cannot be reached; other lanes and known schemas go on, and it settles when the registry is back", async () => {
    const newer = await newerProducer();
    await proxy.stop();
    await settled(await sendKnown(HERE)); // a known schema asks nobody
    const waiting = await sendNewer(newer);
    const behind = await sendKnown(HERE);
    await waitsForRegistry();
    await settled(await sendKnown(THERE));
    await settled(await sendKnown(THERE));
    await expectNothingAside();
    const read = await system.readOutcomes({ until: 0 });
    expect(read.filter(({ sourceId }) => sourceId === waiting || sourceId === behind)).toEqual([]);
    expect(await readiness()).toEqual(WAITS);
    const warned = system.instances[0]?.log.filter(({ message }) =>
      message.startsWith("waiting for the schema registry"),
    );
    expect(warned?.[0]).toMatchObject({ level: "warn", lane: LANE });
    await proxy.start();
    await settled(waiting);
    await settled(behind);
    expect(await readiness()).toEqual({ status: 200, reasons: [] });
    await expectNothingAside();
  });

  test.each<[string, RegistryMode]>([
    ["answers that there is no such page, as a proxy does", 404],
    ["fails", 500],
    ["answers with a page", 200],
    ["asks for a password", 401],
    ["does not answer at all", "hang"],
  ])("%s", async (_what, mode) => {
    const newer = await newerProducer();
    proxy.mode = mode;
    const waiting = await sendNewer(newer);
    await waitFor("the registry to be asked", () => proxy.asked.at(-1)?.startsWith("/schemas/ids/") === true);
    if (mode !== "hang") await waitsForRegistry();
    await settled(await sendKnown(THERE));
    await expectNothingAside();
    proxy.mode = "pass";
    await settled(waiting);
    await waitFor("readiness", async () => (await readiness()).status === 200);
    await expectNothingAside();
  });
});

test("an instance that waits stops at once, and the next one takes what waited", async () => {
  const newer = await newerProducer();
  await proxy.stop();
  const waiting = await sendNewer(newer);
  await waitsForRegistry();
  const began = performance.now();
  await system.instances[0]?.stop();
  expect(performance.now() - began).toBeLessThan(3_000);
  await proxy.start();
  await system.start("second");
  await settled(waiting);
  await expectNothingAside();
});
