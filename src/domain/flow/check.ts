// Proves, before a flow may run, that it is sound, and says where it is not: file, line, column, and the property that
// fails. All faults at once. Each group of properties has a file of its own; what is proven is listed in proof.ts.

import type { Chart } from "../accounts.ts";
import type { Fault, LocatedFile } from "../located.ts";
import { checkGraph } from "./check-graph.ts";
import { checkOutcomes } from "./check-outcomes.ts";
import { checkPostings } from "./check-postings.ts";
import { checkReactions } from "./check-reactions.ts";
import { checkReferences } from "./check-references.ts";
import { checkStates } from "./check-states.ts";
import { checkUse } from "./check-use.ts";
import type { ParseExpression } from "./expression.ts";
import type { Flow } from "./flow.ts";
import { parseFlow } from "./parse.ts";
import { Proof } from "./proof.ts";
import { type TypeFault, typeFlow } from "./types.ts";
import { alternativesOf } from "./walk.ts";

/** Parses and checks in one go.
 *  @returns `flow` null when there is any fault; faults, the file's own included, in the order of the file */
export function readFlow(
  file: LocatedFile,
  chart: Chart,
  parseExpression: ParseExpression,
): { flow: Flow | null; faults: readonly Fault[] } {
  if (file.root === null) return { flow: null, faults: file.faults };
  const { flow, isWhole, faults: formFaults } = parseFlow(file.root, parseExpression);
  const proof = new Proof();
  if (flow !== null)
    for (const { property, place, message } of typesBeyond(flow)) proof.fails(property, place, message);
  if (flow !== null && isPlain(flow)) checkNames(proof, flow, chart);
  // Of a flow with unreadable parts nothing is concluded from what is missing: that would name the wrong place.
  if (flow !== null && isPlain(flow) && isWhole && file.faults.length === 0) checkWhole(proof, flow);
  const faults = [...file.faults, ...formFaults, ...proof.faults].sort(
    ({ place: one }, { place: other }) => one.line - other.line || one.column - other.column,
  );
  return { flow: faults.length === 0 ? flow : null, faults };
}

/** One way out of each event and nothing asked of others: what the checks below know. */
function isPlain(flow: Flow): boolean {
  const ways = flow.states.flatMap(alternativesOf);
  return flow.calls.length === 0 && flow.start.kind === "intent" && ways.every(({ when }) => when === null);
}

/** Of a plain flow the checks below say the same in their own words. */
function typesBeyond(flow: Flow): readonly TypeFault[] {
  return isPlain(flow) ? [] : typeFlow(flow).faults;
}

function checkNames(proof: Proof, flow: Flow, chart: Chart): void {
  checkReferences(proof, flow);
  checkPostings(proof, flow, chart);
  checkOutcomes(proof, flow);
}

function checkWhole(proof: Proof, flow: Flow): void {
  checkUse(proof, flow);
  checkStates(proof, flow);
  checkGraph(proof, flow);
  checkReactions(proof, flow);
}
