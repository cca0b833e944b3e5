// The runbooks against the program: a page for each halt and each alarm, none for anything else, with commands that
// exist; and the alarms against the metrics that there are.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { SETTINGS } from "../../src/config/settings.ts";
import type { Alternative, Flow } from "../../src/domain/flow/flow.ts";
import { HALT_CAUSES, haltRunbook } from "../../src/domain/halts.ts";
import { KNOWN_LABELS, METRICS, type MetricDeclaration } from "../../src/telemetry/metric-table.ts";
import { findCommands, spansOf, tableOf, unknownCommands } from "../support/commands.ts";
import { DECLARED } from "../support/ledger.ts";
import { ROOT } from "../support/source.ts";

const RUNBOOKS = "docs/runbooks";
const file = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const pagesIn = (folder: string): string[] =>
  readdirSync(join(ROOT, RUNBOOKS, folder)).map((name) => `${RUNBOOKS}/${folder}/${name}`);

type Alert = {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
};
const rules = parse(file("docs/alerts.yaml")) as { groups: { rules: Alert[] }[] };
const alerts = rules.groups.flatMap((group) => group.rules);

const halts = pagesIn("halts");
const alarms = pagesIn("alarms");
const pages = [...halts, ...alarms];

describe("a page for each, and none too many", () => {
  test("halts", () => {
    expect(halts.sort()).toEqual(HALT_CAUSES.map(haltRunbook).sort());
  });

  test("a cause of another release leads to the list", () => {
    expect(haltRunbook("something_new")).toBe(`${RUNBOOKS}/README.md`);
  });

  test("alarms", () => {
    expect(alarms.sort()).toEqual(alerts.map(({ annotations }) => annotations.runbook).sort());
    for (const { alert, annotations } of alerts) expect(file(annotations.runbook)).toMatch(`# Alarm: ${alert}\n`);
  });

  test("all are in the list, under names that lead to them", () => {
    const links = [...file(`${RUNBOOKS}/README.md`).matchAll(/\]\(((?:halts|alarms)\/\S+?)\)/g)].map(([, to]) => to);
    expect(links.map((to) => `${RUNBOOKS}/${to}`).sort()).toEqual([...pages].sort());
  });
});

describe.each([`${RUNBOOKS}/README.md`, ...pages])("%s", (path) => {
  const text = file(path);

  test("has commands that exist, with their flags", async () => {
    const commands = findCommands(text);
    expect(commands.length).toBeGreaterThan(0);
    expect(await unknownCommands(commands)).toEqual([]);
  });

  test("explains settings that there are", () => {
    const named = findCommands(text).filter(({ words }) => words[1] === "explain");
    expect(named.flatMap(({ words }) => words.slice(2)).filter((name) => !Object.hasOwn(SETTINGS, name))).toEqual([]);
  });

  test("leads only to pages that are there", () => {
    const links = [...text.matchAll(/\]\(([\w./]+\.(?:md|yaml))\)/g)].map(([, to = ""]) => join(path, "..", to));
    for (const link of links) expect(file(link)).not.toBe("");
  });
});

test.each(pages)("%s says what it means, how to see it, what to do, when it is over and what never to do", (path) => {
  const sections = file(path).split(/^## /m);
  expect(sections.map((section) => section.split("\n")[0])).toEqual([
    expect.stringMatching(/^# (Halt|Alarm): \w+$/),
    "See",
    "Do",
    "Over when",
    "Never",
  ]);
  for (const section of sections) expect(section.split("\n").slice(1).join("").length).toBeGreaterThan(20);
});

test("what a person may decide about a case is told whole, with what it books", () => {
  const heading = "| flow | state | decision | books | when the provider's records say |";
  const told = tableOf(file(`${RUNBOOKS}/alarms/cases_waiting.md`), heading).map((cells) => {
    const [flow, state, decision, books] = cells.map(spansOf);
    return [
      ...[flow, state, decision].flatMap((one) => one ?? []),
      (books ?? []).filter((one) => /^P\d/.test(one)).sort(),
    ];
  });
  const declared = DECLARED.flows.flatMap((flow) =>
    flow.states.flatMap(({ name, events }) =>
      events
        .filter(({ event }) => event.startsWith("ops."))
        .map(({ event, alternatives }) => [flow.name, name, event, [...new Set(posted(flow, alternatives))].sort()]),
    ),
  );
  expect(told.sort()).toEqual(declared.sort());
});

/** The postings on all ways from here to where the case rests. */
function posted(flow: Flow, alternatives: readonly Alternative[]): string[] {
  return alternatives.flatMap(({ actions, to }) => [
    ...actions.flatMap((action) => (action.kind === "post" ? [action.posting] : [])),
    ...posted(flow, flow.states.find(({ name }) => name === to)?.always ?? []),
  ]);
}

describe("alarms", () => {
  const byName = new Map(Object.entries(METRICS).map(([key, metric]) => [metric.name as string, key]));
  /** Of Node's own metrics, which prom-client gives, and of Prometheus. */
  const OTHERS = ["process_start_time_seconds"];

  test.each(alerts)("$alert looks at metrics and labels that there are", ({ expr }) => {
    const names = [...expr.matchAll(/\b([a-z]+(?:_[a-z]+){2,})\b/g)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !byName.has(name) && !OTHERS.includes(name))).toEqual([]);
    for (const [, name = "", label = "", value = ""] of expr.matchAll(/(millrace_\w+)\{(\w+)="(\w+)"\}/g)) {
      const key = byName.get(name) as keyof typeof METRICS;
      const declared: MetricDeclaration = METRICS[key];
      expect(declared.labels).toContain(label);
      expect((KNOWN_LABELS as Record<string, readonly string[]>)[key] ?? [value]).toContain(value);
    }
    const grouped = [...expr.matchAll(/by \(([\w, ]+)\)/g)].flatMap(([, labels = ""]) => labels.split(", "));
    const labels: string[] = names.flatMap((name) => {
      const key = byName.get(name) as keyof typeof METRICS | undefined;
      return key === undefined ? ["instance", "job"] : [...METRICS[key].labels];
    });
    expect(grouped.filter((label) => !labels.includes(label))).toEqual([]);
    expect(expr.split("(").length).toBe(expr.split(")").length);
  });

  test("have names of their own and say who has to get up", () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
    for (const { alert, labels } of alerts) {
      expect(alert).toMatch(/^Millrace[A-Z]\w+$/);
      expect(["page", "ticket"]).toContain(labels.severity);
    }
  });
});
