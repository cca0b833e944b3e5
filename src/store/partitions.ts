// Partitions by time: which there are, and taking old ones out of their tables. Done by the owner, never by the service.

import type { Connection } from "./database.ts";
import { readTimestampMs } from "./literals.ts";
import {
  detachPartition,
  dropPartition,
  keepAppendOnly,
  showNeededBlocks,
  showOpenCases,
  showUnpublished,
} from "./sql/detach-partition.ts";
import { showClock, showPartitions } from "./sql/show-partitions.ts";

export const PARTITIONED_TABLES = ["line", "block", "case_state", "outbox"] as const;
export type PartitionedTable = (typeof PARTITIONED_TABLES)[number];

export type Partition = {
  readonly table: PartitionedTable;
  readonly name: string;
  /** null for the default partition, which takes what no other does */
  readonly span: { readonly fromMs: number; readonly untilMs: number } | null;
  readonly isAttached: boolean;
  /** the planner's estimate */
  readonly rowsEstimate: bigint;
  readonly bytes: bigint;
};

const DAY_MS = 86_400_000;
const QUARTER_MS = DAY_MS / 4;
const NAME = /^(line|block|case_state|outbox)_(?:default|(\d{4})(\d\d)(\d\d)(?:_(\d\d))?)$/;

/** In the order of tables and time; detached ones that are still in the schema included. */
export async function readPartitions(connection: Connection): Promise<Partition[]> {
  const { rows } = await connection.run(showPartitions, []);
  const partitions = rows.flatMap((row) => {
    const name = row["partition"] as string;
    const match = NAME.exec(name);
    if (match === null) return [];
    const [, table, year, month, day, hour] = match;
    const fromMs = year === undefined ? 0 : Date.UTC(+year, Number(month) - 1, Number(day), Number(hour ?? 0));
    const lengthMs = table === "outbox" ? QUARTER_MS : DAY_MS;
    return {
      table: table as PartitionedTable,
      name,
      span: year === undefined ? null : { fromMs, untilMs: fromMs + lengthMs },
      isAttached: row["attached_to"] !== null,
      rowsEstimate: row["rows_estimate"] as bigint,
      bytes: row["bytes"] as bigint,
    };
  });
  const rank = ({ table }: Partition): number => PARTITIONED_TABLES.indexOf(table);
  return partitions.sort((one, other) => rank(one) - rank(other) || (one.name < other.name ? -1 : 1));
}

export async function readClockMs(connection: Connection): Promise<number> {
  return readTimestampMs((await connection.run(showClock, [])).rows[0]?.["clock_at"]);
}

/** What keeps a partition where it is: lanes that still need something of it. */
export type StillNeeded = { readonly partition: string; readonly lanes: readonly number[]; readonly why: string };

type Need = { readonly ask: (partition: string) => string; readonly why: string };

/** Asked while the tables are locked, so that what is true then stays true; each is a probe or two a lane. */
const NEEDS: Record<Exclude<PartitionedTable, "case_state">, Need | null> = {
  line: null,
  block: { ask: showNeededBlocks, why: "holds a lane's newest block, or the block of its newest outgoing message" },
  outbox: {
    ask: showUnpublished,
    why: "holds messages that are not known to be published, or not taken by the lane they are for",
  },
};

/** States in which cases have come to their end, by the number of their flow version. */
export type CaseEnds = readonly { readonly flow: number; readonly state: string }[];

/** What would keep partitions that leave together, asked without a lock: a block or message that comes in between may
 *  change the answer.
 *  @returns null when they could leave now */
export async function whatNeeds(
  connection: Connection,
  partitions: readonly Partition[],
  ends: CaseEnds,
): Promise<StillNeeded | null> {
  const openCases: Need = {
    ask: (name) => showOpenCases(name, ends),
    why: "holds cases that have not come to their end",
  };
  for (const { table, name } of partitions) {
    const need = table === "case_state" ? openCases : NEEDS[table];
    const lanes = need === null ? [] : await lanesIn(connection, need.ask(name));
    if (need !== null && lanes.length > 0) return { partition: name, lanes, why: need.why };
  }
  return null;
}

/** Takes partitions out of their tables, all of them or none: a day's lines and blocks leave together, because balances
 *  of a moment are told from both.
 *  @param partitions attached ones
 *  @param ends       of every flow version: a case that is in none of them is needed
 *  @param afterwards `drop` is for the outbox only: what is published is in Kafka
 *  @throws DatabaseError 55P03 when something kept a table longer than lock_timeout: try again */
export async function detachTogether(
  connection: Connection,
  partitions: readonly Partition[],
  ends: CaseEnds,
  afterwards: "keep" | "drop",
): Promise<"detached" | StillNeeded> {
  // A case at its end stays there, and one that is as old opens only beside the one that asks it or is its parent: so this,
  // for which all of the cases are read, is asked before anything is locked.
  const open = await whatNeeds(
    connection,
    partitions.filter(({ table }) => table === "case_state"),
    ends,
  );
  if (open !== null) return open;
  await connection.plain("begin");
  try {
    const needed = await detachEach(connection, partitions, afterwards);
    await connection.plain(needed === null ? "commit" : "rollback");
    return needed ?? "detached";
  } catch (error) {
    if (!connection.broken) await connection.plain("rollback");
    throw error;
  }
}

async function detachEach(
  connection: Connection,
  partitions: readonly Partition[],
  afterwards: "keep" | "drop",
): Promise<StillNeeded | null> {
  for (const { table, name } of partitions) {
    await connection.plain(detachPartition(table, name));
    const need = table === "case_state" ? null : NEEDS[table];
    const lanes = need === null ? [] : await lanesIn(connection, need.ask(name));
    if (need !== null && lanes.length > 0) return { partition: name, lanes, why: need.why };
    if (table === "line" || table === "block") await connection.plain(keepAppendOnly(name));
    if (table === "outbox" && afterwards === "drop") await connection.plain(dropPartition(name));
  }
  return null;
}

async function lanesIn(connection: Connection, question: string): Promise<number[]> {
  return (await connection.plain(question)).rows.map((row) => row["lane"] as number);
}
