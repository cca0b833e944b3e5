// What an event sets off in other cases: children and parents, quotes, and messages to other holders.
import { beforeEach, describe, expect, test } from "vitest";
import type { LaneMessage, Outcome, Report, ReportInput } from "../../src/domain/books.ts";
import { decideIntent, decideReport, Undecidable } from "../../src/domain/decide/decide.ts";
import { parseHistory } from "../../src/domain/history.ts";
import { childCaseId, formatCaseId, parseCaseId } from "../../src/domain/ids.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { CardLane } from "../support/card-lane.ts";
import { valuesOf } from "../support/case-row.ts";
import { available } from "../support/intents.ts";
import { inputOf, NOW_MS, producing } from "../support/ledger.ts";
import { euros, intent, rulesWith } from "../support/unchecked.ts";

const PARENT = `
apiVersion: flow/v1
kind: Flow
metadata: { name: mother, version: 1.0.0, owner: tests }
spec:
  starts_on: { intent: mother_create }
  case_kind: mot
  currencies: { S: intent.amount.currency }
  events:
    child.kid.paid: { amount: { money: S } }
    psp.go: {}
  data:
    amount: { money: S, init: intent.amount.minor }
    given:  { money: S, init: 0 }
    told:   { money: S, init: 0 }
  calls:
    ask: { op: mother.ask, key: "{case}", key_lifetime: P1D, timeout: PT1S, results: { go: psp.go, unknown: psp.unknown } }
  states:
    opened:
      kind: initial
      always:
        - { do: [{ call: ask }, { emit: mother.opened }], to: open }
    open:
      kind: active
      events:
        intent.mother_give:
          - do:
              - { set: { given: "data.given + intent.amount.minor" } }
              - { spawn: kid, amount: intent.amount.minor, twice: "1 == 2" }
              - { emit: mother.gave, amounts: { given: data.given } }
            to: stay
        intent.mother_give_two:
          - do:
              - { spawn: kid, amount: intent.amount.minor, twice: "1 == 2" }
              - { spawn: kid, amount: intent.amount.minor, twice: "1 == 1" }
              - { emit: mother.gave }
            to: stay
        psp.go:
          - { do: [{ spawn: kid, amount: data.amount, twice: "1 == 2" }], to: stay }
        child.kid.paid:
          - { do: [{ set: { told: "data.told + event.amount" } }, { emit: mother.told, amounts: { told: data.told } }], to: stay }
`;

const CHILD = `
apiVersion: flow/v1
kind: Flow
metadata: { name: kid, version: 1.0.0, owner: tests }
spec:
  starts_on: { spawn: true }
  case_kind: kid
  currencies: { S: event.amount }
  events:
    spawn: { amount: { money: S }, twice: { bool: true } }
  data:
    amount: { money: S, init: event.amount }
    twice:  { bool: true, init: event.twice }
  accounts:
    own:  { path: "liability:customer:{holder}:available" }
    bank: { path: "asset:bank:main" }
  postings:
    T1: { title: out, in: [x], lines: [[own, bank, S, x]] }
  states:
    opened:
      kind: initial
      always:
        - when: data.twice
          do: [{ post: T1, x: data.amount }, { tell: paid, amount: data.amount }, { tell: missed }, { emit: kid.paid }]
          to: done
        - { do: [{ post: T1, x: data.amount }, { tell: paid, amount: data.amount }, { emit: kid.paid }], to: done }
    done: { kind: final }
`;

const BUYER = `
apiVersion: flow/v1
kind: Flow
metadata: { name: buyer, version: 1.0.0, owner: tests }
spec:
  starts_on: { intent: buyer_create }
  case_kind: buy
  currencies: { S: intent.amount.currency, M: intent.settlementCurrency }
  data:
    quote:  { text: true, init: intent.quoteId }
    amount: { money: S, init: intent.amount.minor }
    got:    { money: M, init: 0 }
  accounts:
    own:      { path: "liability:customer:{holder}:available" }
    bank:     { path: "asset:bank:main" }
  postings:
    T1: { title: out, in: [x], lines: [[own, bank, S, x]] }
  states:
    opened:
      kind: initial
      always:
        - do:
            - { let: { conv: "quote.convert(data.quote, data.amount, S, M)" } }
            - { set: { got: conv.net } }
            - { consume: data.quote, amount: data.amount }
            - { post: T1, x: data.amount }
            - { emit: buyer.bought, amounts: { got: data.got } }
          to: done
    done: { kind: final }
`;

