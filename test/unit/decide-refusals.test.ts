// Every refusal that an intent can get, and which of two is given when both apply.
import { describe, expect, test } from "vitest";
import { REFUSAL_CODES, type RefusalCode, refusal } from "../../src/domain/refusals.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { available, BANK, caseId, euros } from "../support/intents.ts";
import { DAY_MS, MemoryLane, NOW_MS, producing } from "../support/ledger.ts";

const OWN = available("ann");
const FROZEN = "liability:customer:ann:unapplied";
const CLOSED = "liability:merchant:ann:pending";
const OTHERS = available("bob");
const NOWHERE = "liability:nowhere:ann";
const TAKEN = caseId("trf", NOW_MS - 1000);
const TOO_LARGE = `1${"0".repeat(38)}`;

/** Ann has 500.00 EUR, a frozen account and a closed one; a case of hers is known; Bob has an account too. */
function lane(): MemoryLane {
  const lane = new MemoryLane();
  const accepted = lane.decide([
    producing.payIn("ann", 50_000, { caseId: TAKEN }),
    producing.payIn("bob", 100),
    producing.accountOpen("ann", { account: FROZEN }),
    producing.accountUpdate("ann", "freeze", { account: FROZEN }),
    producing.accountOpen("ann", { account: CLOSED }),
    producing.accountUpdate("ann", "close", { account: CLOSED }),
  ]);
  expect(accepted.map(({ result }) => result)).toEqual(Array.from({ length: 6 }, () => "accepted"));
  return lane;
}

/** What may be wrong with a transfer, by the parts of it that are wrong. The sound one pays 10.00 EUR out to the bank. */
type Parts = { id: string; minor: string; currency: string; from: string; to: string };
const SOUND: Parts = { id: "", minor: "1000", currency: "EUR", from: OWN, to: BANK };

/** The ways to commit each fault; the first that leaves the other fault's parts alone is taken. */
const FAULTS = {
  malformed_case_id: [{ id: "trf_not-an-id" }],
  case_id_in_future: [{ id: caseId("trf", NOW_MS + DAY_MS + 1) }],
  intent_expired: [{ id: caseId("trf", NOW_MS - 400 * DAY_MS - 1) }],
  idempotency_conflict: [{ id: TAKEN }],
  amount_not_positive: [{ minor: "0" }],
  amount_too_large: [{ minor: TOO_LARGE }],
  unknown_currency: [{ currency: "QQQ" }],
  account_reserved: [{ to: "clearing:payment" }, { from: "liability:customer:ann:hold" }],
  unknown_account: [{ to: NOWHERE }, { from: NOWHERE }],
  same_account: [{ from: OWN, to: OWN }],
  not_home: [{ from: OTHERS }],
  currency_mismatch: [{ currency: "USD" }],
  account_closed: [{ to: CLOSED }, { from: CLOSED }],
  account_frozen: [{ to: FROZEN }, { from: FROZEN }],
  insufficient_funds: [{ minor: "50001" }],
} satisfies Partial<Record<RefusalCode, readonly Partial<Parts>[]>>;
type Fault = keyof typeof FAULTS;
const CODES = REFUSAL_CODES.filter((code): code is Fault => code in FAULTS);

function transfer(parts: Partial<Parts>): NewIntent {
  const { id, minor, currency, from, to } = { ...SOUND, ...parts };
  const amount = { currency, scale: 2, minor };
  return producing.payOut("ann", 0, { amount, from, to, ...(id === "" ? {} : { caseId: id }) });
}

/** Both faults in one transfer; null when one leaves no room for the other. */
function both(one: Fault, other: Fault): Partial<Parts> | null {
  for (const a of FAULTS[one] as readonly Partial<Parts>[]) {
    for (const b of FAULTS[other] as readonly Partial<Parts>[]) {
      if (Object.keys(a).every((part) => !(part in b))) return { ...a, ...b };
    }
  }
  return null;
}

const PAIRS = CODES.flatMap((one, index) => CODES.slice(index + 1).map((other) => ({ one, other })));

