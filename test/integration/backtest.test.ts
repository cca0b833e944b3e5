// A backtest of what a running service has recorded, and the way of a candidate into force: the verbs against a real ledger.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { parseCaseId } from "../../src/domain/ids.ts";
import { replaceOnce, SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { available, Producing } from "../support/intents.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { intent } from "../support/unchecked.ts";
import { waitFor } from "../support/wait.ts";

const make = new Producing();
const MERCHANT = "mer_1";
const [ANN, BOB] = ["mer_2", "mer_3"];

const dir = mkdtempSync(join(tmpdir(), "millrace-backtest-"));
const flowsDir = join(dir, "flows");
const draftsDir = join(dir, "drafts");
cpSync(join(SHIPPED_SCHEMAS, "flows"), flowsDir, { recursive: true });
cpSync(flowsDir, draftsDir, { recursive: true });
const CARD = join(draftsDir, "card.flow.yaml");
const SHIPPED = readFileSync(CARD, "utf8");

let system: TestService;
beforeAll(async () => {
  const config = { flowsDir, roles: ["lanes", "gateways"], providers: ["script"], scriptTroublePercent: 0 } as const;
  system = await startTestService({ prefix: "backtest", lanes: 2, config });
});
afterAll(async () => {
  await system?.stop();
  rmSync(dir, { recursive: true, force: true });
});

function payment(): ReturnType<typeof intent> {
  return intent(MERCHANT, "payment_create", {
    caseId: make.caseId("pay"),
    method: "card",
    captureMode: "automatic",
    provider: "script",
    tokenRef: "tok_1",
    settlementCurrency: "EUR",
    amount: { currency: "EUR", scale: 2, minor: "10000" },
  });
}

type Ended = { readonly code: number; readonly rows: readonly Record<string, unknown>[]; readonly told: string };

async function flows(...args: readonly string[]): Promise<Ended> {
  let [stdout, stderr] = ["", ""];
  const code = await runCli([...args, "--json"], {
    stdout: { isTTY: false, write: (text: string) => void (stdout += text) },
    stderr: { isTTY: false, write: (text: string) => void (stderr += text) },
    workingDir: draftsDir,
    interruption: () => new AbortController().signal,
    environment: {
      MILLRACE_FLOWS_DIR: flowsDir,
      MILLRACE_SCHEMAS_DIR: SHIPPED_SCHEMAS,
      MILLRACE_TOPIC_PREFIX: system.config.topicPrefix,
      MILLRACE_LOCK_TIMEOUT_MS: "30000",
      MILLRACE_STATEMENT_TIMEOUT_MS: "30000",
      KAFKA_BROKERS: system.addresses.kafkaBrokers.join(","),
      DATABASE_URL: system.addresses.databaseUrl,
      SCHEMA_REGISTRY_URL: system.addresses.schemaRegistryUrl,
    },
  });
  const rows = stdout.split("\n").filter((line) => line !== "");
  const told = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("using "));
  return { code, rows: rows.map((line) => JSON.parse(line) as Record<string, unknown>), told: told.join("\n") };
}

const backtest = (...args: readonly string[]): Promise<Ended> =>
  flows("flows", "backtest", "card.flow.yaml", "--from-topic", system.topics.intents, ...args);
const promote = (report: string, reason = "a lower fee"): Promise<Ended> =>
  flows("flows", "promote", "card.flow.yaml", "--report", report, "--reason", reason, "--principal", "ada");

const NEWER = replaceOnce(
  replaceOnce(SHIPPED, "version: 1.0.0", "version: 1.1.0"),
  "fee_bps:          { int: true, default: 290 }",
  "fee_bps:          { int: true, default: 190 }",
);

