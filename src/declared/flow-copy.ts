// A new flow from one that is there: its text with the parts renamed that two flows may not share, comments and all. The
// name, the version (it begins anew), the kind of its cases' ids, what opens a case of it, and outcomes that bear its name.

import type { Located, Place } from "../domain/located.ts";
import { readLocatedYaml } from "./yaml.ts";

/** What a copy is made of; `caseKinds` are those that other flows have. */
export type CopyGiven = {
  readonly file: string;
  readonly text: string;
  readonly name: string;
  readonly caseKinds: readonly string[];
};

/** What the copy's scenarios have to follow. */
export type Renamed = {
  readonly from: string;
  readonly to: string;
  /** the flow's outcomes bear its name, and so do the copy's */
  readonly outcomes: boolean;
  readonly opens: Opening;
};

/** How a case of the copy is opened: by the intent of before with another method, or by a message of its own. */
export type Opening =
  | { readonly kind: "intent"; readonly type: string }
  | { readonly kind: "message"; readonly from: string; readonly to: string }
  | { readonly kind: "spawn" };

export function copyFlow(given: CopyGiven): { readonly text: string; readonly renamed: Renamed } {
  const { root } = readLocatedYaml(given.file, given.text);
  const edits = new Edits(given.text);
  const metadata = at(root, "metadata");
  const from = textOf(at(metadata, "name"));
  const family = at(metadata, "family");
  edits.scalar(at(metadata, "name"), given.name);
  edits.scalar(at(metadata, "version"), "1.0.0");
  const spec = at(root, "spec");
  edits.scalar(at(spec, "case_kind"), freeKind(given.name, given.caseKinds));
  const opens = renameOpening(edits, at(spec, "starts_on"), given.name);
  const outcomes = family === undefined || textOf(family) === from;
  if (outcomes && family !== undefined) edits.scalar(family, given.name);
  if (outcomes) {
    for (const scalar of scalarsUnder(spec, "emit")) {
      const type = textOf(scalar);
      if (type.startsWith(`${from}.`)) edits.scalar(scalar, `${given.name}.${type.slice(from.length + 1)}`);
    }
  }
  return { text: edits.done(), renamed: { from, to: given.name, outcomes, opens } };
}

/** Of flows that one intent opens the first whose guard holds does, so the copy asks for a method of its own. */
function renameOpening(edits: Edits, start: Located | undefined, name: string): Opening {
  const message = at(start, "message");
  if (message !== undefined) {
    const from = textOf(message);
    const to = `${name}_${from.split("_").at(-1) ?? "message"}`;
    edits.scalar(message, to);
    return { kind: "message", from, to };
  }
  const intent = at(start, "intent");
  if (intent === undefined) return { kind: "spawn" };
  const when = at(start, "when");
  const guard = `"intent.method == '${name}'"`;
  if (when !== undefined) edits.scalar(when, guard);
  else edits.scalar(intent, `${textOf(intent)}, when: ${guard}`);
  return { kind: "intent", type: textOf(intent) };
}

/** Two to eight letters that no other flow has: the beginning of the name, or with another last letter. */
function freeKind(name: string, taken: readonly string[]): string {
  const letters = name.replace(/[^a-z]/g, "");
  const wished = [3, 4, 5, 6, 7, 8].map((length) => letters.slice(0, length)).filter((kind) => kind.length >= 3);
  const varied = [..."abcdefghijklmnopqrstuvwxyz"].map((letter) => `${`${letters}xx`.slice(0, 2)}${letter}`);
  return [...wished, ...varied].find((kind) => !taken.includes(kind)) ?? "new";
}

/** @param text of the scenarios beside the flow that was copied */
export function copyScenarios(file: string, text: string, renamed: Renamed): string {
  const { root } = readLocatedYaml(file, text);
  const edits = new Edits(text);
  const { from, to } = renamed;
  edits.scalar(at(root, "flow"), to);
  for (const scenario of itemsOf(at(root, "scenarios"))) {
    for (const step of itemsOf(at(scenario, "steps"))) {
      copyStep(edits, step, renamed);
      const expect = at(step, "expect");
      for (const { key, keyPlace } of entriesOf(at(expect, "states"))) if (key === from) edits.key(keyPlace, key, to);
      for (const outcome of renamed.outcomes ? itemsOf(at(expect, "outcomes")) : []) {
        const type = textOf(outcome);
        if (type.startsWith(`${from}.`)) edits.scalar(outcome, quoted(`${to}.${type.slice(from.length + 1)}`));
      }
    }
  }
  return edits.done();
}

