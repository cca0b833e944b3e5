// Conversions as they lie in the ledger, up to a cut, a day at a time.

import type { Cut } from "../domain/cut.ts";
import { textArray } from "./arrays.ts";
import type { Connection } from "./database.ts";
import { plainArray, readTimestampMs, timestamp } from "./literals.ts";
import { showDeals, showFirstLine, showHouseIds } from "./sql/show-fx.ts";

/** What one posting of one case did in one currency. */
export type DealRow = {
  readonly lane: number;
  readonly block: bigint;
  readonly caseId: string;
  readonly posting: string;
  readonly currency: string;
  readonly ratesVersion: bigint;
  /** credits less debits of `fx:position` */
  readonly position: bigint;
  /** credits less debits of `revenue:fx_spread` */
  readonly spread: bigint;
};

const POSITION = "fx:position";
const SPREAD = "revenue:fx_spread";
const DAY_MS = 86_400_000;

/** In the order of time; rows of one posting lie together.
 *  @param untilMs the latest time of any block of the cut */
export async function* readDeals(connection: Connection, cut: Cut, untilMs: number): AsyncGenerator<DealRow> {
  const { rows: accounts } = await connection.run(showHouseIds, [textArray([POSITION, SPREAD])]);
  const ids = (path: string): string =>
    plainArray(accounts.filter((row) => row["path"] === path).map((row) => row["account"] as bigint));
  const first = (await connection.run(showFirstLine, [])).rows[0]?.["first"];
  if (first == null) return;
  const bounds = [plainArray([...cut.keys()]), plainArray([...cut.values()])];
  for (let fromMs = Math.floor(readTimestampMs(first) / DAY_MS) * DAY_MS; fromMs <= untilMs; fromMs += DAY_MS) {
    const span = [timestamp(fromMs), timestamp(fromMs + DAY_MS)];
    const { rows } = await connection.run(showDeals, [...bounds, ...span, ids(POSITION), ids(SPREAD)]);
    yield* rows as unknown as DealRow[];
  }
}
