// Exchange rates from a file through the topic to versions that blocks record: believed once, by however many instances,
// and put aside when they are hostile.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ratesTopic } from "../../src/config/config.ts";
import { loadDeclared } from "../../src/declared/load.ts";
import { type RateCodec, type RateMessage, rateKey } from "../../src/kafka/codec-rate.ts";
import { openRegistry } from "../../src/kafka/registry.ts";
import { databaseSettings, openRateCodec } from "../../src/service/dependencies.ts";
import { connect } from "../../src/store/database.ts";
import { writingRates } from "../../src/store/rates.ts";
import { auditService, problemsOf } from "../support/audit.ts";
import { cli, cliRows } from "../support/cli.ts";
import { replaceOnce, SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { Producing } from "../support/intents.ts";
import { startTestService, type TestService, waitFor } from "../support/service.ts";
import { ROOT } from "../support/source.ts";

const FILE = join(ROOT, "test", "unit", "fixtures", "ecb-excerpt.csv");
const START_MS = Math.floor(Date.now() / 1000) * 1000;
const at = (seconds: number): string => new Date(START_MS + seconds * 1000).toISOString();
const producing = new Producing();
/** The provider `script` says yes to everything. */
const CONFIG = { roles: ["lanes", "gateways", "rates"], providers: ["script"], scriptTroublePercent: 0 } as const;
const folders: string[] = [];

/** The shipped schemas with markets that are closed on these days of the week and on no other: whether a lock is given
 *  must not hang on the day on which the test runs. */
function schemasWithMarketsClosedOn(days: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "rates-"));
  folders.push(folder);
  cpSync(SHIPPED_SCHEMAS, folder, { recursive: true });
  const feeds = join(folder, "rates", "feeds.yaml");
  const target = "{ weekend: [saturday, sunday], holidays: XECB }";
  writeFileSync(feeds, replaceOnce(readFileSync(feeds, "utf8"), target, `{ weekend: [${days.join(", ")}] }`));
  return folder;
}

let system: TestService;
let codec: RateCodec;
beforeAll(async () => {
  const config = { ...CONFIG, schemasDir: schemasWithMarketsClosedOn([]) };
  system = await startTestService({ prefix: "rates", lanes: 2, config });
  const registry = openRegistry({ url: system.addresses.schemaRegistryUrl, timeoutMs: 5_000 });
  const { schemasDir, flowsDir } = system.config;
  codec = await openRateCodec(system.config, loadDeclared(schemasDir, flowsDir), registry);
});
afterAll(async () => {
  await system?.stop();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const topic = (): string => ratesTopic(system.config);
const publish = (day: string, asOf: string, into = system) =>
  cliRows(into, ["rates", "publish", "--from", FILE, "--day", day, "--as-of", asOf]);
const versions = async (): Promise<number> =>
  Number((await system.query("select coalesce(max(version), 0) as n from rate"))[0]?.["n"]);

/** Until every record of the topic up to an offset was judged. */
const judgedUpTo = (offset: number): Promise<void> =>
  waitFor(`ticks up to ${offset} to be judged`, async () => {
    const [row] = await system.query("select next_offset from rate_position where topic = $1", [topic()]);
    return Number(row?.["next_offset"] ?? 0) >= offset;
  });

const knownBy = (port: number, version: number): Promise<void> =>
  waitFor(`version ${version} to be known`, async () => {
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return page.includes(`millrace_rates_version ${version}\n`);
  });

describe("a file of reference rates", () => {
  test("becomes one version, which the next block decides by and records, and its digest is made anew from that", async () => {
    const [published] = await publish("2023-12-28", at(0));
    expect(published).toMatchObject({ topic: topic(), feed: "ecb", from: "2023-12-28" });
    await judgedUpTo(published?.["nextOffset"] as number);
    expect(await versions()).toBe(1);
    await knownBy(system.instances[0]?.httpPort as number, 1);
    await system.publish([producing.accountOpen("cust_1")]);
    await system.readOutcomes({ until: 1 });
    expect(await system.query("select rates_version from block")).toEqual([{ rates_version: "1" }]);
    expect(problemsOf(await auditService(system))).toEqual({});
    await system.query("alter table block disable trigger append_only");
    await system.query("update block set rates_version = 2");
    expect(problemsOf(await auditService(system))).toMatchObject({
      digest_chain: expect.stringContaining("its digest is"),
    });
    await system.query("update block set rates_version = 1");
    await system.query("alter table block enable trigger append_only");
  });

  test("published again changes nothing", async () => {
    const [again] = await publish("2023-12-28", at(0));
    await judgedUpTo(again?.["nextOffset"] as number);
    expect(await versions()).toBe(1);
    expect(await system.query("select count(*)::int as n from rate_refused")).toEqual([{ n: 0 }]);
  });

  test("taken in by two instances makes one version each time, with one row a pair", async () => {
    const second = await system.start("second", { roles: ["rates"] });
    const [published] = await publish("2023-12-29", at(1));
    await judgedUpTo(published?.["nextOffset"] as number);
    await second.stop();
    expect(await versions()).toBe(2);
    const rows = await system.query("select version, count(*)::int as n from rate group by version order by version");
    expect(rows[1]?.["n"]).toBe(rows[0]?.["n"]);
  });

  test("with a fault publishes nothing and names the line", async () => {
    const wrong = await cli(system, ["rates", "publish", "--from", join(ROOT, "package.json")]);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("package.json:1: begins with")]);
    const closed = await cli(system, ["rates", "publish", "--from", FILE, "--day", "2023-12-25"]);
    expect([closed.code, closed.stderr]).toEqual([1, expect.stringContaining("the last one before it is 2023-12-22")]);
    expect(await versions()).toBe(2);
  });
});

