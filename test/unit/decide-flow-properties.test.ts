// For any flow and any sequence of events: currencies sum to zero, a case ends once, what is refused leaves the books as they
// were, and deciding the same again gives the same.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideIntent, Undecidable } from "../../src/domain/decide/decide.ts";
import { parseHistory } from "../../src/domain/history.ts";
import type { Rules } from "../../src/domain/rules.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { CardLane } from "../support/card-lane.ts";
import { caseId as caseIdText } from "../support/intents.ts";
import { inputOf, NOW_MS, producing } from "../support/ledger.ts";
import { euros, intent, rulesWith } from "../support/unchecked.ts";

const STATES = 4;

/** Actions that may stand anywhere; what they take may not be there, and then the event is refused. */
const ACTION = fc.constantFrom(
  "{ post: into, x: data.n }",
  "{ post: out, x: data.n }",
  "{ post: forced, x: 1 }",
  "{ post: both, x: data.n, y: 2 }",
  '{ set: { n: "data.n + 3", k: "data.k + 1" } }',
  '{ set: { flag: "!data.flag" } }',
  "{ set: { seen: event.at } }",
  "{ emit: rnd.moved, amounts: { n: data.n } }",
  "{ emit: ops.attention, code: something }",
  "{ end: failed, code: odd }",
  "{ end: canceled }",
  "{ call: ask }",
  "{ call: look }",
  "{ spawn: kid, amount: data.n }",
  '{ let: { more: "data.n * 2" } }',
);
const GUARD = fc.constantFrom(
  "data.k < 3",
  "data.flag",
  "data.n > 10 && data.n <= spendable(own)",
  "data.seen == null || data.k > 2",
  "data.k % 2 == 0",
);
const EVENT = fc.constantFrom(
  "intent.rnd_go",
  "intent.rnd_stop",
  "psp.yes",
  "psp.no",
  "timer.soon",
  "ops.decide",
  "child.kid.paid",
);
const TO = fc.oneof(
  { weight: 3, arbitrary: fc.nat({ max: STATES - 1 }).map((at) => `s${at}`) },
  { weight: 2, arbitrary: fc.constant("stay") },
  { weight: 1, arbitrary: fc.constantFrom("gate", "done") },
);

const LIST = (items: readonly string[]) => `[${items.join(", ")}]`;
const ACTIONS = fc.array(ACTION, { maxLength: 4 }).map(LIST);

/** A child that tells its parent, which answers by another child, never comes to an end. */
const TOLD = ACTIONS.filter((list) => !list.includes("spawn")).map(
  (actions) => `        child.kid.paid: [{ do: ${actions}, to: stay }]`,
);

const alternatives = (event: string) =>
  fc
    .tuple(
      fc.array(
        fc.tuple(GUARD, ACTIONS, TO, fc.boolean()).map(([when, actions, to, refuses]) =>
          // Only who asks can be refused.
          refuses && /^(intent|ops)/.test(event)
            ? `{ when: "${when}", refuse: not_now }`
            : `{ when: "${when}", do: ${actions}, to: ${to} }`,
        ),
        { maxLength: 2 },
      ),
      fc.tuple(ACTIONS, TO).map(([actions, to]) => `{ do: ${actions}, to: ${to} }`),
    )
    .map(([guarded, last]) => `        ${event}: ${LIST([...guarded, last])}`);

const state = (at: number) =>
  fc.tuple(fc.uniqueArray(EVENT, { minLength: 2, maxLength: 6 }), ACTIONS).chain(([events, entry]) => {
    // Every intent is taken somewhere: what no flow takes never gets here.
    const all = [...new Set([...events, "timer.soon", ...(at === 0 ? ["intent.rnd_go", "intent.rnd_stop"] : [])])];
    return fc
      .tuple(...all.map((event) => (event.startsWith("child.") ? TOLD : alternatives(event))))
      .map(
        (lists) =>
          `    s${at}:\n      kind: active\n      timers: [soon]\n      entry: ${entry}\n      events:\n${lists.join("\n")}`,
      );
  });