const rules = rulesWith(PARENT, CHILD, BUYER);
const OWN = available("ann");
let lane: CardLane;

beforeEach(() => {
  lane = new CardLane(rules);
});

const types = (outcomes: readonly Outcome[]) => outcomes.map(({ type }) => type);

describe("a child", () => {
  let mother: string;
  const give = (minor: number, key: string, type = "mother_give") =>
    lane.ask(intent("ann", type, { caseId: mother, idempotencyKey: key, amount: euros(minor) }));

  beforeEach(() => {
    const create = intent("ann", "mother_create", { amount: euros(70) });
    mother = create.caseId as string;
    lane.decide([producing.payIn("ann", 100), create]);
  });

  test("is opened in the same block, moves money, and its parent is told, each with outcomes of its own", () => {
    const outcomes = give(30, "1");
    expect(types(outcomes)).toEqual(["mother.gave", "kid.paid", "mother.told"]);
    expect(outcomes.map(({ outcomeId }) => outcomeId)).toEqual(["i-1-2", "i-1-2-1", "i-1-2-2"]);
    expect(outcomes.map(({ parentId }) => parentId)).toEqual([null, mother, null]);
    expect(outcomes.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["1", null, null]);
    expect(outcomes[2]).toMatchObject({ caseId: mother, amounts: { told: { minor: "30", currency: "EUR" } } });
    expect(lane.balance(OWN)).toBe(70n);
    expect(valuesOf(lane.case(mother))).toMatchObject({ given: 30n, told: 30n });
  });

  test("has the id that follows from its parent and its number, and knows its parent", () => {
    give(1, "1");
    give(2, "2");
    const parent = parseCaseId(mother)?.uuid as string;
    const kids = [0, 1].map((number) => lane.case(formatCaseId(childCaseId("kid", parent, ["kid", String(number)]))));
    expect(kids.map((kid) => valuesOf(kid)["amount"])).toEqual([1n, 2n]);
    expect(kids.map((kid) => kid?.data.parent)).toEqual([mother, mother]);
    expect(lane.case(mother)?.data.attempts).toMatchObject({ "+kid": 2 });
    expect(parseHistory(kids[0]?.history ?? "")).toMatchObject([
      { event: "spawn", source: "k", key: mother, state: "done" },
    ]);
  });

  test("takes the next id where somebody has opened a case under the one that follows", () => {
    const parent = parseCaseId(mother)?.uuid as string;
    const idOf = (...words: string[]): string => formatCaseId(childCaseId("kid", parent, ["kid", "0", ...words]));
    const guessed = { ...producing.payIn("ann", 5), caseId: idOf() };
    expect(lane.answer(guessed)).toMatchObject({ type: "transfer.completed" });
    expect(types(give(30, "1"))).toEqual(["mother.gave", "kid.paid", "mother.told"]);
    expect(lane.case(idOf())?.flow.name).toBe("transfer");
    const kid = lane.case(idOf("1"));
    expect([valuesOf(kid)["amount"], kid?.data.parent]).toEqual([30n, mother]);
  });

  test("that is refused refuses the whole event, and leaves books and cases as they were", () => {
    const before = [lane.balances(), lane.case(mother)?.data, lane.timers];
    expect(give(101, "1")).toMatchObject([
      { type: "intent.rejected", reason: { code: "insufficient_funds" }, lines: 0 },
    ]);
    expect([lane.balances(), lane.case(mother)?.data, lane.timers]).toEqual(before);
    expect(lane.children("kid")).toEqual([]);
    expect(types(give(10, "2"))).toEqual(["mother.gave", "kid.paid", "mother.told"]);
  });

  test("that is refused takes back what its elder has done in the same event", () => {
    const before = [lane.balances(), lane.case(mother)?.data];
    expect(give(60, "1", "mother_give_two")).toMatchObject([{ reason: { code: "insufficient_funds" } }]);
    expect([lane.balances(), lane.case(mother)?.data, lane.children("kid")]).toEqual([...before, []]);
    expect(types(give(50, "2", "mother_give_two"))).toEqual([
      "mother.gave",
      "kid.paid",
      "kid.paid",
      "mother.told",
      "mother.told",
    ]);
    expect(lane.outcomes.map(({ sequence }) => sequence)).toEqual(lane.outcomes.map((_one, index) => BigInt(index)));
  });

  test("says what its parent does not list: it is remembered there and does no more", () => {
    give(5, "1", "mother_give_two");
    const entries = parseHistory(lane.case(mother)?.history ?? "");
    expect(entries.at(-1)).toMatchObject({ event: "child.kid.missed", source: "k", sequence: null, state: "open" });
  });

  test("that is refused because of a report stops the lane, and nothing of it is kept", () => {
    lane.ask(producing.payOut("ann", 90));
    const before = [lane.balances(), lane.case(mother)?.history];
    expect(() => lane.report(mother, "ann", { call: "ask", result: "go" })).toThrow(Undecidable);
    expect([lane.balances(), lane.case(mother)?.history]).toEqual(before);
  });
});