describe("rates are told", () => {
  test("direct, over the pivot, and as a version had them", async () => {
    const [direct] = await cliRows(system, ["fx", "rate", "EUR", "USD"]);
    expect(direct).toMatchObject({ rate: "1.105", feed: "ecb", version: 2, quality: "fresh" });
    const [cross] = await cliRows(system, ["fx", "rate", "USD", "JPY"]);
    expect(cross).toMatchObject({ rate: "141.475113122172", legs: [{ mid: "1.105" }, { mid: "156.33" }] });
    const before = await cliRows(system, ["rates", "list", "--at-version", "1"]);
    expect(before.find((row) => row["quote"] === "USD")).toMatchObject({ mid: "1.1114", version: 1 });
    const none = await cli(system, ["fx", "rate", "EUR", "RUB"]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("no rate from EUR to RUB is good")]);
  });

  test("and positions of a ledger without conversions are none", async () => {
    const rows = await cliRows(system, ["fx", "positions", "--in", "USD"]);
    expect(rows.map((row) => row["kind"])).toEqual(["position", "identity"]);
    expect(rows[1]).toMatchObject({ holds: true, worth: "0", version: 2 });
  });

  test("and nobody changes one that was taken in", async () => {
    await expect(system.query("update rate set mid = 2")).rejects.toThrow(/append-only/);
    await expect(system.query("truncate rate")).rejects.toThrow(/append-only/);
  });
});

