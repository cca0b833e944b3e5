// millrace quarantine: what could not be understood, why, and the way to publish it mended.

import type { Command } from "commander";
import { topicNames } from "../config/config.ts";
import { type PutAside, readQuarantine, readQuarantined } from "../store/reads-quarantine.ts";
import { countLanes } from "../store/setup.ts";
import { messagesIfReachable } from "./codec-optional.ts";
import { type CliContext, withExamples } from "./context.ts";
import { requireLanes, withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { EDITABLE } from "./quarantine-mend.ts";
import { retryQuarantined } from "./quarantine-retry.ts";
import {
  bodyOf,
  QUARANTINE_COLUMNS,
  quarantineFields,
  quarantineRow,
  quarantineText,
  readQuarantineId,
} from "./quarantine-view.ts";
import { LIMIT, printRows, type Row, readLimit } from "./rows.ts";
import { usageCheck } from "./usage.ts";

export function register(program: Command, context: CliContext): void {
  const summary = "what could not be understood, with reasons; publish it mended";
  const verb = program.command("quarantine").summary(summary).description(`${summary}.`);
  withExamples(verb, "millrace quarantine list --limit 20", "millrace quarantine retry 3:4711");
  const list = verb
    .command("list")
    .summary("records that were put aside")
    .description("Records that were put aside, newest last. With --limit the newest N.")
    .option(LIMIT, "only the newest N records")
    .action((options: { limit?: string }) => listQuarantine(context, options));
  withExamples(list, "millrace quarantine list", "millrace quarantine list --limit 20 --json");
  const show = verb
    .command("show <ID>")
    .summary("one record with its reason and body")
    .description("One record: reason, detail, and its body, decoded where that is possible, else in hexadecimal.")
    .action((id: string) => showQuarantined(context, id));
  withExamples(show, "millrace quarantine show 3:4711");
  const retry = verb
    .command("retry <ID>")
    .summary("publish it mended")
    .description(
      [
        "Publishes the intent to its holder's home lane, mended by --set, with its case id as it was: should it have been",
        "sent otherwise meanwhile, the case absorbs it. Exit 1 when its bytes were not kept whole, cannot be read, or would",
        "be put aside again.",
      ].join(" "),
    )
    .option(
      "--set <FIELD=VALUE>",
      `mends a field, FIELD= leaves it out; may be given several times. Fields: ${EDITABLE}`,
      (text: string, earlier: readonly string[] = []) => [...earlier, text],
    )
    .action((id: string, options: { set?: readonly string[] }) => retryQuarantined(context, id, options.set ?? []));
  withExamples(
    retry,
    "millrace quarantine retry 3:4711",
    "millrace quarantine retry 3:4711 --set holderId=cust_12 --set amount.minor=1000",
  );
}

async function listQuarantine(context: CliContext, options: { limit?: string }): Promise<void> {
  const usage = usageCheck();
  const limit = readLimit(usage, options.limit);
  const config = await context.config([], usage);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  const topic = topicNames(config).intents;
  await withDatabase({ config, databaseUrl, verb: "quarantine", mode: "read" }, async (connection) => {
    const lanes = requireLanes(await countLanes(connection));
    const rows = rowsOf(readQuarantine(connection, lanes, topic, limit), topic);
    const count = await printRows(context.out, QUARANTINE_COLUMNS, rows);
    if (count === 0) context.out.note("nothing was put aside");
  });
}

async function* rowsOf(records: AsyncIterable<PutAside>, topic: string): AsyncGenerator<Row> {
  for await (const record of records) yield quarantineRow(record, topic);
}

async function showQuarantined(context: CliContext, text: string): Promise<void> {
  const usage = usageCheck();
  const id = readQuarantineId(usage, text);
  const config = await context.config([], usage);
  const { databaseUrl, schemaRegistryUrl } = await context.addresses(config, ["databaseUrl", "schemaRegistryUrl"]);
  const topic = topicNames(config).intents;
  const record = await withDatabase({ config, databaseUrl, verb: "quarantine", mode: "read" }, (connection) =>
    readQuarantined(connection, id.lane, topic, id.offset),
  );
  if (record === null) throw new CommandFailed(EXIT.failed, `nothing was put aside at ${id.text}`);
  const body = await bodyOf(record, await messagesIfReachable(context, config, schemaRegistryUrl));
  const fields = quarantineFields(record, topic);
  const shown = {
    ...fields,
    sha256: record.sha256.toString("hex"),
    intent: body.kind === "intent" ? body.intent : null,
    unreadable: body.kind === "intent" ? null : body.why,
    valueHex: body.kind === "intent" ? null : (record.value?.toString("hex") ?? null),
  };
  context.out.row(shown, quarantineText(record, fields, body));
}
