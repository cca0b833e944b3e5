// The production core and the second ledger decide the same days, and agree; what the core would do wrong, the second
// ledger finds and names.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { loadFlowText } from "../../src/declared/load.ts";
import { Chart } from "../../src/domain/accounts.ts";
import { type CompiledFlow, compileFlow } from "../../src/domain/flow/compile/compile.ts";
import { NO_RATES } from "../../src/domain/fx/rates.ts";
import { NO_PARAMETERS } from "../../src/domain/parameters/parameters.ts";
import { makeRules, type Rules } from "../../src/domain/rules.ts";
import type { SecondBlock } from "../../src/workload/audit/second.ts";
import { ledgerAt, takeOverCase } from "../../src/workload/second-ledger/taken-over.ts";
import { replaceOnce } from "../support/faulty.ts";
import { Producing } from "../support/intents.ts";
import { DAY_MS, DECLARED, FLOWS, NOW_MS, RULES } from "../support/ledger.ts";
import { MemoryProduction } from "../support/memory-lane.ts";
import { RandomDay } from "../support/random-day.ts";
import { type AuditOver, auditMemory, FLOW_FILES, SECOND_RULES } from "../support/second-audit.ts";
import { wholeRules, wholeSecondRules } from "../support/whole-flows.ts";

const DAYS = Number(process.env["DAYS"] ?? 60);
const FIRST_SEED = Number(process.env["SEED"] ?? 1);

describe("days at random, timers included", () => {
  test("are decided the same by both", async () => {
    const seen = new Map<string, number>();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + DAYS; seed++) {
      const lane = await new RandomDay(seed).run(40);
      const { found, tally } = await auditMemory(lane);
      expect(found, `SEED=${seed} DAYS=1 npx vitest run test/simulation/second-ledger.test.ts`).toEqual({});
      expect(tally.blocksNotDecided).toBe(0n);
      expect(tally.blocksDecided).toBe(lane.head.block);
      for (const { row, outcomes, quarantine } of lane.blocks) {
        seen.set("timer", (seen.get("timer") ?? 0) + row.timers);
        for (const { reason } of quarantine) seen.set(reason, (seen.get(reason) ?? 0) + 1);
        for (const { value } of outcomes.messages) {
          const { type, reason } = lane.codec.decoders.outcome.decode(value);
          const what = reason?.code ?? type;
          seen.set(what, (seen.get(what) ?? 0) + 1);
        }
      }
    }
    if (DAYS < 60) return;
    for (const what of EVERYTHING) expect([what, seen.has(what)]).toEqual([what, true]);
  });
});

describe("timers of one case that are due in one block", () => {
  const HOLD = "hold.flow.yaml";
  const NUDGE = "        timer.nudge:\n          - { to: held }\n";
  const LAST = "        timer.last:\n          - { to: expired }\n";
  test.for<[string, Record<string, string>, string]>([
    ["the first ends the wait for the others", { last: "PT15M" }, LAST],
    ["the first arms the others anew", { nudge: "PT10M" }, NUDGE],
    ["both", { last: "PT16M", nudge: "PT10M" }, LAST + NUDGE],
  ])("%s", async ([, timers, answers]) => {
    const more = Object.entries(timers).map(([name, after]) => `\n    ${name}: { after: ${after} }`);
    const change = (name: string, text: string): string => {
      if (name !== HOLD) return text;
      const armed = replaceOnce(text, "timers: [expiry]", `timers: [${["expiry", ...Object.keys(timers)].join(", ")}]`);
      const answered = replaceOnce(armed, "        timer.expiry:", `${answers}        timer.expiry:`);
      return replaceOnce(answered, "expiry: { after: PT15M }", `expiry: { after: PT15M }${more.join("")}`);
    };
    const [core, second] = [wholeRules(change), wholeSecondRules(change)];
    let cancelled = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const lane = await new RandomDay(seed, new MemoryProduction("cust_0", core)).run(80);
      const { found, tally } = await auditMemory(lane, { rules: second });
      expect(found, `seed ${seed}`).toEqual({});
      expect(tally.blocksDecided).toBe(lane.head.block);
      const fired = lane.cases().flatMap(({ history }) => history.match(/^timer\./gm) ?? []);
      cancelled += lane.blocks.reduce((sum, { row }) => sum + row.timers, 0) - fired.length;
    }
    expect(cancelled).toBeGreaterThan(0);
  });
});