/** A step that opens a case has to say the copy's method. */
function copyStep(edits: Edits, step: Located, { to, opens }: Renamed): void {
  if (opens.kind !== "intent" || textOf(at(step, "intent")) !== opens.type) return;
  const fields = at(step, "with");
  const method = at(fields, "method");
  if (method !== undefined) edits.scalar(method, to);
  else if (fields !== undefined && entriesOf(fields).length > 0) edits.entryBefore(fields, `method: ${to}`);
}

function quoted(text: string): string {
  return /^[\w.]+$/.test(text) ? text : JSON.stringify(text);
}

// The tree ------------------------------------------------------------------------------------------------------------------

function entriesOf(node: Located | undefined | null) {
  return node?.kind === "map" ? node.entries : [];
}

function itemsOf(node: Located | undefined | null): readonly Located[] {
  return node?.kind === "list" ? node.items : [];
}

function at(node: Located | undefined | null, key: string): Located | undefined {
  return entriesOf(node).find((entry) => entry.key === key)?.value;
}

function textOf(node: Located | undefined): string {
  return node?.kind === "scalar" ? String(node.value) : "";
}

/** The scalars that stand under a key anywhere below a node. */
function scalarsUnder(node: Located | undefined, key: string): Located[] {
  const below = [...itemsOf(node), ...entriesOf(node).map(({ value }) => value)];
  const own = entriesOf(node).filter((entry) => entry.key === key && entry.value.kind === "scalar");
  return [...own.map(({ value }) => value), ...below.flatMap((one) => scalarsUnder(one, key))];
}

// Edits ---------------------------------------------------------------------------------------------------------------------

type Edit = { readonly from: number; readonly to: number; readonly text: string };

class Edits {
  readonly #text: string;
  readonly #lineStarts: number[];
  readonly #edits: Edit[] = [];

  constructor(text: string) {
    this.#text = text;
    this.#lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  }

  scalar(node: Located | undefined, text: string): void {
    if (node?.kind !== "scalar") return;
    const from = this.#offset(node.place);
    this.#edits.push({ from, to: from + this.#sourceLength(from, String(node.value)), text });
  }

  key(place: Place, key: string, text: string): void {
    const from = this.#offset(place);
    this.#edits.push({ from, to: from + this.#sourceLength(from, key), text });
  }

  /** Puts an entry before the first of a map, in braces or over lines as the map is. */
  entryBefore(map: Located, text: string): void {
    const from = this.#offset(map.place);
    if (this.#text[from] === "{") {
      this.#edits.push({ from: from + 1, to: from + 1, text: ` ${text},` });
      return;
    }
    const column = map.place.column - 1;
    this.#edits.push({ from, to: from, text: `${text}\n${" ".repeat(column)}` });
  }

  done(): string {
    let text = this.#text;
    for (const edit of this.#edits.toSorted((one, other) => other.from - one.from)) {
      text = text.slice(0, edit.from) + edit.text + text.slice(edit.to);
    }
    return text;
  }

  #offset({ line, column }: Place): number {
    return (this.#lineStarts[line - 1] ?? 0) + column - 1;
  }

  /** A quoted scalar has its quotes, and may have escapes in them. */
  #sourceLength(from: number, value: string): number {
    const quote = this.#text[from];
    if (quote !== '"' && quote !== "'") return value.length;
    for (let end = from + 1; end < this.#text.length; end++) {
      if (quote === '"' && this.#text[end] === "\\") end += 1;
      else if (quote === "'" && this.#text[end] === "'" && this.#text[end + 1] === "'") end += 1;
      else if (this.#text[end] === quote) return end + 1 - from;
    }
    return value.length;
  }
}
