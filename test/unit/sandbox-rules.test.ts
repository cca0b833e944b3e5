// What the sandbox's providers make of requests, without a server: what a payment allows, where each fate leads, what is
// told and how it is signed.

import { describe, expect, test } from "vitest";
import { FATES, type Fate, POSTS, SMOOTH } from "../../src/sandbox/behaviour.ts";
import { type CardcoAsked, cardcoEvent, cardcoTurn, cardcoView, poolOf, whyNot } from "../../src/sandbox/cardco.ts";
import { copiesOf } from "../../src/sandbox/deliveries.ts";
import {
  INSTANET_KINDS,
  instanetEvent,
  instanetTurn,
  instanetView,
  isClosable,
  returnableOf,
  SORTS,
} from "../../src/sandbox/instanet.ts";
import { type Begun, firstPaidId, Memory, type Operation, statusOf, type Turn } from "../../src/sandbox/memory.ts";
import { planOf } from "../../src/sandbox/plan.ts";
import { recordLines, statement } from "../../src/sandbox/record.ts";
import {
  cardcoSignature,
  equalSecrets,
  idOf,
  instanetSignature,
  isToken,
  makeToken,
} from "../../src/sandbox/signatures.ts";

const AT = Date.parse("2026-11-20T10:00:00Z");

function begun(kind: string, minor: string, rest: Partial<Begun> = {}): Begun {
  const turn = { at: AT, step: 0, status: "completed", minor, code: null, effect: "done" } as const;
  return {
    e: "begun",
    provider: "cardco",
    key: `${kind}/${minor}`,
    print: "",
    kind,
    payment: "authorizations/pay_1",
    reference: "pay_1",
    currency: "EUR",
    minor,
    token: null,
    expiresAt: null,
    isFinal: false,
    isPartialTaken: false,
    behaviour: SMOOTH,
    turn: ["authorization", "order", "increment"].includes(kind) ? { ...turn, status: "approved" } : turn,
    ...rest,
  };
}

function remembered(...entries: readonly Begun[]): Memory {
  const memory = new Memory();
  for (const entry of entries) memory.apply(entry);
  return memory;
}

const kinOf = (memory: Memory): readonly Operation[] => memory.ofPayment("cardco", "authorizations/pay_1");

describe("a payment at cardco", () => {
  const declined = (entry: Begun): Begun => ({ ...entry, turn: { ...entry.turn, status: "declined", effect: null } });
  const pending = (entry: Begun): Begun => ({ ...entry, turn: { ...entry.turn, status: "pending", effect: null } });

  test("allows what is open to be captured or voided, and what is captured to be refunded", () => {
    const kin = kinOf(remembered(begun("authorization", "1000"), begun("increment", "200"), begun("capture", "700")));
    expect(poolOf(kin)).toEqual({ open: 500n, captured: 700n, refundable: 700n });
    expect([whyNot("capture", 500n, kin), whyNot("capture", 501n, kin)]).toEqual([
      null,
      "amount_exceeds_authorization",
    ]);
    expect([whyNot("void", 500n, kin), whyNot("void", 501n, kin)]).toEqual([null, "nothing_to_void"]);
    expect([whyNot("refund", 700n, kin), whyNot("refund", 701n, kin)]).toEqual([null, "amount_exceeds_captured"]);
  });

  test("counts what is pending as taken, and what was declined not", () => {
    const kin = kinOf(
      remembered(begun("authorization", "1000"), pending(begun("capture", "600")), declined(begun("void", "400"))),
    );
    expect(poolOf(kin)).toEqual({ open: 400n, captured: 600n, refundable: 600n });
    expect(whyNot("increment", 1n, kinOf(remembered(declined(begun("authorization", "5")))))).toBe("not_authorized");
  });

  test("has nothing open behind a final capture", () => {
    expect(
      poolOf(kinOf(remembered(begun("authorization", "1000"), begun("capture", "1", { isFinal: true })))).open,
    ).toBe(0n);
  });
});

