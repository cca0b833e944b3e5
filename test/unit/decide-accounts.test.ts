// What accounts are and who may move their money: opening, floors, freezing, closing, currencies, homes.
import { describe, expect, test } from "vitest";
import { decideIntent } from "../../src/domain/decide/decide.ts";
import { refusal } from "../../src/domain/refusals.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { available, BANK, euros } from "../support/intents.ts";
import { inputOf, MemoryLane, producing } from "../support/ledger.ts";

const OWN = available("ann");
const RESERVE = "liability:customer:ann:unapplied";
const FEES = "revenue:processing_fee";

function funded(minor = 1000): MemoryLane {
  const lane = new MemoryLane();
  expect(lane.answer(producing.payIn("ann", minor)).type).toBe("transfer.completed");
  return lane;
}

function move(minor: number | bigint, from: string, to: string, over: Partial<NewIntent> = {}): NewIntent {
  return producing.payIn("ann", minor, { from, to, ...over });
}

describe("account_open", () => {
  test("opens an account of the holder in its currency with its floor", () => {
    const lane = new MemoryLane();
    const intent = producing.accountOpen("ann", { floorMinor: "-500", currency: "JPY", sourceId: "s-1" });
    expect(lane.answer(intent)).toMatchObject({
      type: "account.opened",
      status: "opened",
      reason: null,
      amounts: {},
      lines: 0,
      flow: "account_open@1.0.0",
      caseId: intent.caseId,
      sourceId: "s-1",
      holderId: "ann",
      intentType: "account_open",
    });
    expect(lane.account(OWN)).toMatchObject({ currency: "JPY", floorMinor: -500n, status: "open", side: "credit" });
    expect(lane.account(OWN)?.id).toBe((1n << 40n) + 1n);
  });

  test.each([
    [undefined, 0n],
    [null, null],
    ["0", 0n],
    [`-${"9".repeat(38)}`, -(10n ** 38n - 1n)],
  ])("a floor of %s is %s", (floorMinor, kept) => {
    const lane = new MemoryLane();
    const over = floorMinor === undefined ? {} : { floorMinor };
    expect(lane.answer(producing.accountOpen("ann", over)).type).toBe("account.opened");
    expect(lane.account(OWN)?.floorMinor).toBe(kept);
  });

  test("a floor above zero is refused: a new account holds nothing", () => {
    const lane = new MemoryLane();
    const outcome = lane.answer(producing.accountOpen("ann", { floorMinor: "1" }));
    expect(outcome).toMatchObject({ type: "account_open.rejected", reason: refusal("insufficient_funds") });
    expect(lane.account(OWN)).toBeUndefined();
  });

  test.each([
    ["liability:nowhere:ann", "unknown_account"],
    [BANK, "not_home"],
    [available("bob"), "not_home"],
    ["liability:customer:ann:hold", "account_reserved"],
  ] as const)("of %s is refused %s", (account, code) => {
    expect(new MemoryLane().answer(producing.accountOpen("ann", { account })).reason).toEqual(refusal(code));
  });

  test("of an account that flows alone may touch changes nothing of it, so that a timer finds what was set aside", () => {
    const lane = new MemoryLane();
    lane.decide([producing.payIn("ann", 500), producing.holdPlace("ann", 300)]);
    const account = "liability:customer:ann:hold";
    const raise = producing.accountUpdate("ann", "floor", { account, floorMinor: "300" });
    expect(lane.answer(raise).reason).toEqual(refusal("account_reserved"));
    expect(lane.answer(producing.accountUpdate("ann", "close", { account })).reason).toEqual(
      refusal("account_reserved"),
    );
    expect(lane.account(account)).toMatchObject({ floorMinor: 0n, status: "open" });
  });

  test("twice is invalid_state, in another currency currency_mismatch, of a closed one account_closed", () => {
    const lane = new MemoryLane();
    lane.decide([producing.accountOpen("ann")]);
    expect(lane.answer(producing.accountOpen("ann")).reason).toEqual(refusal("invalid_state"));
    expect(lane.answer(producing.accountOpen("ann", { currency: "USD" })).reason).toEqual(refusal("currency_mismatch"));
    lane.decide([producing.accountUpdate("ann", "close")]);
    expect(lane.answer(producing.accountOpen("ann")).reason).toEqual(refusal("account_closed"));
    expect(lane.answer(producing.accountOpen("ann", { currency: "USD" })).reason).toEqual(refusal("currency_mismatch"));
  });

  test("refused leaves no account behind, so it can be opened by the next intent of the same block", () => {
    const lane = new MemoryLane();
    const decided = lane.decide([
      producing.accountOpen("ann", { floorMinor: "1" }),
      producing.accountOpen("ann", { currency: "USD" }),
      producing.accountOpen("bob", { account: available("bob") }),
    ]);
    expect(decided.map(({ result }) => result)).toEqual(["refused", "accepted", "accepted"]);
    expect(lane.account(OWN)).toMatchObject({ currency: "USD", id: (1n << 40n) + 1n });
    expect(lane.account(available("bob"))?.id).toBe((1n << 40n) + 2n);
  });
});