/** What days hold between them, or they would prove little. */
const EVERYTHING = [
  "timer",
  "account.opened",
  "account.updated",
  "transfer.completed",
  "hold.placed",
  "hold.captured",
  "hold.released",
  "hold.expired",
  "intent.repeated",
  "malformed_case_id",
  "case_id_in_future",
  "intent_expired",
  "idempotency_conflict",
  "amount_not_positive",
  "amount_too_large",
  "unknown_currency",
  "unknown_account",
  "same_account",
  "not_home",
  "currency_mismatch",
  "account_closed",
  "account_frozen",
  "case_not_found",
  "invalid_state",
  "account_not_empty",
  "insufficient_funds",
  "missing_key",
  "key_mismatch",
  "wrong_lane",
  "undecodable",
  "unknown_schema",
  "invalid_field",
  "too_large",
];

describe("a ledger that is taken over in mid-day", () => {
  test("goes on as one that has decided everything", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const day = new RandomDay(seed);
      await day.run(20);
      const ledger = ledgerAt(SECOND_RULES, day.lane.standing());
      // What its timers wait for is read now; all other cases when an input names them.
      const waiting = new Set([...ledger.timers.values()].map(({ uuid }) => uuid));
      for (const row of day.lane.cases()) if (waiting.has(row.caseId)) takeOverCase(SECOND_RULES, ledger, row);
      await day.run(20);
      const blocks = day.lane.blocks.filter(({ row }) => row.block > ledger.block);
      const { found, tally } = await auditMemory(day.lane, { from: ledger, blocks });
      expect(found, `seed ${seed}`).toEqual({});
      expect(tally.blocksNotDecided, `seed ${seed}`).toBe(0n);
    }
  });

  test("finds what a core does wrong behind it", async () => {
    const day = new RandomDay(3);
    await day.run(20);
    const ledger = ledgerAt(SECOND_RULES, day.lane.standing());
    day.lane.goBy(replaced("transfer.flow.yaml", "[source, target, S, x]", "[target, source, S, x]"));
    await day.run(40);
    const blocks = day.lane.blocks.filter(({ row }) => row.block > ledger.block);
    const { found } = await auditMemory(day.lane, { from: ledger, blocks });
    expect(Object.keys(found).length).toBeGreaterThan(0);
  });
});

/** Rules of the core with one declared file changed. */
function rulesWith(change: (name: string, text: string) => string): Rules {
  const flows = FLOW_FILES.map((file, at) => {
    const text = readFileSync(file, "utf8");
    const changed = change(basename(file), text);
    if (changed === text) return FLOWS[at] as CompiledFlow;
    return compileFlow(loadFlowText(file, changed, DECLARED.chart), at + 1);
  });
  return makeRules({ ...RULES, flows, retired: [] });
}

/** A chart in which customers' accounts have another floor. */
function rulesWithFloor(floorMinor: bigint): Rules {
  const templates = DECLARED.chart.templates.map((template) =>
    template.path.endsWith(":available") ? { ...template, floorMinor } : template,
  );
  return { ...RULES, chart: new Chart(DECLARED.chart.house, templates) };
}

const replaced = (name: string, old: string, by: string) =>
  rulesWith((file, text) => (file === name ? replaceOnce(text, old, by) : text));

type FoundHow = {
  readonly commit: (day: RandomDay) => Promise<MemoryProduction>;
  readonly over: (lane: MemoryProduction) => AuditOver;
};

/** What is said of an invariant that does not hold, for days of a core that goes by other rules: of the first day in which it
 *  is what is wanted. */
async function foundOf(invariant: string, wanted: RegExp, rules: Rules, how: Partial<FoundHow> = {}): Promise<string> {
  const { commit = (day) => day.run(40), over = () => ({}) } = how;
  let said = "nothing";
  for (let seed = 1; seed <= 8; seed++) {
    const lane = await commit(new RandomDay(seed, new MemoryProduction("cust_0", rules)));
    said = (await auditMemory(lane, over(lane))).found[invariant] ?? said;
    if (wanted.test(said)) return said;
  }
  return said;
}

