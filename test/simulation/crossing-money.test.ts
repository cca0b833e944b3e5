// Money between holders of several lanes over many random histories: the shipped flows, the production core and its codec.
// Messages come late and twice; what is on its way is added up after every step.
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { loadDeclared } from "../../src/declared/load.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { compileFlow } from "../../src/domain/flow/compile/compile.ts";
import { parseFlow } from "../../src/domain/flow/parse/parse.ts";
import type { RateBook } from "../../src/domain/fx/rates.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { type CaseId, childCaseId, formatCaseId, parseCaseId } from "../../src/domain/ids.ts";
import { makeRules } from "../../src/domain/rules.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { available, Producing } from "../support/intents.ts";
import { codec, MemoryLanes, type MemoryOwner } from "../support/memory-lanes.ts";

const NOW_MS = Date.UTC(2026, 10, 20, 10);
const DAY_MS = 86_400_000;
const LANES = 3;
const declared = loadDeclared(SHIPPED_SCHEMAS, mkdtempSync(join(tmpdir(), "millrace-no-flows-")));
const flows = ["account_open", "account_update", "transfer", "transfer_in"].map((name, index) => {
  const file = join(SHIPPED_SCHEMAS, "flows", `${name}.flow.yaml`);
  const { flow, faults } = parseFlow(readLocatedYaml(file, readFileSync(file, "utf8")).root as never, parseExpression);
  if (flow === null || faults.length > 0) throw new Error(JSON.stringify(faults));
  return compileFlow(flow, index + 1);
});
const RULES = makeRules({
  chart: declared.chart,
  currencies: declared.currencies,
  lanes: LANES,
  flows,
  retired: [],
  caseWindowMs: 400 * DAY_MS,
  caseFutureMs: DAY_MS,
});
const producing = new Producing(() => NOW_MS);

/** One euro is 25 koruna and 160 yen, either way; nothing else has a rate. */
const RATES: RateBook = {
  version: 3n,
  usable: (from, to) => {
    const worth: Record<string, bigint> = { EUR: 4_000n, CZK: 160n, JPY: 25n };
    const [numerator, denominator] = [worth[from], worth[to]];
    return numerator === undefined || denominator === undefined ? null : { numerator, denominator };
  },
};

const HOLDERS = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"];

function world(): MemoryLanes {
  const lanes = new MemoryLanes(RULES, NOW_MS, RATES);
  for (const holder of HOLDERS) lanes.publish(producing.payIn(holder, 100_000));
  for (let lane = 0; lane < LANES; lane++) lanes.commit(lane, 0, 1_000);
  return lanes;
}

function transfer(from: string, to: string, minor: number, over: Partial<NewIntent> = {}): NewIntent {
  return producing.payIn(from, minor, { from: available(from), to: available(to), ...over });
}

/** Everything arrives and is taken, until nothing is left to be done. */
function settle(lanes: MemoryLanes): void {
  const carried = lanes.lanes.map(() => 0);
  for (let round = 0; round < 50; round++) {
    for (const [lane, owner] of lanes.lanes.entries()) {
      for (const message of owner.sent.slice(carried[lane])) lanes.lanes[message.toLane]?.arrive(message, NOW_MS);
      carried[lane] = owner.sent.length;
    }
    for (const owner of lanes.lanes) lanes.commit(owner.lane, 1_000, 1_000);
  }
}

/** What lies on clearing:transit, by currency, in all lanes. */
function transit(lanes: MemoryLanes): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { balances } of lanes.lanes) {
    for (const { path, currency, debits, credits } of balances.values()) {
      if (path === "clearing:transit") sums.set(currency, (sums.get(currency) ?? 0n) + credits - debits);
    }
  }
  return new Map([...sums].filter(([, sum]) => sum !== 0n));
}

