// What is known of a function's result, whatever the numbers are: the laws of functions.ts, where their conditions hold.

import type { Condition, FunctionSignature, Law } from "../functions.ts";
import { atom, constant, type Linear, minus, plus, ZERO } from "./linear.ts";
import type { Situation } from "./situation.ts";

/** @param text  names the result
 *  @param given numbers by the names of the arguments */
export function assumeLaws(
  situation: Situation,
  name: string,
  { laws }: FunctionSignature,
  text: string,
  given: ReadonlyMap<string, Linear>,
): void {
  for (const law of laws) assumeLaw(situation, text, given, law);
  if (name === "min") assumeLeast(situation, text, given);
}

/** `min(a, b)` is one of the two: above zero when both are. */
function assumeLeast({ numbers }: Situation, text: string, given: ReadonlyMap<string, Linear>): void {
  const isAbove = ["a", "b"].every((name) => {
    const value = given.get(name);
    return value !== undefined && numbers.provesAtLeastZero(minus(value, constant(1n)));
  });
  if (isAbove) numbers.assumeAtLeastZero(minus(atom(text), constant(1n)));
}

function assumeLaw({ numbers }: Situation, text: string, given: ReadonlyMap<string, Linear>, law: Law): void {
  if (law.kind === "sum") {
    const parts = law.parts.reduce((sum, part) => plus(sum, atom(`${text}.${part}`)), ZERO);
    numbers.assumeZero(minus(parts, atom(`${text}.${law.whole}`)));
    return;
  }
  const holds = law.given.every((condition) => {
    const difference = differenceOf(given, condition);
    return difference !== null && numbers.provesAtLeastZero(difference);
  });
  if (!holds) return;
  if (law.kind === "not_negative") {
    numbers.assumeAtLeastZero(atom(law.field === null ? text : `${text}.${law.field}`));
    return;
  }
  const bound = given.get(law.argument);
  if (bound === undefined) return;
  numbers.assumeAtLeastZero(law.kind === "at_most" ? minus(bound, atom(text)) : minus(atom(text), bound));
}

/** Zero or more when the condition holds. */
function differenceOf(given: ReadonlyMap<string, Linear>, { argument, is, than }: Condition): Linear | null {
  const one = given.get(argument);
  const other = typeof than === "bigint" ? constant(than) : given.get(than);
  if (one === undefined || other === undefined) return null;
  return is === ">=" ? minus(one, other) : minus(other, one);
}
