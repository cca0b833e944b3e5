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
  /** types of outcomes, by what they were */
  readonly outcomes: ReadonlyMap<string, string>;
  readonly opens: Opening;
};

/** How a case of the copy is opened: by the intent of before with a method of its own, or by an intent of its own. Null:
 *  by another flow, and none does so yet. */
export type Opening =
  | { readonly kind: "method"; readonly intent: string; readonly method: string }
  | { readonly kind: "intent"; readonly from: string; readonly to: string }
  | null;

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
  const opens = renameOpening(edits, spec, given.name);
  const outcomes = new Map([[`${from}.rejected`, `${given.name}.rejected`]]);
  // Outcomes of a family that has a name of its own are shared by its flows.
  if (family === undefined || textOf(family) === from) {
    edits.scalar(family, given.name);
    for (const result of ["failed", "canceled", "expired"])
      outcomes.set(`${from}.${result}`, `${given.name}.${result}`);
    for (const scalar of scalarsUnder(spec, "emit")) {
      const type = textOf(scalar);
      if (!type.startsWith(`${from}.`)) continue;
      const own = `${given.name}.${type.slice(from.length + 1)}`;
      outcomes.set(type, own);
      edits.scalar(scalar, own);
    }
  }
  return { text: edits.done(), renamed: { from, to: given.name, outcomes, opens } };
}

const BY_METHOD = /^intent\.method == '[^']*'$/;

/** An intent opens cases of one flow, unless the flows ask for different methods. */
function renameOpening(edits: Edits, spec: Located | undefined, name: string): Opening {
  const start = at(spec, "starts_on");
  const [message, intent, when] = [at(start, "message"), at(start, "intent"), at(start, "when")];
  if (message !== undefined) {
    const own = ownType(name, textOf(message));
    edits.scalar(message, own);
    for (const { key, keyPlace } of entriesOf(at(spec, "events"))) {
      if (key === `message.${textOf(message)}`) edits.key(keyPlace, key, `message.${own}`);
    }
    return null;
  }
  if (intent === undefined) return null;
  const type = textOf(intent);
  if (BY_METHOD.test(textOf(when))) {
    edits.scalar(when, `"intent.method == '${name}'"`);
    return { kind: "method", intent: type, method: name };
  }
  const own = ownType(name, type);
  edits.scalar(intent, own);
  return { kind: "intent", from: type, to: own };
}

/** `wallet_create` like `transfer_create`. */
function ownType(name: string, type: string): string {
  return `${name}_${type.split("_").at(-1) ?? ""}`;
}

/** Two to eight letters that no other flow has: the beginning of the name, or with another last letter. */
function freeKind(name: string, taken: readonly string[]): string {
  const letters = name.replace(/[^a-z]/g, "");
  const wished = [3, 4, 5, 6, 7, 8].map((length) => letters.slice(0, length)).filter((kind) => kind.length >= 3);
  const varied = [..."abcdefghijklmnopqrstuvwxyz"].map((letter) => `${`${letters}xx`.slice(0, 2)}${letter}`);
  return [...wished, ...varied].find((kind) => !taken.includes(kind)) ?? "new";
}

/** @param text of the scenarios beside the flow that was copied; of a flow that no intent opens there are none yet */
export function copyScenarios(file: string, text: string, renamed: Renamed): string {
  const { from, to, opens } = renamed;
  if (opens === null) {
    const why = `# Nothing opens a case of ${to} yet: tell here what happens once another flow does, as ${from} is told.`;
    return `${why}\napiVersion: scenarios/v1\nflow: ${to}\nscenarios: []\n`;
  }
  const { root } = readLocatedYaml(file, text);
  const edits = new Edits(text);
  edits.scalar(at(root, "flow"), to);
  for (const scenario of itemsOf(at(root, "scenarios"))) {
    for (const step of itemsOf(at(scenario, "steps"))) {
      copyStep(edits, step, opens);
      const expect = at(step, "expect");
      for (const { key, keyPlace } of entriesOf(at(expect, "states"))) if (key === from) edits.key(keyPlace, key, to);
      for (const outcome of itemsOf(at(expect, "outcomes"))) {
        const [type = "", ...facts] = textOf(outcome).split(" ");
        const own = renamed.outcomes.get(type);
        if (own !== undefined) edits.scalar(outcome, quoted([own, ...facts].join(" ")));
      }
    }
  }
  return edits.done();
}

/** A step that opens a case does so as the copy asks. */
function copyStep(edits: Edits, step: Located, opens: NonNullable<Opening>): void {
  const intent = at(step, "intent");
  const fields = at(step, "with");
  if (opens.kind === "method") {
    if (textOf(intent) === opens.intent) edits.scalar(at(fields, "method"), opens.method);
  } else if (textOf(intent) === opens.from) edits.scalar(intent, opens.to);
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