/** What the messages bear that were sent and are not seen: a question its amount, a refusal that of its question. */
function onItsWay(lanes: MemoryLanes): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  const asked = new Map<string, { currency: string; amount: bigint }>();
  const all = lanes.lanes.flatMap(({ sent }) =>
    sent.map(({ toLane, value }) => ({ toLane, ...codec.decoders.report.decode(value) })),
  );
  for (const { result, payload, from } of all) {
    if (result !== "asked" || from === null) continue;
    asked.set(from.caseId, { currency: payload["currency"] ?? "", amount: BigInt(payload["amount"] ?? "0") });
  }
  for (const { toLane, result, caseId, from } of all) {
    if (from === null || from.sequence <= (lanes.lanes[toLane]?.memory.pairs.seen.get(from.lane) ?? -1n)) continue;
    const money = result === "asked" ? asked.get(from.caseId) : result === "refused" ? asked.get(caseId) : undefined;
    if (money !== undefined) sums.set(money.currency, (sums.get(money.currency) ?? 0n) + money.amount);
  }
  return new Map([...sums].filter(([, sum]) => sum !== 0n));
}

function balanceOf(lanes: MemoryLanes, path: string, currency = "EUR"): bigint {
  const found = lanes.lanes
    .flatMap(({ balances }) => [...balances.values()])
    .filter((one) => one.path === path && one.currency === currency);
  return found.reduce((sum, { debits, credits }) => sum + credits - debits, 0n);
}

function outcomesOf({ lanes }: MemoryLanes, holder: string): string[] {
  return lanes
    .flatMap(({ outcomes }) => outcomes)
    .filter(({ holderId, type }) => holderId === holder && type !== "account.opened")
    .slice(1)
    .map(({ type, reason }) => (reason === null ? type : `${type} ${reason.code}`));
}

/** Two holders of one lane, and one of another. */
function neighbours(): { here: string; beside: string; elsewhere: string } {
  const [here = ""] = HOLDERS;
  const isHere = (holder: string): boolean => homeLane(holder, LANES) === homeLane(here, LANES);
  const beside = HOLDERS.slice(1).find(isHere) as string;
  const elsewhere = HOLDERS.find((holder) => !isHere(holder)) as string;
  return { here, beside, elsewhere };
}

