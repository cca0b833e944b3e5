// `replay` on the real broker: byte for byte, as new payments, by offsets and times, and what it refuses.
import { hash, randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { openPartitionReader } from "../../src/kafka/partitions.ts";
import type { InputRecord, RawRecord } from "../../src/kafka/port.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import { cli, cliRows } from "../support/cli.ts";
import { SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { available, Producing } from "../support/intents.ts";
import { deleteBefore, freshTopic, kafkaSettings, testAdmin } from "../support/kafka.ts";
import { type OpenedWorld, openWorldOf } from "../support/replay.ts";
import { setUpTestService, startTestService, type TestService, waitFor } from "../support/service.ts";

const produce = new Producing();

/** All that a topic holds, by partition. */
async function contents(topic: string, partitions: number): Promise<InputRecord[][]> {
  const admin = await testAdmin();
  const found: InputRecord[][] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const { low, end } = await admin.bounds(topic, partition);
    const reader = await openPartitionReader(kafkaSettings(), [{ topic, partition, offset: low }], { headers: "keep" });
    const records: InputRecord[] = [];
    for (let next = low; next < end; ) {
      for (const run of await reader.next(1_000)) {
        records.push(...run.records);
        next = run.nextOffset;
      }
    }
    await reader.close();
    found.push(records);
  }
  return found;
}

/** Key, value and headers as a text: comparing megabytes byte by byte takes the runner half a minute. */
const bytesOf = ({ key, value, headers }: InputRecord): string =>
  [key, value, headers].map((bytes) => (bytes == null ? String(bytes) : hash("sha256", bytes))).join(" ");
const textsOf = (records: readonly InputRecord[]): string[] => records.map(({ value }) => String(value));

/** One header: its name, and its own name as value. */
function header(name: string): Buffer {
  const sized = Buffer.concat([Buffer.from([name.length * 2]), Buffer.from(name)]);
  return Buffer.concat([Buffer.from([2]), sized, sized]);
}

/** Whatever a topic may hold: nulls, headers, rubbish, large and empty records. */
function anyRecords(count: number): RawRecord[] {
  return Array.from({ length: count }, (_, at): RawRecord => {
    const key = at % 5 === 0 ? null : Buffer.from(`key-${at % 7}`);
    const value = at % 11 === 0 ? null : randomBytes(at % 13 === 0 ? 0 : 1 + (at % 300));
    return at % 3 === 0 ? { key, value, headers: header(`h${at}`) } : { key, value };
  });
}

async function fill(topic: string, partitions: readonly (readonly RawRecord[])[]): Promise<void> {
  const producer = await openProducer(kafkaSettings(), { batchBytesMax: 4 << 20 });
  await Promise.all(
    partitions.map(async (records, partition) => {
      if (records.length > 0) await producer.send(topic, partition, records);
    }),
  );
  await producer.close();
}

const numbered = (from: number, count: number): RawRecord[] =>
  Array.from({ length: count }, (_, at) => ({ key: Buffer.from("k"), value: Buffer.from(String(from + at)) }));

describe("byte for byte", () => {
  let system: TestService;
  beforeAll(async () => {
    system = await setUpTestService();
  });
  afterAll(() => system.stop());

  const replayed = (...argv: string[]) => cliRows(system, ["replay", ...argv]);

  test("keys, values, headers, nulls and rubbish are the same, in order, in the same partitions", async () => {
    const from = await freshTopic(4, { "max.message.bytes": String(4 << 20) });
    const to = await freshTopic(4, { "max.message.bytes": String(4 << 20) });
    const large: RawRecord = { key: Buffer.from("large"), value: randomBytes(3 << 20) };
    await fill(from, [anyRecords(900), anyRecords(3), [], [large]]);
    await fill(from, [[], [large], [], anyRecords(20)]);
    const [summary] = await replayed("--from-topic", from, "--to-topic", to);
    expect(summary).toMatchObject({
      records: 925,
      fromPartitions: 4,
      toPartitions: 4,
      interrupted: false,
      asNew: null,
    });
    const [recorded, sent] = [await contents(from, 4), await contents(to, 4)];
    expect(sent.map((records) => records.map(bytesOf))).toEqual(recorded.map((records) => records.map(bytesOf)));
    expect(summary).toMatchObject({ spans: [900, 4, 0, 21].map((records, partition) => ({ partition, records })) });
  });

  test("a topic into itself ends: the span is fixed when it begins", async () => {
    const topic = await freshTopic(2);
    await fill(topic, [numbered(0, 500), numbered(500, 300)]);
    expect((await replayed("--from-topic", topic))[0]).toMatchObject({ records: 800, toTopic: topic });
    const [first, second] = await contents(topic, 2);
    expect(textsOf(first ?? [])).toEqual([
      ...textsOf(first ?? []).slice(0, 500),
      ...textsOf(first ?? []).slice(0, 500),
    ]);
    expect([first?.length, second?.length]).toEqual([1_000, 600]);
  });

  test("into another number of partitions it goes by key, in order per key, and says so", async () => {
    const from = await freshTopic(4);
    const to = await freshTopic(3);
    const keyed = (key: string, count: number): RawRecord[] =>
      Array.from({ length: count }, (_, at) => ({ key: Buffer.from(key), value: Buffer.from(`${key} ${at}`) }));
    await fill(from, [keyed("a", 50), keyed("b", 50), keyed("c", 50), [{ key: null, value: Buffer.from("none") }]]);
    const ran = await cli(system, ["replay", "--from-topic", from, "--to-topic", to]);
    expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining(`${from} has 4 partitions and ${to} 3`)]);
    const sent = await contents(to, 3);
    for (const key of ["a", "b", "c"]) {
      const homes = sent.filter((records) => records.some((record) => String(record.key) === key));
      expect(homes).toHaveLength(1);
      const own = textsOf((homes[0] ?? []).filter((record) => String(record.key) === key));
      expect(own).toEqual(Array.from({ length: 50 }, (_, at) => `${key} ${at}`));
    }
    expect(sent.flat().filter((record) => record.key === null)).toHaveLength(1);
  });

  test("from and to by offsets: per partition, for all, beginning and end", async () => {
    const from = await freshTopic(3);
    await fill(from, [numbered(0, 10), numbered(100, 10), numbered(200, 2)]);
    const sent = async (...argv: string[]): Promise<string[][]> => {
      const to = await freshTopic(3);
      await replayed("--from-topic", from, "--to-topic", to, ...argv);
      return (await contents(to, 3)).map(textsOf);
    };
    expect(await sent("--from", "0:7,1:9", "--to", "end")).toEqual([["7", "8", "9"], ["109"], []]);
    expect(await sent("--to", "0:2")).toEqual([["0", "1"], [], []]);
    expect(await sent("--from", "1", "--to", "3")).toEqual([["1", "2"], ["101", "102"], ["201"]]);
    expect(await sent("--from", "5")).toEqual([["5", "6", "7", "8", "9"], ["105", "106", "107", "108", "109"], []]);
    expect(await sent("--from", "end")).toEqual([[], [], []]);
  });

  test("from and to by append time", async () => {
    const from = await freshTopic(2);
    await fill(from, [numbered(0, 3), numbered(10, 1)]);
    await waitFor("the next millisecond", () => new Promise((resolve) => setTimeout(() => resolve(true), 30)));
    await fill(from, [numbered(3, 2), numbered(11, 2)]);
    const middle = new Date((await contents(from, 2))[0]?.[3]?.appendedAtMs ?? 0).toISOString();
    const parts = { before: await freshTopic(2), after: await freshTopic(2) };
    await replayed("--from-topic", from, "--to-topic", parts.before, "--to", middle);
    await replayed("--from-topic", from, "--to-topic", parts.after, "--from", middle);
    const before = (await contents(parts.before, 2)).map(textsOf);
    const after = (await contents(parts.after, 2)).map(textsOf);
    expect(before[0]).toEqual(["0", "1", "2"]);
    expect(after[0]).toEqual(["3", "4"]);
    expect([...(before[1] ?? []), ...(after[1] ?? [])]).toEqual(["10", "11", "12"]);
    expect(before[1]).toContain("10");
  });

  test("with a rate it is an open loop over all partitions, in the order of append time", async () => {
    const from = await freshTopic(3, { "message.timestamp.type": "CreateTime" });
    const to = await freshTopic(3);
    const base = Date.now() - 1_000_000;
    const timed = (first: number): RawRecord[] =>
      Array.from({ length: 40 }, (_, at) => ({
        key: null,
        value: Buffer.from(String(first + at * 3)),
        timeMs: base + (first + at * 3) * 1_000,
      }));
    await fill(from, [timed(0), timed(1), timed(2)]);
    const began = performance.now();
    const [summary] = await replayed("--from-topic", from, "--to-topic", to, "--rate", "60");
    expect(performance.now() - began).toBeGreaterThan(1_900);
    expect(summary).toMatchObject({ records: 120 });
    expect(summary?.["perSecond"]).toBeGreaterThan(50);
    expect(summary?.["perSecond"]).toBeLessThan(75);
    const order = (await contents(to, 3)).flat().toSorted((a, b) => a.appendedAtMs - b.appendedAtMs);
    const times = new Map<number, number[]>();
    for (const { appendedAtMs, value } of order) {
      times.set(appendedAtMs, [...(times.get(appendedAtMs) ?? []), Number(String(value))]);
    }
    // What shares a millisecond may lie in any order; across milliseconds the recorded order holds, but for the few that
    // are on their way to different partitions at once.
    let worst = 0;
    let seen = 0;
    for (const numbers of times.values()) {
      for (const number of numbers) worst = Math.max(worst, Math.abs(number - seen));
      seen += numbers.length;
    }
    expect(worst).toBeLessThan(10);
  });

  test("interrupted it ends with 130, tells what was sent and what is left, and going on there leaves nothing out", async () => {
    const from = await freshTopic(2);
    const to = await freshTopic(2);
    await fill(from, [numbered(0, 400), numbered(1_000, 400)]);
    const world: OpenedWorld = openWorldOf(system);
    const verb = world.start(["replay", "--from-topic", from, "--to-topic", to, "--rate", "100", "--json"]);
    await waitFor("the first records", async () => (await contents(to, 2)).flat().length > 20);
    verb.interrupt();
    const { code, stdout, stderr } = await verb.ended;
    const summary = JSON.parse(stdout) as { records: number; interrupted: boolean };
    expect([code, summary.interrupted]).toEqual([130, true]);
    expect((await contents(to, 2)).flat()).toHaveLength(summary.records);
    expect(summary.records).toBeLessThan(800);
    const [, rest = ""] = /what is left: (.*)/.exec(stderr) ?? [];
    await replayed("--from-topic", from, "--to-topic", to, ...rest.split(" "));
    expect((await contents(to, 2)).map(textsOf)).toEqual((await contents(from, 2)).map(textsOf));
  });

  test.each<[string, (topic: string) => string[], number, RegExp]>([
    [
      "a topic that is not there",
      () => ["--from-topic", "no-such-topic"],
      1,
      /--from-topic: topic no-such-topic does not exist/,
    ],
    [
      "a target that is not there",
      (topic) => ["--from-topic", topic, "--to-topic", "nowhere"],
      1,
      /--to-topic: topic nowhere does/,
    ],
    [
      "what is no topic's name",
      () => ["--from-topic", "a b"],
      2,
      /--from-topic: found "a b", expected the name of a topic/,
    ],
    ["from behind to", (topic) => ["--from-topic", topic, "--from", "5", "--to", "4"], 2, /--from is behind --to/],
    [
      "what is no place",
      (topic) => ["--from-topic", topic, "--from", "yesterday"],
      2,
      /--from: found "yesterday", expected offsets/,
    ],
    [
      "a partition that is not there",
      (topic) => ["--from-topic", topic, "--from", "7:0"],
      1,
      /has 2 partitions, none numbered 7/,
    ],
    ["an offset behind the end", (topic) => ["--from-topic", topic, "--to", "0:99"], 1, /ends at offset 10, before 99/],
    [
      "a shift without a run",
      (topic) => ["--from-topic", topic, "--shift", "now"],
      2,
      /--shift: expected only with --as-new/,
    ],
    [
      "a shift that is none",
      (topic) => ["--from-topic", topic, "--as-new", "r", "--shift", "soon"],
      2,
      /--shift: found "soon"/,
    ],
    [
      "a topic without intents as new",
      (topic) => ["--from-topic", topic, "--as-new", "r"],
      1,
      /none of the first 20 records .* can be read as an intent/,
    ],
    [
      "a record larger than the target takes",
      (topic) => ["--from-topic", topic, "--to-topic", "SMALL"],
      1,
      /the record at [01]:0 takes \d+ bytes, and .* takes 60/,
    ],
  ])("refuses %s in clear words, and sends nothing", async (_, argv, code, words) => {
    const topic = await freshTopic(2);
    const small = await freshTopic(2, { "max.message.bytes": "60" });
    await fill(topic, [numbered(0, 10), numbered(10, 10)]);
    const asked = argv(topic).map((word) => (word === "SMALL" ? small : word));
    const ran = await cli(system, ["replay", ...asked]);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(words)]);
    expect((await contents(topic, 2)).flat()).toHaveLength(20);
  });

  test("never writes into the topics of the lanes: a foreign record there would halt them", async () => {
    for (const topic of [system.topics.outcomes, system.topics.deadLetters, system.topics.commands]) {
      const from = await freshTopic(4);
      const ran = await cli(system, ["replay", "--from-topic", from, "--to-topic", topic]);
      expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("would halt them")]);
    }
  });

  test("an offset that has expired is told", async () => {
    const topic = await freshTopic(1);
    const admin = await testAdmin();
    await fill(topic, [numbered(0, 10)]);
    await deleteBefore(topic, 0, 4n);
    expect((await admin.bounds(topic, 0)).low).toBe(4n);
    const ran = await cli(system, ["replay", "--from-topic", topic, "--from", "0:2"]);
    expect([ran.code, ran.stderr]).toEqual([
      1,
      expect.stringContaining("begins at offset 4: what was at 2 has expired"),
    ]);
  });
});