describe("a core that decides otherwise is found, and what is wrong is named:", () => {
  test.for<[string, () => Rules, string, RegExp]>([
    [
      "debit and credit swapped",
      () => replaced("transfer.flow.yaml", "[source, target, S, x]", "[target, source, S, x]"),
      "lines_decided_anew",
      /line \d+ is not there; decided anew \d+ EUR from \d+ to -\d+ by P17/,
    ],
    [
      "a posting of another name",
      () => rulesWith((_, text) => text.replaceAll("P16_hold", "P16_set_aside")),
      "lines_decided_anew",
      /by P16_set_aside of case/,
    ],
    [
      "a release that goes elsewhere",
      () => replaced("hold.flow.yaml", "[hold, available, S, x]", "[hold, clearing, S, x]"),
      "lines_decided_anew",
      /decided anew/,
    ],
    [
      "a flow that emits another type",
      () => replaced("transfer.flow.yaml", "emit: transfer.completed", "emit: transfer.finished"),
      "outcomes_decided_anew",
      /says type "transfer.finished"; decided anew "transfer.completed"/,
    ],
    [
      "a state of another name",
      () =>
        rulesWith((file, text) =>
          file === "hold.flow.yaml" ? text.replaceAll(/(to: |\n {4})captured/g, "$1taken") : text,
        ),
      "outcomes_decided_anew",
      /says status "taken"/,
    ],
    [
      "a case that keeps what it should have set to nothing",
      () => rulesWith((_, text) => text.replaceAll("set: { held: 0 }", "set: { held: data.amount }")),
      "cases_decided_anew",
      /has data .*held: [1-9]/,
    ],
    [
      "a timer armed for a minute less",
      () => replaced("hold.flow.yaml", "PT15M", "PT14M"),
      "outcomes_decided_anew",
      /says outcomeId "t-\d-\w+-expiry-\d+"; decided anew "t-/,
    ],
    [
      "a floor too low: transfers that were not due",
      () => rulesWithFloor(-400n),
      "outcomes_decided_anew",
      /insufficient_funds/,
    ],
    [
      "a floor too high: refusals that were not due",
      () => rulesWithFloor(400n),
      "outcomes_decided_anew",
      /insufficient_funds/,
    ],
    [
      "a floor of another height",
      () => rulesWithFloor(-1n),
      "accounts_decided_anew",
      /has floorMinor -1; decided anew 0/,
    ],
    ["a window too wide", () => ({ ...RULES, caseWindowMs: 500 * DAY_MS }), "outcomes_decided_anew", /intent_expired/],
    ["a future too near", () => ({ ...RULES, caseFutureMs: 3 * DAY_MS }), "outcomes_decided_anew", /case_id_in_future/],
    [
      "a lane too many",
      () => ({ ...RULES, lanes: RULES.lanes + 1 }),
      "quarantine_decided_anew",
      /is put aside as wrong_lane; decided anew it can be understood/,
    ],
  ])("%s", async ([, rules, invariant, said]) => {
    expect(await foundOf(invariant, said, rules())).toMatch(said);
  });

  test("timers that overtake inputs that were in time", async () => {
    const said = /the input at offset \d+, appended at .* comes behind timer expiry/;
    const commit = (day: RandomDay) => day.run(40, (nowMs) => nowMs + 600_000);
    expect(await foundOf("timers_overtake_nothing", said, RULES, { commit })).toMatch(said);
  });

  test("timers that wait for another moment", async () => {
    const rules = replaced("hold.flow.yaml", "PT15M", "PT16M");
    const said = /timer expiry of case .*, is none that its case arms/;
    const commit = (day: RandomDay) => day.run(160, () => 0);
    expect(await foundOf("timers_decided_anew", said, rules, { commit })).toMatch(said);
  });

  test("timers that never fire", async () => {
    const said = /timer expiry of case .*: 100 blocks since have fired none/;
    const commit = (day: RandomDay) => day.run(160, () => 0);
    expect(await foundOf("timers_not_forgotten", said, RULES, { commit })).toMatch(said);
  });
});

