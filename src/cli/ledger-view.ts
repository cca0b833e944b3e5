// What the verbs of `millrace ledger` share: the ledger they ask, and how a balance is shown.

import type { Declared } from "../declared/load.ts";
import type { NormalSide } from "../domain/accounts.ts";
import type { Cut } from "../domain/cut.ts";
import { formatDecimal } from "../domain/decimal.ts";
import type { Connection } from "../store/database.ts";
import type { BalanceSums } from "../store/reads-ledger.ts";
import type { Column } from "./output.ts";
import type { Row } from "./rows.ts";

/** What every ledger verb works with. */
export type Ledger = {
  readonly connection: Connection;
  readonly declared: Declared;
  /** all heads, read in one statement */
  readonly present: Cut;
  readonly nowMs: number;
};

/** @param side where the account grows; unknown for one that has left the chart, which is shown as a debit */
export function balanceOf(side: NormalSide, { debits, credits }: { debits: bigint; credits: bigint }): bigint {
  return side === "debit" ? debits - credits : credits - debits;
}

export const BALANCE_COLUMNS: readonly Column[] = [
  { key: "account", title: "Account" },
  { key: "currency", title: "Currency" },
  { key: "balance", title: "Balance", align: "right" },
  { key: "debits", title: "Debits", align: "right" },
  { key: "credits", title: "Credits", align: "right" },
];

export function balanceRow({ declared }: Ledger, sums: BalanceSums): Row {
  const { path, currency, debits, credits } = sums;
  const minor = balanceOf(declared.chart.resolve(path)?.side ?? "debit", sums);
  const decimal = (value: bigint): string => formatDecimal(value, declared.currencies.scaleOf(currency) ?? 0);
  return {
    fields: { account: path, currency, balanceMinor: minor, debitsMinor: debits, creditsMinor: credits },
    cells: {
      account: path,
      currency,
      balance: decimal(minor),
      debits: decimal(debits),
      credits: decimal(credits),
    },
  };
}