/** Every status that an operation goes through, with what it had of effects. */
function walkCardco(kind: string, fate: Fate, isPartialTaken = false): string[] {
  const kin = kinOf(remembered(begun("authorization", "5000"), begun("capture", "2000")));
  const turns: Omit<Turn, "at">[] = [];
  planOf("card", fate).forEach((step, index) => {
    const asked: CardcoAsked = {
      kind,
      minor: "1001",
      code: null,
      isPartialTaken,
      isEnded: false,
      isDeclined: turns.at(-1)?.status === "declined",
      isDone: turns.some(({ effect }) => effect === "done"),
    };
    const turn = cardcoTurn(asked, step, index, kin);
    if (turn !== null) turns.push(turn);
  });
  return turns.map(({ status, minor, effect }) => `${status} ${minor} ${effect ?? "-"}`);
}

describe("where fates lead at cardco", () => {
  test.each([
    ["authorization", "done", ["approved 1001 done"]],
    ["authorization", "declined", ["declined 1001 -"]],
    ["authorization", "partial", ["declined 1001 -"]],
    ["authorization", "action_done", ["action_required 1001 -", "approved 1001 done"]],
    ["authorization", "action_abandoned", ["action_required 1001 -", "declined 1001 -"]],
    ["authorization", "pending_failed", ["pending 1001 -", "failed 1001 -"]],
    ["authorization", "done_failed", ["approved 1001 done", "failed 1001 undone"]],
    ["authorization", "declined_done", ["declined 1001 -", "approved 1001 done"]],
    ["authorization", "disputed", ["approved 1001 done"]],
    ["capture", "partial", ["completed 1001 done"]],
    ["capture", "action_done", ["pending 1001 -", "completed 1001 done"]],
    ["capture", "disputed", ["completed 1001 done", "completed 1001 disputed"]],
    ["refund", "pending_done", ["pending 1001 -", "completed 1001 done"]],
    ["refund", "done_failed", ["completed 1001 done", "failed 1001 undone"]],
  ] as const)("a %s that is %s", (kind, fate, expected) => {
    expect(walkCardco(kind, fate)).toEqual(expected);
  });

  test("half, rounded up, where less is welcome", () => {
    expect(walkCardco("authorization", "partial", true)).toEqual(["approved 501 done"]);
  });

  test("no fate has an effect twice, or takes back what was not done", () => {
    for (const kind of ["authorization", "order", "increment", "capture", "void", "refund"]) {
      for (const fate of Object.keys(FATES) as Fate[]) {
        const effects = walkCardco(kind, fate)
          .map((turn) => turn.split(" ")[2])
          .filter((effect) => effect !== "-");
        expect([kind, fate, ["", "done", "done undone", "done disputed"].includes(effects.join(" "))]).toEqual([
          kind,
          fate,
          true,
        ]);
      }
    }
  });

  test("what was refused at first, and what a void has ended, takes no later step", () => {
    const late = { does: "succeed", when: "late", code: null } as const;
    const asked = {
      kind: "capture",
      minor: "9",
      code: null,
      isPartialTaken: false,
      isEnded: true,
      isDeclined: true,
      isDone: false,
    };
    expect(cardcoTurn(asked, late, 1, [])).toBeNull();
    // Declined and late done after all: meanwhile somebody else has captured it.
    const kin = kinOf(remembered(begun("authorization", "10"), begun("capture", "5")));
    expect(cardcoTurn({ ...asked, isEnded: false }, late, 1, kin)).toBeNull();
    expect(cardcoTurn({ ...asked, isEnded: false, minor: "5" }, late, 1, kin)).not.toBeNull();
  });
});

function walkInstanet(kind: (typeof INSTANET_KINDS)[number], fate: Fate, closesAt: number | null = null): Operation {
  const memory = new Memory();
  let operation: Operation | null = null;
  planOf(SORTS[kind], fate).forEach((step, index) => {
    if (operation !== null && index === closesAt && isClosable(operation)) {
      const turn = { at: AT, step: null, status: "closed", minor: "0", code: null, effect: null };
      memory.apply({ e: "turned", provider: "instanet", key: operation.key, turn });
    }
    const turn = instanetTurn({ kind, minor: "1001", code: null }, step, index, operation);
    if (turn === null) return;
    if (operation === null) {
      memory.apply(
        begun(kind, "1001", {
          provider: "instanet",
          key: `${kind}/tx1`,
          payment: "",
          // Of a bank transfer the payer's bank asks, of others it claims.
          details: fate === "claimed" ? {} : { as: "bank_transfer" },
          turn: { at: AT, ...turn },
        }),
      );
      operation = memory.find("instanet", `${kind}/tx1`);
    } else memory.apply({ e: "turned", provider: "instanet", key: operation.key, turn: { at: AT, ...turn } });
  });
  return operation as unknown as Operation;
}