describe("a payment at the rate of a quote", () => {
  const HOLDER = "mer_1";
  const common = { holderId: HOLDER, occurredAt: BigInt(Date.now()) * 1000n };
  const money = (currency: string, minor: number) => ({ currency, scale: 2, minor: String(minor) });

  test("is converted as it was quoted and takes the quote in one block, and the second ledger decides the same", async () => {
    await knownBy(system.instances[0]?.httpPort as number, 2);
    const outcomesSoFar = (await system.query("select sum(outcomes_next)::int as n from lane"))[0]?.["n"] as number;
    const [quote, payment, other] = [producing.caseId("fxq"), producing.caseId("pay"), producing.caseId("pay")];
    const card = {
      type: "payment_create",
      method: "card",
      provider: "script",
      tokenRef: "tok_1",
      settlementCurrency: "USD",
    };
    const accounts = ["pending", "available", "reserved"].map((kind) => ({
      ...common,
      type: "account_open",
      caseId: producing.caseId("acc"),
      account: `liability:merchant:${HOLDER}:${kind}`,
      currency: "USD",
    }));
    await system.publish([
      ...accounts,
      {
        ...common,
        type: "quote_request",
        caseId: quote,
        amount: money("EUR", 10_000),
        settlementCurrency: "USD",
        lockSeconds: 3600n,
      },
      { ...common, ...card, caseId: payment, amount: money("EUR", 10_000), quoteId: quote },
    ]);
    const taken = await system.readOutcomes({ until: (all) => all.some(({ type }) => type === "payment.captured") });
    const of = (type: string) => taken.find((one) => one.type === type);
    // 100.00 EUR · 1.1050 · (1 - 1.15 %), rounded down.
    expect(of("quote.created")?.amounts["received"]).toEqual(money("USD", 10_922));
    expect(of("payment.captured")?.amounts).toMatchObject({ net: money("USD", 10_922), spread: money("USD", 128) });
    expect(of("quote.consumed")).toMatchObject({
      block: of("payment.captured")?.block,
      caseId: quote,
      status: "consumed",
    });
    await system.publish([{ ...common, ...card, caseId: other, amount: money("EUR", 10_000), quoteId: quote }]);
    const all = await system.readOutcomes({
      until: (read) => read.some(({ caseId, reason }) => caseId === other && reason !== null),
    });
    expect(all.find(({ caseId }) => caseId === other)?.reason).toMatchObject({ category: "fx" });
    expect(all.length).toBeGreaterThan(outcomesSoFar);
    expect(problemsOf(await auditService(system, { depth: "deep", waitMs: 5_000 }))).toEqual({});
  });

  test("leaves the house long in euros and short in dollars, at no result but its spread", async () => {
    const rows = await cliRows(system, ["fx", "positions", "--in", "USD"]);
    expect(rows).toEqual([
      expect.objectContaining({ kind: "position", currency: "USD", positionMinor: "-11050" }),
      expect.objectContaining({ currency: "EUR", positionMinor: "10000", costMinor: "11050", unrealisedMinor: "0" }),
      { kind: "spread", from: "EUR", to: "USD", currency: "USD", minor: "128" },
      expect.objectContaining({ kind: "identity", holds: true, worth: "0", result: "0" }),
    ]);
    const dearer = await cliRows(system, ["fx", "positions", "--in", "USD", "--at-version", "1"]);
    expect(dearer[1]).toMatchObject({ valueMinor: "11114", unrealisedMinor: "64" });
    const ahead = await cli(system, ["fx", "positions", "--at-version", "99"]);
    expect([ahead.code, ahead.stderr]).toEqual([1, expect.stringContaining("there is no version 99 of rates yet")]);
    const text = await cli(system, ["fx", "positions", "--in", "USD"]);
    expect(text.stdout).toMatch(/EUR +100\.00 +1\.105000 +110\.50 +110\.50 +0\.00 +0\.00/);
  });
});

test("a quote in a closed market costs its surcharge and is locked for minutes", async () => {
  const weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
  const today = new Date().getUTCDay();
  const closed = [today, (today + 1) % 7].map((day) => weekdays[day] as string);
  const schemasDir = schemasWithMarketsClosedOn(closed);
  const weekend = await startTestService({ prefix: "closed", lanes: 1, config: { ...CONFIG, schemasDir } });
  try {
    await publish("2023-12-29", new Date().toISOString(), weekend);
    await knownBy(weekend.instances[0]?.httpPort as number, 1);
    const quote = {
      type: "quote_request",
      holderId: "mer_1",
      occurredAt: BigInt(Date.now()) * 1000n,
      amount: { currency: "EUR", scale: 2, minor: "10000" },
      settlementCurrency: "USD",
    } as const;
    const [hour, minutes] = [producing.caseId("fxq"), producing.caseId("fxq")];
    await weekend.publish([
      { ...quote, caseId: hour, lockSeconds: 3600n },
      { ...quote, caseId: minutes, lockSeconds: 300n },
    ]);
    const told = await weekend.readOutcomes({ until: 2 });
    const of = (id: string) => told.find(({ caseId }) => caseId === id);
    expect(of(hour)?.reason).toMatchObject({ code: "fx_rate_unavailable" });
    // 100.00 EUR · 1.1050 · (1 - 1.15 % - 0.30 %), rounded down.
    expect(of(minutes)).toMatchObject({ type: "quote.created", amounts: { received: { minor: "10889" } } });
  } finally {
    await weekend.stop();
  }
});

