// What the checker proves of a flow holds when the real core runs it: random flows, of which the checker accepts some, and
// random events for those. A flow that is accepted keeps its invariant, empties what drains, books no negative amount (the
// core would stop), refuses no timer, and ends by timers alone.

import fc from "fast-check";
import { expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { loadSurroundings } from "../../src/declared/load.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { readFlow } from "../../src/domain/flow/check/check.ts";
import { valuesOf } from "../support/case-row.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { caseId } from "../support/intents.ts";
import { MemoryLane, NOW_MS } from "../support/ledger.ts";
import { euros, intent, rulesWith } from "../support/unchecked.ts";

const surroundings = loadSurroundings(SHIPPED_SCHEMAS);
const SEED = Number(process.env["SEED"] ?? 11);

const WISH = "{ emit: ops.decided }";
const CLEAR = "{ post: back, x: data.held }, { set: { held: 0 } }";
/** Moves of money with the variable that counts it. */
const SOUND = fc.constantFrom(
  '{ post: park, x: data.sum }, { set: { held: "data.held + data.sum" } }',
  '{ post: park, x: 5 }, { set: { held: "data.held + 5" } }',
  '{ let: { r: "min(data.held, 7)" } }, { post: back, x: r }, { set: { held: "data.held - r" } }',
  CLEAR,
  "",
);
/** Slips, which a guard or what is certain in the state may make good. */
const SLIP = fc.constantFrom(
  '{ post: back, x: data.sum }, { set: { held: "data.held - data.sum" } }',
  "{ post: park, x: data.sum }, { set: { held: data.sum } }",
  '{ post: back, x: "data.held - 3" }, { set: { held: 3 } }',
  "{ post: park, x: data.sum }",
  "{ set: { held: 0 } }",
);
const MOVE = fc.oneof({ arbitrary: SOUND, weight: 14 }, { arbitrary: SLIP, weight: 1 });
const ENDING = fc.oneof({ arbitrary: fc.constant(CLEAR), weight: 8 }, { arbitrary: MOVE, weight: 1 });
const GUARD = fc.constantFrom("data.held > 0", "data.held >= data.sum", "data.k < 2", "data.held > 3");
const ROUND = fc.constantFrom("s0", "s1");
const END = fc.constantFrom("gate", "gate", "rest", "done");

const list = (...actions: readonly string[]): string => `[${actions.filter((one) => one !== "").join(", ")}]`;
const to = (state: string, ...actions: readonly string[]): string => `do: ${list(...actions)}, to: ${state}`;
const COUNTED = '{ set: { k: "data.k + 1" } }';

/** On a wish: round or to an end. */
const asked = fc
  .tuple(fc.option(fc.tuple(GUARD, MOVE, ROUND)), fc.oneof(fc.tuple(MOVE, ROUND), fc.tuple(ENDING, END)))
  .map(([guarded, [move, state]]) => {
    const last = `{ ${to(state, WISH, move)} }`;
    if (guarded === null) return `[${last}]`;
    const [when, first, round] = guarded;
    return `[{ when: "${when}", ${to(round, WISH, first)} }, ${last}]`;
  });
/** On the timer: so often round, then to an end; seldom round for ever. */
const due = fc
  .tuple(fc.option(fc.tuple(MOVE, ROUND, fc.constantFrom(COUNTED, COUNTED, COUNTED, ""))), ENDING, END)
  .map(([round, move, state]) => {
    const last = `{ ${to(state, move)} }`;
    return round === null ? `[${last}]` : `[{ when: "data.k < 3", ${to(round[1], round[0], round[2])} }, ${last}]`;
  });

const FLOW = fc.tuple(asked, due, asked, due, fc.option(GUARD)).map(
  ([go0, soon0, go1, soon1, guard]) => `
apiVersion: flow/v1
kind: Flow
metadata: { name: rnd, version: 1.0.0, owner: tests }
spec:
  starts_on: { intent: rnd_create }
  case_kind: rnd
  currencies: { S: intent.amount.currency }
  data:
    sum:  { money: S, init: intent.amount.minor }
    held: { money: S, init: 0 }
    k:    { int: true, init: 0 }
  accounts:
    bank:   { path: "asset:bank:main" }
    parked: { path: "clearing:unapplied", drains: true }
  invariants:
    - "bal(parked, S) == -data.held"
  postings:
    park: { title: p, in: [x], lines: [[bank, parked, S, x]] }
    back: { title: b, in: [x], lines: [[parked, bank, S, x]] }
  timers: { soon: { after: PT1M } }
  states:
    start:
      kind: initial
      always:
        - do: [{ emit: ops.decided }, { post: park, x: data.sum }, { set: { held: data.sum } }]
          to: first
    first: { kind: choice, always: [{ when: "data.sum > 12 && data.k == 0", to: s1 }, { when: "data.sum > 9", to: gate }, { to: s0 }] }
    s0: { kind: active, timers: [soon], events: { intent.rnd_go: ${go0}, timer.soon: ${soon0} } }
    s1: { kind: active, timers: [soon], events: { intent.rnd_go: ${go1}, timer.soon: ${soon1} } }
    gate: { kind: choice, always: [${guard === null ? "" : `{ when: "${guard}", to: s0 }, `}{ do: [{ post: back, x: data.held }, { set: { held: 0 } }], to: rest }] }
    rest: { kind: quiescent, timers: [soon], events: { timer.soon: [{ to: done }] } }
    done: { kind: final }
`,
);
/** true: the intent; false: the timer that is due */
const EVENTS = fc.array(fc.boolean(), { maxLength: 12 });
const ID = caseId("rnd", NOW_MS);
/** More rounds than any accepted flow can go: its counters go up to three. */
const ROUNDS_MAX = 60;

function isAccepted(text: string): boolean {
  return readFlow(readLocatedYaml("rnd", text), surroundings, parseExpression).faults.length === 0;
}

function expectProven(lane: MemoryLane, was: string): void {
  const one = [...lane.open().cases.values()].find(({ flow }) => flow.name === "rnd");
  const sum = lane.lines.reduce((total, { debit, credit, minor }) => {
    if (debit.path === "clearing:unapplied") return total + minor;
    return credit.path === "clearing:unapplied" ? total - minor : total;
  }, 0n);
  expect(sum, was).toBe(-(valuesOf(one)["held"] as bigint));
  if (one?.state === "rest" || one?.state === "done") expect(sum, was).toBe(0n);
}

test("what is proven of a random flow holds for random events, and it ends by itself", () => {
  let accepted = 0;
  fc.assert(
    fc.property(FLOW, EVENTS, fc.integer({ min: 1, max: 20 }), (text, events, minor) => {
      if (!isAccepted(text)) return;
      accepted += 1;
      const lane = new MemoryLane(rulesWith(text));
      lane.decide([intent("ann", "rnd_create", { caseId: ID, amount: euros(minor) })]);
      expectProven(lane, text);
      events.forEach((isWish, index) => {
        const [timer] = lane.timers;
        if (isWish) lane.decide([intent("ann", "rnd_go", { caseId: ID, idempotencyKey: `k${index}` })]);
        else if (timer !== undefined) lane.fire(timer);
        expectProven(lane, text);
      });
      for (let round = 0; lane.timers[0] !== undefined; round++) {
        expect(round, text).toBeLessThan(ROUNDS_MAX);
        lane.fire(lane.timers[0]);
        expectProven(lane, text);
      }
      expect([...lane.open().cases.values()].map(({ state }) => state)).toEqual(["done"]);
    }),
    { numRuns: 500, seed: SEED },
  );
  expect(accepted).toBeGreaterThan(15);
}, 120_000);