describe("where fates lead at instanet", () => {
  const told = ({ turns }: Operation): string =>
    turns.map(({ status, minor, effect }) => `${status}${effect === null ? "" : `(${effect} ${minor})`}`).join(" ");

  test.each([
    ["charges", "done", "active completed(done 1001)"],
    ["charges", "partial", "active active(done 501)"],
    ["charges", "overpaid", "active completed(done 1002)"],
    ["charges", "paid_twice", "active completed(done 1001) completed(done 1001)"],
    ["charges", "action_abandoned", "active failed"],
    ["deposits", "done", "active processing completed(done 1001)"],
    ["deposits", "pending_failed", "active processing returned"],
    ["deposits", "done_failed", "active processing completed(done 1001) returned(undone 1001)"],
    ["charges", "disputed", "active completed(done 1001) returned(undone 1001)"],
    ["charges", "recalled", "active completed(done 1001) completed(recalled 1001)"],
    ["recalls", "done", "processing completed(done 1001)"],
    ["charges", "claimed", "active completed(done 1001) completed(undone 501) completed(undone 500)"],
    ["deposits", "claimed", "active processing completed(done 1001)"],
    ["debits", "claimed", "processing completed(done 1001)"],
    ["payouts", "done", "processing completed(done 1001)"],
    ["payouts", "declined", "failed"],
    ["payouts", "pending_failed", "processing failed"],
    ["payouts", "done_failed", "processing completed(done 1001) returned(undone 1001)"],
    ["payouts", "declined_done", "failed completed(done 1001)"],
    ["debits", "disputed", "processing completed(done 1001) returned(undone 1001)"],
    ["mandates", "done", "processing active(done 1001)"],
    ["mandates", "done_failed", "processing active(done 1001) closed(undone 1001)"],
  ] as const)("%s that are %s", (kind, fate, expected) => {
    expect(told(walkInstanet(kind, fate))).toBe(expected);
  });

  test("what is closed stays so, and money that comes all the same is written down", () => {
    expect(told(walkInstanet("charges", "done", 1))).toBe("active closed");
    expect(told(walkInstanet("charges", "paid_late", 1))).toBe("active closed closed(done 1001)");
    expect(told(walkInstanet("deposits", "done", 2))).toBe("active processing completed(done 1001)");
    expect(told(walkInstanet("payouts", "done", 1))).toBe("processing completed(done 1001)");
  });

  test("only what is paid twice has an effect twice", () => {
    for (const kind of INSTANET_KINDS) {
      for (const fate of Object.keys(FATES) as Fate[]) {
        const done = walkInstanet(kind, fate).turns.filter(({ effect }) => effect === "done").length;
        expect([kind, fate, done <= 1 || fate === "paid_twice"]).toEqual([kind, fate, true]);
      }
    }
  });

  test("shows what the payer's bank asks for, of which nothing has moved", () => {
    const operation = walkInstanet("charges", "recalled");
    const [, paid, recalled] = [0, 1, 2].map((index) => instanetView(operation, index, ""));
    expect(paid).not.toHaveProperty("recalls");
    const payment = (recalled?.["payments"] as { id: string }[] | undefined)?.[0]?.id;
    const amount = { currency: "EUR", minor: "1001" };
    expect(recalled).toMatchObject({
      status: "completed",
      reason: null,
      details: { as: "bank_transfer" },
      recalls: [{ payment, amount, reason: { code: "recall_fraud" } }],
    });
  });

  test("shows the payments so far, and no more, at each version", () => {
    const operation = walkInstanet("charges", "paid_twice");
    const counts = operation.turns.map(
      (_, index) => (instanetView(operation, index, "")["payments"] as unknown[]).length,
    );
    expect(counts).toEqual([0, 1, 2]);
    expect(instanetView(operation, 2, "http://x")).toMatchObject({
      txid: "tx1",
      kind: "charges",
      status: "completed",
      version: 3,
    });
    expect(instanetEvent(operation, 0)).not.toHaveProperty("payment");
    expect(instanetEvent(operation, 1)).toMatchObject({
      version: 2,
      payment: { amount: { currency: "EUR", minor: "1001" } },
    });
  });
});

