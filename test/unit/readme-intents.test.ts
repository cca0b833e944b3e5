// What README.md says of intents, outcomes and refusals, against the shipped flows and the core. The rest of the page has
// its tests in test/e2e/readme.test.ts.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compileFlow } from "../../src/domain/flow/compile/compile.ts";
import type { Action, Alternative, Flow } from "../../src/domain/flow/flow.ts";
import { actionsOf, alternativesOf } from "../../src/domain/flow/walk.ts";
import { REFUSAL_CODES, REFUSALS } from "../../src/domain/refusals.ts";
import { makeRules, neededFields } from "../../src/domain/rules.ts";
import { parseIntentLine } from "../../src/workload/intents.ts";
import { blocksOf, proseOf, spansOf, tableOf } from "../support/commands.ts";
import { RULES as ALL_RULES, DECLARED, intentOf, NOW_MS } from "../support/ledger.ts";
import { ROOT } from "../support/source.ts";

const readme = readFileSync(join(ROOT, "README.md"), "utf8");
const blocks = blocksOf(readme);
const prose = proseOf(readme);
const plain = (cell: string): string => cell.replaceAll("`", "");

/** Of the shipped flows alone. */
const RULES = makeRules({
  ...ALL_RULES,
  flows: DECLARED.flows.map((flow, index) => compileFlow(flow, index + 1)),
  retired: [],
});

const refusedByFlows = new Set<string>(
  DECLARED.flows.flatMap(({ states }) =>
    states.flatMap(alternativesOf).flatMap(({ refuse }) => (refuse === null ? [] : [refuse])),
  ),
);

describe("intents", () => {
  const types = [...RULES.intents.keys()].sort();
  const rows = tableOf(readme, "| intent | first answer | what may follow |");

  test("are all in the table, each with what answers it first", () => {
    expect(rows.map(([intent = ""]) => plain(intent)).sort()).toEqual(types);
    for (const [intent = "", first = ""] of rows) {
      expect(spansOf(first).sort(), intent).toEqual(firstAnswers(plain(intent)));
    }
  });

  test("have an example each, which is taken", () => {
    const caseKinds = new Map([...RULES.intents.keys()].map((type) => [type, "tst"]));
    const lines = blocks.filter(({ language }) => language === "json").flatMap(({ text }) => text.trim().split("\n"));
    const parsed = lines.map((line) =>
      parseIntentLine(line.trim(), { currencies: RULES.currencies, caseKinds, runAtMs: NOW_MS }),
    );
    const intents = parsed.map((one) => {
      if (one.kind === "faults") throw new Error(JSON.stringify(one.faults));
      return intentOf(one.intent);
    });
    const missing = intents.flatMap((intent) => {
      const needed = neededFields(RULES, intent) ?? ["a flow that takes it"];
      return needed.filter((field) => (intent as Readonly<Record<string, unknown>>)[field] == null);
    });
    expect(missing).toEqual([]);
    expect(types.filter((type) => !intents.some((one) => one.type === type))).toEqual([]);
  });

  test("lead to outcomes that are told, and none is told that the catalogue does not have", () => {
    const known = DECLARED.outcomes.types.map(({ type }) => type);
    const families = new Set(known.map((type) => type.split(".")[0]));
    const told = spansOf(prose).filter((text) => /^[a-z]+\.[a-z_]+$/.test(text) && families.has(text.split(".")[0]));
    const emitted = DECLARED.flows.flatMap((flow) =>
      actionsOf(flow).flatMap((action) => outcomeOf(flow, action) ?? []),
    );
    expect(emitted.filter((type) => !told.includes(type))).toEqual([]);
    expect(told.filter((type) => !known.includes(type))).toEqual([]);
  });
});

function outcomeOf(flow: Flow, action: Action): string | null {
  if (action.kind === "emit") return action.type;
  return action.kind === "end" ? `${flow.family}.${action.result}` : null;
}

/** The outcomes of which one answers an accepted intent, sorted: the first that is told on each way that it can go. */
function firstAnswers(type: string): string[] {
  const found = DECLARED.flows.flatMap((flow) => {
    const isOpened = flow.start.kind === "intent" && flow.start.type === type;
    const isOwn = (event: string): boolean =>
      type === "case_decide" ? event.startsWith("ops.") : event === `intent.${type}`;
    return flow.states.flatMap((state) => [
      ...(isOpened && state.kind === "initial" ? firsts(flow, state.always) : []),
      ...state.events.filter(({ event }) => isOwn(event)).flatMap(({ alternatives }) => firsts(flow, alternatives)),
    ]);
  });
  return [...new Set(found)].sort();
}

function firsts(flow: Flow, alternatives: readonly Alternative[]): string[] {
  const taken = alternatives.filter(({ refuse }) => refuse === null);
  return taken.flatMap(({ actions, to }) => {
    const next = flow.states.find(({ name }) => name === to);
    for (const action of [...actions, ...(next?.entry ?? [])]) {
      const type = outcomeOf(flow, action);
      if (type !== null) return [type];
    }
    return firsts(flow, next?.always ?? []);
  });
}

describe("refusals", () => {
  test("stand in the order of precedence, each under its category", () => {
    const told = tableOf(readme, "| category | codes |").flatMap(([category, codes = ""]) =>
      spansOf(codes).map((code) => ({ category, code })),
    );
    const known = REFUSAL_CODES.map((code) => ({ category: REFUSALS[code].category as string, code: code as string }));
    expect(told.filter(({ category }) => category !== "validation")).toEqual(known);
    // What only a flow knows ranks behind all others.
    const own = [...refusedByFlows].filter((code) => !known.some((one) => one.code === code));
    expect(told.slice(known.length).map(({ code }) => code)).toEqual(own);
  });

  test("that nothing gives are told as reserved", () => {
    const [, reserved = ""] = /^.*Reserved, and given by nothing yet: (.*)\.$/m.exec(prose) ?? [];
    const core = readdirSync(join(ROOT, "src/domain"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !["refusals.ts", "reasons.ts"].includes(path))
      .map((path) => readFileSync(join(ROOT, "src/domain", path), "utf8"))
      .join("\n");
    const given = (code: string): boolean => refusedByFlows.has(code) || core.includes(`"${code}"`);
    expect(spansOf(reserved)).toEqual(REFUSAL_CODES.filter((code) => !given(code)));
  });
});
