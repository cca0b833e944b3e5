// millrace verify: the auditor over database and topics.

import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import type { Connection } from "../store/database.ts";
import type { Finding } from "../workload/audit/findings.ts";
import type { Given } from "../workload/audit/given.ts";
import type { AuditDepth, AuditReport } from "../workload/audit/parts.ts";
import type { SidesTally } from "../workload/audit/sides.ts";
import type { Addresses } from "./addresses.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { startProgress } from "./progress.ts";
import { usageCheck } from "./usage.ts";

type VerifyOptions = { readonly deep?: boolean; readonly wait?: string; readonly sandbox?: string };

const WAIT_MAX_SECONDS = 3_600;
const RECORD_TIMEOUT_MS = 60_000;
const COMPARE_AGAIN_MS = 1_000;
/** By how much the heap may grow over what is alive before old garbage is collected; V8's own answer is a multiple. */
const HEAP_GROWTH_PERCENT = 100;

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("verify")
    .summary("audit database and topics, invariant by invariant")
    .description(
      "Audits database and topics at a cut, beside running instances or without any, and says of every invariant `ok` or " +
        "what is wrong and where. It ends with 1 when one fails. Messages that are committed and not yet published are " +
        "counted as backlog.",
    )
    .option("--deep", "also decide every intent anew in a second ledger, and hold what is written against it (slower)")
    .option("--wait <SECONDS>", "wait for the relay to publish what is committed, and fail when it does not")
    .option(
      "--sandbox <URL>",
      "also hold what was asked for and booked against what the sandbox at this address says that its providers did",
    )
    .action((options: VerifyOptions) => verify(context, options));
  withExamples(
    verb,
    "millrace verify",
    "millrace verify --deep --wait 10 --json",
    "millrace verify --sandbox http://127.0.0.1:9500 --wait 30",
  );
}

async function verify(context: CliContext, options: VerifyOptions): Promise<void> {
  const usage = usageCheck();
  const range = { default: 0, min: 0, max: WAIT_MAX_SECONDS };
  const waitSeconds = usage.wholeNumber("--wait", options.wait, range);
  const sandboxUrl = usage.url("--sandbox", options.sandbox);
  const config = await context.config([], usage);
  const addresses = await context.addresses(config);
  const { withDatabase } = await import("./database.ts");
  const access = { config, databaseUrl: addresses.databaseUrl, verb: "verify", mode: "read" } as const;
  const depth: AuditDepth = options.deep === true ? "deep" : "usual";
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const began = performance.now();
  const report = await withDatabase(access, (rows) =>
    withDatabase(access, (snapshots) =>
      auditAll(context, config, addresses, { rows, snapshots, depth, waitMs: waitSeconds * 1_000, sandboxUrl }),
    ),
  );
  await print(context, report, performance.now() - began);
}

type Asked = {
  readonly rows: Connection;
  readonly snapshots: Connection;
  readonly depth: AuditDepth;
  readonly waitMs: number;
  /** null: both sides are not compared */
  readonly sandboxUrl: string | null;
};

/** `sides` null: they were not compared. */
type Report = AuditReport & { readonly sides: SidesTally | null };

async function auditAll(context: CliContext, config: Config, addresses: Addresses, asked: Asked): Promise<Report> {
  const { openAdmin } = await import("../kafka/admin.ts");
  const { quietKafka } = await import("./kafka-settings.ts");
  const { audit } = await import("../workload/audit/audit.ts");
  const kafka = quietKafka(config, addresses.kafkaBrokers, "verify");
  const admin = await openAdmin(kafka);
  const bar = await startProgress(context.out, context.io.stderr, { title: "verify", total: 1, unit: "blocks" });
  try {
    const given = await auditGiven(config, addresses, asked);
    const report = await audit({
      ...given,
      ...asked,
      kafka,
      admin,
      progress: (done, total) => bar.update(done, total),
    });
    const compared = await compareBothSides(given, asked);
    return { ...report, findings: [...report.findings, ...(compared?.findings ?? [])], sides: compared?.sides ?? null };
  } finally {
    bar.stop();
    await admin.close();
  }
}

/** Providers go on while they are looked at, so what differs is looked at again for as long as `--wait` says.
 *  @returns null when nobody asked */
async function compareBothSides(
  { decoders, chart }: Given,
  { rows, waitMs, sandboxUrl: url }: Asked,
): Promise<{ readonly findings: readonly Finding[]; readonly sides: SidesTally } | null> {
  if (url === null) return null;
  const { compareSides } = await import("../workload/audit/sides.ts");
  const { readSides } = await import("../workload/audit/sides-read.ts");
  const { Findings, SIDES_INVARIANTS } = await import("../workload/audit/findings.ts");
  const until = performance.now() + waitMs;
  for (;;) {
    const found = new Findings();
    const from = { rows, chart, command: decoders.command, url, timeoutMs: RECORD_TIMEOUT_MS };
    const sides = compareSides(found, await readSides(from));
    const findings = found.list((invariant) => SIDES_INVARIANTS.has(invariant));
    if (findings.every(({ ok }) => ok) || performance.now() > until) return { findings, sides };
    await setTimeout(COMPARE_AGAIN_MS);
  }
}