test("the declared flow is identical; another fee differs in every captured payment by just that", async () => {
  await system.publish([
    make.payIn(ANN, 9_000),
    ...Array.from({ length: 6 }, payment),
    make.payOut(ANN, 1, { to: available(BOB) }),
    make.payIn("nobody-is-at-home-here", 5),
  ]);
  await system.readOutcomes({
    until: (all) =>
      all.filter(({ type }) => type === "payment.captured").length === 6 &&
      all.some(({ type }) => type === "transfer.completed" || type === "transfer.received"),
  });

  const same = await backtest("--expect-none");
  expect([same.code, same.told]).toEqual([0, ""]);
  expect(same.rows).toEqual([expect.objectContaining({ kind: "summary", identical: true, casesThatDiffer: 0 })]);
  expect(same.rows[0]?.["inputs"]).toMatchObject({ intents: 9 });

  writeFileSync(CARD, NEWER);
  const newer = await backtest("--report", "card.report.json");
  expect([newer.code, newer.told]).toEqual([0, ""]);
  const of = (kind: string) => newer.rows.filter((row) => row["kind"] === kind);
  expect(of("summary")[0]).toMatchObject({ identical: false, casesThatDiffer: 6, against: ["card@1.0.0"] });
  expect(of("outcomes")).toEqual([
    expect.objectContaining({ flow: "card", change: "changed", amounts: true, count: 6 }),
  ]);
  expect(of("states")).toEqual([]);
  // 100 basis points of six times 100.00 EUR
  expect(of("money").map((row) => [row["account"], row["differenceMinor"]])).toEqual([
    [`liability:merchant:${MERCHANT}:pending`, "600"],
    ["revenue:processing_fee", "-600"],
  ]);
  const few = await backtest("--expect-none", "--limit", "1");
  expect([few.code, few.told]).toEqual([1, expect.stringContaining("1 more of money are not shown")]);
  expect(few.rows.filter((row) => row["kind"] === "money")).toHaveLength(1);
}, 60_000);

test("a topic that the ledger was not made of, an offset that is not there and a candidate of no flow are refused", async () => {
  const other = await flows("flows", "backtest", "card.flow.yaml", "--from-topic", system.topics.outcomes);
  expect([other.code, other.told]).toEqual([1, expect.stringContaining("the ledger was made of")]);
  const partition = await backtest("--from", "7:0");
  expect([partition.code, partition.told]).toEqual([1, expect.stringContaining("there is no partition 7")]);
  const none = await flows("flows", "backtest", "nothing.flow.yaml", "--from-topic", system.topics.intents);
  expect(none.code).toBe(2);
  const places = await backtest("--from", "soon");
  expect([places.code, places.told]).toEqual([2, expect.stringContaining('--from: found "soon"')]);
  const empty = await backtest("--from", "end");
  expect([empty.code, empty.rows[0]?.["cases"]]).toEqual([0, 0]);
});

test("a report that was changed, of another candidate, of another ledger or of no case promotes nothing", async () => {
  const report = JSON.parse(readFileSync(join(draftsDir, "card.report.json"), "utf8")) as Record<string, unknown>;
  writeFileSync(join(draftsDir, "changed.json"), JSON.stringify({ ...report, against: [] }));
  writeFileSync(join(draftsDir, "no.json"), "{");
  writeFileSync(CARD, `${NEWER}# another content\n`);
  const refusals = {
    "changed.json": "it was changed after it was made",
    "no.json": "it is no JSON",
    "card.report.json": "the report is of another candidate",
  };
  for (const [file, why] of Object.entries(refusals)) {
    const { code, told } = await promote(file);
    expect([file, code, told]).toEqual([file, 1, expect.stringContaining(why)]);
  }
  writeFileSync(CARD, NEWER);
  await backtest("--from", "end", "--report", "empty.json");
  expect(await promote("empty.json")).toMatchObject({ code: 1, told: expect.stringContaining("it says nothing") });

  const declared = join(flowsDir, "card.flow.yaml");
  writeFileSync(declared, `${SHIPPED}# changed since\n`);
  expect(await promote("card.report.json")).toMatchObject({
    code: 1,
    told: expect.stringContaining("the report is stale"),
  });
  writeFileSync(declared, SHIPPED);

  await system.query("alter table block disable trigger append_only");
  const moved = "update block set digest = set_byte(digest, 0, 255 - get_byte(digest, 0))";
  await system.query(moved);
  expect(await promote("card.report.json")).toMatchObject({
    code: 1,
    told: expect.stringContaining("of another ledger"),
  });
  await system.query(moved);
  await system.query("alter table block enable trigger append_only");
  expect(await system.query("select version from flow where name = 'card'")).toEqual([{ version: "1.0.0" }]);
  expect(readFileSync(declared, "utf8")).toBe(SHIPPED);
}, 60_000);

