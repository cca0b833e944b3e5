// millrace partitions detach: which partitions are old enough, and what becomes of each.

import type { Config } from "../config/config.ts";
import { caseEnds } from "../declared/case-ends.ts";
import { readFlowSources } from "../store/audit.ts";
import type { Connection } from "../store/database.ts";
import {
  detachTogether,
  PARTITIONED_TABLES,
  type Partition,
  type PartitionedTable,
  readClockMs,
  readPartitions,
  type StillNeeded,
  whatNeeds,
} from "../store/partitions.ts";
import type { CliContext } from "./context.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import type { Output } from "./output.ts";
import { isoTime } from "./rows.ts";
import { usageCheck } from "./usage.ts";

export type DetachOptions = {
  readonly olderThan: string;
  readonly table?: string;
  readonly drop?: boolean;
  readonly dryRun?: boolean;
};

const DAY_MS = 86_400_000;
/** Today's and yesterday's partitions are written: a block's `now` is its inputs' append time, which may lag. */
const DAYS_MIN = 2;
const DAYS_MAX = 36_500;

/** @throws CommandFailed 1 when a partition that is old enough had to stay */
export async function detachOld(context: CliContext, options: DetachOptions): Promise<void> {
  const usage = usageCheck();
  const days = usage.wholeNumber("--older-than", options.olderThan, {
    default: DAYS_MIN,
    min: DAYS_MIN,
    max: DAYS_MAX,
  });
  const table = usage.oneOf("--table", options.table, { default: "", names: PARTITIONED_TABLES });
  const afterwards = options.drop === true ? "drop" : "keep";
  if (afterwards === "drop" && table !== "outbox") {
    usage.fault("--drop: expected only with --table outbox; everything else is kept to be archived");
  }
  const config = await context.config([], usage);
  if (table === "case_state" && days <= config.caseWindowDays) throw tooYoung(config, days);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  const mode = options.dryRun === true ? "read" : "write";
  const stayed = await withDatabase({ config, databaseUrl, verb: "partitions", mode }, async (connection) => {
    const units = await oldUnits(connection, config, days, tablesOf(table));
    const ends = caseEnds(await readFlowSources(connection));
    return mode === "read"
      ? tellUnits(context.out, units, WORDS[afterwards].would, async (unit) => {
          return (await whatNeeds(connection, unit, ends)) ?? "detached";
        })
      : tellUnits(context.out, units, WORDS[afterwards].did, (unit) =>
          detachTogether(connection, unit, ends, afterwards),
        );
  });
  if (stayed > 0) throw new CommandFailed(EXIT.failed, `${stayed} of them had to stay`);
}

function tooYoung({ caseWindowDays }: Config, days: number): CommandFailed {
  const message = `cases of the last ${caseWindowDays} days are what repeats are recognised by (caseWindowDays); --older-than ${days} would let them be paid again`;
  return new CommandFailed(EXIT.failed, message);
}

/** Balances of a moment are told from lines and blocks, so a day's leave together. */
function tablesOf(table: string): readonly PartitionedTable[] {
  if (table === "") return PARTITIONED_TABLES;
  return table === "line" || table === "block" ? ["line", "block"] : [table as PartitionedTable];
}

/** The moment from which `detach` takes a partition that no lane needs any more; cases stay while repeats are recognised
 *  by them. */
export function leavesAtMs(
  { caseWindowDays }: Pick<Config, "caseWindowDays">,
  table: PartitionedTable,
  untilMs: number,
): number {
  return untilMs + (table === "case_state" ? Math.max(DAYS_MIN, caseWindowDays + 1) : DAYS_MIN) * DAY_MS;
}

type Unit = readonly Partition[];

/** Attached partitions that end early enough, oldest first; what leaves together is one unit. */
async function oldUnits(
  connection: Connection,
  { caseWindowDays }: Config,
  days: number,
  tables: readonly PartitionedTable[],
): Promise<Unit[]> {
  const nowMs = await readClockMs(connection);
  const untilMs = (table: PartitionedTable): number =>
    nowMs - (table === "case_state" ? Math.max(days, caseWindowDays + 1) : days) * DAY_MS;
  const old = (await readPartitions(connection)).filter(
    ({ table, span, isAttached }) =>
      tables.includes(table) && isAttached && span !== null && span.untilMs <= untilMs(table),
  );
  const units = new Map<string, Partition[]>();
  for (const partition of old) {
    // block_20261101 and line_20261101 are one day; the block goes first, because it may have to stay.
    const { table, name } = partition;
    const key = table === "line" || table === "block" ? `day ${name.slice(table.length)}` : name;
    const unit = units.get(key) ?? [];
    units.set(key, table === "block" ? [partition, ...unit] : [...unit, partition]);
  }
  return [...units.values()].sort((one, other) => fromMs(one) - fromMs(other));
}

function fromMs(unit: Unit): number {
  return unit[0]?.span?.fromMs ?? 0;
}

/** What became of a partition, and what would. */
const WORDS = {
  keep: { did: "detached", would: "would detach" },
  drop: { did: "dropped", would: "would drop" },
} as const;

/** @param done  the word for a unit that leaves
 *  @param treat what is done with each unit, or only looked at
 *  @returns     how many had to stay */
async function tellUnits(
  out: Output,
  units: readonly Unit[],
  done: string,
  treat: (unit: Unit) => Promise<"detached" | StillNeeded>,
): Promise<number> {
  let stayed = 0;
  for (const unit of units) {
    const result = await treat(unit);
    if (result !== "detached") stayed += unit.length;
    const why = result === "detached" ? null : `${result.partition} ${result.why} (lane ${result.lanes.join(", ")})`;
    for (const { table, name, span } of unit) {
      const until = span === null ? null : isoTime(span.untilMs);
      const action = why === null ? done : "kept";
      const text = why === null ? `${done.padEnd(8)}  ${name}` : `${out.paint("yellow", "kept    ")}  ${name}: ${why}`;
      out.row({ table, partition: name, until, action, why }, text);
    }
  }
  if (units.length === 0) out.note("no partition is that old");
  return stayed;
}
