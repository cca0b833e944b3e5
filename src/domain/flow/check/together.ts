// Property "together": flows that run side by side. Of several flows that open on one intent type, guards tell which; a
// message opens one; an id's kind names one flow. Whoever opens a child or sends a message gives what it needs and is told
// what it waits for (given.ts). Nothing goes round by itself (rounds.ts), and no flow takes what another has set aside.

import type { Fault, Place } from "../../located.ts";
import type { Flow } from "../flow.ts";
import { printExpression } from "../print.ts";
import { Proof, type Where } from "../proof.ts";
import type { CheckedFlow } from "./check.ts";
import { gapsOf } from "./given.ts";
import { roundsOf } from "./rounds.ts";
import { overstepped } from "./shares.ts";

export function checkTogether(checked: readonly CheckedFlow[]): readonly Fault[] {
  const proof = new Proof();
  const flows = checked.map(({ flow }) => flow);
  checkClaims(proof, flows);
  checkOpenings(proof, flows);
  for (const flow of flows) {
    for (const { own, what } of gapsOf(flow, flows)) proof.fails(at(own), what);
  }
  for (const { place, what } of roundsOf(flows)) proof.fails(at(place), what);
  checkShares(proof, checked);
  return proof.faults;
}

const at = (place: Place): Where => ({ property: "together", place });

/** A name and a kind of ids are one flow's each; so is a message. */
function checkClaims(proof: Proof, flows: readonly Flow[]): void {
  const claims = new Map<string, Flow>();
  for (const flow of flows) {
    const { start } = flow;
    const own = [
      `name "${flow.name}"`,
      `case_kind "${flow.caseKind}"`,
      ...(start.kind === "message" ? [`message "${start.type}"`] : []),
    ];
    for (const claim of own) {
      const other = claims.get(claim);
      if (other === undefined) claims.set(claim, flow);
      else proof.fails(at(flow.place), `${claim} is taken by ${other.place.file} already`);
    }
  }
}

/** Of several flows for one intent type the first whose guard holds opens, in the order of their names. */
function checkOpenings(proof: Proof, flows: readonly Flow[]): void {
  const openings = new Map<string, Flow[]>();
  for (const flow of flows) {
    if (flow.start.kind !== "intent") continue;
    openings.set(flow.start.type, [...(openings.get(flow.start.type) ?? []), flow]);
  }
  for (const [type, several] of openings) {
    const ordered = [...several].sort((one, other) => (one.name < other.name ? -1 : 1));
    checkGuards(proof, type, ordered);
    for (const [index, flow] of ordered.entries()) {
      if (flow.start.kind !== "intent" || flow.start.when !== null || index === ordered.length - 1) continue;
      const behind = ordered[index + 1]?.name;
      const message = `${type} always opens ${flow.name}, so never ${behind}: of several flows only the last by name has no guard`;
      proof.fails(at(flow.start.place), message);
    }
  }
}

/** Whether guards exclude each other is not looked at; but of two that say the same only the first can ever open. */
function checkGuards(proof: Proof, type: string, ordered: readonly Flow[]): void {
  const first = new Map<string, Flow>();
  for (const flow of ordered) {
    if (flow.start.kind !== "intent" || flow.start.when === null) continue;
    const guard = printExpression(flow.start.when.root);
    const other = first.get(guard);
    if (other === undefined) first.set(guard, flow);
    else {
      const message = `${type} opens ${other.name} (${other.place.file}) when ${guard}, so never ${flow.name} (${flow.place.file}), which has the same guard`;
      proof.fails(at(flow.start.place), message);
    }
  }
}

function checkShares(proof: Proof, checked: readonly CheckedFlow[]): void {
  for (const { flow, shares } of checked) {
    for (const { path, place } of overstepped(shares, checked)) {
      const message = `takes more from ${path} than its case has put there, on which a case of ${flow.name} relies`;
      proof.fails(at(place), message);
    }
  }
}
