// Calls of a flow as closures: what goes along, under which key, to whom.

import { assert } from "../../assert.ts";
import type { Expression } from "../expression.ts";
import type { FlowCall, KeyPart } from "../flow.ts";
import type { Get, Names, Scope } from "../scope.ts";
import { textOf } from "./events.ts";
import { compileNode } from "./expression.ts";

export type Payload = Readonly<Record<string, string>>;

export type CompiledCall = {
  readonly name: string;
  readonly to:
    | {
        readonly kind: "gateway";
        readonly op: string;
        readonly readOnly: boolean;
        /** "" for a call that only asks */
        readonly key: (scope: Scope) => string;
        /** for how long, counted from the first command with its key, a command may be executed; null: within its timeout,
         *  counted from itself */
        readonly keyLifetimeMs: ((scope: Scope) => bigint) | null;
        readonly timeoutMs: number;
      }
    | { readonly kind: "message"; readonly type: string; readonly holder: (scope: Scope) => string };
  /** made anew each time */
  readonly payload: (scope: Scope) => Record<string, string>;
  /** the event that each result becomes */
  readonly results: ReadonlyMap<string, string>;
};

export function compileCall(names: Names, { name, to, payload, results }: FlowCall): CompiledCall {
  const values = payload.map(({ name: field, value }) => ({ field, get: compileNode(names, value.root) }));
  return {
    name,
    to:
      to.kind === "gateway"
        ? { ...to, key: compileKey(names, to.key ?? []), keyLifetimeMs: compileLifetime(names, to.keyLifetime) }
        : { kind: "message", type: to.type, holder: compileNode(names, to.holder.root) as (scope: Scope) => string },
    payload: (scope) => payloadOf(values, scope),
    results: new Map(results.map(({ result, event }) => [result, event])),
  };
}

function payloadOf(
  values: readonly { readonly field: string; readonly get: Get }[],
  scope: Scope,
): Record<string, string> {
  const payload: Record<string, string> = {};
  for (const { field, get } of values) {
    const value = get(scope);
    scope.judgeSize(value);
    const text = textOf(value);
    if (text !== null) payload[field] = text;
  }
  return payload;
}

function compileLifetime(names: Names, lifetime: Expression | null): ((scope: Scope) => bigint) | null {
  return lifetime === null ? null : (compileNode(names, lifetime.root) as (scope: Scope) => bigint);
}

function compileKey(names: Names, parts: readonly KeyPart[]): (scope: Scope) => string {
  const pieces = parts.map((part) => {
    if (part.kind === "text") return () => part.text;
    const get = compileNode(names, part.value.root);
    return (scope: Scope): string => {
      const text = textOf(get(scope));
      assert(text !== null, "a part of an idempotency key is not known");
      return text;
    };
  });
  return (scope) => {
    let key = "";
    for (const piece of pieces) key += piece(scope);
    return key;
  };
}
