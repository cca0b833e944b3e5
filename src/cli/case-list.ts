// millrace case list: the cases that wait for a person, and what may be decided about each.

import type { Command } from "commander";
import { loadDeclared, loadFlowText } from "../declared/load.ts";
import type { Chart } from "../domain/accounts.ts";
import { printCaseId } from "../domain/case-search.ts";
import { readFlowSources } from "../store/audit.ts";
import type { Connection } from "../store/database.ts";
import { readWaiting, type WaitingCase } from "../store/reads-case.ts";
import { type CliContext, withExamples } from "./context.ts";
import { withDatabase } from "./database.ts";
import type { Column } from "./output.ts";
import { isoTime, LIMIT, printRows, type Row, readLimit } from "./rows.ts";
import { usageCheck } from "./usage.ts";

const COLUMNS: readonly Column[] = [
  { key: "since", title: "Since" },
  { key: "caseId", title: "Case" },
  { key: "holderId", title: "Holder" },
  { key: "flow", title: "Flow" },
  { key: "state", title: "State" },
  { key: "events", title: "May be decided" },
];

export function registerList(verb: Command, context: CliContext): void {
  const list = verb
    .command("list")
    .summary("the cases that wait for a person")
    .description(
      [
        "The cases in a state that their flow declares `human`, those that have waited longest first: each with the events that",
        "a person may decide there (`case decide`). Why a case waits says its last outcome: `case ID`. Not among them for that: a",
        "case that was told of an amount with more than 38 digits. It stays in the state where it was, and only its outcome",
        "`ops.attention` with the code `amount_too_large` tells of it.",
      ].join(" "),
    )
    .requiredOption("--waiting", "those that wait for a person; others are found by their id")
    .option(LIMIT, "at most N of them, those that have waited longest")
    .action((options: { limit?: string }) => listWaiting(context, options));
  withExamples(list, "millrace case list --waiting", "millrace case list --waiting --limit 20 --json");
}

async function listWaiting(context: CliContext, options: { limit?: string }): Promise<void> {
  const usage = usageCheck();
  const limit = readLimit(usage, options.limit);
  const config = await context.config([], usage);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  const { chart } = loadDeclared(config.schemasDir, config.flowsDir);
  await withDatabase({ config, databaseUrl, verb: "case", mode: "read" }, async (connection) => {
    const waiting = await readWaiting(connection, limit);
    const count = await printRows(context.out, COLUMNS, rowsOf(waiting, await decisionsOf(connection, chart, waiting)));
    if (count === 0) context.out.note("no case waits for a person");
  });
}

/** What a person may decide in each state of the flows that the cases live by, by `<flow> <state>`. */
async function decisionsOf(
  connection: Connection,
  chart: Chart,
  waiting: readonly WaitingCase[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const refs = new Set(waiting.map(({ flow }) => flow));
  const decisions = new Map<string, readonly string[]>();
  for (const { ref, source } of refs.size === 0 ? [] : await readFlowSources(connection)) {
    if (!refs.has(ref)) continue;
    for (const { name, events } of loadFlowText(ref, source, chart).states) {
      const decided = events.map(({ event }) => event).filter((event) => event.startsWith("ops."));
      decisions.set(`${ref} ${name}`, decided);
    }
  }
  return decisions;
}

async function* rowsOf(
  waiting: readonly WaitingCase[],
  decisions: ReadonlyMap<string, readonly string[]>,
): AsyncGenerator<Row> {
  for (const { uuid, kind, lane, holderId, flow, state, sinceMs } of waiting) {
    const events = decisions.get(`${flow} ${state}`) ?? [];
    const shown = { caseId: printCaseId(uuid, kind), holderId, flow, state, since: isoTime(sinceMs) };
    yield { fields: { ...shown, lane, events }, cells: { ...shown, events: events.join(" ") } };
  }
}
