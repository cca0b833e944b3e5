// millrace ledger lines: what moved an account, oldest first.

import type { HolderAccount, HouseAccount } from "../domain/accounts.ts";
import { printCaseId } from "../domain/case-search.ts";
import type { Currencies } from "../domain/currencies.ts";
import { formatDecimal } from "../domain/decimal.ts";
import { homeLane } from "../domain/holder.ts";
import { type HolderLine, type LedgerLine, readHolderLines, readHouseLines } from "../store/reads-lines.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { balanceOf, type Ledger } from "./ledger-view.ts";
import type { Column, Fields, Output } from "./output.ts";
import { isoTime, position, printRows, type Row } from "./rows.ts";

/** A line's fields for --json, wherever a line is printed. */
export function lineFields(line: LedgerLine): Fields {
  return {
    lane: line.lane,
    block: position(line.block),
    index: line.index,
    recordedAt: isoTime(line.recordedAtMs),
    debit: line.debit,
    credit: line.credit,
    currency: line.currency,
    amountMinor: line.minor,
    caseId: printCaseId(line.caseId, line.kind),
    posting: line.posting,
  };
}

/** The same for people. */
export function lineCells(line: LedgerLine, currencies: Currencies): Fields {
  const { debit, credit, currency, posting } = line;
  return {
    time: isoTime(line.recordedAtMs),
    place: `${line.lane}/${line.block}/${line.index}`,
    debit,
    credit,
    amount: formatDecimal(line.minor, currencies.scaleOf(currency) ?? 0),
    currency,
    posting,
    case: printCaseId(line.caseId, line.kind),
  };
}

export const LINE_COLUMNS: readonly Column[] = [
  { key: "time", title: "Recorded" },
  { key: "place", title: "Lane/block/line" },
  { key: "debit", title: "Debit" },
  { key: "credit", title: "Credit" },
  { key: "amount", title: "Amount", align: "right" },
  { key: "currency", title: "Currency" },
  { key: "posting", title: "Posting" },
  { key: "case", title: "Case" },
];
const BALANCE: Column = { key: "balance", title: "Balance", align: "right" };

type Wanted = { readonly path: string; readonly limit: number | null };

/** @throws CommandFailed 1 when nobody has opened the holder's account */
export async function printLines(
  out: Output,
  ledger: Ledger,
  place: HouseAccount | HolderAccount,
  { path, limit }: Wanted,
): Promise<void> {
  const { connection, present } = ledger;
  if (place.kind === "house") {
    const lines = readHouseLines(connection, present, path, limit);
    const count = await printRows(out, LINE_COLUMNS, houseRows(ledger, lines));
    if (count === 0) out.note(`no line has touched ${path} yet`);
    return;
  }
  const lines = await readHolderLines(connection, homeLane(place.holderId, present.size), path, limit);
  if (lines === null) throw new CommandFailed(EXIT.failed, `nobody has opened ${path}`);
  const columns = [...LINE_COLUMNS.slice(0, 6), BALANCE, ...LINE_COLUMNS.slice(6)];
  const count = await printRows(out, columns, holderRows(ledger, place, lines));
  if (count === 0) out.note(`no line has touched ${path} yet`);
}

async function* houseRows({ declared }: Ledger, lines: AsyncIterable<LedgerLine>): AsyncGenerator<Row> {
  for await (const line of lines) yield { fields: lineFields(line), cells: lineCells(line, declared.currencies) };
}

async function* holderRows(
  { declared }: Ledger,
  { side }: HolderAccount,
  lines: AsyncIterable<HolderLine>,
): AsyncGenerator<Row> {
  for await (const line of lines) {
    const minor = balanceOf(side, line);
    const balance = formatDecimal(minor, declared.currencies.scaleOf(line.currency) ?? 0);
    yield {
      fields: { ...lineFields(line), balanceMinor: minor },
      cells: { ...lineCells(line, declared.currencies), balance },
    };
  }
}