describe("into the service", () => {
  let system: TestService;
  const flowsDir = mkdtempSync(join(tmpdir(), "millrace-flows-"));
  beforeAll(async () => {
    cpSync(join(SHIPPED_SCHEMAS, "flows"), flowsDir, { recursive: true });
    cpSync(TEST_FLOWS, flowsDir, { recursive: true });
    system = await startTestService({ config: { flowsDir } });
  });
  afterAll(async () => {
    await system.stop();
    rmSync(flowsDir, { recursive: true, force: true });
  });

  const sum = async (holder: string): Promise<string> => {
    const [row] = await system.query("select (credits - debits)::text as sum from balance where path = $1", [
      available(holder),
    ]);
    return String(row?.["sum"]);
  };

  /** A topic of its own with what `intents` are, and the same taken by the service. */
  async function recorded(intents: Parameters<TestService["publish"]>[0]): Promise<string> {
    const topic = await freshTopic(system.lanes);
    const admin = await testAdmin();
    const ends = await Promise.all(
      Array.from({ length: system.lanes }, async (_, lane) => (await admin.bounds(system.topics.intents, lane)).end),
    );
    await system.publish(intents);
    const from = ends.map((end, lane) => `${lane}:${end}`).join(",");
    await cliRows(system, ["replay", "--from-topic", system.topics.intents, "--from", from, "--to-topic", topic]);
    await taken();
    return topic;
  }

  async function taken(): Promise<void> {
    const admin = await testAdmin();
    for (let lane = 0; lane < system.lanes; lane++) {
      const { end } = await admin.bounds(system.topics.intents, lane);
      await waitFor(`lane ${lane} to take offset ${end}`, async () => {
        const [row] = await system.query("select intents_next from lane where lane = $1", [lane]);
        return BigInt(String(row?.["intents_next"])) >= end;
      });
    }
  }

  test("the same stack absorbs it as repeats: no money moves, every invariant holds", async () => {
    const intents = [
      produce.accountOpen("abs_1"),
      produce.payIn("abs_1", 500),
      produce.payOut("abs_1", 9_999),
      produce.payOut("abs_1", 120),
    ];
    await system.publish(intents);
    await system.send(0, [{ key: Buffer.from("x"), value: Buffer.from("rubbish") }]);
    await taken();
    const before = await system.query("select lane, account, debits, credits from balance order by 1, 2");
    const lines = await system.query("select count(*) from line");
    await cliRows(system, ["replay", "--from-topic", system.topics.intents]);
    await taken();
    expect(await system.query("select lane, account, debits, credits from balance order by 1, 2")).toEqual(before);
    expect(await system.query("select count(*) from line")).toEqual(lines);
    const outcomes = (await system.readOutcomes({ until: 8 })).filter(({ holderId }) => holderId === "abs_1");
    expect(outcomes.filter(({ type }) => type === "intent.repeated")).toHaveLength(4);
    expect(await system.query("select reason from quarantine")).toHaveLength(2);
    await cliRows(system, ["verify", "--wait", "10"]);
  });

  test("as new: one run twice moves money once, two runs twice; an account that is there stays as it is", async () => {
    const topic = await recorded([
      produce.accountOpen("new_1"),
      produce.payIn("new_1", 1_000),
      produce.payOut("new_1", 300),
    ]);
    expect(await sum("new_1")).toBe("700");
    const run = async (name: string): Promise<Record<string, unknown>> => {
      const argv = ["replay", "--from-topic", topic, "--to-topic", system.topics.intents, "--as-new", name];
      const [summary] = await cliRows(system, argv);
      await taken();
      return summary as Record<string, unknown>;
    };
    expect((await run("one"))["asNew"]).toMatchObject({ run: "one", intents: 3, unread: 0, expired: 0 });
    expect(await sum("new_1")).toBe("1400");
    await run("one");
    expect(await sum("new_1")).toBe("1400");
    await run("two");
    expect(await sum("new_1")).toBe("2100");
    const own = (await system.readOutcomes({ until: () => true })).filter(({ holderId }) => holderId === "new_1");
    expect(own.map(({ type }) => type).toSorted()).toEqual(
      [
        "account.opened",
        ...Array(2).fill("account_open.rejected"),
        ...Array(3).fill("intent.repeated"),
        ...Array(6).fill("transfer.completed"),
      ].toSorted(),
    );
    await cliRows(system, ["verify", "--deep", "--wait", "10"]);
  });

  test("as new: what comes later for a case finds its new case, also from another replay", async () => {
    const hold = produce.holdPlace("hld_1", 400);
    const opening = [produce.accountOpen("hld_1"), produce.payIn("hld_1", 1_000), hold];
    const topic = await recorded(opening);
    const later = await recorded([produce.holdCapture("hld_1", hold.caseId as string)]);
    for (const part of [topic, later]) {
      await cliRows(system, ["replay", "--from-topic", part, "--to-topic", system.topics.intents, "--as-new", "r"]);
    }
    await taken();
    const states = await system.query("select state from case_state where kind = 'hld' and holder_id = 'hld_1'");
    expect(states).toEqual([{ state: "captured" }, { state: "captured" }]);
    expect(await sum("hld_1")).toBe("1200");
  });

  test("as new: times move by the shift, rubbish goes as it is, and sourceId and key stay", async () => {
    const opened = produce.accountOpen("sft_1", { sourceId: "own-name" });
    const topic = await recorded([opened]);
    await fill(
      topic,
      Array.from({ length: system.lanes }, (_, lane) => (lane === 1 ? [{ key: null, value: Buffer.from("?") }] : [])),
    );
    const to = await freshTopic(system.lanes);
    const argv = ["replay", "--from-topic", topic, "--to-topic", to, "--as-new", "r", "--shift", "-2h"];
    const [summary] = await cliRows(system, argv);
    expect(summary?.["asNew"]).toEqual({ run: "r", shiftMs: -7_200_000, intents: 1, unread: 1, expired: 0 });
    const values = (await contents(to, system.lanes)).flat();
    expect(values.map(({ key }) => String(key)).toSorted()).toEqual(["null", "sft_1"]);
    const intent = await system.codec.decoders.intent.read(values.find(({ key }) => key !== null)?.value as Buffer);
    expect(intent).toMatchObject({ type: "account_open", sourceId: "own-name", holderId: "sft_1" });
    const movedMicros = intent.occurredAt - opened.occurredAt;
    expect(movedMicros).toBeGreaterThan(-7_200_000_000n);
    expect(movedMicros).toBeLessThanOrEqual(-7_199_000_000n);
  });

  test("as new, recorded longer ago than cases are kept: refused, and with --shift now paid like today's", async () => {
    const oldMs = Date.now() - 3 * 366 * 86_400_000;
    const then = new Producing(() => oldMs);
    const topic = await freshTopic(system.lanes, { "message.timestamp.type": "CreateTime", "retention.ms": "-1" });
    const records: RawRecord[][] = Array.from({ length: system.lanes }, () => []);
    for (const intent of [then.accountOpen("old_1"), then.payIn("old_1", 42)]) {
      const value = system.codec.encoders.intent.encode(intent);
      records[homeLane("old_1", system.lanes)]?.push({ key: Buffer.from("old_1"), value, timeMs: oldMs });
    }
    await fill(topic, records);
    const argv = ["replay", "--from-topic", topic, "--to-topic", system.topics.intents, "--as-new", "r"];
    const refused = await cli(system, argv);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/refused as intent_expired.*--shift now/),
    ]);
    const moved = await cli(system, [...argv, "--shift", "now"]);
    await taken();
    expect([moved.code, await sum("old_1")]).toEqual([0, "42"]);
    // The note tells the shift under which the same payments are named again, on whatever day.
    const [, again = ""] = /--shift (\d+ms)/.exec(moved.stderr) ?? [];
    await cliRows(system, [...argv, "--shift", again]);
    await taken();
    expect(await sum("old_1")).toBe("42");
  });
});
