// Which cases an intent may open beside the one that it moves, so that they are looked for together with it: a block that
// meets one which was not looked for is decided again as a whole.

import type { Flow } from "../flow.ts";

/** By event, names of the flows that it opens cases of in some state, as far as its own actions say: what choices behind
 *  them do is not foreseen. */
export function spawnsOf(flow: Flow): Map<string, readonly string[]> {
  const spawns = new Map<string, readonly string[]>();
  for (const { event, alternatives } of flow.states.flatMap(({ events }) => events)) {
    const actions = alternatives.flatMap((one) => one.actions);
    const names = actions.flatMap((action) => (action.kind === "spawn" ? [action.flow] : []));
    if (names.length > 0) spawns.set(event, [...new Set([...(spawns.get(event) ?? []), ...names])]);
  }
  return spawns;
}
