// Property "together": flows that run side by side. An intent opens cases of one flow only, and an id's kind names one.

import type { Fault } from "../located.ts";
import type { Flow } from "./flow.ts";
import { Proof } from "./proof.ts";

export function checkTogether(flows: readonly Flow[]): readonly Fault[] {
  const proof = new Proof();
  const claims = {
    name: new Map<string, Flow>(),
    startsOn: new Map<string, Flow>(),
    caseKind: new Map<string, Flow>(),
  };
  for (const flow of flows) {
    const startsOn = flow.start.kind === "intent" && flow.start.when === null ? flow.start.type : null;
    const claimed = { name: flow.name, startsOn, caseKind: flow.caseKind };
    for (const part of ["name", "startsOn", "caseKind"] as const) {
      const claim = claimed[part];
      if (claim === null) continue;
      const other = claims[part].get(claim);
      if (other === undefined) claims[part].set(claim, flow);
      else proof.fails("together", flow.place, `"${claim}" is taken by ${other.place.file} already`);
    }
  }
  for (const flow of flows) {
    for (const { place, event } of flow.states.flatMap((state) => state.events)) {
      const opened = event.startsWith("intent.") ? claims.startsOn.get(event.slice("intent.".length)) : undefined;
      if (opened === undefined) continue;
      proof.fails("together", place, `${event} opens a case of ${opened.name}, so no state can wait for it`);
    }
  }
  return proof.faults;
}