test("settings that changed meanwhile: each block is decided anew by those of its version", async () => {
  let version = 1;
  const parameters = () => ({ ...NO_PARAMETERS, version });
  const lane = new MemoryProduction("ann", RULES, undefined, { rates: () => NO_RATES, parameters });
  const old = new Producing(() => NOW_MS - 10 * DAY_MS);
  const early = new Producing(() => NOW_MS + DAY_MS / 2);
  const take = async (offsetMs: number): Promise<void> => {
    for (const make of [old, early]) {
      const intent = make.payIn("ann", 5, { occurredAt: BigInt(NOW_MS) * 1000n });
      lane.append(Buffer.from("ann"), lane.codec.encoders.intent.encode(intent), NOW_MS + offsetMs);
    }
    await lane.commit(NOW_MS + offsetMs);
  };
  await take(0);
  version = 2;
  lane.goBy({ ...RULES, caseWindowMs: 5 * DAY_MS, caseFutureMs: DAY_MS / 24 });
  await take(1);
  const told = lane.blocks.map(({ outcomes }) =>
    outcomes.messages.map(({ value }) => lane.codec.decoders.outcome.decode(value).reason?.code),
  );
  expect(told).toEqual([
    [undefined, undefined],
    ["intent_expired", "case_id_in_future"],
  ]);
  const settings = (caseWindowDays: number, caseFutureHours: number): string =>
    JSON.stringify({ caseWindowDays, caseFutureHours, intentBytesMax: 65_536 });
  const foundWith = async (...said: readonly (string | null)[]) => {
    const texts = said.map((one, at) => [BigInt(at + 1), { overlays: "{}", settings: one, routes: null }] as const);
    const versions = { rates: async () => [], parameters: async () => new Map(texts) };
    return (await auditMemory(lane, { versions })).found;
  };
  expect(await foundWith(settings(400, 24), settings(5, 1))).toEqual({});
  // Of versions from before settings were written down, the auditor's own are taken: here those of the first block.
  expect(await foundWith(null, settings(5, 1))).toEqual({});
  expect(Object.keys(await foundWith(null, null))).toContain("outcomes_decided_anew");
});

describe("a lane of which something is gone", () => {
  const GONE: readonly [string, (block: SecondBlock, at: number) => SecondBlock][] = [
    ["inputs of the first half", (block, at) => (at < 20 ? { ...block, intents: WITHOUT } : block)],
    ["inputs of every third block", (block, at) => (at % 3 === 1 ? { ...block, intents: WITHOUT } : block)],
    [
      "inputs and outcomes of the first half",
      (block, at) => (at < 20 ? { ...block, intents: WITHOUT, outcomes: gone(block.outcomes) } : block),
    ],
  ];
  const WITHOUT = { records: [], knownFrom: null, skipped: [] };
  const gone = ({ messages }: SecondBlock["outcomes"]): SecondBlock["outcomes"] => ({
    messages: [],
    missing: messages.map(({ sequence }) => sequence),
  });

  test.for(GONE)("%s: says what was not decided, and finds nothing wrong with the rest", async ([, change]) => {
    for (let seed = 1; seed <= 10; seed++) {
      const lane = await new RandomDay(seed).run(40);
      const { found, tally } = await auditMemory(lane, { blocks: lane.blocks.map(change) });
      expect(found, `seed ${seed}`).toEqual({});
      expect(tally.blocksNotDecided).toBeGreaterThan(0n);
      expect(tally.blocksNotDecided + tally.blocksDecided).toBe(lane.head.block);
    }
  });

  test("its first blocks: the lane before them is made from where it stands", async () => {
    let decided = 0n;
    for (let seed = 1; seed <= 10; seed++) {
      const lane = await new RandomDay(seed).run(40);
      const { found, tally } = await auditMemory(lane, { from: null, blocks: lane.blocks.slice(20) });
      expect(found, `seed ${seed}`).toEqual({});
      decided += tally.blocksDecided;
    }
    expect(decided).toBeGreaterThan(30n);
  });

  test("what is wrong with the rest is found", async () => {
    const rules = replaced("transfer.flow.yaml", "emit: transfer.completed", "emit: transfer.finished");
    const over = ({ blocks }: MemoryProduction): AuditOver => ({ from: null, blocks: blocks.slice(20) });
    expect(await foundOf("outcomes_decided_anew", /transfer\.finished/, rules, { over })).toContain(
      "transfer.finished",
    );
  });
});

describe("what these flows cannot cause is told when it is there:", () => {
  test("a command", async () => {
    const lane = await new RandomDay(1).run(5);
    const block = lane.blocks.at(-1) as SecondBlock;
    const command = { sequence: 0n, key: "cust_0", value: Buffer.from("no command"), message: null };
    lane.blocks[lane.blocks.length - 1] = { ...block, commands: { messages: [command], missing: [] } };
    expect((await auditMemory(lane)).found).toEqual({
      commands_decided_anew: expect.stringContaining("it has 1 commands; decided anew 0"),
    });
  });

  test("a report", async () => {
    const lane = await new RandomDay(1).run(5);
    const block = lane.blocks.at(-1) as SecondBlock;
    const report = { offset: 0n, appendedAtMs: 0, key: null, value: null };
    lane.blocks[lane.blocks.length - 1] = { ...block, reports: { records: [report], knownFrom: 0n, skipped: [] } };
    expect((await auditMemory(lane)).found["reports_decided_anew"]).toContain(
      "the report at offset 0: it cannot be read",
    );
  });
});
