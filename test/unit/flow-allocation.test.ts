// What an event costs hangs on what it does, not on how large its flow is: nothing is looked through, copied or made anew
// for parts of a flow that the event does not touch.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compileFlow } from "../../src/domain/flow/compile/compile.ts";
import { makeRules, type Rules } from "../../src/domain/rules.ts";
import { assertAllCaptured, cardBlock, EVENTS_A_PAYMENT } from "../support/card-events.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { DAY_MS, DECLARED, FLOWS, LANES, RULES } from "../support/ledger.ts";
import { uncheckedFlow } from "../support/unchecked.ts";

const PAYMENTS = 50;
const TURNS = 60;

/** Lines for the file behind those that begin a part of it. */
const PADDING: Readonly<Record<string, (n: number) => string>> = {
  params: (n) => `    more_${n}: { int: true, default: ${n} }`,
  events: (n) => `    psp.more_${n}: { amount: { money: S } }`,
  postings: (n) =>
    `    M${n}:\n      title: more ${n}\n      in: [x]\n      lines:\n        - [receivable, clearing, S, x]`,
  calls: (n) =>
    `    more_${n}:\n      op: card.more_${n}\n      key: "{case}/more/${n}"\n      timeout: PT20S\n      with: { amount: data.amount }\n      results: { ok: psp.more_${n}, unknown: psp.unknown_${n} }`,
  timers: (n) => `    more_${n}: { after: params.more_time }`,
  states: (n) =>
    `    more_${n}:\n      kind: active\n      entry:\n        - { call: more_${n} }\n      timers: [more_${n}]\n      events:\n        psp.more_${n}:\n          - { to: ended }\n        psp.unknown_${n}:\n          - { to: stay }\n        timer.more_${n}:\n          - { to: ended }`,
};

/** The shipped card flow with `parts` further parameters, events, postings, calls, timers and states. */
function rulesWith(parts: number): Rules {
  let text = readFileSync(join(SHIPPED_SCHEMAS, "flows/card.flow.yaml"), "utf8");
  text = text.replace("  params:\n", "  params:\n    more_time: { duration: true, default: PT1H }\n");
  for (const [name, line] of Object.entries(PADDING)) {
    const lines = Array.from({ length: parts }, (_one, index) => line(index));
    text = text.replace(`\n  ${name}:\n`, `\n  ${name}:\n${lines.join("\n")}\n`);
  }
  const large = compileFlow(uncheckedFlow(text), FLOWS.length + 1);
  return makeRules({
    chart: DECLARED.chart,
    currencies: DECLARED.currencies,
    lanes: LANES,
    flows: [...FLOWS.filter(({ name }) => name !== "card"), large],
    retired: [],
    caseWindowMs: 400 * DAY_MS,
    caseFutureMs: DAY_MS,
  });
}

/** Bytes that deciding an event allocates: the median of many blocks, once the engine has compiled what it runs. A block
 *  within which garbage was collected tells less than it allocated, or nothing; most have none. */
function bytesAnEvent(rules: Rules): number {
  const decide = cardBlock(rules, PAYMENTS);
  assertAllCaptured(decide(), PAYMENTS);
  for (let turn = 0; turn < 20 * TURNS; turn++) decide();
  const bytes: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const before = process.memoryUsage().heapUsed;
    decide();
    const after = process.memoryUsage().heapUsed;
    if (after > before) bytes.push((after - before) / (PAYMENTS * EVENTS_A_PAYMENT));
  }
  bytes.sort((a, b) => a - b);
  return bytes[bytes.length >> 1] as number;
}

test("an event of a flow with 300 parts more of every kind allocates as much", () => {
  const [small, large] = [bytesAnEvent(RULES), bytesAnEvent(rulesWith(300))];
  console.log(`${Math.round(small)} bytes an event, and ${Math.round(large)} with the large flow`);
  expect(large / small).toBeGreaterThan(0.8);
  expect(large / small).toBeLessThan(1.2);
});
