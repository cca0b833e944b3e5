// Property "retries": no call is made for ever. A circle of ways that are all set off by answers to calls made in that
// circle turns by itself; it must count, up to a limit. A timer, a producer or a person in the circle slows it down.

import type { Proof } from "../proof.ts";
import { type Passage, pathOfWay } from "../prove/analysis.ts";
import { circlesOf, endlessCircles } from "../prove/circles.ts";
import { callNamed, sourceOf } from "../walk.ts";
import { donePassages, type Subject } from "./subject.ts";

export function checkRetries(proof: Proof, subject: Subject): void {
  const answers = donePassages(subject).filter(
    ({ from, way }) => from !== null && !from.state.human && sourceOf(way.event) === "report",
  );
  for (const circle of selfDriven(subject, answers)) {
    for (const endless of endlessCircles(subject.flow, circle)) {
      const made = endless.flatMap((passage) => callsOf(passage).map((call) => ({ passage, call })))[0];
      if (made === undefined) continue;
      const { passage, call } = made;
      const states = [...new Set(endless.map(({ from }) => from?.state.name))].join(", ");
      const place = passage.way.taken[0]?.place ?? subject.flow.place;
      const message = `the call ${call} is made again and again on its own answers (${states}): no counter, timer or person ends it`;
      proof.fails({ property: "retries", place, part: `calls.${call}`, path: pathOfWay(passage) }, message);
    }
  }
}

/** Circles in which every event answers a call of the circle itself. */
function selfDriven(subject: Subject, passages: readonly Passage[]): Passage[][] {
  return circlesOf(passages).flatMap((circle) => {
    const calls = new Set(circle.flatMap(callsOf));
    const events = new Set(
      [...calls].flatMap((name) => callNamed(subject.flow, name)?.results.map(({ event }) => event) ?? []),
    );
    const driven = circle.filter(({ way }) => events.has(way.event));
    if (driven.length === circle.length) return calls.size > 0 ? [circle] : [];
    return selfDriven(subject, driven);
  });
}

function callsOf({ way }: Passage): string[] {
  return way.steps.flatMap(({ action }) => (action.kind === "call" ? [action.call] : []));
}
