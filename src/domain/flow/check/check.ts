// Proves, before a flow may run, that it is sound, and says where it is not: file, line, column, the property that fails
// and the events that lead there. All faults at once. Each group of properties has a file of its own; what is proven is
// listed in proof.ts and told in docs/flow-checker.md.
//
// First the file as it stands (names, types, kinds of states); what is wrong there would make nonsense of everything
// behind it. Then what cases do: every way is followed without knowing the numbers (prove/analysis.ts). What cannot be
// proven with all cases of a state taken together is tried again with them told apart by one thing after the other; what
// any attempt proves is proven.

import type { Chart } from "../../accounts.ts";
import type { Fault, LocatedFile } from "../../located.ts";
import type { OutcomeCatalogue } from "../../outcomes.ts";
import type { ParseExpression } from "../expression.ts";
import type { Flow } from "../flow.ts";
import { parseFlow } from "../parse/parse.ts";
import { type FlowFault, Proof, withExceptions } from "../proof.ts";
import { type Analysis, analyse, isOfLife, splittings, TooManyNodes } from "../prove/analysis.ts";
import { type Typed, typeFlow } from "../types/types.ts";
import { checkAmounts } from "./amounts.ts";
import { checkAttended } from "./attended.ts";
import { checkCalls } from "./calls.ts";
import { checkContradictions } from "./contradictions.ts";
import { checkEnds } from "./ends.ts";
import { checkFacts } from "./facts.ts";
import { checkGraph } from "./graph.ts";
import { checkInvariants } from "./invariants.ts";
import { checkMessages } from "./messages.ts";
import { checkOutcomes } from "./outcomes.ts";
import { checkPostings } from "./postings.ts";
import { checkQuotes } from "./quotes.ts";
import { checkReferences } from "./references.ts";
import { checkRetries } from "./retries.ts";
import { isSetAside, NO_SHARES, type Shares, sharesOf } from "./shares.ts";
import { checkStates } from "./states.ts";
import { ownersOf, type Subject } from "./subject.ts";
import { checkUse } from "./use.ts";

/** What a flow is held against. */
export type Surroundings = { readonly chart: Chart; readonly outcomes: OutcomeCatalogue };

export type CheckedFlow = { readonly flow: Flow; readonly shares: Shares };

/** Parses and checks in one go.
 *  @returns `checked` null when there is any fault; faults, the file's own included, in the order of the file */
export function readFlow(
  file: LocatedFile,
  surroundings: Surroundings,
  parseExpression: ParseExpression,
): { checked: CheckedFlow | null; faults: readonly (Fault | FlowFault)[] } {
  if (file.root === null) return { checked: null, faults: file.faults };
  const { flow, isWhole, faults: formFaults } = parseFlow(file.root, parseExpression);
  if (flow === null) return { checked: null, faults: inOrder([...file.faults, ...formFaults]) };
  // Of a flow with unreadable parts nothing is concluded from what is missing: that would name the wrong place.
  const isReadable = isWhole && file.faults.length === 0;
  const { faults, shares } = checkFlow(flow, surroundings, isReadable);
  const all = inOrder([...file.faults, ...formFaults, ...faults]);
  return { checked: all.length === 0 ? { flow, shares } : null, faults: all };
}

/** A version that has run before was proven by the checker of its time, and cases still live by it: today's checker may
 *  ask for more, and has no say. Its names and types are looked at, because it is compiled anew. */
export function readKeptFlow(
  file: LocatedFile,
  chart: Chart,
  parseExpression: ParseExpression,
): { flow: Flow | null; faults: readonly (Fault | FlowFault)[] } {
  if (file.root === null) return { flow: null, faults: file.faults };
  const { flow, faults: formFaults } = parseFlow(file.root, parseExpression);
  const proof = new Proof();
  if (flow !== null) checkNames(proof, flow, chart);
  const faults = inOrder([...file.faults, ...formFaults, ...proof.faults]);
  return { flow: faults.length === 0 ? flow : null, faults };
}

