// The script of a sandbox: a list of rules in JSON, of which the first that fits a request and is not used up says what
// goes wrong. Pure.

import { NUL, NUL_FOUND } from "../domain/utf8.ts";
import { parseBehaviour, SMOOTH } from "./behaviour.ts";
import { ASKED_NAMES, type Asked, type ScriptRule } from "./choose.ts";

const RULES_MAX = 10_000;
const TIMES_MAX = 1_000_000;

export type ReadScript = {
  readonly rules: readonly ScriptRule[];
  /** what is wrong, a line each; empty when the script can be used */
  readonly faults: readonly string[];
};

/** @param text such as `[{"when": {"kind": "capture"}, "do": "declined twice", "times": 1}]` */
export function readScript(text: string): ReadScript {
  let list: unknown;
  if (text.includes(NUL)) return { rules: [], faults: [`found ${NUL_FOUND}: save it as UTF-8`] };
  try {
    list = JSON.parse(text);
  } catch (error) {
    return { rules: [], faults: [`not JSON: ${(error as Error).message}`] };
  }
  if (!Array.isArray(list)) return { rules: [], faults: ["expected a list of rules"] };
  if (list.length > RULES_MAX) return { rules: [], faults: [`expected at most ${RULES_MAX} rules`] };
  const read = list.map((one: unknown, index) => readRule(one, `rule ${index + 1}`));
  return { rules: read.map(({ rule }) => rule), faults: read.flatMap(({ faults }) => faults) };
}

function readRule(value: unknown, where: string): { readonly rule: ScriptRule; readonly faults: readonly string[] } {
  const faults: string[] = [];
  const fields = asMap(value);
  if (fields === null) faults.push(`${where}: expected an object`);
  const { when = {}, do: words, times = null, ...rest } = fields ?? {};
  for (const name of Object.keys(rest)) faults.push(`${where}: "${name}" is not known; expected when, do, times`);
  const wanted = readWhen(when, where, faults);
  const behaviour = typeof words === "string" ? parseBehaviour(words) : "expected words such as declined twice";
  if (typeof behaviour === "string") faults.push(`${where}: do: ${behaviour}`);
  if (times !== null && !isCount(times)) faults.push(`${where}: times: expected a whole number from 1 to ${TIMES_MAX}`);
  const rule = {
    when: wanted,
    behaviour: typeof behaviour === "string" ? SMOOTH : behaviour,
    times: isCount(times) ? times : null,
  };
  return { rule, faults };
}

function readWhen(value: unknown, where: string, faults: string[]): ScriptRule["when"] {
  const fields = asMap(value);
  if (fields === null) faults.push(`${where}: when: expected an object`);
  const wanted: Partial<Record<keyof Asked, string>> = {};
  for (const [name, text] of Object.entries(fields ?? {})) {
    const known = ASKED_NAMES.find((one) => one === name);
    if (known === undefined) faults.push(`${where}: when: "${name}" is none of ${ASKED_NAMES.join(", ")}`);
    else if (typeof text !== "string") faults.push(`${where}: when: ${name}: expected a text`);
    else wanted[known] = text;
  }
  return wanted;
}

function asMap(value: unknown): Readonly<Record<string, unknown>> | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return value as Readonly<Record<string, unknown>>;
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= TIMES_MAX;
}