const FLOW = fc.tuple(fc.tuple(...[0, 1, 2, 3].map(state)), GUARD, ACTIONS).map(
  ([states, guard, actions]) => `
apiVersion: flow/v1
kind: Flow
metadata: { name: rnd, version: 1.0.0, owner: tests }
spec:
  starts_on: { intent: rnd_create }
  case_kind: rnd
  currencies: { S: intent.amount.currency }
  params: { soon: { duration: true, default: PT1M } }
  data:
    n:    { money: S, init: intent.amount.minor }
    k:    { int: true, init: 0 }
    flag: { bool: true, init: false }
    seen: { time: true, init: null }
  accounts:
    own:  { path: "liability:customer:{holder}:available" }
    bank: { path: "asset:bank:main" }
    fees: { path: "revenue:processing_fee" }
  postings:
    into:   { title: i, in: [x], lines: [[bank, own, S, x]] }
    out:    { title: o, in: [x], lines: [[own, bank, S, x]] }
    forced: { title: f, forced: true, in: [x], lines: [[own, fees, S, x]] }
    both:   { title: b, in: [x, y], lines: [[bank, own, S, x], [own, fees, S, y]] }
  calls:
    ask:  { op: rnd.ask, key: "{case}/{data.k}", key_lifetime: P1D, timeout: PT5S, with: { n: data.n, seen: data.seen }, results: { yes: psp.yes, no: psp.no, unknown: psp.unknown } }
    look: { op: rnd.look, read_only: true, timeout: PT5S, results: { yes: psp.yes, no: psp.no } }
  timers: { soon: { after: params.soon, anchor: data.seen } }
  defaults: { alarms: { psp.yes: not_expected } }
  states:
    opened: { kind: initial, always: [{ to: s0 }] }
${states.join("\n")}
    gate:
      kind: choice
      always: [{ when: "${guard}", do: ${actions}, to: s1 }, { to: done }]
    done: { kind: final }
`,
);

const KID = `
apiVersion: flow/v1
kind: Flow
metadata: { name: kid, version: 1.0.0, owner: tests }
spec:
  starts_on: { spawn: true }
  case_kind: kid
  currencies: { S: event.amount }
  events: { spawn: { amount: { money: S } } }
  data: { amount: { money: S, init: event.amount } }
  accounts:
    own:  { path: "liability:customer:{holder}:available" }
    bank: { path: "asset:bank:main" }
  postings: { out: { title: o, in: [x], lines: [[own, bank, S, x]] } }
  states:
    opened:
      kind: initial
      always:
        - { when: "data.amount % 3 == 0", do: [{ post: out, x: data.amount }], to: done }
        - { do: [{ post: out, x: data.amount }, { emit: kid.paid }, { tell: paid }], to: done }
    done: { kind: final }
`;

type Step = {
  readonly kind: "go" | "stop" | "decide" | "yes" | "no" | "unknown" | "fire" | "repeat";
  readonly on: number;
};
const STEPS = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom("go", "stop", "decide", "yes", "no", "unknown", "fire", "repeat"),
    on: fc.nat({ max: 5 }),
  }),
  { maxLength: 25 },
);

const TYPES = { go: "rnd_go", stop: "rnd_stop", decide: "case_decide" } as const;

/** What the steps are, in messages: the same whenever it is run. */
function messagesOf(steps: readonly Step[], caseId: string): Map<Step, NewIntent> {
  const asked = steps.filter((step): step is Step & { kind: keyof typeof TYPES } => step.kind in TYPES);
  return new Map(
    asked.map((step, index) => {
      const decision = step.kind === "decide" ? { decision: "decide", principal: "eve", reason: "seen" } : {};
      return [step, intent("ann", TYPES[step.kind], { caseId, idempotencyKey: `k${index}`, ...decision })];
    }),
  );
}

/** Every step in a block of its own. @returns what can be compared of the whole */
function run(rules: Rules, steps: readonly Step[], create: NewIntent, messages: Map<Step, NewIntent>) {
  const lane = new CardLane(rules);
  lane.decide([FUNDS, create]);
  const id = create.caseId as string;
  let last: NewIntent = create;
  let nowMs = NOW_MS; // never back
  let offset = 2n;
  steps.forEach((step, index) => {
    const before = JSON.stringify([lane.balances(), standing(lane)], digits);
    try {
      const message = messages.get(step) ?? (step.kind === "repeat" ? last : null);
      if (message !== null) {
        const asked = inputOf(message, offset++);
        const [outcome] = lane.block((books) => {
          decideIntent(books, asked);
          return [...books.outcomes];
        }, nowMs);
        last = message;
        if (outcome !== undefined && (outcome.reason?.code ?? "") !== "" && outcome.type.endsWith("rejected"))
          expect(JSON.stringify([lane.balances(), standing(lane)], digits)).toBe(before);
      } else if (step.kind === "fire") {
        const timer = lane.timers[step.on % Math.max(1, lane.timers.length)];
        const first = lane.timers.every((one) => timer === undefined || one.dueMs >= timer.dueMs);
        if (timer !== undefined && first) {
          nowMs = Math.max(nowMs, timer.dueMs);
          lane.fire(timer);
        }
      } else {
        const call = step.on % 2 === 0 ? "ask" : "look";
        const result = step.kind === "unknown" && call === "look" ? "no" : step.kind;
        lane.report(id, "ann", { call, result, attempt: 0, observation: `o${step.on % 3 === 0 ? 0 : index}` }, nowMs);
      }
    } catch (error) {
      // The lane would halt: nothing of the block is kept.
      if (!(error instanceof Undecidable)) throw error;
      expect(JSON.stringify([lane.balances(), standing(lane)], digits)).toBe(before);
    }
  });
  return lane;
}

