// What the names of a flow mean to its closures: path templates become getters, defaults of parameters their values.

import { assert, failed } from "../../assert.ts";
import type { Flow } from "../flow.ts";
import type { Names, Path } from "../scope.ts";
import { symbolOfIntentAmount } from "../types/scope.ts";
import type { Symbols } from "./symbols.ts";

type Variables = Pick<Names, "variables">;

/** Where the values of a variable are among those of a case. */
export function slotOf({ variables }: Variables, name: string): number {
  const slot = variables.get(name);
  assert(slot !== undefined, `variable ${name} is not declared`);
  return slot;
}

/** `liability:customer:{holder}:available`, `memo:auth_exposure:{provider}` by the text variable of that name, or
 *  `{intent.from}`, `{event.account}` as a whole. */
export function compilePath(names: Variables, template: string): Path {
  const pieces = template.split(/\{([^}]*)\}/);
  if (pieces.length === 1) return () => template;
  const [before = "", name = "", after = ""] = pieces;
  if (pieces.length === 3) {
    const piece = compilePiece(names, name);
    if (before === "" && after === "") return piece;
    return remembering((text) => before + text + after, piece);
  }
  const parts = pieces.map((piece, index) => (index % 2 === 0 ? () => piece : compilePiece(names, piece)));
  return (scope) => {
    let path = "";
    for (const part of parts) path += part(scope);
    return path;
  };
}

/** Remembers the last path, which is the next one's more often than not: the same text is found without being hashed. */
function remembering(join: (text: string) => string, piece: Path): Path {
  let last = "";
  let path = join(last);
  return (scope) => {
    const text = piece(scope);
    if (text === last) return path;
    last = text;
    path = join(text);
    return path;
  };
}

function compilePiece(names: Variables, name: string): Path {
  if (name === "holder") return (scope) => scope.holderId;
  const [first = "", second = ""] = name.split(".");
  if (first === "event") return (scope) => scope.eventField(second) as string;
  if (first === "intent") {
    const field = second as "account" | "from" | "to";
    return (scope) => {
      const path = scope.intent?.[field] ?? null;
      if (path === null) failed(`the intent has no ${field}, which intake should have seen`);
      return path;
    };
  }
  const slot = slotOf(names, first === "data" ? second : first);
  return (scope) => scope.value(slot) as string;
}

/** Whether a path hangs on variables of the case, which may name what the chart does not have. */
export function readsVariable(template: string): boolean {
  return [...template.matchAll(/\{([^}]*)\}/g)].some(
    ([, name = ""]) => name !== "holder" && !/^(intent|event)\./.test(name),
  );
}

/** Symbols of everything that has one whatever the event: variables, event fields, the intent's amount. */
export function symbolsOf(flow: Flow): Symbols {
  const symbols = new Map<string, string>();
  for (const { fields } of flow.events) {
    for (const { name, type } of fields) if (type.kind === "money") symbols.set(`event.${name}`, type.symbol);
  }
  for (const { name, type } of flow.data) if (type.kind === "money") symbols.set(`data.${name}`, type.symbol);
  for (const { symbol } of flow.currencies) symbols.set(symbol, symbol);
  const asked = symbolOfIntentAmount(flow);
  if (asked !== null) symbols.set("intent.amount.minor", asked);
  for (const { lines } of flow.postings) {
    for (const { debit, credit, currency } of lines) {
      for (const alias of [debit, credit]) if (!symbols.has(alias)) symbols.set(alias, currency);
    }
  }
  return symbols;
}
