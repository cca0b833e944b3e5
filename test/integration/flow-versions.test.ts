// A case ends on the version of its flow that it began with, guards and defaults included, while new cases open on the
// next; and every block names the version of parameters and settings that it decided by.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { auditService, problemsOf } from "../support/audit.ts";
import { replaceOnce, SHIPPED_SCHEMAS, TEST_FLOWS } from "../support/faulty.ts";
import { Producing } from "../support/intents.ts";
import { startTestService, type TestOutcome, type TestService } from "../support/service.ts";

const make = new Producing();
const [ANN, BOB] = ["ann", "bob"];

/** Captures up to a limit, under an outcome of its own. */
function version(number: string, limit: number, refusal: string, outcome: string): string {
  let text = readFileSync(join(TEST_FLOWS, "hold.flow.yaml"), "utf8");
  text = replaceOnce(text, "version: 1.0.0", `version: ${number}`);
  text = replaceOnce(
    text,
    "  data:\n",
    `  params:\n    limit: { amounts: true, default: { EUR: ${limit} } }\n  data:\n`,
  );
  text = replaceOnce(text, "hold.captured", outcome);
  return replaceOnce(
    text,
    "        intent.hold_capture:\n",
    `        intent.hold_capture:\n          - { when: "data.amount > lookup(params.limit, S, 0)", refuse: ${refusal} }\n`,
  );
}

const OLD = version("1.0.0", 500, "amount_too_large", "hold.captured");
const NEW = version("2.0.0", 50, "invalid_state", "parcel.collected");

function parametersOf(holder: string, limit: number): string {
  return `apiVersion: parameters/v1
kind: Parameters
metadata: { name: hold, owner: tests }
spec: { flow: hold, overlays: [{ holder: ${holder}, values: { limit: { EUR: ${limit} } } }] }
`;
}

const flowsDir = mkdtempSync(join(tmpdir(), "millrace-flows-"));
afterAll(() => rmSync(flowsDir, { recursive: true, force: true }));

function declare(flow: string, parameters: string): void {
  writeFileSync(join(flowsDir, "hold.flow.yaml"), flow);
  writeFileSync(join(flowsDir, "parameters", "hold.yaml"), parameters);
}

/** What a case is answered to a new capture. */
async function capture(system: TestService, holder: string, hold: string, key: string): Promise<string> {
  await system.publish([make.holdCapture(holder, hold, { idempotencyKey: key })]);
  const isAnswer = (one: TestOutcome): boolean => one.caseId === hold && one.idempotencyKey === key;
  const answer = (await system.readOutcomes({ until: (all) => all.some(isAnswer) })).find(isAnswer);
  return `${answer?.flow} ${answer?.reason?.code ?? answer?.type}`;
}

async function place(system: TestService, holder: string): Promise<string> {
  const intent = make.holdPlace(holder, 400);
  await system.publish([make.payIn(holder, 400), intent]);
  await system.readOutcomes({
    until: (all) => all.some(({ type, caseId }) => type === "hold.placed" && caseId === intent.caseId),
  });
  return intent.caseId as string;
}

async function parameterVersions(system: TestService): Promise<unknown[]> {
  const rows = await system.query("select distinct parameters_version::int as used from block order by used");
  return rows.map(({ used }) => used);
}

test("two versions of a flow run side by side, each by its own guards and defaults, with one set of overlays", async () => {
  cpSync(join(SHIPPED_SCHEMAS, "flows"), flowsDir, { recursive: true });
  mkdirSync(join(flowsDir, "parameters"));
  declare(OLD, parametersOf(ANN, 300));
  const system = await startTestService({ prefix: "versions", lanes: 2, config: { flowsDir } });
  try {
    const old = { ann: await place(system, ANN), bob: await place(system, BOB) };
    expect(await capture(system, ANN, old.ann, "c-1")).toBe("hold@1.0.0 amount_too_large"); // 300 is ann's own limit
    expect(await parameterVersions(system)).toEqual([1]);

    await system.instances[0]?.stop();
    declare(NEW, parametersOf(ANN, 450));
    await system.start("newer");
    const newer = { ann: await place(system, ANN), bob: await place(system, BOB) };
    expect(await capture(system, ANN, old.ann, "c-2")).toBe("hold@1.0.0 hold.captured"); // 450 is ann's limit now
    expect(await capture(system, ANN, newer.ann, "c-3")).toBe("hold@2.0.0 parcel.collected");
    expect(await capture(system, BOB, old.bob, "c-4")).toBe("hold@1.0.0 hold.captured"); // up to 500, as bob's case began
    expect(await capture(system, BOB, newer.bob, "c-5")).toBe("hold@2.0.0 invalid_state"); // up to 50
    expect(await parameterVersions(system)).toEqual([1, 2]);

    await system.instances[0]?.stop();
    declare(NEW, `# the same values as at first\n${parametersOf(ANN, 300)}`);
    await system.start("back");
    expect(await capture(system, BOB, newer.bob, "c-6")).toBe("hold@2.0.0 invalid_state");
    const [last] = await system.query(
      "select parameters_version::int as used from block order by recorded_at desc, block desc limit 1",
    );
    expect(last).toEqual({ used: 1 });
    expect(await system.query("select version::int from parameter_version order by version")).toEqual([
      { version: 1 },
      { version: 2 },
    ]);
    expect(problemsOf(await auditService(system, { depth: "deep", waitMs: 10_000 }))).toEqual({});
  } finally {
    await system.stop();
  }
});

