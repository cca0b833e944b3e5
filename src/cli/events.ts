// millrace events: how far providers' lists of events were read for what no webhook told; and the way to read one again.

import type { Command } from "commander";
import { listEventPositions, setEventPosition } from "../store/event-position.ts";
import { type CliContext, withExamples } from "./context.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import type { Column } from "./output.ts";
import { isoTime, printable } from "./rows.ts";
import { usageCheck } from "./usage.ts";

type RereadOptions = { readonly from?: string; readonly fromBeginning?: boolean };

const POSITION_CHARS_MAX = 1_000;

const COLUMNS: readonly Column[] = [
  { key: "provider", title: "Provider" },
  { key: "lane", title: "Lane", align: "right" },
  { key: "position", title: "Goes on from" },
  { key: "writtenAt", title: "Since" },
];

export function register(program: Command, context: CliContext): void {
  const summary = "how far providers' lists of events were read; read one again";
  const verb = program.command("events").summary(summary).description(`${summary}.`);
  withExamples(verb, "millrace events list", "millrace events reread cardco --from 4711");
  const list = verb
    .command("list")
    .summary("each provider in a line")
    .description(
      [
        "Each provider whose list of events is read for what no webhook told: the lane whose owner reads it, where it goes on,",
        "in the provider's words, and since when.",
      ].join(" "),
    )
    .action(() => listPositions(context));
  withExamples(list, "millrace events list", "millrace events list --json");
  const reread = verb
    .command("reread <PROVIDER>")
    .summary("let a list be read again from a place before")
    .description(
      [
        "Lets a provider's list of events be read again from a place before, with instances running or not. What is read twice",
        "changes nothing, so back is harmless; never name a place further on: what lies between is told by nobody. An event that",
        "was passed over is logged with the place of its page; one that the provider still does not show holds its page again,",
        "for ten tries. Exit 1 when nothing of the list was read yet.",
      ].join(" "),
    )
    .option("--from <POSITION>", "in the provider's words, as `events list` and the log tell it")
    .option("--from-beginning", "the whole list")
    .action((provider: string, options: RereadOptions) => rereadList(context, provider, options));
  withExamples(reread, "millrace events reread cardco --from 4711", "millrace events reread cardco --from-beginning");
}

async function listPositions(context: CliContext): Promise<void> {
  const config = await context.config([], usageCheck());
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  const found = await withDatabase({ config, databaseUrl, verb: "events", mode: "read" }, listEventPositions);
  const rows = found.map(({ lane, provider, position, writtenAtMs }) => {
    return { provider, lane, position: printable(position), writtenAt: isoTime(writtenAtMs) };
  });
  context.out.table(COLUMNS, rows);
  if (rows.length === 0) context.out.note("no list of events was read yet");
}

async function rereadList(context: CliContext, provider: string, options: RereadOptions): Promise<void> {
  const usage = usageCheck();
  const { from, fromBeginning } = options;
  if ((from === undefined) === (fromBeginning === undefined))
    usage.fault("expected one of --from POSITION and --from-beginning");
  if (from !== undefined && (from === "" || from.length > POSITION_CHARS_MAX))
    usage.fault(`--from: expected 1 to ${POSITION_CHARS_MAX} characters: a place as \`events list\` prints it`);
  const config = await context.config([], usage);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  const position = from ?? "";
  const was = await withDatabase({ config, databaseUrl, verb: "events", mode: "write" }, (connection) =>
    setEventPosition(connection, provider, position, Date.now()),
  );
  if (was === null)
    throw new CommandFailed(EXIT.failed, `no list of events of ${provider} was read yet; see: millrace events list`);
  const place = fromBeginning === true ? "its beginning" : printable(position);
  context.out.row(
    { provider, position, was },
    `the list of ${provider} is read again from ${place}; it would have gone on from ${printable(was)}`,
  );
}
