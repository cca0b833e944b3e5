// Comma-separated values (RFC 4180) as a located tree: a list with one map per row, keyed by the heading, all text.

import type { Fault, Located, LocatedEntry, LocatedFile, Place } from "../domain/located.ts";

type Cell = { readonly place: Place; readonly value: string };

/** Rows of a file whose first row names the columns. Lines end in LF or CRLF; empty lines are skipped. */
export function readLocatedCsv(file: string, text: string): LocatedFile {
  const faults: Fault[] = [];
  const [heading = [], ...rows] = readRows(faults, file, text);
  const items = rows.map((row): Located => {
    const place = row[0]?.place ?? { file, line: 1, column: 1 };
    if (row.length !== heading.length) {
      faults.push({ place, message: `this row has ${row.length} values, the heading ${heading.length}` });
    }
    return { kind: "map", place, entries: heading.flatMap((name, index) => entryOf(name, row[index])) };
  });
  return { root: { kind: "list", place: { file, line: 1, column: 1 }, items }, faults };
}

function entryOf(name: Cell, cell: Cell | undefined): LocatedEntry[] {
  return cell === undefined ? [] : [{ key: name.value, keyPlace: cell.place, value: { kind: "scalar", ...cell } }];
}

const CELL = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;

/** Stops at a broken quote: what follows it cannot be told apart. */
function readRows(faults: Fault[], file: string, text: string): Cell[][] {
  const rows: Cell[][] = [];
  let row: Cell[] = [];
  let line = 1;
  let lineStart = 0;
  for (CELL.lastIndex = 0; CELL.lastIndex < text.length; ) {
    const start = CELL.lastIndex;
    const match = CELL.exec(text);
    if (match === null) {
      const place = { file, line, column: start - lineStart + 1 };
      faults.push({ place, message: "a quote is not closed, or stands inside a value" });
      return rows;
    }
    const [whole, quoted, plain, end] = match;
    const value = quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"');
    row.push({ place: { file, line, column: start - lineStart + 1 }, value });
    line += whole.split("\n").length - 1;
    if (end === ",") continue;
    lineStart = CELL.lastIndex;
    if (row.length > 1 || value !== "") rows.push(row);
    row = [];
  }
  return rows;
}
