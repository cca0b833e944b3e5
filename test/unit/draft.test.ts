// What one event would do: all of it or nothing, and nothing is left behind by what was refused.
import { describe, expect, test } from "vitest";
import { AssertionFailed } from "../../src/domain/assert.ts";
import { type Books, type CaseRecord } from "../../src/domain/books.ts";
import { type Cause, Draft } from "../../src/domain/decide/draft.ts";
import type { CompiledFlow } from "../../src/domain/flow/compile/compile.ts";
import type { FlowPosting } from "../../src/domain/flow/flow.ts";
import { available, BANK } from "../support/intents.ts";
import { FLOWS, intentOf, MemoryLane, producing } from "../support/ledger.ts";

const OWN = available("ann");
const HOLD = "liability:customer:ann:hold";
const PLACE = { file: "test", line: 1, column: 1 };
const POSTING: FlowPosting = { place: PLACE, name: "P", title: "p", inputs: [], lines: [], forced: false };
const FORCED: FlowPosting = { ...POSTING, name: "F", forced: true };

function booksWith(minor: number): Books {
  const lane = new MemoryLane();
  lane.decide([producing.payIn("ann", minor)]);
  return lane.open();
}

const FLOW = FLOWS[0] as CompiledFlow;
const CASE: CaseRecord = {
  id: "0".repeat(32),
  kind: "trf",
  flow: FLOW,
  holderId: "ann",
  state: "requested",
  data: FLOW.noData,
  history: "",
  occurredAtMicros: 0n,
  isNew: true,
  changed: true,
};
const FACT: Cause = { intent: null, event: {}, currencies: null, occurredAtMicros: 0n, attempt: 0, isWish: false };

function draftOn(books: Books, intent = intentOf(producing.payIn("ann", 1))): Draft {
  return new Draft(books, CASE, { ...FACT, intent, isWish: true });
}

function timerDraftOn(books: Books): Draft {
  return new Draft(books, CASE, FACT);
}

