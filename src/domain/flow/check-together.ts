// Property "together": flows that run side by side. Of several flows that open on one intent type, guards tell which; a
// message opens one; an id's kind names one flow. Who spawns a child gives it what it needs and is told what it lists.
// And no flow takes what another has set aside.

import type { Fault, Place } from "../located.ts";
import type { CheckedFlow } from "./check.ts";
import type { Action, Flow } from "./flow.ts";
import { printExpression } from "./print.ts";
import { Proof, type Where } from "./proof.ts";
import { actionsOf } from "./walk.ts";

export function checkTogether(checked: readonly CheckedFlow[]): readonly Fault[] {
  const proof = new Proof();
  const flows = checked.map(({ flow }) => flow);
  checkClaims(proof, flows);
  checkOpenings(proof, flows);
  for (const flow of flows) {
    for (const action of actionsOf(flow)) if (action.kind === "spawn") checkSpawn(proof, flows, flow, action);
    checkChildren(proof, flows, flow);
  }
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
  for (const flow of flows) {
    for (const { place, event } of flow.states.flatMap((state) => state.events)) {
      const [opened] = event.startsWith("intent.") ? (openings.get(event.slice("intent.".length)) ?? []) : [];
      if (opened === undefined) continue;
      proof.fails(at(place), `${event} opens a case of ${opened.name}, so no state can wait for it`);
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

function checkSpawn(proof: Proof, flows: readonly Flow[], parent: Flow, action: Action & { kind: "spawn" }): void {
  const child = flows.find(({ name }) => name === action.flow);
  if (child === undefined) return proof.fails(at(action.place), `there is no flow ${action.flow} to spawn`);
  if (child.start.kind !== "spawn") {
    return proof.fails(at(action.place), `${action.flow} does not start on a spawn, so ${parent.name} cannot open it`);
  }
  const wanted = child.events.find(({ event }) => event === "spawn")?.fields ?? [];
  for (const { name } of wanted) {
    if (action.values.some((value) => value.name === name)) continue;
    proof.fails(at(action.place), `${action.flow} is opened without "${name}", which its spawn event carries`);
  }
  for (const { name, place } of action.values) {
    if (wanted.some((field) => field.name === name)) continue;
    proof.fails(at(place), `${action.flow} takes no "${name}" when it is spawned`);
  }
}

/** What a child tells, its parent lists or waits for; what a parent waits for, its child tells with all its fields. */
function checkChildren(proof: Proof, flows: readonly Flow[], parent: Flow): void {
  for (const { place, event, fields } of parent.events) {
    const [source, name, word] = event.split(".");
    const child = source === "child" ? flows.find((flow) => flow.name === name) : undefined;
    if (child === undefined) continue;
    const told = actionsOf(child).filter((action) => action.kind === "tell" && action.word === word);
    if (told.length === 0) proof.fails(at(place), `${name} never tells "${word}"`);
    for (const action of told) {
      for (const field of action.kind === "tell" ? fields : []) {
        if (action.kind !== "tell" || action.values.some((value) => value.name === field.name)) continue;
        proof.fails(at(action.place), `${word} is told without "${field.name}", which ${parent.name} reads`);
      }
    }
  }
}

function checkShares(proof: Proof, checked: readonly CheckedFlow[]): void {
  for (const { flow, shares } of checked) {
    for (const { path } of shares.relies) {
      for (const other of checked) {
        const overstep = other.shares.oversteps.find((one) => one.path === path);
        if (overstep === undefined) continue;
        const message = `takes more from ${path} than its case has put there, on which a case of ${flow.name} relies`;
        proof.fails(at(overstep.place), message);
      }
    }
  }
}
