// What came of a step against what was expected, line by line as people write it: `P01 exposure -> contra EUR 10000`,
// `payment.captured net=USD:10500`, `capture amount=10000`. An expectation may say less than there is: of an outcome and a
// command only what it names counts, and an account may be given by its alias in the flow or by its path.

import type { Command, Line, Outcome } from "../../domain/books.ts";
import type { Flow } from "../../domain/flow/flow.ts";
import type { Fault } from "../../domain/located.ts";
import type { Word, Words } from "./scenario.ts";

/** Something that happened: how it is written, and whether an expectation means it. */
export type Happened = { readonly text: string; readonly isMeantBy: (expected: string) => boolean };

/** Both in their order; each difference is a line of the message. */
export function compareLists(what: string, expected: Words, happened: readonly Happened[], faults: Fault[]): void {
  const pairs = align(expected.words, happened);
  if (pairs.every(([word, one]) => word !== null && one !== null)) return;
  const place = pairs.find(([word, one]) => word !== null && one === null)?.[0]?.place ?? expected.place;
  const lines = pairs.map(([word, one]) => {
    if (word !== null && one !== null) return `      ${one.text}`;
    return word === null ? `    + ${one?.text ?? ""}` : `    - ${word.text}`;
  });
  faults.push({ place, message: `other ${what} than expected (- expected, + happened):\n${lines.join("\n")}` });
}

type Pair = readonly [Word | null, Happened | null];

/** The longest common sequence, and what is in one list alone between its members. */
function align(expected: readonly Word[], happened: readonly Happened[]): Pair[] {
  const [rows, columns] = [expected.length, happened.length];
  const lengths = Array.from({ length: rows + 1 }, () => Array.from({ length: columns + 1 }, () => 0));
  const at = (row: number, column: number): number => lengths[row]?.[column] ?? 0;
  const isSame = (row: number, column: number): boolean =>
    happened[column]?.isMeantBy(expected[row]?.text ?? "") === true;
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const best = isSame(row, column)
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1));
      (lengths[row] as number[])[column] = best;
    }
  }
  const pairs: Pair[] = [];
  let [row, column] = [0, 0];
  while (row < rows || column < columns) {
    const [word, one] = [expected[row] ?? null, happened[column] ?? null];
    if (word !== null && one !== null && isSame(row, column))
      pairs.push([expected[row++] ?? null, happened[column++] ?? null]);
    else if (word !== null && (one === null || at(row + 1, column) >= at(row, column + 1))) {
      pairs.push([word, null]);
      row += 1;
    } else {
      pairs.push([null, one]);
      column += 1;
    }
  }
  return pairs;
}

// How what happened is written --------------------------------------------------------------------------------------------

/** A head and what is known of it by name; an expectation names the head and whatever it wants to hold. */
function facts(head: string, named: readonly (readonly [string, string])[]): Happened {
  const known = named.map(([name, value]) => `${name}=${value}`);
  return {
    text: [head, ...known].join(" "),
    isMeantBy: (expected) => {
      const [word, ...wanted] = expected.trim().split(/\s+/);
      return word === head && wanted.every((one) => known.includes(one));
    },
  };
}

export function outcomeFacts({ type, reason, amounts }: Outcome): Happened {
  const code = reason === null ? [] : [["code", reason.code] as const];
  const named = Object.entries(amounts).map(([name, { currency, minor }]) => [name, `${currency}:${minor}`] as const);
  return facts(type, [...code, ...named]);
}

export function commandFacts({ call, payload }: Command): Happened {
  return facts(call, Object.entries(payload));
}

const LINE = /^(\S+) (\S+) -> (\S+) (\S+) (-?\d+)$/;

/** @param flow whose posting it is, null when it is not known: then accounts have their paths alone */
export function lineFacts({ posting, debit, credit, currency, minor }: Line, flow: Flow | null): Happened {
  return {
    text: `${posting} ${aliasOf(flow, debit.path)} -> ${aliasOf(flow, credit.path)} ${currency} ${minor}`,
    isMeantBy: (expected) => {
      const [, name, from, to, money, digits] = LINE.exec(expected.trim()) ?? [];
      if (name !== posting || money !== currency || digits !== minor.toString()) return false;
      return isAccount(flow, from ?? "", debit.path) && isAccount(flow, to ?? "", credit.path);
    },
  };
}

function isAccount(flow: Flow | null, word: string, path: string): boolean {
  return (
    word === path || flow?.accounts.some(({ alias, path: template }) => alias === word && fits(template, path)) === true
  );
}

function aliasOf(flow: Flow | null, path: string): string {
  const aliases =
    flow?.accounts.filter(({ path: template }) => !template.startsWith("{") && fits(template, path)) ?? [];
  return aliases.length === 1 && aliases[0] !== undefined ? aliases[0].alias : path;
}

/** Whether a template with `{holder}` in it, or one that is nothing but `{intent.from}`, can stand for a path. */
function fits(template: string, path: string): boolean {
  const [before = "", ...rest] = template.split(/\{[^}]*\}/);
  if (rest.length === 0) return template === path;
  if (template.startsWith("{")) return true;
  const after = rest.at(-1) ?? "";
  return path.startsWith(before) && path.endsWith(after) && path.length > before.length + after.length;
}