/** What a kept version asks of the flows beside it. Only one that books on money which is set aside has to be followed. */
export function sharesOfKept(flow: Flow, { chart, outcomes }: Surroundings): Shares {
  if (!flow.accounts.some(({ path }) => isSetAside(chart, path))) return NO_SHARES;
  const analysis = analysed(() => analyse(flow, settingOf({ chart, outcomes }), []));
  if (analysis === null) return NO_SHARES;
  return sharesOf({ flow, chart, outcomes, types: typeFlow(flow).types, analysis, owners: ownersOf(flow) });
}

function settingOf({ chart, outcomes }: Surroundings): Parameters<typeof analyse>[1] {
  return { successes: outcomes.successes, isSetAside: (path) => isSetAside(chart, path) };
}

function inOrder(faults: readonly (Fault | FlowFault)[]): (Fault | FlowFault)[] {
  return [...faults].sort(({ place: one }, { place: other }) => one.line - other.line || one.column - other.column);
}

export function checkFlow(
  flow: Flow,
  surroundings: Surroundings,
  isReadable = true,
): { faults: readonly FlowFault[]; shares: Shares } {
  const proof = new Proof();
  const typed = checkNames(proof, flow, surroundings.chart);
  if (isReadable) checkUse(proof, flow);
  if (isReadable) checkStates(proof, flow);
  if (isReadable) checkQuotes(proof, flow);
  if (!isReadable || proof.faults.length > 0) return { faults: proof.faults, shares: NO_SHARES };
  const { proof: behaviour, shares } = checkBehaviour(flow, surroundings, typed);
  return { faults: withExceptions(behaviour, flow.exceptions), shares };
}

function checkNames(proof: Proof, flow: Flow, chart: Chart): Typed {
  checkReferences(proof, flow);
  checkPostings(proof, flow, chart);
  const typed = typeFlow(flow);
  for (const { property, place, message } of typed.faults) proof.fails({ property, place }, message);
  return typed;
}

type Behaviour = { readonly proof: Proof; readonly shares: Shares };

function checkBehaviour(flow: Flow, { chart, outcomes }: Surroundings, typed: Typed): Behaviour {
  const setting = settingOf({ chart, outcomes });
  const attempt = (splitting: readonly string[]): Behaviour | null => {
    const analysis = analysed(() => analyse(flow, setting, splitting));
    if (analysis === null) return null;
    const subject = { flow, chart, outcomes, types: typed.types, analysis, owners: ownersOf(flow) };
    return { proof: prove(subject), shares: sharesOf(subject) };
  };
  let known = attempt([]) ?? untold(flow);
  for (const splitting of splittings(flow)) {
    const open = withExceptions(known.proof, flow.exceptions);
    if (!open.some(({ property }) => (property === "ends") === isOfLife(splitting))) continue;
    const other = attempt(splitting);
    if (other !== null) known = { proof: known.proof.and(other.proof), shares: known.shares };
  }
  return known;
}

function untold(flow: Flow): Behaviour {
  const proof = new Proof();
  proof.fails({ property: "cost", place: flow.place }, "not proven: the flow has more states than can be followed");
  return { proof, shares: NO_SHARES };
}

/** @returns null when there are more cases to tell apart than can be followed */
function analysed(run: () => Analysis): Analysis | null {
  try {
    return run();
  } catch (error) {
    if (error instanceof TooManyNodes) return null;
    throw error;
  }
}

function prove(subject: Subject): Proof {
  const proof = new Proof();
  for (const { state, event } of subject.analysis.untold) {
    const where = { property: "cost", place: state.place } as const;
    proof.fails(
      where,
      `not proven: ${event} in ${state.name} goes more ways than can be followed: split the choice behind it`,
    );
  }
  checkGraph(proof, subject);
  checkInvariants(proof, subject);
  checkAmounts(proof, subject);
  checkAttended(proof, subject);
  checkCalls(proof, subject);
  checkMessages(proof, subject);
  checkRetries(proof, subject);
  checkEnds(proof, subject);
  checkContradictions(proof, subject);
  checkFacts(proof, subject);
  checkOutcomes(proof, subject);
  return proof;
}