describe("a transfer is refused", () => {
  test("or not: the sound one is accepted", () => {
    expect(lane().answer(transfer({}))).toMatchObject({ type: "transfer.completed", reason: null });
  });

  test.each(CODES)("%s", (code) => {
    const into = lane();
    const before = into.balances();
    for (const parts of FAULTS[code]) {
      expect(into.answer(transfer(parts))).toMatchObject({
        type: "transfer.rejected",
        reason: refusal(code),
        lines: 0,
      });
    }
    expect(into.balances()).toEqual(before);
  });

  test.each(PAIRS.filter(({ one, other }) => both(one, other) !== null))("$one before $other", ({ one, other }) => {
    expect(lane().answer(transfer(both(one, other) ?? {})).reason).toEqual(refusal(one));
  });

  // What cannot be committed side by side as above, and still be seen together.
  const TOGETHER: readonly [Fault, Fault, Partial<Parts>][] = [
    ["amount_not_positive", "amount_too_large", { minor: `-${TOO_LARGE}` }],
    ["amount_too_large", "insufficient_funds", { minor: TOO_LARGE }],
    ["account_reserved", "same_account", { from: "clearing:payment", to: "clearing:payment" }],
    ["unknown_account", "same_account", { from: NOWHERE, to: NOWHERE }],
    ["same_account", "not_home", { from: OTHERS, to: OTHERS }],
    ["same_account", "account_closed", { from: CLOSED, to: CLOSED }],
    ["same_account", "account_frozen", { from: FROZEN, to: FROZEN }],
  ];

  test.each(TOGETHER)("%s before %s", (one, _other, parts) => {
    expect(lane().answer(transfer(parts)).reason).toEqual(refusal(one));
  });

  test("intent_expired before idempotency_conflict, and before a repeat", () => {
    const into = lane();
    const later = NOW_MS + 400 * DAY_MS;
    for (const minor of [50_000, 49_999]) {
      const again = producing.payIn("ann", minor, { caseId: TAKEN });
      expect(into.answer(again, later).reason).toEqual(refusal("intent_expired"));
    }
  });

  test("case_id_in_future before idempotency_conflict, when the broker's clock went back", () => {
    const into = lane();
    const again = producing.payIn("ann", 49_999, { caseId: TAKEN });
    expect(into.answer(again, NOW_MS - 2 * DAY_MS).reason).toEqual(refusal("case_id_in_future"));
  });

  test("every pair is covered above, but for those that no transfer can have", () => {
    const apart = PAIRS.filter(({ one, other }) => both(one, other) === null).map(
      ({ one, other }) => `${one} ${other}`,
    );
    const seen = new Set(TOGETHER.map(([one, other]) => `${one} ${other}`));
    expect(apart.filter((pair) => !seen.has(pair))).toEqual([
      "malformed_case_id case_id_in_future",
      "malformed_case_id intent_expired",
      "malformed_case_id idempotency_conflict",
      "case_id_in_future intent_expired",
      "case_id_in_future idempotency_conflict", // seen above, with another append time
      "intent_expired idempotency_conflict", // as well
      "amount_not_positive insufficient_funds",
      "unknown_currency currency_mismatch",
    ]);
  });
});

describe("the bounds of a case id's time are the kept window and a day ahead", () => {
  test.each([
    [DAY_MS, "transfer.completed"],
    [DAY_MS + 1, "transfer.rejected"],
    [-400 * DAY_MS, "transfer.completed"],
    [-400 * DAY_MS - 1, "transfer.rejected"],
  ])("%i ms from the append time: %s", (ms, type) => {
    expect(lane().answer(transfer({ id: caseId("trf", NOW_MS + ms) })).type).toBe(type);
  });

  test("a UUIDv7 carries its time too", () => {
    const uuid = (ms: number): string => {
      const hex = ms.toString(16).padStart(12, "0");
      return `${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8def-0123456789ab`;
    };
    expect(lane().answer(transfer({ id: uuid(NOW_MS) })).type).toBe("transfer.completed");
    expect(lane().answer(transfer({ id: uuid(NOW_MS).toUpperCase() })).type).toBe("transfer.completed");
    expect(lane().answer(transfer({ id: uuid(NOW_MS + 2 * DAY_MS) })).reason?.code).toBe("case_id_in_future");
    expect(lane().answer(transfer({ id: uuid(0) })).reason?.code).toBe("intent_expired");
  });

  test("the append time counts, not the block's now", () => {
    const into = lane();
    const { reason } = into.answer(transfer({ id: caseId("trf", NOW_MS) }), NOW_MS - 2 * DAY_MS);
    expect(reason).toEqual(refusal("case_id_in_future"));
  });

  test.each([
    "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7", // 25 characters
    "trf_01jd3z7q6r8w2v5k9t0m4n1b7c", // lower case is another spelling of the same bytes
    "trf_81JD3Z7Q6R8W2V5K9T0M4N1B7C", // beyond 128 bits
    "TRF_01JD3Z7Q6R8W2V5K9T0M4N1B7C",
    "01JD3Z7Q6R8W2V5K9T0M4N1B7C",
    "0193b7a0-0000-4000-8000-000000000000", // version 4 has no time
  ])("%s is malformed", (id) => {
    expect(lane().answer(transfer({ id })).reason).toEqual(refusal("malformed_case_id"));
  });

  test("a missing id is malformed", () => {
    const { reason } = lane().answer(producing.payOut("ann", 1, { caseId: null }));
    expect(reason).toEqual(refusal("malformed_case_id"));
  });
});