describe("account_update", () => {
  test("sets the floor, up to what is there and not above", () => {
    const lane = funded(1000);
    const floor = (floorMinor: string | null) => lane.answer(producing.accountUpdate("ann", "floor", { floorMinor }));
    expect(floor("1000")).toMatchObject({ type: "account.updated", status: "updated", lines: 0 });
    expect(lane.answer(producing.payOut("ann", 1)).reason).toEqual(refusal("insufficient_funds"));
    expect(floor("1001").reason).toEqual(refusal("insufficient_funds"));
    expect(lane.account(OWN)?.floorMinor).toBe(1000n);
    floor("-200");
    expect(lane.answer(producing.payOut("ann", 1200)).reason).toBeNull();
    expect(lane.answer(producing.payOut("ann", 1)).reason).toEqual(refusal("insufficient_funds"));
    floor(null);
    expect(lane.answer(producing.payOut("ann", 1_000_000)).reason).toBeNull();
    expect(lane.balance(OWN)).toBe(-1_000_200n);
    expect(floor("0").reason).toEqual(refusal("insufficient_funds"));
  });

  test("freezes, in both directions, and unfreezes", () => {
    const lane = funded(1000);
    expect(lane.answer(producing.accountUpdate("ann", "freeze")).type).toBe("account.updated");
    expect(lane.answer(producing.payIn("ann", 1)).reason).toEqual(refusal("account_frozen"));
    expect(lane.answer(producing.payOut("ann", 1)).reason).toEqual(refusal("account_frozen"));
    expect(lane.answer(producing.accountUpdate("ann", "floor", { floorMinor: "1" })).type).toBe("account.updated");
    expect(lane.answer(producing.accountUpdate("ann", "unfreeze")).type).toBe("account.updated");
    expect(lane.answer(producing.payOut("ann", 999)).reason).toBeNull();
    expect(lane.answer(producing.payOut("ann", 1)).reason).toEqual(refusal("insufficient_funds"));
  });

  test("closes an empty account for good", () => {
    const lane = funded(1000);
    expect(lane.answer(producing.accountUpdate("ann", "close")).reason).toEqual(refusal("account_not_empty"));
    lane.decide([producing.payOut("ann", 1000), producing.accountUpdate("ann", "close")]);
    expect(lane.account(OWN)?.status).toBe("closed");
    for (const change of ["floor", "freeze", "unfreeze", "close"]) {
      expect(lane.answer(producing.accountUpdate("ann", change)).reason).toEqual(refusal("account_closed"));
    }
    expect(lane.answer(producing.payIn("ann", 1)).reason).toEqual(refusal("account_closed"));
  });

  test("an account that is overdrawn is not empty either", () => {
    const lane = new MemoryLane();
    lane.decide([producing.accountOpen("ann", { floorMinor: null }), producing.payOut("ann", 5)]);
    expect(lane.answer(producing.accountUpdate("ann", "close")).reason).toEqual(refusal("account_not_empty"));
  });

  test.each([
    [{ account: "liability:nowhere:ann" }, "unknown_account"],
    [{ account: BANK }, "not_home"],
    [{ account: available("bob") }, "not_home"],
    [{ account: RESERVE }, "invalid_state"], // in the chart, and nobody has opened it
    [{ currency: "USD" }, "currency_mismatch"],
  ] as const)("of %j is refused %s", (over, code) => {
    const lane = funded();
    lane.decide([producing.payIn("bob", 1)]);
    const outcome = lane.answer(producing.accountUpdate("ann", "freeze", over));
    expect(outcome).toMatchObject({ type: "account_update.rejected", reason: refusal(code) });
  });

  test("refused changes nothing, also behind a change in the same block", () => {
    const lane = funded(1000);
    lane.decide([
      producing.accountUpdate("ann", "floor", { floorMinor: "400" }),
      producing.accountUpdate("ann", "floor", { floorMinor: "2000" }),
      producing.accountUpdate("ann", "close"),
    ]);
    expect(lane.account(OWN)).toMatchObject({ floorMinor: 400n, status: "open" });
  });
});

