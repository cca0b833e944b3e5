// Property "contradictions": what a provider says of money is never passed over in silence. A result on which the flow
// moves money with the outside world, in the state that waits for it, may come unasked, late or twice in any other state:
// each state lists it, or `defaults.alarms` names it, so that a person sees it.

import type { Chart } from "../../accounts.ts";
import type { Proof } from "../proof.ts";
import { pathOfNode } from "../prove/analysis.ts";
import type { Way } from "../prove/way.ts";
import { callNamed, sourceOf, waits } from "../walk.ts";
import { resolveTemplate } from "./postings.ts";
import { partOf, type Subject } from "./subject.ts";

export function checkContradictions(proof: Proof, subject: Subject): void {
  const { flow, analysis } = subject;
  const alarmed = new Set(flow.defaults.alarms.map(({ event }) => event));
  for (const event of moneyFacts(subject)) {
    if (alarmed.has(event)) continue;
    for (const node of analysis.nodes) {
      const { state } = node;
      if (!waits(state) || state.kind === "final" || state.events.some((one) => one.event === event)) continue;
      const message = `${event} says that money has moved, and ${state.name} would pass over it: list it, or name it under defaults.alarms`;
      const where = { place: state.place, path: [...pathOfNode(node), event], ...partOf(state) };
      proof.fails({ property: "contradictions", ...where }, message);
    }
  }
}

/** Results on which, where they are waited for, the balance with a bank or a provider changes. */
function moneyFacts({ flow, chart, analysis }: Subject): ReadonlySet<string> {
  const facts = new Set<string>();
  const awaited = new Map<string, Set<string>>();
  for (const { way, to } of analysis.passages) {
    for (const { action } of way.steps) {
      if (action.kind !== "call" || to === null) continue;
      const events = callNamed(flow, action.call)?.results.map(({ event }) => event) ?? [];
      awaited.set(to.state.name, new Set([...(awaited.get(to.state.name) ?? []), ...events]));
    }
  }
  for (const { way } of analysis.passages) {
    if (way.refuse !== null || sourceOf(way.event) !== "report" || way.start === null) continue;
    if (awaited.get(way.start.name)?.has(way.event) === true && movesAssets(chart, way)) facts.add(way.event);
  }
  return facts;
}

function movesAssets(chart: Chart, way: Way): boolean {
  return [...way.effects].some(([name, effect]) => {
    const path = name.slice(0, name.lastIndexOf(" "));
    return effect.terms.size > 0 && resolveTemplate(chart, path)?.class === "asset";
  });
}