test("instanet shows what was claimed of a payment beside it, and gives back no more than is left", () => {
  const operation = walkInstanet("charges", "claimed");
  const shown = instanetView(operation, 3, "") as { status: string; reason: unknown; claims: { id: string }[] };
  expect([shown.status, shown.reason]).toEqual(["completed", null]);
  expect(shown.claims).toMatchObject([
    { payment: firstPaidId(operation), amount: { minor: "501" }, reason: { code: "recall_fraud" } },
    { payment: firstPaidId(operation), amount: { minor: "500" }, reason: { code: "recall_fraud" } },
  ]);
  expect(new Set(shown.claims.map(({ id }) => id)).size).toBe(2);
  const [, paid] = operation.turns;
  const turn = paid as Turn;
  expect(returnableOf({ operation, turn, effect: "done" }, [])).toBe(0n);
  const halfway = { ...operation, turns: operation.turns.slice(0, 3) };
  expect(returnableOf({ operation: halfway, turn, effect: "done" }, [])).toBe(500n);
});

test("cardco shows an operation as it was at each of its turns, under an event's id of its own", () => {
  const memory = remembered(
    begun("refund", "100", { turn: { at: AT, step: 0, status: "pending", minor: "100", code: null, effect: null } }),
  );
  const turn = { at: AT + 1, step: 1, status: "failed", minor: "100", code: "lost_card", effect: null };
  memory.apply({ e: "turned", provider: "cardco", key: "refund/100", turn });
  const [operation] = kinOf(memory) as [Operation];
  expect(statusOf(operation)).toBe("failed");
  const [first, second] = [cardcoView(operation, 0, ""), cardcoView(operation, 1, "")];
  expect([first["status"], second["status"], first["event_id"] === second["event_id"]]).toEqual([
    "pending",
    "failed",
    false,
  ]);
  expect(second["reason"]).toEqual({ code: "lost_card", network_code: "41", advice_code: "03" });
  expect(cardcoEvent(operation, 1, "")).toMatchObject({
    type: "refund.failed",
    id: second["event_id"],
    operation: second,
  });
});

describe("what is told", () => {
  test("comes as the word says: how often, when, and with which signature", () => {
    const told = (post: keyof typeof POSTS, index = 0) =>
      copiesOf(post, index).map(({ delay, isForged }) => `${delay}${isForged ? " forged" : ""}`);
    expect(told("once")).toEqual(["none"]);
    expect(told("twice")).toEqual(["none", "late"]);
    expect(told("late")).toEqual(["late"]);
    expect(told("early")).toEqual(["none"]);
    expect([told("swapped", 0), told("swapped", 1)]).toEqual([["twice_late"], ["none"]]);
    expect(told("forged")).toEqual(["none forged", "none"]);
    expect(told("unsent")).toEqual([]);
  });

  test("has ids of its own in each copy, so that a restart knows which was taken", () => {
    for (const post of Object.keys(POSTS) as (keyof typeof POSTS)[]) {
      const suffixes = copiesOf(post, 0).map(({ suffix }) => suffix);
      expect(new Set(suffixes).size).toBe(suffixes.length);
    }
  });
});

