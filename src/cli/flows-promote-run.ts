// The working part of `millrace flows promote`: everything that speaks against it is told at once, and nothing is changed
// before all of it holds.

import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { type Config, topicNames } from "../config/config.ts";
import { FLOW_FILE_ENDING } from "../declared/flow-files.ts";
import { DeclaredFaults, loadDeclared, loadKept, parametersDir } from "../declared/load.ts";
import { holdsCardNumber } from "../domain/cards/numbers.ts";
import type { Connection } from "../store/database.ts";
import { claimPromotion, type Promotion, promoteFlow, readDigest, readPromotions } from "../store/promotions.ts";
import { type NumberedFlow, readFlowVersions } from "../store/setup.ts";
import { type HashedReport, readReport, verdictOf } from "../workload/backtest/report.ts";
import type { CliContext } from "./context.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { type Candidate, readCandidate } from "./flows-candidate.ts";
import type { PromoteOptions } from "./flows-promote.ts";
import { noFile, usageCheck } from "./usage.ts";

const TEXT_CHARS_MAX = 1_000;
const AT_IT = "nothing was promoted: somebody else is promoting on this ledger; ask again when that has ended";

/** @throws CommandFailed 1 with everything that speaks against it | FlowVersionChanged | DeclaredFaults */
export async function promote(context: CliContext, file: string, options: PromoteOptions): Promise<void> {
  const usage = usageCheck();
  const { workingDir } = context.io;
  const said = {
    reason: options.reason.trim(),
    principal: (options.principal ?? userInfo().username).trim(),
  };
  for (const [flag, text] of Object.entries({ "--reason": said.reason, "--principal": said.principal })) {
    if (text === "" || text.length > TEXT_CHARS_MAX) usage.fault(`${flag}: expected 1 to ${TEXT_CHARS_MAX} characters`);
    if (holdsCardNumber(text)) usage.fault(`${flag}: what reads as a card number; it would be kept for ever`);
  }
  const reportFile = resolve(workingDir, options.report);
  const why = noFile(reportFile);
  if (why !== null) usage.fault(`--report: ${reportFile} ${why}`);
  const config = await context.config([], usage);
  const report = readReport(readFileSync(reportFile, "utf8"));
  if (typeof report === "string") throw new CommandFailed(EXIT.failed, `${reportFile}: ${report}`);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  await withDatabase({ config, databaseUrl, verb: "flows", mode: "write" }, async (connection) => {
    if (!(await claimPromotion(connection))) throw new CommandFailed(EXIT.failed, AT_IT);
    const declared = loadDeclared(config.schemasDir, config.flowsDir);
    const registered = await readFlowVersions(connection);
    const names = [...registered, ...declared.flows].map(({ name }) => name);
    const candidate = readCandidate(file, { workingDir, declared, names });
    const known = await promotionOf(connection, candidate);
    if (known?.reportHash === report.hash && candidate.declared?.contentHash === candidate.contentHash) {
      tell(context, config, candidate, { ...said, report, isNew: false });
      return;
    }
    const faults = [
      ...(known === null || known.reportHash === report.hash ? [] : [promotedBefore(known)]),
      ...reportFaults(candidate, report, topicNames(config).intents),
      ...(await ledgerFaults(connection, report)),
      ...startFaults(config, candidate, registered),
    ];
    if (faults.length > 0) throw new CommandFailed(EXIT.failed, ["nothing was promoted:", ...faults].join("\n"));
    const { name, version } = candidate.flow;
    const { source, contentHash } = candidate;
    await promoteFlow(
      connection,
      { name, version, contentHash, source },
      { ...said, reportHash: report.hash, report: JSON.stringify(report) },
    );
    declare(config, candidate);
    tell(context, config, candidate, { ...said, report, isNew: true });
  });
}

/** With the same report it may be asked for again: perhaps the first time ended in front of the file. */
async function promotionOf(connection: Connection, { flow, contentHash }: Candidate): Promise<Promotion | null> {
  const isSame = (one: Promotion): boolean =>
    one.name === flow.name && one.version === flow.version && one.contentHash === contentHash;
  return (await readPromotions(connection)).find(isSame) ?? null;
}