/** More than the strict ones take, and nothing that is too long in itself. */
const LARGE = Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`k${at}`, "x".repeat(400)]));

test("settings that changed between two runs: what each decided is judged by its own", async () => {
  const strict = { intentBytesMax: 2_048, caseWindowDays: 5, caseFutureHours: 1 };
  const mild = { intentBytesMax: 65_536, caseWindowDays: 400, caseFutureHours: 24 };
  const system = await startTestService({ prefix: "settings", lanes: 2, config: strict });
  const HOUR_MS = 3_600_000;
  /** One that is large, one of ten days ago, one of two hours ahead. */
  const send = (): Promise<void> =>
    system.publish(
      [0, -240, 2].map((hours) =>
        new Producing(() => Date.now() + hours * HOUR_MS).payIn(ANN as string, 5, {
          occurredAt: BigInt(Date.now()) * 1000n,
          ...(hours === 0 ? { metadata: LARGE } : {}),
        }),
      ),
    );
  try {
    await send();
    const refused = await system.readOutcomes({ until: 2 });
    expect(refused.map(({ reason }) => reason?.code)).toEqual(["intent_expired", "case_id_in_future"]);
    await system.readDeadLetters(1);
    await system.instances[0]?.stop();
    await system.start("milder", mild);
    await send();
    expect((await system.readOutcomes({ until: 5 })).slice(2).map(({ type }) => type)).toEqual(
      Array.from({ length: 3 }, () => "transfer.completed"),
    );
    expect(await parameterVersions(system)).toEqual([1, 2]);
    for (const settings of [strict, mild]) {
      const over = { depth: "deep", waitMs: 10_000 } as const;
      expect(problemsOf(await auditService({ ...system, config: { ...system.config, ...settings } }, over))).toEqual(
        {},
      );
    }
  } finally {
    await system.stop();
  }
});

/** The receiver asks for one field more than senders of before give. */
function withNote(from: string): void {
  const file = (name: string): string => join(from, `${name}.flow.yaml`);
  const change = (name: string, ...changes: readonly (readonly [string, string])[]): void =>
    writeFileSync(
      file(name),
      changes.reduce((text, [old, by]) => replaceOnce(text, old, by), readFileSync(file(name), "utf8")),
    );
  change(
    "transfer_in",
    ["version: 1.0.0", "version: 1.1.0"],
    ["{ account: { text: true },", "{ account: { text: true }, seq: { int: true },"],
    [
      "    amount: { money: M, init: event.amount }",
      "    amount: { money: M, init: event.amount }\n    seq: { int: true, init: event.seq }",
    ],
    ["{ post: P17b, x: data.amount }", "{ set: { seq: data.seq + 1 } }\n            - { post: P17b, x: data.amount }"],
  );
  change(
    "transfer",
    ["version: 1.1.0", "version: 1.2.0"],
    ["account: intent.to, amount", "account: intent.to, seq: 1, amount"],
  );
  change(
    "wallet_refund",
    ["version: 1.0.0", "version: 1.1.0"],
    ["{ account: data.to, amount", "{ account: data.to, seq: 1, amount"],
  );
}

test("a release that cases of an older version cannot live with does not start, and leaves nothing behind", async () => {
  const dir = mkdtempSync(join(tmpdir(), "millrace-kept-"));
  cpSync(join(SHIPPED_SCHEMAS, "flows"), dir, { recursive: true });
  const system = await startTestService({ prefix: "kept", lanes: 2, config: { flowsDir: dir } });
  try {
    await system.instances[0]?.stop();
    const registered = await system.query("select name, version from flow order by flow");
    withNote(dir);
    const why =
      /transfer_in\.flow\.yaml:\d+:\d+: together: credit sends no "seq" along, which transfer_in takes from transfer_credit; cases still live by transfer@1\.1\.0 \(line \d+\), which nothing can change: leave transfer_in as it is for them/;
    await expect(system.start("newer")).rejects.toThrow(why);
    expect(await system.query("select name, version from flow order by flow")).toEqual(registered);
    const checked = await flowsCheck(system, dir, "--registered");
    expect(checked).toEqual({ code: 1, stdout: expect.stringMatching(why) });
    expect((await flowsCheck(system, dir)).code).toBe(0); // by itself it is sound

    cpSync(join(SHIPPED_SCHEMAS, "flows"), dir, { recursive: true });
    const source = join(dir, "transfer.flow.yaml");
    writeFileSync(source, replaceOnce(readFileSync(source, "utf8"), "version: 1.1.0", "version: 1.2.0"));
    await system.start("mended");
    const { code, stdout } = await flowsCheck(system, dir, "--registered");
    expect(code, stdout).toBe(0);
    expect(stdout).toContain("transfer@1.1.0: kept for its cases, fits");
  } finally {
    await system.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

async function flowsCheck(
  { addresses }: TestService,
  dir: string,
  ...options: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string }> {
  let stdout = "";
  const code = await runCli(["flows", "check", ...options], {
    stdout: { isTTY: false, write: (text: string) => void (stdout += text) },
    stderr: { isTTY: false, write: () => undefined },
    workingDir: dir,
    interruption: () => new AbortController().signal,
    environment: {
      MILLRACE_FLOWS_DIR: dir,
      MILLRACE_SCHEMAS_DIR: SHIPPED_SCHEMAS,
      KAFKA_BROKERS: addresses.kafkaBrokers.join(","),
      DATABASE_URL: addresses.databaseUrl,
      SCHEMA_REGISTRY_URL: addresses.schemaRegistryUrl,
    },
  });
  return { code, stdout };
}
