// millrace partitions: which time partitions there are, and taking old ones out of their tables.

import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import { PARTITIONED_TABLES, type Partition, readPartitions } from "../store/partitions.ts";
import { countLanes } from "../store/setup.ts";
import { type CliContext, withExamples } from "./context.ts";
import { requireLanes, withDatabase } from "./database.ts";
import type { Column, Fields } from "./output.ts";
import { type DetachOptions, detachOld, leavesAtMs } from "./partitions-detach.ts";
import { isoTime, LIMIT, position, printRows, type Row, readLimit } from "./rows.ts";
import { usageCheck } from "./usage.ts";

type ListOptions = { readonly table?: string; readonly limit?: string };

const TABLE = ["--table <TABLE>", `one of ${PARTITIONED_TABLES.join(", ")} (default: all)`] as const;

export function register(program: Command, context: CliContext): void {
  const summary = "time partitions: list them, detach old ones";
  const verb = program.command("partitions").summary(summary).description(`${summary}.`);
  withExamples(verb, "millrace partitions list", "millrace partitions detach --older-than 90");
  const list = verb
    .command("list")
    .summary("every partition with its span and size")
    .description(
      [
        "Every partition by time with its span and size, and from when on `detach` takes it, if no lane needs it then. Detached",
        "ones that are still there are included.",
      ].join(" "),
    )
    .option(...TABLE)
    .option(LIMIT, "the first N only")
    .action((options: ListOptions) => listPartitions(context, options));
  withExamples(list, "millrace partitions list --table line", "millrace partitions list --json");
  const detach = verb
    .command("detach")
    .summary("take old ones out of their tables")
    .description(
      [
        "Takes partitions out of their tables that end before so many days ago; their data stays as a table of its own, to be",
        "archived. Lines and blocks of a day leave together, whichever of them is named. Cases leave only after the window in",
        "which repeats are recognised (caseWindowDays), and a day's only when all of them have come to their end: one that waits",
        "for a timer, an answer or a person keeps its partition. What a lane still needs is left and named: exit 1 then.",
        "Each table is locked for milliseconds. To be run as the owner of the database, with instances running or not.",
      ].join(" "),
    )
    .requiredOption("--older-than <DAYS>", "at least 2")
    .option(...TABLE)
    .option("--drop", "drop outbox partitions instead of keeping them: what is published is in Kafka")
    .option("--dry-run", "only say what would leave and what would have to stay; nothing is locked")
    .action((options: DetachOptions) => detachOld(context, options));
  withExamples(
    detach,
    "millrace partitions detach --older-than 90 --dry-run",
    "millrace partitions detach --older-than 3 --table outbox --drop",
  );
}

const MIB = 1n << 20n;
const COLUMNS: readonly Column[] = [
  { key: "table", title: "Table" },
  { key: "partition", title: "Partition" },
  { key: "state", title: "State" },
  { key: "from", title: "From" },
  { key: "until", title: "Until" },
  { key: "leavesFrom", title: "May leave from" },
  { key: "rowsEstimate", title: "Rows, about", align: "right" },
  { key: "bytes", title: "Bytes", align: "right" },
];

async function listPartitions(context: CliContext, options: ListOptions): Promise<void> {
  const usage = usageCheck();
  const limit = readLimit(usage, options.limit);
  const table = usage.oneOf("--table", options.table, { default: "", names: PARTITIONED_TABLES });
  const config = await context.config([], usage);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  await withDatabase({ config, databaseUrl, verb: "partitions", mode: "read" }, async (connection) => {
    requireLanes(await countLanes(connection));
    const partitions = (await readPartitions(connection)).filter((one) => table === "" || one.table === table);
    await printRows(context.out, COLUMNS, rowsOf(config, partitions), limit);
    const bytes = partitions.reduce((sum, partition) => sum + partition.bytes, 0n);
    context.out.say(`${partitions.length} partitions, ${bytes / MIB} MiB in all`);
  });
}

async function* rowsOf(config: Config, partitions: readonly Partition[]): AsyncGenerator<Row> {
  for (const { table, name, span, isAttached, rowsEstimate, bytes } of partitions) {
    const fields: Fields = {
      table,
      partition: name,
      state: span === null ? "default" : isAttached ? "attached" : "detached",
      from: span === null ? null : isoTime(span.fromMs),
      until: span === null ? null : isoTime(span.untilMs),
      leavesFrom: span === null || !isAttached ? null : isoTime(leavesAtMs(config, table, span.untilMs)),
      rowsEstimate: position(rowsEstimate),
      bytes: position(bytes),
    };
    yield { fields, cells: fields };
  }
}
