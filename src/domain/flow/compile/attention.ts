// With which codes a flow calls a person, so that the metric of these calls has all its labels from the start: a counter that
// begins with its first event shows no increase.

import type { Flow } from "../flow.ts";
import { actionsOf } from "../walk.ts";

/** Of the core's own: sums that are too large. */
const OF_EVERY_FLOW = ["amount_too_large"];

/** The codes of `ops.attention` that stand in the flow's file; one that is taken from an event is the provider's, and not
 *  among them. */
export function attentionCodes(flow: Flow): Set<string> {
  const emitted = actionsOf(flow).flatMap((action) => {
    if (action.kind !== "emit" || action.type !== "ops.attention" || action.code?.root.kind !== "literal") return [];
    return [String(action.code.root.value)];
  });
  return new Set([...OF_EVERY_FLOW, ...emitted, ...flow.defaults.alarms.map(({ code }) => code)]);
}