function snapshot(books: Books): string {
  // A house account that was looked up and got nothing is not written.
  const house = [...books.houseAccounts.values()].filter((one) => one.addedDebits !== 0n || one.addedCredits !== 0n);
  const accounts = [...books.holderAccounts.values(), ...house];
  const texts = accounts.map((account) => ({ ...account, id: String(account.id) }));
  return JSON.stringify([texts, books.lines.length, books.accounts], (_, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
}

describe("a draft", () => {
  test("books nothing until it is settled", () => {
    const books = booksWith(100);
    const before = snapshot(books);
    const draft = draftOn(books);
    expect(draft.post(POSTING, "EUR", 60n, OWN, HOLD)).toBeNull();
    expect(draft.lines).toBe(1);
    expect(books.lines).toHaveLength(0);
    draft.discard();
    expect(snapshot(books)).toBe(before);
  });

  test("books all of its lines, or none when the last one overdraws", () => {
    const books = booksWith(100);
    const before = snapshot(books);
    const refused = draftOn(books);
    refused.post(POSTING, "EUR", 60n, OWN, HOLD);
    refused.post(POSTING, "EUR", 41n, OWN, BANK);
    expect(refused.settle()).toBe("insufficient_funds");
    refused.discard();
    expect(snapshot(books)).toBe(before);
    const accepted = draftOn(books);
    accepted.post(POSTING, "EUR", 60n, OWN, HOLD);
    accepted.post(POSTING, "EUR", 40n, OWN, BANK);
    expect(accepted.settle()).toBeNull();
    expect(books.lines.map(({ minor }) => minor)).toEqual([60n, 40n]);
  });

  test("judges floors by what all lines come to, in whatever order they stand", () => {
    const books = booksWith(100);
    const draft = draftOn(books);
    draft.post(POSTING, "EUR", 150n, OWN, HOLD);
    draft.post(POSTING, "EUR", 50n, BANK, OWN);
    expect(draft.settle()).toBeNull();
  });

  test("judges the accounts of an asset's side the other way round", () => {
    const books = booksWith(1);
    const asset = books.houseAccounts.get(`${BANK} EUR`);
    expect(asset).toBeUndefined(); // nobody needs a house account's balance, so none was read
    const draft = draftOn(books);
    draft.post(POSTING, "EUR", 10n ** 30n, BANK, "clearing:payment");
    expect(draft.settle()).toBeNull();
  });

  test("drops lines of nothing before it looks at their accounts", () => {
    const books = booksWith(1);
    const draft = draftOn(books);
    expect(draft.post(POSTING, "EUR", 0n, "no:such", "no:such")).toBeNull();
    expect(draft.lines).toBe(0);
  });

  test("never posts a negative amount: that is a bug in a flow", () => {
    expect(() => draftOn(booksWith(1)).post(POSTING, "EUR", -1n, OWN, BANK)).toThrow(AssertionFailed);
  });

  test.each([
    ["value", (draft: Draft) => draft.value(0)],
    ["currency", (draft: Draft) => draft.currencyOf("S")],
    ["field of its event", (draft: Draft) => draft.eventField("approved")],
    ["parent", (draft: Draft) => draft.tell("child.refund.failed", {})],
    ["change", (draft: Draft) => draft.changeAccount(OWN)],
  ])("that reads a missing %s is a bug", (_what, read) => {
    expect(() => read(draftOn(booksWith(1)))).toThrow(AssertionFailed);
  });

  test("of a timer has no intent to read", () => {
    expect(() => timerDraftOn(booksWith(1)).asked()).toThrow(AssertionFailed);
    expect(timerDraftOn(booksWith(1)).intent).toBeNull();
  });

  test("forgets the accounts that only it would have opened, and no others", () => {
    const books = booksWith(100);
    const draft = draftOn(books);
    draft.post(POSTING, "EUR", 1n, OWN, HOLD);
    draft.post(POSTING, "USD", 1n, BANK, "fx:position");
    expect([...books.holderAccounts.keys()]).toEqual([OWN, HOLD]);
    draft.discard();
    expect([...books.holderAccounts.keys()]).toEqual([OWN]);
    expect([...books.houseAccounts.keys()]).toEqual([]);
    expect(books.accounts).toBe(2n);
  });

  test("numbers new accounts in the order in which they were met, the house's below zero", () => {
    const books = booksWith(100);
    const draft = draftOn(books);
    draft.post(POSTING, "EUR", 1n, OWN, HOLD);
    draft.post(POSTING, "EUR", 1n, HOLD, "fx:position");
    expect(draft.settle()).toBeNull();
    const first = 1n << 40n;
    expect(books.holderAccounts.get(HOLD)?.id).toBe(first + 3n);
    expect(books.houseAccounts.get("fx:position EUR")?.id).toBe(-(first + 4n));
  });
});

describe("a forced posting", () => {
  test("takes an account below its floor", () => {
    const books = booksWith(100);
    const draft = draftOn(books);
    draft.post(FORCED, "EUR", 150n, OWN, BANK);
    expect(draft.settle()).toBeNull();
  });

  test("does not excuse what another posting takes beside it, from the same account or from another", () => {
    const same = draftOn(booksWith(100));
    same.post(FORCED, "EUR", 50n, OWN, BANK);
    same.post(POSTING, "EUR", 101n, OWN, BANK);
    expect(same.settle()).toBe("insufficient_funds");
    const other = draftOn(booksWith(100));
    other.post(FORCED, "EUR", 150n, OWN, BANK);
    other.post(POSTING, "EUR", 1n, HOLD, BANK);
    expect(other.settle()).toBe("insufficient_funds");
  });

  test("does not burden what another posting takes within the floor", () => {
    const draft = draftOn(booksWith(100));
    draft.post(FORCED, "EUR", 150n, OWN, BANK);
    draft.post(POSTING, "EUR", 100n, OWN, HOLD);
    expect(draft.settle()).toBeNull();
  });
});

describe("a freeze stops wishes, not facts:", () => {
  test.each(["frozen", "closed"] as const)("an intent finds the account %s, a timer does not", (status) => {
    const books = booksWith(100);
    const account = books.holderAccounts.get(OWN);
    if (account !== undefined) account.status = status;
    expect(draftOn(books).post(POSTING, "EUR", 1n, BANK, OWN)).toBe(`account_${status}`);
    expect(timerDraftOn(books).post(POSTING, "EUR", 1n, BANK, OWN)).toBeNull();
  });
});