describe("a transfer to another holder", () => {
  const { here, beside, elsewhere } = neighbours();

  test.each([
    ["of the same lane", beside],
    ["of another lane", elsewhere],
  ])("%s is submitted, received and completed", (_what, to) => {
    const lanes = world();
    lanes.publish(transfer(here, to, 250));
    settle(lanes);
    expect(outcomesOf(lanes, here)).toEqual(["transfer.submitted", "transfer.completed"]);
    expect(outcomesOf(lanes, to)).toEqual(["transfer.received"]);
    expect([balanceOf(lanes, available(here)), balanceOf(lanes, available(to))]).toEqual([99_750n, 100_250n]);
    expect(transit(lanes)).toEqual(new Map());
  });

  test("of the same lane is done within one block, with the same lines", () => {
    const near = world();
    near.publish(transfer(here, beside, 250));
    const owner = near.of(here);
    const blocks = owner.memory.head.block;
    near.commit(owner.lane, 0, 10);
    expect(owner.memory.head.block).toBe(blocks + 1n);
    const far = world();
    far.publish(transfer(here, elsewhere, 250));
    settle(far);
    const postings = (lanes: readonly MemoryOwner[]) =>
      lanes
        .flatMap(({ lines }) => lines.map(({ posting, minor }) => `${posting} ${minor}`))
        .filter((line) => !line.startsWith("P17 "));
    expect(postings(near.lanes)).toEqual(["P17a 250", "P17b 250"]);
    expect(postings(far.lanes).sort()).toEqual(postings(near.lanes));
    expect([...owner.memory.pairs.sent, ...owner.memory.pairs.seen]).toEqual([
      [owner.lane, 2n],
      [owner.lane, 1n],
    ]);
    expect(near.decidedAgain).toBe(0);
  });

  test.each([
    ["of the same lane", beside],
    ["of another lane", elsewhere],
  ])("%s comes back when it is refused there", (_what, to) => {
    const lanes = world();
    lanes.publish(producing.accountUpdate(to, "freeze"));
    settle(lanes);
    lanes.publish(transfer(here, to, 250));
    settle(lanes);
    expect(outcomesOf(lanes, here)).toEqual(["transfer.submitted", "transfer.failed account_frozen"]);
    expect(outcomesOf(lanes, to).at(-1)).toBe("transfer_in.rejected account_frozen");
    expect(balanceOf(lanes, available(here))).toBe(100_000n);
    expect(transit(lanes)).toEqual(new Map());
  });

  test("in the receiver's currency is changed before it leaves, and changed back as it was when it is refused", () => {
    const lanes = world();
    const korunas = "liability:customer:" + elsewhere + ":unapplied";
    lanes.publish(transfer(here, elsewhere, 1_000, { to: korunas, settlementCurrency: "CZK" }));
    lanes.publish(transfer(here, elsewhere, 1_000, { settlementCurrency: "CZK" }));
    settle(lanes);
    expect(outcomesOf(lanes, here)).toEqual([
      "transfer.submitted",
      "transfer.submitted",
      "transfer.completed",
      "transfer.failed currency_mismatch",
    ]);
    // 10.00 EUR are 250.00 CZK, less 50 basis points
    expect(balanceOf(lanes, korunas, "CZK")).toBe(24_875n);
    expect(balanceOf(lanes, available(here))).toBe(99_000n);
    expect(balanceOf(lanes, "revenue:fx_spread", "CZK")).toBe(125n);
    expect(balanceOf(lanes, "fx:position", "EUR")).toBe(1_000n);
    expect(balanceOf(lanes, "fx:position", "CZK")).toBe(-25_000n);
    expect(transit(lanes)).toEqual(new Map());
  });

  test.each<[string, string, Partial<NewIntent>]>([
    ["without funds", "insufficient_funds", { amount: { currency: "EUR", scale: 2, minor: "100001" } }],
    ["to an account that there is not", "unknown_account", { to: "liability:nobody" }],
    ["out of another's account", "not_home", { from: available(beside), to: available(here) }],
    ["out of another's account to a third", "not_home", { from: available(beside), to: available(elsewhere) }],
    ["into a currency without a rate", "fx_rate_unavailable", { settlementCurrency: "USD" }],
    ["into a currency that there is not", "unknown_currency", { settlementCurrency: "QQQ" }],
  ])("%s is refused at home, and nothing is sent", (_what, code, over) => {
    const lanes = world();
    lanes.publish(transfer(here, elsewhere, 250, over));
    settle(lanes);
    expect(outcomesOf(lanes, here)).toEqual([`transfer.rejected ${code}`]);
    expect(lanes.lanes.flatMap(({ sent }) => sent)).toEqual([]);
  });

  test("at home stays one step, in another currency too", () => {
    const lanes = world();
    const other = `liability:merchant:${here}:available`;
    const yen = `liability:customer:${here}:unapplied`;
    lanes.publish(transfer(here, here, 100, { to: other }));
    lanes.publish(transfer(here, here, 100, { to: yen, settlementCurrency: "JPY" }));
    settle(lanes);
    expect(outcomesOf(lanes, here)).toEqual(["transfer.completed", "transfer.completed"]);
    expect([balanceOf(lanes, other), balanceOf(lanes, yen, "JPY")]).toEqual([100n, 159n]);
  });

  test.each([
    ["of the same lane", beside],
    ["of another lane", elsewhere],
  ])("%s whose case id is taken there already is refused, and loses nothing", (_what, to) => {
    const lanes = world();
    const sent = transfer(here, to, 250);
    const asks = parseCaseId(sent.caseId ?? null) as CaseId;
    const caseId = formatCaseId(childCaseId("trf", asks.uuid, [here, "credit", "1"]));
    lanes.publish(producing.payIn(to, 5, { caseId }));
    lanes.commit(lanes.of(to).lane, 0, 10);
    lanes.publish(sent);
    settle(lanes);
    expect(outcomesOf(lanes, here)).toEqual(["transfer.submitted", "transfer.failed idempotency_conflict"]);
    expect(balanceOf(lanes, available(here))).toBe(100_000n);
    expect(transit(lanes)).toEqual(new Map());
  });
});