/** All of the cases but what they remember: a refusal is remembered. */
function standing(lane: CardLane): unknown {
  return [...lane.open().cases.values()].map(({ id, state: at, data }) => [id, at, data]);
}

const digits = (_name: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}` : value);

const FUNDS = producing.payIn("ann", 60);
const ID = caseIdText("rnd", NOW_MS);

function expectSound(lane: CardLane): void {
  const sums = new Map<string, bigint>();
  for (const { side, currency, debits, credits } of lane.accounts()) {
    expect(side === "debit" || side === "credit").toBe(true);
    sums.set(currency, (sums.get(currency) ?? 0n) + debits - credits);
  }
  expect([...sums.values()].every((sum) => sum === 0n)).toBe(true);
  const ends = lane.outcomes.filter(({ type }) => /^rnd\.(failed|canceled|expired)$/.test(type));
  expect(ends.length).toBeLessThanOrEqual(1);
  expect(lane.outcomes.map(({ sequence }) => sequence)).toEqual(lane.outcomes.map((_one, at) => BigInt(at)));
  expect(lane.commands.map(({ sequence }) => sequence)).toEqual(lane.commands.map((_one, at) => BigInt(at)));
  expect(new Set(lane.outcomes.map(({ outcomeId }) => outcomeId)).size).toBe(lane.outcomes.length);
  expect(new Set(lane.commands.map(({ commandId }) => commandId)).size).toBe(lane.commands.length);
  for (const one of lane.open().cases.values()) {
    const armed = lane.timers.filter(({ caseId }) => caseId === one.id).map(({ name, dueMs }) => [name, dueMs]);
    expect(Object.fromEntries(armed)).toEqual(one.data.timers);
    const seen = parseHistory(one.history).filter(({ source }) => source === "r");
    expect(new Set(seen.map(({ key }) => key)).size).toBe(seen.length);
  }
}

describe("for any flow and any sequence of events", () => {
  const reached = new Set<string>();

  test("currencies sum to zero, a case ends once, what is refused leaves the books, and the same gives the same", () => {
    fc.assert(
      fc.property(FLOW, STEPS, fc.integer({ min: 1, max: 40 }), (text, steps, minor) => {
        const rules = rulesWith(text, KID);
        const create = intent("ann", "rnd_create", { caseId: ID, amount: euros(minor) });
        const messages = messagesOf(steps, ID);
        const lane = run(rules, steps, create, messages);
        expectSound(lane);
        const again = run(rules, steps, create, messages);
        for (const part of ["outcomes", "commands", "lines"] as const) {
          expect(JSON.stringify(partOf(again, part), digits)).toBe(JSON.stringify(partOf(lane, part), digits));
        }
        expect(again.balances()).toEqual(lane.balances());
        expect(JSON.stringify(standing(again), digits)).toBe(JSON.stringify(standing(lane), digits));
        for (const { type, reason } of lane.outcomes) reached.add(reason === null ? type : `${type} ${reason.code}`);
      }),
      { numRuns: 100, seed: Number(process.env["SEED"] ?? 7) },
    );
  });

  test("and the flows were no dull ones", () => {
    for (const one of [
      "rnd.moved",
      "rnd.canceled",
      "rnd.failed odd",
      "kid.paid",
      "intent.repeated",
      "ops.attention not_expected",
    ])
      expect(reached).toContain(one);
    for (const code of ["not_now", "insufficient_funds", "invalid_state"])
      expect(reached).toContain(`intent.rejected ${code}`);
  });
});

function partOf(lane: CardLane, part: "outcomes" | "commands" | "lines"): unknown {
  if (part === "lines")
    return lane.lines.map(({ debit, credit, minor, posting }) => [debit.path, credit.path, minor, posting]);
  return lane[part];
}
