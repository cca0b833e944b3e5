// Which variables of a flow name a quote, so that its case is read together with the case that takes money by it.

import { type Expression, nodesOf } from "../expression.ts";
import type { Flow } from "../flow.ts";
import { actionsOf, alternativesOf, valuesOf } from "../walk.ts";

/** `quote` where the flow says `consume: data.quote`, `quote.usable(data.quote, …)` or `quote.convert(data.quote, …)`. */
export function quoteVariables(flow: Flow): string[] {
  const actions = actionsOf(flow);
  const consumed = actions.flatMap((action) => (action.kind === "consume" ? [action.quote.root] : []));
  const guards = flow.states.flatMap(alternativesOf).flatMap(({ when }) => (when === null ? [] : [when]));
  const values = actions.flatMap(valuesOf).map(({ value }): Expression => value);
  const asked = [...guards, ...values]
    .flatMap(({ root }) => nodesOf(root))
    .flatMap((node) => (node.kind === "call" && node.name.startsWith("quote.") ? [node.arguments[0]] : []));
  const names = [...consumed, ...asked].flatMap((node) =>
    node?.kind === "name" && node.path[0] === "data" ? [node.path[1] as string] : [],
  );
  return [...new Set(names)];
}