type Step = (lanes: MemoryLanes, carried: number[][]) => void;
const lane = fc.integer({ min: 0, max: LANES - 1 });
const holder = fc.constantFrom(...HOLDERS);

const sendMoney: fc.Arbitrary<Step> = fc
  .tuple(holder, holder, fc.integer({ min: 1, max: 60_000 }), fc.constantFrom(null, null, "CZK", "JPY"), fc.boolean())
  .map(
    ([from, to, minor, settlementCurrency, isOther]): Step =>
      (lanes) => {
        const target = isOther ? `liability:customer:${to}:unapplied` : available(to);
        lanes.publish(transfer(from, to, minor, { settlementCurrency, to: target }));
      },
  );
const freeze: fc.Arbitrary<Step> = fc.tuple(holder, fc.constantFrom("freeze", "unfreeze")).map(
  ([of, change]): Step =>
    (lanes) =>
      lanes.publish(producing.accountUpdate(of, change)),
);
const block: fc.Arbitrary<Step> = fc.tuple(lane, fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 })).map(
  ([of, reports, intents]): Step =>
    (lanes) =>
      lanes.commit(of, reports, intents),
);
/** Some of what a lane has sent to another arrives: in order, from where it may have begun before. */
const carry: fc.Arbitrary<Step> = fc
  .tuple(lane, lane, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 3 }))
  .map(
    ([from, to, count, back]): Step =>
      (lanes, carried) => {
        const sent = (lanes.lanes[from] as MemoryOwner).sent.filter(({ toLane }) => toLane === to);
        const row = carried[from] as number[];
        const begin = Math.max(0, (row[to] ?? 0) - back);
        for (const message of sent.slice(begin, begin + count)) lanes.lanes[to]?.arrive(message, NOW_MS);
        row[to] = Math.max(row[to] ?? 0, Math.min(sent.length, begin + count));
      },
  );
const steps = fc.oneof(
  { weight: 4, arbitrary: sendMoney },
  { weight: 1, arbitrary: freeze },
  { weight: 5, arbitrary: block },
  { weight: 5, arbitrary: carry },
);

test("at every moment transit is what was sent and not seen; in the end it is empty and every transfer has one end", () => {
  let submitted = 0;
  let failed = 0;
  fc.assert(
    fc.property(fc.array(steps, { minLength: 5, maxLength: 80 }), (history) => {
      const lanes = world();
      const carried = Array.from({ length: LANES }, () => Array.from({ length: LANES }, () => 0));
      for (const step of history) {
        step(lanes, carried);
        expect(transit(lanes)).toEqual(onItsWay(lanes));
      }
      settle(lanes);
      expect(transit(lanes)).toEqual(new Map());
      const outcomes = lanes.lanes.flatMap((one) => one.outcomes);
      const ends = new Map<string, number>();
      for (const { type, caseId } of outcomes) {
        if (type === "transfer.failed") failed += 1;
        if (type === "transfer.completed" || type === "transfer.failed")
          ends.set(caseId ?? "", (ends.get(caseId ?? "") ?? 0) + 1);
      }
      const sent = outcomes.filter(({ type }) => type === "transfer.submitted");
      submitted += sent.length;
      expect(sent.filter(({ caseId }) => ends.get(caseId ?? "") !== 1)).toEqual([]);
      const ids = outcomes.map(({ outcomeId }) => outcomeId);
      expect(new Set(ids).size).toBe(ids.length);
    }),
    { numRuns: 150 },
  );
  expect(submitted).toBeGreaterThan(300);
  expect(failed).toBeGreaterThan(30);
});