describe("a transfer", () => {
  test("answers with its amount, its lines, its flow and what the intent carried", () => {
    const lane = funded();
    const intent = producing.payOut("ann", 400, {
      sourceId: "src",
      idempotencyKey: "own-key",
      reference: "rent",
      metadata: { k: "v" },
      correlationId: "cor",
      causationId: "cau",
      traceparent: "00-1-2-01",
    });
    const [decided] = lane.decide([intent]);
    expect(decided?.outcomes).toEqual([
      {
        lane: 1,
        sequence: 1n,
        block: 2n,
        outcomeId: "i-1-1",
        type: "transfer.completed",
        status: "completed",
        caseId: intent.caseId,
        sourceId: "src",
        holderId: "ann",
        intentType: "transfer_create",
        idempotencyKey: "own-key",
        reason: null,
        repeatOf: null,
        lines: 1,
        flow: "transfer@1.1.0",
        amounts: { requested: { currency: "EUR", scale: 2, minor: "400" } },
        occurredAt: intent.occurredAt,
        recordedAt: intent.occurredAt,
        correlationId: "cor",
        causationId: "cau",
        traceparent: "00-1-2-01",
        parentId: null,
      },
    ]);
    const [, line] = lane.lines;
    expect(line).toMatchObject({ debit: { path: OWN }, credit: { path: BANK }, minor: 400n, posting: "P17" });
  });

  test("moves the full balance to the floor and not one unit beyond", () => {
    const lane = funded(1000);
    expect(lane.answer(producing.payOut("ann", 1001)).reason).toEqual(refusal("insufficient_funds"));
    expect(lane.answer(producing.payOut("ann", 1000)).reason).toBeNull();
    expect(lane.balance(OWN)).toBe(0n);
    expect(lane.answer(producing.payOut("ann", 1)).reason).toEqual(refusal("insufficient_funds"));
  });

  test("into an account below its floor is welcome, out of it is not", () => {
    const lane = new MemoryLane();
    lane.decide([
      producing.accountOpen("ann", { floorMinor: "-1000" }),
      producing.payOut("ann", 1000),
      producing.accountUpdate("ann", "floor", { floorMinor: "-1000" }),
    ]);
    // The books of an account that fell below its floor by a forced posting.
    const overdrawn = lane.account(OWN);
    if (overdrawn !== undefined) overdrawn.floorMinor = 0n;
    expect(lane.answer(producing.payIn("ann", 300)).reason).toBeNull();
    expect(lane.balance(OWN)).toBe(-700n);
    expect(lane.answer(producing.payOut("ann", 1)).reason).toEqual(refusal("insufficient_funds"));
  });

  test("sees what earlier intents of its block did", () => {
    const lane = new MemoryLane();
    const decided = lane.decide([
      producing.payOut("ann", 5),
      producing.payIn("ann", 5),
      producing.payOut("ann", 5),
      producing.payOut("ann", 5),
    ]);
    expect(decided.map(({ result }) => result)).toEqual(["refused", "accepted", "accepted", "refused"]);
  });

  test("goes between two accounts of the holder, and between two of the house", () => {
    const lane = funded(1000);
    expect(lane.answer(move(300, OWN, RESERVE)).reason).toBeNull();
    expect(lane.answer(move(70, BANK, FEES)).reason).toBeNull();
    expect([lane.balance(OWN), lane.balance(RESERVE), lane.balance(FEES), lane.balance(BANK)]).toEqual([
      700n,
      300n,
      70n,
      1000n - 70n + 140n, // the bank's asset grew by both debits
    ]);
  });

  test("house accounts have no floor", () => {
    const lane = new MemoryLane();
    expect(lane.answer(move(10n ** 38n - 1n, FEES, BANK)).reason).toBeNull();
    expect(lane.balance(FEES)).toBe(-(10n ** 38n - 1n));
  });

  test("to another holder's account waits in transit and asks that holder's lane, whether the account is known here or not", () => {
    const lane = funded();
    lane.decide([producing.payIn("bob", 1)]);
    for (const to of [available("bob"), available("eve")]) {
      const { outcomes, messages } = lane.block((books) => {
        decideIntent(books, inputOf(move(1, OWN, to), 77n));
        return { outcomes: [...books.outcomes], messages: [...books.messages] };
      });
      expect(outcomes).toMatchObject([{ type: "transfer.submitted", lines: 1, status: "sent" }]);
      expect(messages).toMatchObject([
        { report: { call: "transfer_credit", result: "asked", payload: { account: to } } },
      ]);
    }
    expect([lane.balance(available("bob")), lane.balance("clearing:transit")]).toEqual([1n, 2n]);
  });

  test("from another holder's account is not_home", () => {
    const lane = funded();
    lane.decide([producing.payIn("bob", 1)]);
    expect(lane.answer(move(1, available("bob"), BANK)).reason).toEqual(refusal("not_home"));
    expect(lane.balance(available("bob"))).toBe(1n);
  });

  test("needs the account's own currency; house accounts have every one", () => {
    const lane = funded();
    const dollars = { amount: { currency: "USD", scale: 2, minor: "5" } };
    expect(lane.answer(producing.payIn("ann", 0, dollars)).reason).toEqual(refusal("currency_mismatch"));
    expect(lane.answer(move(0, OWN, RESERVE, dollars)).reason).toEqual(refusal("currency_mismatch"));
    expect(lane.account(RESERVE)).toBeUndefined();
    expect(lane.answer(producing.payIn("ann", 0, { ...dollars, to: RESERVE })).reason).toBeNull();
    expect(lane.balance(BANK, "USD")).toBe(5n);
    expect(lane.answer(move(1, OWN, RESERVE)).reason).toEqual(refusal("currency_mismatch"));
    expect([lane.balance(BANK), lane.balance(RESERVE)]).toEqual([1000n, 5n]);
  });

  test("opens an account by its first line, with the chart's default, in the line's currency", () => {
    const lane = new MemoryLane();
    const yen = { amount: { currency: "JPY", scale: 0, minor: "5" } };
    lane.decide([producing.payIn("ann", 0, yen)]);
    expect(lane.account(OWN)).toMatchObject({ currency: "JPY", floorMinor: 0n, status: "open" });
    expect(lane.answer(producing.payIn("ann", 1)).reason).toEqual(refusal("currency_mismatch"));
  });

  test("refused as an account's first line opens nothing and takes no account number", () => {
    const lane = new MemoryLane();
    expect(lane.answer(producing.payOut("ann", 1)).reason).toEqual(refusal("insufficient_funds"));
    expect(lane.accounts()).toEqual([]);
    lane.decide([producing.payIn("ann", 1)]);
    const first = 1n << 40n;
    expect(new Set(lane.accounts().map(({ id }) => id))).toEqual(new Set([-(first + 1n), first + 2n]));
    expect(lane.account(OWN)?.currency).toBe("EUR");
  });

  test.each(["1", "9".repeat(38)])("of %s minor units is booked exactly", (minor) => {
    const lane = new MemoryLane();
    expect(lane.answer(producing.payIn("ann", 0, { amount: euros(minor) })).amounts).toEqual({
      requested: euros(minor),
    });
    expect(lane.balance(OWN)).toBe(BigInt(minor));
  });

  test("refused gives back what was asked, in the ledger's scale, also in a currency that there is not", () => {
    const lane = new MemoryLane();
    const asked = { currency: "QQQ", scale: 7, minor: "12" };
    expect(lane.answer(producing.payIn("ann", 0, { amount: asked })).amounts).toEqual({ requested: asked });
    expect(lane.answer(producing.payIn("ann", -1)).amounts).toEqual({ requested: euros("-1") });
  });

  test("under an id of any kind: its 16 bytes alone identify the case", () => {
    const lane = new MemoryLane();
    const ulid = producing.caseId("trf");
    expect(lane.answer(producing.payIn("ann", 5, { caseId: ulid })).type).toBe("transfer.completed");
    const otherKind = `pay${ulid.slice(3)}`;
    const { reason } = lane.answer(producing.payIn("ann", 5, { caseId: otherKind }));
    expect(reason).toEqual(refusal("idempotency_conflict"));
  });
});
