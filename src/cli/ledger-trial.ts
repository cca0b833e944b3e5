// millrace ledger trial-balance: all debits and credits of one moment, and whether they are equal.

import type { NormalSide } from "../domain/accounts.ts";
import { formatDecimal } from "../domain/decimal.ts";
import { readTrialBalance, type TrialBalanceRow } from "../store/reads-ledger.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { balanceOf, type Ledger } from "./ledger-view.ts";
import type { Column, Output } from "./output.ts";

/** What the row of a currency's total has in the place of an account. */
export const TOTAL = "total";

const COLUMNS: readonly Column[] = [
  { key: "account", title: "Account" },
  { key: "accounts", title: "Accounts", align: "right" },
  { key: "currency", title: "Currency" },
  { key: "balance", title: "Balance", align: "right" },
  { key: "debits", title: "Debits", align: "right" },
  { key: "credits", title: "Credits", align: "right" },
];

/** @throws CommandFailed 1 naming each currency whose debits and credits differ */
export async function printTrialBalance(out: Output, ledger: Ledger): Promise<void> {
  const { chart, currencies } = ledger.declared;
  const rows = await readTrialBalance(
    ledger.connection,
    chart.templates.map((template) => template.path),
  );
  const sides = new Map([...chart.house, ...chart.templates].map(({ path, side }) => [path, side]));
  const totals = totalsOf(rows);
  // A total has no side: its balance is what debits are above credits, and should be zero.
  const sideOf = ({ path }: TrialBalanceRow): NormalSide => sides.get(path) ?? "debit";
  const printed = [...rows.sort(byCurrency), ...totals];
  if (out.json) {
    for (const row of printed) out.row(fieldsOf(row, sideOf(row)), "");
  } else if (printed.length > 0) {
    const cells = printed.map((row) => {
      const decimal = (value: bigint): string => formatDecimal(value, currencies.scaleOf(row.currency) ?? 0);
      const { path: account, accounts, currency, debits, credits } = row;
      const balance = decimal(balanceOf(sideOf(row), row));
      return { account, accounts, currency, balance, debits: decimal(debits), credits: decimal(credits) };
    });
    out.table(COLUMNS, cells);
  }
  const wrong = totals.filter(({ debits, credits }) => debits !== credits);
  if (wrong.length > 0) {
    const lines = wrong.map(
      ({ currency, debits, credits }) => `${currency} does not sum to zero: debits ${debits}, credits ${credits}`,
    );
    throw new CommandFailed(EXIT.failed, [...lines, "find out where with: millrace verify"].join("\n"));
  }
  out.say(totals.length === 0 ? "no account has a balance yet" : "every currency sums to zero");
}

function byCurrency(one: TrialBalanceRow, other: TrialBalanceRow): number {
  if (one.currency !== other.currency) return one.currency < other.currency ? -1 : 1;
  return one.path < other.path ? -1 : 1;
}

function totalsOf(rows: readonly TrialBalanceRow[]): TrialBalanceRow[] {
  const totals = new Map<string, TrialBalanceRow>();
  for (const { currency, accounts, debits, credits } of rows) {
    const sum = totals.get(currency) ?? { path: TOTAL, currency, accounts: 0n, debits: 0n, credits: 0n };
    totals.set(currency, {
      ...sum,
      accounts: sum.accounts + accounts,
      debits: sum.debits + debits,
      credits: sum.credits + credits,
    });
  }
  return [...totals.values()].sort(byCurrency);
}

function fieldsOf(row: TrialBalanceRow, side: NormalSide) {
  return {
    account: row.path,
    currency: row.currency,
    balanceMinor: balanceOf(side, row),
    debitsMinor: row.debits,
    creditsMinor: row.credits,
    accounts: Number(row.accounts),
  };
}