test("a promoted candidate is in force from the next start on, and its cases say who promoted it", async () => {
  const [done, other] = await twoAtOnce(
    () => promote("card.report.json"),
    () => promote("card.report.json", "for another reason"),
  );
  expect(other).toMatchObject({ code: 1, told: expect.stringContaining("somebody else is promoting"), rows: [] });
  expect([done.code, done.told]).toEqual([0, expect.stringContaining("put the file into your release too")]);
  expect(done.rows).toEqual([
    expect.objectContaining({ flow: "card", version: "1.1.0", replaced: "1.0.0", principal: "ada", promoted: true }),
  ]);
  expect((await promote("card.report.json")).rows).toEqual([expect.objectContaining({ promoted: false })]);
  const listed = (await flows("flows", "promotions")).rows;
  const { hash } = JSON.parse(readFileSync(join(draftsDir, "card.report.json"), "utf8")) as { hash: string };
  const why = { principal: "ada", reason: "a lower fee", reportHash: hash };
  expect(listed).toEqual([expect.objectContaining({ flow: "card", version: "1.1.0", ...why })]);
  await expect(system.query("update flow_promotion set reason = 'another'")).rejects.toThrow("append-only");

  await system.instances[0]?.stop();
  await system.start("newer");
  const later = payment();
  await system.publish([later]);
  const isCaptured = ({ type, caseId }: { type: string; caseId: string | null }): boolean =>
    type === "payment.captured" && caseId === later.caseId;
  const all = await system.readOutcomes({ until: (outcomes) => outcomes.some(isCaptured) });
  expect(all.find(isCaptured)?.flow).toBe("card@1.1.0");
  const shown = (await flows("case", later.caseId as string)).rows[0];
  expect(shown).toMatchObject({ flow: "card@1.1.0", promotion: why });
  expect(parseCaseId(later.caseId as string)).not.toBeNull();

  // A span that begins behind the first payments: theirs are taken as they were, and both versions have opened cases.
  const after = await backtest("--from", "0:3,1:3");
  expect([after.code, after.told]).toEqual([0, ""]);
  expect(after.rows.at(-1)).toMatchObject({ kind: "summary", notReproduced: 0, undecidable: 0 });
}, 60_000);

/** The first has judged and stands before the table with its row; the second comes meanwhile, and both go on. */
async function twoAtOnce(...[one, other]: readonly [() => Promise<Ended>, () => Promise<Ended>]) {
  const blocker = new pg.Client({ connectionString: system.addresses.databaseUrl });
  await blocker.connect();
  try {
    await blocker.query("begin; lock table millrace.flow in share mode");
    const first = one();
    await waitFor("the first at the table", () => areWaiting(1));
    const second = other();
    await Promise.race([second, waitFor("the second at the table", () => areWaiting(2))]);
    await blocker.query("rollback");
    return await Promise.all([first, second]);
  } finally {
    await blocker.end();
  }
}

async function areWaiting(count: number): Promise<boolean> {
  const waiting = `select from pg_stat_activity
     where datname = current_database() and application_name = 'millrace flows' and wait_event_type = 'Lock'`;
  return (await system.query(waiting)).length === count;
}