function promotedBefore({ name, version, reportHash }: Promotion): string {
  return `${name}@${version} was promoted before, by report ${reportHash}, and stays so: give the file a new version`;
}

function reportFaults({ flow, contentHash, declared }: Candidate, report: HashedReport, topic: string): string[] {
  const faults: string[] = [];
  if (report.candidate.flow !== flow.name || report.candidate.contentHash !== contentHash) {
    const { flow: name, version } = report.candidate;
    faults.push(`the report is of another candidate: ${name}@${version}, with other content than this file`);
  }
  const isInPlace = declared?.contentHash === contentHash;
  if (!isInPlace && report.declared?.contentHash !== declared?.contentHash) {
    const then = report.declared === null ? "none" : `${flow.name}@${report.declared.version}`;
    faults.push(`the report is stale: ${then} was declared then, and what is declared has changed since`);
  }
  if (report.topic !== topic) faults.push(`the report is of topic ${report.topic}, and the ledger is made of ${topic}`);
  const verdict = verdictOf(report);
  if (verdict === null) faults.push("the report has no result");
  else if (verdict.cases === 0) faults.push("the report has no case in its span, so it says nothing");
  else if (verdict.undecidable > 0) {
    faults.push(
      `the candidate could not decide ${verdict.undecidable} inputs: lanes would have halted, or put them aside`,
    );
  }
  return faults;
}

/** Digests are chained: a block with the same digest is the same ledger up to there. */
async function ledgerFaults(connection: Connection, { lanes }: HashedReport): Promise<string[]> {
  const faults: string[] = [];
  for (const { lane, untilBlock, digest } of lanes) {
    if (digest === "") continue;
    const found = /^\d{1,18}$/.test(untilBlock) ? await readDigest(connection, lane, BigInt(untilBlock)) : null;
    if (found === digest) continue;
    const what = found === null ? "is not there" : "is another one here";
    faults.push(
      `the report is of another ledger, or of days that are detached: block ${untilBlock} of lane ${lane} ${what}`,
    );
  }
  return faults;
}

/** What `run` would say at its start with the candidate in its place: it is put there in a copy. */
function startFaults(
  { schemasDir, flowsDir }: Config,
  { flow, source }: Candidate,
  registered: readonly NumberedFlow[],
): string[] {
  const dir = mkdtempSync(join(tmpdir(), "millrace-promote-"));
  try {
    cpSync(flowsDir, dir, { recursive: true });
    const parameters = parametersDir(schemasDir, flowsDir);
    if (existsSync(parameters)) cpSync(parameters, join(dir, "parameters"), { recursive: true });
    writeFileSync(join(dir, `${flow.name}${FLOW_FILE_ENDING}`), source);
    loadKept(loadDeclared(schemasDir, dir), registered);
    return [];
  } catch (error) {
    if (!(error instanceof DeclaredFaults)) throw error;
    return error.message.split("\n").map((line) => line.replaceAll(dir, flowsDir));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** By a rename, so that a start in between finds the one or the other. */
function declare({ flowsDir }: Config, { flow, source, file }: Candidate): void {
  const target = join(flowsDir, `${flow.name}${FLOW_FILE_ENDING}`);
  if (resolve(target) === file) return;
  writeFileSync(`${target}.new`, source);
  renameSync(`${target}.new`, target);
}

type Said = {
  readonly reason: string;
  readonly principal: string;
  readonly report: HashedReport;
  readonly isNew: boolean;
};

function tell({ out }: CliContext, { flowsDir }: Config, { flow, declared }: Candidate, said: Said): void {
  const { reason, principal, report, isNew } = said;
  const file = join(flowsDir, `${flow.name}${FLOW_FILE_ENDING}`);
  const verdict = verdictOf(report);
  const ref = `${flow.name}@${flow.version}`;
  const fields = { flow: flow.name, version: flow.version, replaced: declared?.version ?? null, file };
  const text = isNew
    ? `${ref} is in force for new cases from the next start on: ${file}`
    : `${ref} was promoted before, with this report: ${file}`;
  const why = { principal, reason, reportHash: report.hash, casesThatDiffer: verdict?.casesThatDiffer ?? null };
  out.row({ ...fields, ...why, promoted: isNew }, text);
  if (isNew) out.note("put the file into your release too; instances take it when they start");
}
