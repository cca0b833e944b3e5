// Reads the expressions of a flow file: where a value is asked for, YAML's numbers, booleans and null are themselves, a
// bare word that belongs to the wanted set is that word, a duration is its milliseconds, and everything else is an
// expression, which the parser that is handed in takes apart.

import type { Located, LocatedEntry, Place } from "../located.ts";
import { Reading } from "../reading.ts";
import { parseDurationMs } from "./duration.ts";
import type { Expression, ExpressionNode, ParseExpression, Value, ValueType } from "./expression.ts";
import type { NamedExpression } from "./flow.ts";
import { NAME } from "./names.ts";

/** What a place asks for; `code` is text of which a bare word is a value; null takes anything. */
export type Wanted = ValueType | { readonly kind: "code" } | null;

export const DURATION_FORM = "an ISO 8601 duration above zero, without years or months, such as PT15M or P7D";

/** What cannot be read. Its fault is noted already, so nothing more is concluded from it. */
export function unread(place: Place): Expression {
  return { place, text: "", root: { kind: "literal", value: null } };
}

export function isUnread(expression: Expression): boolean {
  return expression.text === "";
}

export class FlowReading extends Reading {
  readonly #parse: ParseExpression;
  /** types of the case variables, for what `set` gives them */
  readonly dataTypes = new Map<string, ValueType>();

  constructor(parse: ParseExpression) {
    super();
    this.#parse = parse;
  }

  expression(node: Located, what: string, wanted: Wanted): Expression {
    const { place } = node;
    if (node.kind !== "scalar") {
      this.fault(place, `${what} must be a value or an expression, found a ${node.kind}`);
      return unread(place);
    }
    const { value } = node;
    if (typeof value === "string") return this.#text(place, what, value, wanted);
    if (typeof value === "number") return this.#number(place, what, value, wanted);
    return { place, text: String(value), root: { kind: "literal", value } };
  }

  #number(place: Place, what: string, value: number, wanted: Wanted): Expression {
    const text = String(value);
    if (wanted?.kind === "duration") this.fault(place, `${what} must be ${DURATION_FORM}; found ${text}`);
    else if (!Number.isSafeInteger(value)) this.fault(place, `${what} must be a whole number, found ${text}`);
    else return { place, text, root: { kind: "literal", value: BigInt(value) } };
    return unread(place);
  }

  #text(place: Place, what: string, text: string, wanted: Wanted): Expression {
    const bare = bareValue(text, wanted);
    const root: ExpressionNode | { readonly wrong: string } =
      bare === undefined ? this.#parse(text) : { kind: "literal", value: bare };
    if (wanted?.kind === "duration" && bare === undefined && ("wrong" in root || text.startsWith("P"))) {
      this.fault(place, `${what} must be ${DURATION_FORM}, or an expression; found ${JSON.stringify(text)}`);
      return unread(place);
    }
    if (!("wrong" in root)) return { place, text, root };
    this.fault(place, `${what} is no expression: ${root.wrong}; found ${JSON.stringify(text)}`);
    return unread(place);
  }

  /** The values of a map, each an expression. */
  namedExpressions(entries: readonly LocatedEntry[], wanted: (name: string) => Wanted): NamedExpression[] {
    return entries.map(({ key, keyPlace, value }) => ({
      place: keyPlace,
      name: key,
      value: this.expression(value, key, wanted(key)),
    }));
  }
}

/** @returns undefined when the text is no bare value of what is wanted */
function bareValue(text: string, wanted: Wanted): Value | undefined {
  switch (wanted?.kind) {
    case "word":
      return wanted.words.includes(text) ? text : undefined;
    case "code":
      return NAME.test(text) && text !== "null" ? text : undefined;
    case "duration": {
      const ms = parseDurationMs(text);
      return ms === null ? undefined : BigInt(ms);
    }
    default:
      return undefined;
  }
}
