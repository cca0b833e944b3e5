// A case remembers what it took in: a retry is one payment however often it comes, another body under the same name is
// refused.
import { describe, expect, test } from "vitest";
import { parseHistory } from "../../src/domain/history.ts";
import { refusal } from "../../src/domain/refusals.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { available } from "../support/intents.ts";
import { DAY_MS, MemoryLane, NOW_MS, producing } from "../support/ledger.ts";

describe("a create that comes again", () => {
  test("is answered with the first outcome's sequence, a thousand times, and books nothing", () => {
    const lane = new MemoryLane();
    lane.decide([producing.payIn("bob", 1)]);
    const intent = producing.payIn("ann", 500, { sourceId: "s" });
    const first = lane.answer(intent);
    expect(first.sequence).toBe(1n);
    const history = lane.case(intent.caseId as string)?.history;
    const again = lane.decide(Array.from({ length: 1000 }, () => intent));
    expect(new Set(again.map(({ result }) => result))).toEqual(new Set(["repeated"]));
    expect(again.at(-1)?.outcomes).toEqual([
      expect.objectContaining({
        type: "intent.repeated",
        status: "completed",
        reason: null,
        repeatOf: { lane: 1, sequence: 1n },
        lines: 0,
        sequence: 1001n,
        sourceId: "s",
        intentType: "transfer_create",
        flow: "transfer@1.1.0",
      }),
    ]);
    expect(lane.balance(available("ann"))).toBe(500n);
    expect(lane.lines).toHaveLength(2);
    expect(lane.case(intent.caseId as string)?.history).toBe(history);
  });

  test("in the same block is a repeat too", () => {
    const lane = new MemoryLane();
    const intent = producing.payIn("ann", 500);
    expect(lane.decide([intent, intent, intent]).map(({ result }) => result)).toEqual([
      "accepted",
      "repeated",
      "repeated",
    ]);
  });

  test.each<[string, Partial<NewIntent>]>([
    ["amount", { amount: { currency: "EUR", scale: 2, minor: "501" } }],
    ["currency", { amount: { currency: "USD", scale: 2, minor: "500" } }],
    ["account", { to: "liability:customer:ann:unapplied" }],
    ["sourceId", { sourceId: "other" }],
    ["reference", { reference: "other" }],
    ["metadata", { metadata: { k: "other" } }],
    ["key", { idempotencyKey: "other" }],
  ])("with another %s is refused idempotency_conflict, and stays so", (_what, over) => {
    const lane = new MemoryLane();
    const intent = producing.payIn("ann", 500);
    lane.decide([intent]);
    for (let time = 0; time < 2; time++) {
      expect(lane.answer({ ...intent, ...over })).toMatchObject({
        type: "transfer.rejected",
        reason: refusal("idempotency_conflict"),
        status: "completed",
      });
    }
    expect(lane.answer(intent).type).toBe("intent.repeated");
    expect(lane.balance(available("ann"))).toBe(500n);
  });

  test("with other times and tracing is an honest retry", () => {
    const lane = new MemoryLane();
    const intent = producing.payIn("ann", 500);
    lane.decide([intent]);
    const later = { occurredAt: 5n, correlationId: "c", causationId: "d", traceparent: "t" };
    expect(lane.answer({ ...intent, ...later })).toMatchObject({ type: "intent.repeated", ...later });
  });

  test("by another holder of the lane is a conflict: the id is taken", () => {
    const lane = new MemoryLane();
    const intent = producing.payIn("ann", 500);
    lane.decide([intent]);
    const { reason } = lane.answer(producing.payIn("bob", 500, { caseId: intent.caseId as string }));
    expect(reason).toEqual(refusal("idempotency_conflict"));
  });

  test("as an intent of another flow is a conflict", () => {
    const lane = new MemoryLane();
    const intent = producing.payIn("ann", 500);
    lane.decide([intent]);
    const outcome = lane.answer(producing.holdPlace("ann", 500, { caseId: intent.caseId as string }));
    expect(outcome).toMatchObject({ type: "hold.rejected", reason: refusal("idempotency_conflict") });
  });
});