describe("hostile ticks", () => {
  const tick = (seconds: number, over: Partial<RateMessage>): RateMessage => {
    const asOfAt = BigInt(START_MS + seconds * 1000) * 1000n;
    const mid = over.mid ?? "1.1050";
    return { feed: "ecb", base: "EUR", quote: "USD", seq: asOfAt, bid: mid, ask: mid, asOfAt, ...over, mid };
  };
  const send = async (values: readonly (RateMessage | Buffer | null)[]): Promise<number> => {
    const records = values.map((one) =>
      one === null || Buffer.isBuffer(one)
        ? { key: Buffer.from("k"), value: one }
        : { key: rateKey(one), value: codec.encoder.encode(one) },
    );
    const { baseOffset } = await system.producer.send(topic(), 0, records);
    return Number(baseOffset) + records.length;
  };

  test("are put aside with their reason and make no version; what else is in their batch is taken", async () => {
    const next = await send([
      Buffer.from("no avro"),
      null,
      tick(10, { bid: "1.2", mid: "1.1" }),
      tick(11, { mid: "1.1,05" }),
      tick(12, { mid: "0.1105" }),
      tick(13, { quote: "XXX" }),
      tick(14, { feed: "nobody" }),
      tick(900, {}),
      tick(901, { asOfAt: BigInt(START_MS + 5_000) * 1000n, quote: "GBP", mid: "0.8700" }),
      tick(2, { quote: "CHF", mid: "0.9000" }), // behind the numbers before: dropped
    ]);
    await judgedUpTo(next);
    expect(await versions()).toBe(3);
    const refused = await cliRows(system, ["rates", "refused"]);
    expect(refused.map((row) => row["reason"]).reverse()).toEqual([
      "undecodable",
      "crossed_prices",
      "malformed_price",
      "jump",
      "unknown_currency",
      "unknown_feed",
      "in_future",
    ]);
    const few = await cli(system, ["rates", "refused", "--limit", "6", "--json"]);
    expect(few.rows()).toEqual(refused.slice(0, 6));
    expect(few.stderr).toContain("there are more: these are the newest 6");
    expect((await cli(system, ["rates", "refused", "--limit", "7"])).stderr).not.toContain("there are more");
    const [pound] = await cliRows(system, ["fx", "rate", "EUR", "GBP"]);
    expect(pound).toMatchObject({ rate: "0.87", version: 3 });
    const [dollar] = await cliRows(system, ["fx", "rate", "EUR", "USD"]);
    expect(dollar).toMatchObject({ rate: "1.105" });
    const page = await (await fetch(`http://127.0.0.1:${system.instances[0]?.httpPort}/metrics`)).text();
    expect(page).toContain('millrace_rates_refused_total{reason="jump"} 1');
  });

  test("that a person has looked at become a version, once", async () => {
    const [jump] = (await cliRows(system, ["rates", "refused"])).filter((row) => row["reason"] === "jump");
    const accept = (seq: string) =>
      cli(system, ["rates", "accept", "ecb", "EUR/USD", "--seq", seq, "--reason", "the market did", "--json"]);
    expect((await accept(String(jump?.["seq"]))).rows()).toEqual([
      { feed: "ecb", base: "EUR", quote: "USD", mid: "0.1105", seq: jump?.["seq"], version: 4 },
    ]);
    expect((await cliRows(system, ["fx", "rate", "EUR", "USD"]))[0]).toMatchObject({ rate: "0.1105", version: 4 });
    expect(await accept(String(jump?.["seq"]))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("it became version 4"),
    });
    expect(await accept("1")).toMatchObject({ code: 1, stderr: expect.stringContaining("no tick 1 of ecb") });
  });
});

test("a version that is being written lets no other be numbered before it is there to be read", async () => {
  const settings = databaseSettings(system.config, system.addresses.databaseUrl, "millrace_service");
  const [one, other] = [await connect(settings, "service"), await connect(settings, "service")];
  const row = (quote: string) => {
    const common = {
      feed: "desk",
      priority: 1,
      pivot: "USD",
      base: "EUR",
      quote,
      seq: 1n,
      bid: "1",
      mid: "1",
      ask: "1",
    };
    const life = [{ untilMs: Date.now() + 1, quality: "fresh" as const, extraBps: 0n, lockMaxMs: null }];
    return { ...common, asOfMs: Date.now(), receivedAtMs: Date.now(), life };
  };
  const gate = { open: (): void => undefined };
  const opened = new Promise<void>((resolve) => {
    gate.open = resolve;
  });
  let tellWritten = (): void => undefined;
  const written = new Promise<void>((resolve) => {
    tellWritten = resolve;
  });
  const first = writingRates(one, async (writer) => {
    const version = await writer.write([row("SEK")]);
    tellWritten();
    await opened;
    return version;
  });
  await Promise.race([written, first]); // Else the other may come first, and rightly be numbered before it.
  const second = writingRates(other, (writer) => writer.write([row("NOK")]));
  await Promise.race([second, new Promise((resolve) => setTimeout(resolve, 300))]);
  gate.open();
  expect(await second).toBe((await first) + 1n);
  await Promise.all([one.close(), other.close()]);
});