describe("a later intent of a case is refused", () => {
  function placed(): { into: MemoryLane; hold: string } {
    const into = lane();
    const intent = producing.holdPlace("ann", 1000);
    expect(into.answer(intent).type).toBe("hold.placed");
    return { into, hold: intent.caseId as string };
  }

  test("malformed_case_id before everything", () => {
    const { into } = placed();
    const { reason, type } = into.answer(producing.holdCapture("ann", "hld_1", { amount: euros(0) }));
    expect([type, reason]).toEqual(["intent.rejected", refusal("malformed_case_id")]);
  });

  test("idempotency_conflict before the amount", () => {
    const { into, hold } = placed();
    into.decide([producing.holdCapture("ann", hold)]);
    const { reason } = into.answer(producing.holdCapture("ann", hold, { amount: euros(0) }));
    expect(reason).toEqual(refusal("idempotency_conflict"));
  });

  test.each(["0", "-1", TOO_LARGE])("for its amount of %s before case_not_found and invalid_state", (minor) => {
    const { into, hold } = placed();
    into.decide([producing.holdCapture("ann", hold)]);
    const code = minor === TOO_LARGE ? "amount_too_large" : "amount_not_positive";
    for (const id of [hold, producing.caseId("hld")]) {
      const late = producing.holdRelease("ann", id, { amount: euros(minor) });
      expect(into.answer(late).reason).toEqual(refusal(code));
    }
  });

  test("unknown_currency before case_not_found", () => {
    const { into } = placed();
    const amount = { currency: "QQQ", scale: 2, minor: "1" };
    const { reason } = into.answer(producing.holdCapture("ann", producing.caseId("hld"), { amount }));
    expect(reason).toEqual(refusal("unknown_currency"));
  });

  test("case_not_found, as intent.rejected without status or flow", () => {
    const { into } = placed();
    const outcome = into.answer(producing.holdCapture("ann", producing.caseId("hld")));
    expect(outcome).toMatchObject({ type: "intent.rejected", status: "none", reason: refusal("case_not_found") });
    expect(outcome.flow).toBeNull();
  });

  test("case_not_found for a case of another holder, whatever its state", () => {
    const { into, hold } = placed();
    expect(into.answer(producing.holdCapture("bob", hold)).reason).toEqual(refusal("case_not_found"));
    expect(into.answer(producing.holdCapture("ann", hold)).type).toBe("hold.captured");
  });

  test("case_not_found is not remembered: the key is free when the case is there", () => {
    const into = lane();
    const place = producing.holdPlace("ann", 1000);
    const capture = producing.holdCapture("ann", place.caseId as string);
    expect(into.answer(capture).reason).toEqual(refusal("case_not_found"));
    into.decide([place]);
    expect(into.answer(capture).type).toBe("hold.captured");
  });

  test("invalid_state, and remembers it", () => {
    const { into, hold } = placed();
    into.decide([producing.holdCapture("ann", hold)]);
    const late = producing.holdRelease("ann", hold);
    const refused = into.answer(late);
    expect(refused).toMatchObject({ type: "intent.rejected", status: "captured", reason: refusal("invalid_state") });
    const repeated = into.answer(late);
    expect(repeated).toMatchObject({ type: "intent.repeated", repeatOf: { lane: 1, sequence: refused.sequence } });
  });

  test("invalid_state by a case that was refused, and by one of another flow", () => {
    const { into } = placed();
    const refused = producing.holdPlace("ann", 1_000_000);
    expect(into.answer(refused).reason).toEqual(refusal("insufficient_funds"));
    for (const id of [refused.caseId as string, TAKEN]) {
      expect(into.answer(producing.holdCapture("ann", id)).reason).toEqual(refusal("invalid_state"));
    }
  });
});

test("an amount is judged before the accounts, in account_open's currency and floor too", () => {
  const into = lane();
  const open = (over: Partial<NewIntent>) => into.answer(producing.accountOpen("ann", { account: NOWHERE, ...over }));
  expect(open({ currency: "QQQ" }).reason).toEqual(refusal("unknown_currency"));
  expect(open({ floorMinor: TOO_LARGE }).reason).toEqual(refusal("amount_too_large"));
  expect(open({ floorMinor: `-${TOO_LARGE}`, currency: "QQQ" }).reason).toEqual(refusal("amount_too_large"));
  expect(open({}).reason).toEqual(refusal("unknown_account"));
});