/** What is declared and registered, as the auditor needs it. */
async function auditGiven(config: Config, addresses: Addresses, { rows, depth }: Asked): Promise<Given> {
  const { openMessages } = await import("./codec.ts");
  const { beginReading } = await import("../store/audit.ts");
  const { readGiven } = await import("../workload/audit/given.ts");
  const { requireLanes } = await import("./database.ts");
  const { countLanes } = await import("../store/setup.ts");
  const lanes = requireLanes(await countLanes(rows));
  const { codec, declared, topics, registry } = await openMessages(config, addresses.schemaRegistryUrl);
  await beginReading(rows);
  return readGiven(rows, {
    schemasDir: config.schemasDir,
    declared,
    codec,
    topics,
    lanes,
    depth,
    askSchema: (id) => registry.schemaById(id),
    settings: config,
  });
}

async function print({ out }: CliContext, report: Report, tookMs: number): Promise<void> {
  const { INVARIANTS } = await import("../workload/audit/findings.ts");
  const { findings, sides, ...audited } = report;
  const counts = { ...audited, ...(sides === null ? {} : { sides }) };
  for (const { invariant, ok, checked, problems, problemCount } of findings) {
    const verdict = ok ? out.paint("green", "ok    ") : out.paint("red", "FAILED");
    const more = problemCount > problems.length ? [`… and ${problemCount - problems.length} more`] : [];
    const said = ok ? [] : [INVARIANTS[invariant], ...problems, ...more].map((line) => `         ${line}`);
    const head = `${verdict} ${invariant.padEnd(30)} ${checked.toLocaleString("en").padStart(12)} checked`;
    out.row({ invariant, ok, checked, problems, problemCount }, [head, ...said].join("\n"));
  }
  const failed = findings.filter(({ ok }) => !ok).map(({ invariant }) => invariant);
  const seconds = Math.round(tookMs) / 1_000;
  out.row(
    { summary: true, ok: failed.length === 0, failed, ...counts, seconds },
    summary(report, failed.length, seconds),
  );
  if (failed.length > 0)
    throw new CommandFailed(EXIT.failed, `${failed.length} invariants do not hold: ${failed.join(", ")}`);
}

function summary(report: Report, failed: number, seconds: number): string {
  const count = (value: bigint, what: string): string => `${value.toLocaleString("en")} ${what}`;
  const seen = [
    count(BigInt(report.lanes), "lanes"),
    count(report.blocks, "blocks"),
    count(report.lines, "lines"),
    count(report.messages, "messages"),
    count(report.cases, "cases"),
    ...(report.blocksDecided > 0n ? [count(report.blocksDecided, "blocks decided anew")] : []),
  ];
  const notes = [
    report.backlog > 0n ? count(report.backlog, "messages are committed and not yet published") : "",
    report.digestsNotRecomputed > 0n
      ? count(
          report.digestsNotRecomputed,
          "digests were checked by their links alone: the intents of then have expired",
        )
      : "",
    report.messagesFromTopicAlone > 0n
      ? count(report.messagesFromTopicAlone, "messages were read from their topic alone: the outbox has let go of them")
      : "",
    report.detachedBlocks > 0n
      ? count(report.detachedBlocks, "blocks have left with the partitions of their days and were not audited")
      : "",
    report.blocksNotDecided > 0n
      ? count(
          report.blocksNotDecided,
          "blocks were not decided anew: their inputs are gone, or one before them differs",
        )
      : "",
    report.inputsBelieved > 0n
      ? count(report.inputsBelieved, "inputs were put aside for what was true then alone, and believed")
      : "",
    report.casesMovedOn > 0n
      ? count(
          report.casesMovedOn,
          "cases have moved on meanwhile: their history was compared, their state of today was not",
        )
      : "",
    report.balancesInPart > 0n
      ? count(
          report.balancesInPart,
          "balances are older than the blocks that are there: only what came since was added up",
        )
      : "",
    ...sidesNotes(report.sides),
  ].filter((note) => note !== "");
  const verdict = failed === 0 ? "every invariant holds" : "not every invariant holds";
  return [`${verdict}: ${seen.join(", ")} in ${seconds} s`, ...notes].join("\n");
}

const NAMED_MAX = 5;

/** Payments that differ and are no problem, told apart by why. */
function sidesNotes(sides: SidesTally | null): string[] {
  const note = (cases: readonly string[], what: string): string => {
    if (cases.length === 0) return "";
    const more = cases.length > NAMED_MAX ? ", …" : "";
    return `${cases.length.toLocaleString("en")} payments ${what}: ${cases.slice(0, NAMED_MAX).join(", ")}${more}`;
  };
  if (sides === null) return [];
  return [
    note(sides.withPerson, "differ from what providers did and wait for a named person"),
    note(sides.underWay, "differ from what providers did and are under way"),
    note(sides.disputed, "are disputed by their payers, which no flow books yet"),
  ];
}