describe("a refused create", () => {
  test("consumes its case id: the same again is a repeat of the refusal, even when it would pass now", () => {
    const lane = new MemoryLane();
    const intent = producing.payOut("ann", 500);
    const refused = lane.answer(intent);
    expect(refused).toMatchObject({ status: "rejected", reason: refusal("insufficient_funds") });
    lane.decide([producing.payIn("ann", 500)]);
    expect(lane.answer(intent)).toMatchObject({
      type: "intent.repeated",
      status: "rejected",
      repeatOf: { lane: 1, sequence: refused.sequence },
    });
    expect(lane.answer({ ...intent, reference: "x" }).reason).toEqual(refusal("idempotency_conflict"));
    expect(lane.balance(available("ann"))).toBe(500n);
    expect(lane.answer(producing.payOut("ann", 500)).type).toBe("transfer.completed");
  });

  test.each([
    ["case_id_in_future", NOW_MS - 2 * DAY_MS],
    ["intent_expired", NOW_MS + 401 * DAY_MS],
  ])("does not when the id itself is refused: %s", (code, appendedAtMs) => {
    const lane = new MemoryLane();
    const intent = producing.payIn("ann", 500);
    expect(lane.answer(intent, appendedAtMs).reason?.code).toBe(code);
    expect(lane.case(intent.caseId as string)).toBeUndefined();
    expect(lane.answer(intent).type).toBe("transfer.completed");
  });

  test("in the same block as its retry", () => {
    const lane = new MemoryLane();
    const intent = producing.payOut("ann", 500);
    expect(lane.decide([intent, intent]).map(({ result }) => result)).toEqual(["refused", "repeated"]);
  });
});

describe("a later intent of a case", () => {
  function held(): { lane: MemoryLane; hold: string } {
    const lane = new MemoryLane();
    const place = producing.holdPlace("ann", 400, { idempotencyKey: "capture-1" });
    lane.decide([producing.payIn("ann", 1000), place]);
    return { lane, hold: place.caseId as string };
  }

  test("has a key of its own: the create's key is not it", () => {
    const { lane, hold } = held();
    expect(lane.answer(producing.holdCapture("ann", hold)).type).toBe("hold.captured");
  });

  test("with the same key and body is a repeat, after the case moved on too", () => {
    const { lane, hold } = held();
    const capture = producing.holdCapture("ann", hold);
    const first = lane.answer(capture);
    lane.decide([producing.holdRelease("ann", hold)]);
    expect(lane.answer({ ...capture, occurredAt: 1n })).toMatchObject({
      type: "intent.repeated",
      status: "captured",
      repeatOf: { lane: 1, sequence: first.sequence },
    });
    expect(lane.balance("clearing:payment")).toBe(400n);
  });

  test("with the same key and another body, or another type, is refused idempotency_conflict", () => {
    const { lane, hold } = held();
    lane.decide([producing.holdCapture("ann", hold)]);
    const other = [
      producing.holdCapture("ann", hold, { reference: "x" }),
      producing.holdRelease("ann", hold, { idempotencyKey: "capture-1" }),
    ];
    for (const intent of other) {
      expect(lane.answer(intent)).toMatchObject({
        type: "intent.rejected",
        status: "captured",
        reason: refusal("idempotency_conflict"),
      });
    }
  });

  test("keys may hold what the memory separates its fields by", () => {
    const { lane, hold } = held();
    const capture = producing.holdCapture("ann", hold, { idempotencyKey: "a|b||c|" });
    expect(lane.answer(capture).type).toBe("hold.captured");
    expect(lane.answer(capture).type).toBe("intent.repeated");
    const cut = producing.holdRelease("ann", hold, { idempotencyKey: "a" });
    expect(lane.answer(cut).reason).toEqual(refusal("invalid_state"));
  });

  test("is remembered with input, block, sequence and state", () => {
    const { lane, hold } = held();
    lane.decide([producing.holdCapture("ann", hold)]);
    lane.decide([producing.holdRelease("ann", hold)]);
    const entries = parseHistory(lane.case(hold)?.history ?? "");
    expect(entries.map(({ event, offset, block, sequence, state }) => [event, offset, block, sequence, state])).toEqual(
      [
        ["hold_place", 1n, 1n, 1n, "held"],
        ["hold_capture", 2n, 2n, 2n, "captured"],
        ["hold_release", 3n, 3n, 3n, "captured"],
      ],
    );
    expect(entries.map(({ key }) => key)).toEqual(["capture-1", "capture-1", "release-1"]);
  });
});

test("outcome ids name lane and input alone, and no two inputs share one", () => {
  const lane = new MemoryLane(undefined, 3);
  const intent = producing.payIn("ann", 1);
  const outcomes = lane.decide([intent, intent, producing.payOut("ann", 2)]).flatMap((one) => one.outcomes);
  expect(outcomes.map(({ outcomeId }) => outcomeId)).toEqual(["i-3-0", "i-3-1", "i-3-2"]);
});