describe("a quote", () => {
  const quote = (more: Partial<NewIntent> = {}) =>
    intent("ann", "quote_request", { amount: euros(100), settlementCurrency: "USD", lockSeconds: 60n, ...more });
  const buy = (quoteId: string, minor: number) =>
    lane.ask(intent("ann", "buyer_create", { amount: euros(minor), settlementCurrency: "USD", quoteId }));
  let id: string;

  beforeEach(() => {
    lane.prices = { EURUSD: "1.1000" };
    const asked = quote();
    id = asked.caseId as string;
    lane.decide([producing.payIn("ann", 1000), asked]);
    expect(lane.case(id)?.state).toBe("active");
  });

  test("is taken in the block of the payment that takes it, and the payment gets its part", () => {
    const outcomes = buy(id, 100);
    expect(types(outcomes)).toEqual(["buyer.bought", "quote.consumed"]);
    expect(outcomes[0]?.amounts["got"]?.minor).toBe(String(valuesOf(lane.case(id))["receives"]));
    expect(lane.case(id)?.state).toBe("consumed");
  });

  test("is taken once, and not for more than it is good for", () => {
    expect(buy(id, 101)[0]).toMatchObject({ type: "buyer.rejected", reason: { code: "quote_mismatch" } });
    expect(types(buy(id, 100))).toEqual(["buyer.bought", "quote.consumed"]);
    expect(buy(id, 100)[0]).toMatchObject({ type: "buyer.rejected", reason: { category: "fx" } });
    expect(lane.balance(OWN)).toBe(900n);
  });

  test("is left as it was when the payment is refused for another reason", () => {
    lane.ask(producing.payOut("ann", 950));
    const before = lane.case(id);
    expect(buy(id, 100)[0]).toMatchObject({ reason: { code: "insufficient_funds" } });
    expect(lane.case(id)).toEqual(before);
  });
});

