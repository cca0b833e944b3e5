// Card numbers are sent in every place that a producer can put one; afterwards none is anywhere but in the topic that they
// were sent to: not in a table, another topic, a log line or a metric.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import type { OutgoingRecord } from "../../src/kafka/port.ts";
import { auditService, problemsOf, recordsIn } from "../support/audit.ts";
import { Producing } from "../support/intents.ts";
import { startTestService, type TestService } from "../support/service.ts";

const LANES = 4;
const HOLDER = "ann";
const HOME = homeLane(HOLDER, LANES);
const CARD = "4242424242424242";
const SPELLINGS = [CARD, "4242 4242 4242 4242", "4-242.4242 4242424 2", Buffer.from(CARD).toString("base64")];
const make = new Producing();

let system: TestService;

beforeAll(async () => {
  system = await startTestService({ prefix: "card-numbers", lanes: LANES });
});
afterAll(() => system?.stop());

function recordOf(value: Buffer, key = HOLDER): OutgoingRecord {
  return { key: Buffer.from(key), value };
}

function bytesOf(over: Partial<NewIntent>): Buffer {
  return system.codec.encoders.intent.encode({ ...make.payIn(HOLDER, 5), ...over });
}

/** One intent for every text of the schema with every spelling, and what is worse than an intent. */
function leaks(): OutgoingRecord[] {
  const schema = new URL("../../schemas/messages/intent.avsc", import.meta.url);
  const { fields } = JSON.parse(readFileSync(schema, "utf8")) as { fields: { name: string; type: unknown }[] };
  const isText = (type: unknown): boolean => JSON.stringify(type).includes('"string"') && !hasParts(type);
  const texts = fields.filter(({ name, type }) => isText(type) && name !== "floorMinor"); // which is an amount
  const inTexts = texts.flatMap(({ name }) => SPELLINGS.map((card) => bytesOf({ [name]: card })));
  const inParts = SPELLINGS.flatMap((card) => [
    bytesOf({ metadata: { [card]: "a" } }),
    bytesOf({ metadata: { note: `paid by ${card}` } }),
    bytesOf({ amount: { currency: card, scale: 2, minor: "1" } }),
    bytesOf({ amount: { currency: "EUR", scale: 2, minor: `${card}x` } }),
    bytesOf({ reference: card, change: "sideways" }),
    bytesOf({ reference: card }).subarray(0, -2),
    Buffer.from(`{"card":"${card}"}`),
    Buffer.concat([Buffer.alloc(70_000, 1), Buffer.from(card)]),
  ]);
  return [...inTexts, ...inParts].map((value) => recordOf(value)).concat(recordOf(bytesOf({}), CARD));
}

function hasParts(type: unknown): boolean {
  return JSON.stringify(type).includes('"record"') || JSON.stringify(type).includes('"map"');
}

test("a card number that is sent is nowhere but in the topic that it was sent to", async () => {
  const records = leaks();
  expect(records.length).toBeGreaterThan(100);
  await system.send(HOME, records);
  await system.publish([make.payIn(HOLDER, 1, { sourceId: "behind" })]);
  const outcomes = await system.readOutcomes({ until: (read) => read.some((one) => one.sourceId === "behind") });
  expect(outcomes).toHaveLength(1);

  const rows = await system.query("select reason, key, value, encode(sha256, 'hex') as hash from quarantine");
  expect(rows).toHaveLength(records.length);
  const withheld = { reason: "card_number", key: null, value: null, hash: "0".repeat(64) };
  expect(rows).toEqual(records.map(() => withheld));

  const { intents, ...written } = system.topics;
  const places: Record<string, string> = { tables: await tables(), ...(await topics(Object.values(written))) };
  const [instance] = system.instances;
  places["log"] = JSON.stringify(instance?.log);
  places["metrics"] = await (await fetch(`http://127.0.0.1:${instance?.httpPort}/metrics`)).text();
  // The search itself finds what it looks for.
  expect(holders({ [intents]: await topicText(intents) })).toEqual([intents]);
  expect(holders(places)).toEqual([]);
  expect(places["metrics"]).toContain(`reason="card_number"} ${records.length}`);
  expect(problemsOf(await auditService(system, { depth: "deep", waitMs: 10_000 }))).toEqual({});
});

/** Which texts hold the number, in any of its spellings. */
function holders(texts: Record<string, string>): string[] {
  const encoded = SPELLINGS.at(-1) as string;
  const found = Object.entries(texts).filter(
    ([, text]) => text.includes(encoded) || text.replace(/[^0-9A-Za-z,"]/g, "").includes(CARD),
  );
  return found.map(([name]) => name);
}

/** Every table of the database with every column as text, bytes read as characters. */
async function tables(): Promise<string> {
  const names = await system.query(
    "select table_name as name from information_schema.tables where table_schema = 'millrace' and table_type = 'BASE TABLE'",
  );
  expect(names.length).toBeGreaterThan(8);
  let text = "";
  for (const { name } of names) {
    for (const row of await system.query(`select * from "${String(name)}"`)) {
      const cells = Object.values(row).map((cell) => (Buffer.isBuffer(cell) ? cell.toString("latin1") : cell));
      text += `${String(name)} ${JSON.stringify(cells)}\n`;
    }
  }
  return text;
}

async function topics(names: readonly string[]): Promise<Record<string, string>> {
  const texts = await Promise.all(names.map(async (name) => [name, await topicText(name)] as const));
  return Object.fromEntries(texts);
}

async function topicText(topic: string): Promise<string> {
  let text = "";
  for (let lane = 0; lane < LANES; lane++) {
    for (const { key, value } of await recordsIn(system, topic, lane)) {
      text += `${key?.toString("latin1") ?? ""} ${value?.toString("latin1") ?? ""}\n`;
    }
  }
  return text;
}
