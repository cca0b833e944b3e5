// Versions that new cases do not open on any more and old cases live by, held against what is declared today. Such a
// version was proven beside the flows of its own time; what it opens, asks and tells since is today's. A child that takes
// one field more, or a receiver that is gone, would meet the old parent's event as a failed assertion, and the same input
// would end every process that takes the lane. So it is refused before anything runs, at what can still be changed.
//
// Kept versions are not held against each other: they ran side by side in an earlier release, which held each against
// what was new in it.

import type { Fault, Place } from "../../located.ts";
import type { Flow } from "../flow.ts";
import { Proof } from "../proof.ts";
import { type CheckedFlow, type Surroundings, sharesOfKept } from "./check.ts";
import { asIs, gapsOf } from "./given.ts";
import { checkTypes } from "./outcomes.ts";
import { checkQuotes } from "./quotes.ts";
import { roundsOf } from "./rounds.ts";
import { overstepped } from "./shares.ts";
import { checkRows } from "./states.ts";

/** @param kept  read from their texts; their places bear `<name>@<version>` for a file
 *  @param today the flows that new cases open on
 *  @returns faults that stand, where there is such a place, in the file of today */
export function checkKept(
  kept: readonly Flow[],
  today: readonly CheckedFlow[],
  surroundings: Surroundings,
): readonly Fault[] {
  const proof = new Proof();
  const flows = today.map(({ flow }) => flow);
  for (const flow of kept) {
    for (const { own, other, what, remedy } of gapsOf(flow, flows)) {
      proof.fails({ property: "together", place: other ?? own }, `${what}; ${livedBy(flow, own)}: ${remedy}`);
    }
    checkGranted(proof, flow);
    checkCatalogue(proof, flow, surroundings);
    checkShares(proof, flow, today, surroundings);
  }
  for (const { flow, place, what, flows: all } of roundsOf(flows, kept)) {
    const old = kept.find((one) => all.has(one));
    if (old === undefined) continue; // it goes round without any kept version
    const line = flow === old ? place : old.place;
    proof.fails({ property: "together", place }, `${what}; ${livedBy(old, line)}: ${asIs(flow.name)}`);
  }
  return proof.faults;
}

function livedBy({ name, version }: Flow, { line }: Place): string {
  return `cases still live by ${name}@${version} (line ${line}), which nothing can change`;
}

/** What the core takes for granted of every flow that it runs, and ends the process by an assertion where it is not so. */
function checkGranted(proof: Proof, flow: Flow): void {
  const own = new Proof();
  checkRows(own, flow);
  checkQuotes(own, flow);
  for (const { place, property, message } of own.faults) {
    const claim = message.slice(`${property}: `.length);
    proof.fails({ property, place }, `${claim}; ${livedBy(flow, place)}: stay with the release that they began under`);
  }
}

/** Whoever consumes outcomes goes by today's catalogue, whichever version a case lives by. */
function checkCatalogue(proof: Proof, flow: Flow, { outcomes }: Surroundings): void {
  const own = new Proof();
  checkTypes(own, flow, outcomes);
  for (const { place, property, message } of own.faults) {
    const claim = message.slice(`${property}: `.length);
    const remedy = "let schemas/outcomes/catalogue.yaml list it as they carry it, and what is new as optional";
    proof.fails({ property, place }, `${claim}; ${livedBy(flow, place)}: ${remedy}`);
  }
}

function checkShares(proof: Proof, flow: Flow, today: readonly CheckedFlow[], surroundings: Surroundings): void {
  const shares = sharesOfKept(flow, surroundings);
  for (const { path, place } of overstepped(shares, today)) {
    const message = `takes more from ${path} than its case has put there, on which cases of ${flow.name}@${flow.version} rely`;
    proof.fails({ property: "together", place }, message);
  }
  for (const other of today) {
    for (const { path, place } of overstepped(other.shares, [{ shares }])) {
      const [own] = other.shares.relies.filter((one) => one.path === path);
      const message = `${other.flow.name} relies on what its case has put on ${path}, of which more is taken; ${livedBy(flow, place)}: set it aside on another account`;
      proof.fails({ property: "together", place: own?.place ?? other.flow.place }, message);
    }
  }
}