describe("signatures", () => {
  // Computed beside this: printf '%s' '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
  const HEX = "49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686";

  test("are the HMAC of time, dot and body", () => {
    expect(cardcoSignature("secret", 1_700_000_000, '{"a":1}')).toBe(`t=1700000000,v1=${HEX}`);
    expect(instanetSignature("k1", "secret", 1_700_000_000, '{"a":1}')).toBe(`keyid=k1,t=1700000000,sig=${HEX}`);
  });

  test("access tokens are good until they end, and only those that we made", () => {
    const token = makeToken("secret", AT);
    expect([isToken("secret", token, AT - 1), isToken("secret", token, AT)]).toEqual([true, false]);
    expect(isToken("another", token, AT - 1)).toBe(false);
    expect(isToken("secret", token.replace(/^\d+/, String(AT + 1000)), AT - 1)).toBe(false);
    for (const wrong of ["", "x", `${AT}.`, token.slice(1)]) expect(isToken("secret", wrong, AT - 1)).toBe(false);
  });

  test("secrets are equal or not, of whatever length", () => {
    expect([equalSecrets("a", "a"), equalSecrets("a", "b"), equalSecrets("", "a"), equalSecrets("aa", "a")]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test("ids are letters only, the same for the same text", () => {
    expect(idOf("op", "x")).toMatch(/^op_[a-p]{32}$/);
    expect([idOf("op", "x") === idOf("op", "x"), idOf("op", "x") === idOf("op", "y")]).toEqual([true, false]);
  });
});

describe("record and statement", () => {
  const memory = remembered(
    begun("authorization", "1000"),
    begun("capture", "700", { key: 'a,"b"' }),
    begun("refund", "300"),
    begun("capture", "50", { key: "yen", currency: "JPY", payment: "orders/o1" }),
    begun("payouts", "9", { provider: "instanet", key: "payouts/t1", payment: "" }),
    begun("recalls", "0", { provider: "instanet", key: "recalls/t2", payment: "p1", details: { recall: "r1" } }),
    begun("recalls", "8", { provider: "instanet", key: "recalls/t3", payment: "p2", details: { recall: "r2" } }),
  );
  memory.apply({
    e: "turned",
    provider: "cardco",
    key: "refund/300",
    turn: { at: AT + 86_400_000, step: 1, status: "failed", minor: "300", code: null, effect: "undone" },
  });
  const rows = (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => line.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/));

  test("the record has every effect in order, by key or txid", () => {
    const lines = recordLines(memory)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ key, txid, kind, effect, amount }) => [key ?? txid, kind, effect, amount.minor])).toEqual([
      ["authorization/1000", "authorization", "done", "1000"],
      ['a,"b"', "capture", "done", "700"],
      ["refund/300", "refund", "done", "300"],
      ["yen", "capture", "done", "50"],
      ["t1", "payouts", "done", "9"],
      ["t2", "recalls", "done", "0"],
      ["t3", "recalls", "done", "8"],
      ["refund/300", "refund", "undone", "300"],
    ]);
  });

  test("the statement has what moved money, signed, and totals by currency", () => {
    const told = rows(statement(memory, "cardco", null)).map((row) => [
      row[2],
      row[4],
      row[8],
      row[9],
      row[10],
      row[6],
    ]);
    expect(told).toEqual([
      ["1", "capture", "card", "EUR", "700", '"a,""b"""'],
      ["2", "refund", "card", "EUR", "-300", "refund/300"],
      ["3", "capture", "pay_later", "JPY", "50", "yen"],
      ["4", "refund_reversed", "card", "EUR", "300", "refund/300"],
      ["3", "total", "", "EUR", "700", ""],
      ["1", "total", "", "JPY", "50", ""],
    ]);
    expect(rows(statement(memory, "instanet", null)).map((row) => [row[4], row[10]])).toEqual([
      ["payout", "-9"],
      ["recall", "-8"],
      ["total", "-17"],
    ]);
  });

  test("of one day has that day's alone", () => {
    expect(rows(statement(memory, "cardco", "2026-11-21")).map((row) => row[4])).toEqual(["refund_reversed", "total"]);
    expect(rows(statement(memory, "cardco", "2026-11-22"))).toEqual([]);
  });
});

test("a memory that is told twice that something begins, or of something that never began, is a bug", () => {
  const memory = remembered(begun("capture", "1"));
  expect(() => memory.apply(begun("capture", "1"))).toThrow("begins twice");
  expect(() =>
    memory.apply({ e: "turned", provider: "cardco", key: "none", turn: begun("capture", "1").turn }),
  ).toThrow("turns before it begins");
});
