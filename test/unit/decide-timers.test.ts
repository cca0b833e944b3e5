// Timers of cases: armed on entering a state, cancelled on leaving it, fired once.
import { describe, expect, test } from "vitest";
import { decideTimer, Undecidable } from "../../src/domain/decide/decide.ts";
import { parseHistory } from "../../src/domain/history.ts";
import { refusal } from "../../src/domain/refusals.ts";
import { available } from "../support/intents.ts";
import { MemoryLane, NOW_MS, producing } from "../support/ledger.ts";

const OWN = available("ann");
const HOLD = "liability:customer:ann:hold";
const EXPIRY_MS = 900_000;

function held(minor = 400): { lane: MemoryLane; hold: string } {
  const lane = new MemoryLane();
  const place = producing.holdPlace("ann", minor, { correlationId: "cor" });
  lane.decide([producing.payIn("ann", 1000), place]);
  return { lane, hold: place.caseId as string };
}

describe("a timer", () => {
  test("is armed for the block's now and its duration, and kept with the case", () => {
    const { lane, hold } = held();
    const known = lane.case(hold);
    expect(lane.timers).toEqual([{ dueMs: NOW_MS + EXPIRY_MS, caseId: known?.id, name: "expiry" }]);
    expect(known?.data.timers).toEqual({ expiry: NOW_MS + EXPIRY_MS });
    expect([lane.balance(OWN), lane.balance(HOLD)]).toEqual([600n, 400n]);
  });

  test("fires: the money goes back, and an outcome says so without an intent", () => {
    const { lane, hold } = held();
    const [timer] = lane.timers;
    if (timer === undefined) throw new Error("no timer is armed");
    const outcomes = lane.fire(timer);
    const dueMicros = BigInt(NOW_MS + EXPIRY_MS) * 1000n;
    expect(outcomes).toEqual([
      {
        lane: 1,
        sequence: 2n,
        block: 2n,
        outcomeId: `t-1-${timer.caseId}-expiry-${timer.dueMs}`,
        type: "hold.expired",
        caseId: hold,
        sourceId: null,
        holderId: "ann",
        intentType: null,
        idempotencyKey: null,
        status: "expired",
        reason: null,
        repeatOf: null,
        amounts: { released: { currency: "EUR", scale: 2, minor: "400" } },
        lines: 1,
        flow: "hold@1.0.0",
        occurredAt: dueMicros,
        recordedAt: dueMicros,
        correlationId: null,
        causationId: null,
        traceparent: null,
        parentId: null,
      },
    ]);
    expect([lane.balance(OWN), lane.balance(HOLD)]).toEqual([1000n, 0n]);
    expect(lane.timers).toEqual([]);
    const last = parseHistory(lane.case(hold)?.history ?? "").at(-1);
    expect(last).toMatchObject({ event: "timer.expiry", source: "t", offset: BigInt(timer.dueMs), sequence: 2n });
  });

  test("fires once: again it is undecidable, and nothing is kept", () => {
    const { lane } = held();
    const [timer] = lane.timers;
    if (timer === undefined) throw new Error("no timer is armed");
    lane.fire(timer);
    const before = lane.balances();
    expect(() => lane.fire(timer)).toThrow(Undecidable);
    expect(lane.balances()).toEqual(before);
  });

  test.each(["holdCapture", "holdRelease"] as const)("is cancelled by %s", (verb) => {
    const { lane, hold } = held();
    const [timer] = lane.timers;
    if (timer === undefined) throw new Error("no timer is armed");
    expect(lane.answer(producing[verb]("ann", hold)).reason).toBeNull();
    expect(lane.timers).toEqual([]);
    expect(lane.case(hold)?.data.timers).toEqual({});
    expect(() => lane.fire(timer)).toThrow(Undecidable);
  });

  test("armed and cancelled within one block leaves none", () => {
    const lane = new MemoryLane();
    const place = producing.holdPlace("ann", 400);
    lane.decide([producing.payIn("ann", 1000), place, producing.holdRelease("ann", place.caseId as string)]);
    expect(lane.timers).toEqual([]);
  });

  test("stays armed when an intent is refused", () => {
    const { lane, hold } = held();
    const [timer] = lane.timers;
    lane.decide([producing.holdRelease("ann", hold, { amount: { currency: "EUR", scale: 2, minor: "0" } })]);
    expect(lane.timers).toEqual([timer]);
  });

  test("is not armed by a create that is refused", () => {
    const lane = new MemoryLane();
    expect(lane.answer(producing.holdPlace("ann", 5)).reason).toEqual(refusal("insufficient_funds"));
    expect(lane.timers).toEqual([]);
  });

  test("leaves an intent that comes later its refusal", () => {
    const { lane, hold } = held();
    const [timer] = lane.timers;
    if (timer === undefined) throw new Error("no timer is armed");
    lane.fire(timer);
    expect(lane.answer(producing.holdCapture("ann", hold))).toMatchObject({
      type: "intent.rejected",
      status: "expired",
      reason: refusal("invalid_state"),
    });
  });

  test.each(["freeze", "close"])("fires on an account after its %s", (change) => {
    const { lane } = held(1000);
    const [timer] = lane.timers;
    if (timer === undefined) throw new Error("no timer is armed");
    expect(lane.answer(producing.accountUpdate("ann", change)).reason).toBeNull();
    expect(lane.fire(timer).map(({ type }) => type)).toEqual(["hold.expired"]);
    expect(lane.balance(OWN)).toBe(1000n);
    expect(lane.account(OWN)?.status).toBe(change === "freeze" ? "frozen" : "closed");
  });

  test("of a case in a plain UUID names it as it was written", () => {
    const lane = new MemoryLane();
    const hex = NOW_MS.toString(16).padStart(12, "0");
    const uuid = `${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8def-0123456789ab`;
    lane.decide([producing.payIn("ann", 5), producing.holdPlace("ann", 5, { caseId: uuid })]);
    const [timer] = lane.timers;
    if (timer === undefined) throw new Error("no timer is armed");
    expect(lane.fire(timer)[0]?.caseId).toBe(uuid);
  });
});

describe("a timer that its case does not wait for halts the lane", () => {
  test.each([
    ["of a case that is not there", { caseId: "f".repeat(32) }],
    ["of another name", { name: "other" }],
    ["with another due time", { dueMs: NOW_MS + 1 }],
  ])("%s", (_what, over) => {
    const { lane } = held();
    const [timer] = lane.timers;
    if (timer === undefined) throw new Error("no timer is armed");
    expect(() => lane.block((books) => decideTimer(books, { kind: "timer", timer: { ...timer, ...over } }))).toThrow(
      Undecidable,
    );
  });

  test("or whose money is gone", () => {
    const { lane } = held();
    const [timer] = lane.timers;
    if (timer === undefined) throw new Error("no timer is armed");
    const account = lane.account(HOLD);
    if (account !== undefined) account.floorMinor = 1n;
    expect(() => lane.fire(timer)).toThrow(/timer.expiry of case .* is refused: insufficient_funds/);
  });
});
