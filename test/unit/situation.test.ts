// What is read for a block beyond what its inputs name, so that it need not be decided again with more.
import { expect, test } from "vitest";
import { type CaseRecord, type IntentInput, valueOf, variablesOf } from "../../src/domain/books.ts";
import { type Concerned, Seeking } from "../../src/domain/seeking.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import type { CaseRow } from "../../src/store/blocks.ts";
import { readData, writeData } from "../../src/store/case-data.ts";
import { seekNamed } from "../../src/store/situation.ts";
import { CardLane } from "../support/card-lane.ts";
import { inputOf, producing, RULES } from "../support/ledger.ts";

const PAYMENT = {
  type: "payment_create",
  from: null,
  to: null,
  amount: { currency: "EUR", scale: 2, minor: "10000" },
  method: "card",
  provider: "script",
  captureMode: "automatic",
  tokenRef: "tok_9f2c",
  settlementCurrency: "EUR",
};

function captured(lane: CardLane): string {
  const message = producing.payIn("mer_1", 0, PAYMENT);
  lane.ask(message);
  const id = message.caseId as string;
  lane.report(id, "mer_1", { call: "authorize", result: "approved", payload: { approved: "10000", seq: "1" } });
  lane.report(id, "mer_1", { call: "capture", result: "ok", payload: { amount: "10000", seq: "1" } });
  expect(lane.case(id)?.state).toBe("captured");
  return id;
}

function refund(caseId: string, key: string): NewIntent {
  const amount = { ...PAYMENT.amount, minor: "100" };
  const { method: _method, captureMode: _mode, tokenRef: _token, settlementCurrency: _to, ...rest } = PAYMENT;
  return producing.payIn("mer_1", 0, { ...rest, type: "refund_create", caseId, idempotencyKey: key, amount });
}

function rowOf({ data, flow, ...one }: CaseRecord): CaseRow {
  return { ...one, flow: flow.number, data: JSON.parse(writeData(data) ?? "null") };
}

test("variables that were read and not changed are written as they were, and a time that has become known as a number", () => {
  const variables = variablesOf(["amount", "held", "settled_at", "mode"], new Set(["mode"]));
  const read = readData({ v: { amount: "5", held: "0" }, w: { settled_at: null, mode: "manual" } }, variables);
  expect(["amount", "mode", "settled_at", "other"].map((name) => valueOf(read, name))).toEqual([
    5n,
    "manual",
    null,
    undefined,
  ]);
  const changed = { ...read, values: [undefined, 3n, 7n, undefined] };
  expect(valueOf(changed, "settled_at")).toBe(7n);
  const stored = { v: { amount: "5", settled_at: "7", held: "3" }, w: { mode: "manual" } };
  expect(JSON.parse(writeData(changed) as string)).toEqual(stored);
});

function namedBy(intents: readonly IntentInput[], row: CaseRow): Concerned {
  const seeking = new Seeking();
  seekNamed(seeking, RULES, { timers: [], reports: [], intents }, [row]);
  return seeking.next();
}

test("the refund that a payment opens is looked for with it, and the next one too", () => {
  const lane = new CardLane();
  const id = captured(lane);
  for (const key of ["ref-1", "ref-2"]) {
    const row = rowOf(lane.case(id) as CaseRecord);
    const message = refund(id, key);
    const named = namedBy([inputOf(message, 9n)], row);
    const before = new Set(lane.children("rfd").map((one) => one.id));
    lane.ask(message);
    const opened = lane.children("rfd").filter((one) => !before.has(one.id));
    expect(opened).toHaveLength(1);
    expect(named.caseIds).toEqual(opened.map((one) => one.id));
  }
});

test("nothing is looked for beside a payment that no intent gives back", () => {
  const lane = new CardLane();
  const row = rowOf(lane.case(captured(lane)) as CaseRecord);
  const other = refund(producing.payIn("mer_1", 0, PAYMENT).caseId as string, "ref-1");
  expect(namedBy([inputOf(other, 9n)], row).caseIds).toEqual([]);
  expect(namedBy([], row).caseIds).toEqual([]);
});

test("what is sought is asked for once, however often and in whatever way it is named, and known for sought from then on", () => {
  const seeking = new Seeking();
  const own = ["liability:merchant:{holder}:pending", "liability:merchant:{holder}:available"];
  const [pending, available, other] = ["mer_1:pending", "mer_1:available", "mer_2:pending"].map(
    (end) => `liability:merchant:${end}`,
  ) as [string, string, string];
  seeking.addCase("a");
  seeking.addCase("a");
  seeking.addPath(available);
  seeking.addOwn(own, "mer_1");
  seeking.addOwn([...own], "mer_1");
  seeking.addPath(pending);
  expect(seeking.next()).toEqual({ caseIds: ["a"], paths: [available, pending] });
  expect([pending, available, other].map((path) => seeking.hasPath(path))).toEqual([true, true, false]);
  expect(["a", "b"].map((id) => seeking.hasCase(id))).toEqual([true, false]);
  seeking.addMissing({ caseIds: new Set(["a", "b"]), paths: new Set([pending, other]) });
  expect(seeking.next()).toEqual({ caseIds: ["b"], paths: [other] });
  expect(seeking.next()).toEqual({ caseIds: [], paths: [] });
});