describe("a message to another holder", () => {
  /** Two lanes' worth of blocks, without anything between them. */
  function take(
    into: CardLane,
    { report }: LaneMessage,
    sequence = 1n,
  ): { outcomes: Outcome[]; messages: LaneMessage[] } {
    const from = { ...report.from, lane: 0, sequence, block: 1n };
    const input: ReportInput = {
      kind: "report",
      id: `r-1-${sequence}`,
      source: "r",
      offset: sequence,
      report: { ...report, from },
    };
    return into.block((books) => {
      decideReport(books, input);
      return { outcomes: [...books.outcomes], messages: [...books.messages] };
    });
  }

  function send(minor: number, to: string): { id: string; question: LaneMessage } {
    const create = producing.payOut("ann", minor, { to });
    const question = lane.block((books) => {
      expect(decideIntent(books, inputOf(create, 99n))).toBe("accepted");
      return books.messages[0] as LaneMessage;
    });
    return { id: create.caseId as string, question };
  }

  let other: CardLane;
  beforeEach(() => {
    other = new CardLane(rules, 2);
    lane.decide([producing.payIn("ann", 1000)]);
  });

  test("names who asks, opens a case there, and the answer moves the one that asked", () => {
    const { id, question } = send(400, available("bob"));
    expect(question.report).toMatchObject({
      holderId: "bob",
      call: "transfer_credit",
      result: "asked",
      observation: `${id}/credit/1/asked`,
      payload: { account: available("bob"), amount: "400", currency: "EUR" },
      from: { holderId: "ann", caseId: id, call: "credit", attempt: 1 },
    });
    const taken = take(other, question);
    expect(taken.outcomes).toMatchObject([
      { type: "transfer.received", holderId: "bob", lines: 1, outcomeId: "r-1-1" },
    ]);
    expect([other.balance(available("bob")), other.balance("clearing:transit")]).toEqual([400n, -400n]);
    const [answer] = taken.messages as [LaneMessage];
    expect(answer.report).toMatchObject({
      holderId: "ann",
      call: "credit",
      attempt: 1,
      result: "accepted",
      payload: {},
    });
    expect(take(lane, answer).outcomes).toMatchObject([
      { type: "transfer.completed", status: "completed", caseId: id },
    ]);
  });

  test("that is refused there says why, publishes it for the holder asked, and the money comes back", () => {
    const { id, question } = send(400, "liability:merchant:bob:pending");
    other.decide([producing.accountOpen("bob", { account: "liability:merchant:bob:pending", currency: "USD" })]);
    const { outcomes, messages } = take(other, question);
    expect(outcomes).toMatchObject([
      {
        type: "transfer_in.rejected",
        holderId: "bob",
        status: "rejected",
        reason: { code: "currency_mismatch" },
        lines: 0,
      },
    ]);
    const [answer] = messages as [LaneMessage];
    expect(answer.report).toMatchObject({ result: "refused", payload: { code: "currency_mismatch" } });
    expect(take(lane, answer).outcomes).toMatchObject([
      { type: "transfer.failed", reason: { code: "currency_mismatch" } },
    ]);
    expect([lane.balance(OWN), lane.balance("clearing:transit"), lane.case(id)?.state]).toEqual([1000n, 0n, "failed"]);
  });

  test("finds a frozen account frozen: the money is still the sender's to have back", () => {
    other.decide([producing.payIn("bob", 1), producing.accountUpdate("bob", "freeze", { account: available("bob") })]);
    const { messages } = take(other, send(1, available("bob")).question);
    expect(messages[0]?.report).toMatchObject({ result: "refused", payload: { code: "account_frozen" } });
  });

  test("that is known already is neither taken nor answered again", () => {
    const { question } = send(400, available("bob"));
    take(other, question);
    expect(take(other, question, 2n)).toEqual({ outcomes: [], messages: [] });
    expect(other.balance(available("bob"))).toBe(400n);
  });

  test("whose case is there for another reason is refused, and that case stays what it is", () => {
    const { question } = send(400, available("bob"));
    const { caseId } = question.report;
    other.decide([producing.payIn("bob", 5, { caseId: formatCaseId(caseId) })]);
    const { outcomes, messages } = take(other, question);
    expect(outcomes).toEqual([]);
    expect(messages[0]?.report).toMatchObject({ result: "refused", payload: { code: "idempotency_conflict" } });
    expect(other.balance(available("bob"))).toBe(5n);
  });

  test.each<[string, Partial<Pick<Report, "call" | "payload">>]>([
    ["a message that no flow starts on", { call: "present_credit" }],
    ["an amount that is none", { payload: { account: available("bob"), amount: "much", currency: "EUR" } }],
    ["nothing of what its flow declares", { payload: {} }],
  ])("with %s stops the lane", (_what, wrong) => {
    const { question } = send(400, available("bob"));
    expect(() => take(other, { ...question, report: { ...question.report, ...wrong } })).toThrow(Undecidable);
  });

  test("in a currency that there is not is refused", () => {
    const { question } = send(400, available("bob"));
    const payload = { ...question.report.payload, currency: "QQQ" };
    const { messages } = take(other, { ...question, report: { ...question.report, payload } });
    expect(messages[0]?.report).toMatchObject({ result: "refused", payload: { code: "unknown_currency" } });
  });

  test("bears the time of the block that sends it", () => {
    expect(send(1, available("bob")).question.report.occurredAtMicros).toBe(BigInt(NOW_MS) * 1000n);
  });
});
