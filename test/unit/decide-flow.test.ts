// What each action and rule of the flow language does when it runs.
import { beforeEach, describe, expect, test } from "vitest";
import { type CaseRecord, type Outcome } from "../../src/domain/books.ts";
import { Undecidable } from "../../src/domain/decide/decide.ts";
import { parseHistory } from "../../src/domain/history.ts";
import { neededFields } from "../../src/domain/rules.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { readData, writeData } from "../../src/store/case-data.ts";
import { CardLane } from "../support/card-lane.ts";
import { valuesOf } from "../support/case-row.ts";
import { available, BANK } from "../support/intents.ts";
import { intentOf, NOW_MS, producing } from "../support/ledger.ts";
import { euros, intent, rulesWith } from "../support/unchecked.ts";

const OWN = available("ann");
const MINUTE_MS = 60_000;

/** An order that is asked for at a provider, with something of everything. */
const ORDER = `
apiVersion: flow/v1
kind: Flow
metadata: { name: shop, version: 1.0.0, owner: tests, family: order }
spec:
  starts_on: { intent: shop_create, when: "intent.method == 'shop'" }
  case_kind: shp
  currencies: { S: intent.amount.currency, M: intent.settlementCurrency }
  params:
    limit: { int: true, default: 2 }
    wait:  { duration: true, default: PT1M }
    fees:  { amounts: true, default: { EUR: 7 } }
  events:
    psp.ok:   { amount: { money: S }, kind: { enum: [full, part] }, good: { bool: true }, at_bank: { time: true }, n: int }
    psp.no:   { code: text }
  data:
    provider: { text: true, init: intent.provider, default: script }
    mode:     { enum: [automatic, manual], init: intent.captureMode, default: manual }
    amount:   { money: S, init: intent.amount.minor }
    a:        { int: true, init: 1 }
    b:        { int: true, init: "params.limit + 1" }
    fee:      { money: S, init: "lookup(params.fees, S, 0)" }
    since:    { time: true, init: null }
    entered:  { int: true, init: 0 }
  accounts:
    own:  { path: "liability:customer:{holder}:available" }
    memo: { path: "memo:auth_exposure:{provider}" }
    bank: { path: "asset:bank:main" }
  postings:
    T1: { title: in, in: [x, fee], lines: [[bank, own, S, x], [own, bank, S, fee]] }
    T2: { title: out, in: [x], lines: [[own, bank, S, x]] }
    T3: { title: forced out, forced: true, in: [x], lines: [[own, bank, S, x]] }
  calls:
    ask:
      op: shop.ask
      key: "{case}/ask/{data.a}"
      key_lifetime: P1D
      timeout: PT20S
      with: { amount: data.amount, currency: S, mode: data.mode, since: data.since, good: "data.a == 1" }
      results: { ok: psp.ok, no: psp.no, unknown: psp.unknown }
    look: { op: shop.look, read_only: true, timeout: PT5S, results: { ok: psp.ok, no: psp.no } }
  timers:
    poll:   { after: params.wait }
    expiry: { after: PT10M, anchor: data.since }
  defaults:
    alarms: { psp.no: no_not_expected }
  states:
    opened:
      kind: initial
      always:
        - { when: "data.amount == 13", refuse: unlucky }
        - { do: [{ emit: order.received, amounts: { requested: data.amount } }], to: asking }
    asking:
      kind: active
      timers: [poll]
      entry:
        - { set: { entered: "data.entered + 1" } }
        - { call: ask }
      events:
        psp.ok:
          - when: "event.kind == 'part'"
            do: [{ set: { since: event.at_bank } }]
            to: stay
          - do:
              - { let: { got: "event.amount - min(event.amount, data.fee)" } }
              - { post: T1, x: event.amount, fee: data.fee }
              - { set: { a: data.b, b: data.a, since: event.at } }
              - { emit: order.paid, amounts: { got: got } }
            to: gate
        psp.no:
          - { do: [{ end: failed, code: event.code }], to: waiting }
        intent.shop_again:
          - { when: "data.entered > params.limit", refuse: too_often }
          - { do: [{ emit: order.again }], to: asking }
        intent.shop_take:
          - { do: [{ post: T2, x: intent.amount.minor }, { emit: order.taken }], to: stay }
        timer.poll:
          - { do: [{ call: look }], to: stay }
    gate:
      kind: choice
      always:
        - { when: "data.mode == 'automatic'", do: [{ emit: order.closed }], to: done }
        - { to: waiting }
    waiting:
      kind: quiescent
      timers: [expiry]
      events:
        intent.shop_end:
          - { do: [{ end: canceled, code: asked }, { end: expired }, { emit: order.over }], to: waiting }
        ops.close:
          - { do: [{ emit: order.closed }], to: done }
        ops.take:
          - { do: [{ post: T3, x: intent.amount.minor }, { emit: order.taken }], to: stay }
        timer.expiry:
          - { do: [{ post: T2, x: data.amount }, { emit: order.expired }], to: done }
    done: { kind: final }
`;

const OTHER = ORDER.replace("name: shop,", "name: bazaar,")
  .replace("case_kind: shp", "case_kind: baz")
  .replace("intent.method == 'shop'", "intent.method == 'bazaar'");

const rules = rulesWith(ORDER, OTHER);
let lane: CardLane;

beforeEach(() => {
  lane = new CardLane(rules);
});

function create(more: Partial<NewIntent> = {}): NewIntent {
  return intent("ann", "shop_create", { amount: euros(1000), method: "shop", ...more });
}

function opened(more: Partial<NewIntent> = {}): string {
  const message = create(more);
  lane.ask(message);
  return message.caseId as string;
}

const OK = { amount: "1000", kind: "full", good: "true", n: "1" };
const paid = (id: string, payload: Record<string, string> = {}): readonly Outcome[] =>
  lane.report(id, "ann", { call: "ask", result: "ok", payload: { ...OK, ...payload } });
const values = (id: string) => valuesOf(lane.case(id));

describe("a case of the whole language", () => {
  test("opens with typed variables: from the intent, by default, by a parameter, not known", () => {
    const id = opened();
    expect(values(id)).toEqual({
      provider: "script",
      mode: "manual",
      amount: 1000n,
      a: 1n,
      b: 3n,
      fee: 7n,
      since: null,
      entered: 1n,
    });
    expect(lane.case(id)?.data.currencies).toEqual({ S: "EUR", M: "EUR" });
    expect(lane.case(id)).toMatchObject({ state: "asking", kind: "trf" });
  });

  test("takes what an intent says before a default", () => {
    const id = opened({ provider: "script", captureMode: "automatic", settlementCurrency: "USD" });
    expect(values(id)).toMatchObject({ mode: "automatic" });
    expect(lane.case(id)?.data.currencies).toEqual({ S: "EUR", M: "USD" });
  });

  test("of an account outside the chart is not opened", () => {
    const [outcome] = lane.ask(create({ provider: "nowhere" }));
    expect(outcome).toMatchObject({ type: "shop.rejected", reason: { category: "account", code: "unknown_account" } });
  });

  test("in a settlement currency that there is not is not opened", () => {
    expect(lane.ask(create({ settlementCurrency: "QQQ" }))[0]?.reason?.code).toBe("unknown_currency");
  });

  test("refuses by its own code before anything is done, and the case id is used up", () => {
    const message = create({ amount: euros(13) });
    expect(lane.ask(message)).toMatchObject([
      { type: "shop.rejected", status: "rejected", lines: 0, reason: { category: "validation", code: "unlucky" } },
    ]);
    expect(lane.commands).toEqual([]);
    expect(lane.ask(message)[0]?.type).toBe("intent.repeated");
  });

  test("sets all variables by what they were before", () => {
    const id = opened();
    paid(id);
    expect(values(id)).toMatchObject({ a: 3n, b: 1n });
  });

  test("posts every line, and gives an outcome the currency of its amount", () => {
    const id = opened();
    const outcomes = paid(id);
    expect(outcomes).toMatchObject([
      { type: "order.paid", lines: 2, amounts: { got: { currency: "EUR", minor: "993" } } },
    ]);
    expect(outcomes[0]).toMatchObject({ intentType: null, caseId: id, status: "waiting", outcomeId: "r-1-0" });
    expect(lane.balance(OWN)).toBe(993n);
  });

  test("goes through choices at once, and tells of every state on the way", () => {
    const id = opened({ captureMode: "automatic" });
    expect(paid(id).map(({ type, outcomeId }) => [type, outcomeId])).toEqual([
      ["order.paid", "r-1-0"],
      ["order.closed", "r-1-0-1"],
    ]);
    expect(lane.case(id)?.state).toBe("done");
    expect(lane.timers).toEqual([]);
  });

  test("gives the one result that counts, and no second", () => {
    const id = opened();
    lane.report(id, "ann", { call: "ask", result: "no", payload: { code: "do_not_honor" } });
    const again = lane.ask(intent("ann", "shop_end", { caseId: id, idempotencyKey: "e" }));
    expect(lane.outcomes.map(({ type }) => type)).toEqual(["order.received", "order.failed", "order.over"]);
    expect(again).toMatchObject([{ type: "order.over" }]);
    expect(lane.case(id)?.data.ended).toBe("failed");
  });

  test.each([
    ["do_not_honor", { category: "issuer", code: "do_not_honor" }],
    ["own_code_of_theirs", { category: "provider", code: "own_code_of_theirs" }],
    ["4111 1111 1111 1111", { category: "provider", code: "provider_error" }],
  ])("says why, and nothing that is no code: %s", (code, reason) => {
    const id = opened();
    const [outcome] = lane.report(id, "ann", { call: "ask", result: "no", payload: { code } });
    expect(outcome).toMatchObject({ type: "order.failed", reason });
  });
});

describe("timers", () => {
  test("stay as they are where the case stays, and are armed anew where it enters its own state", () => {
    const id = opened();
    const first = lane.timers[0]?.dueMs;
    paid(id, { kind: "part" });
    expect(lane.timers.map(({ dueMs }) => dueMs)).toEqual([first]);
    lane.block((books) => books, NOW_MS);
    lane.decide([intent("ann", "shop_again", { caseId: id, idempotencyKey: "1" })]);
    expect(lane.timers.map(({ name }) => name)).toEqual(["poll"]);
    expect(values(id)).toMatchObject({ entered: 2n });
  });

  test("count from their anchor", () => {
    const id = opened();
    paid(id);
    expect(values(id)).toMatchObject({ since: BigInt(NOW_MS) });
    expect(lane.timers).toMatchObject([{ name: "expiry", dueMs: NOW_MS + 10 * MINUTE_MS }]);
  });

  test("count from now where the anchor is not known", () => {
    const id = opened();
    lane.report(id, "ann", { call: "ask", result: "no", payload: { code: "x" } });
    expect(lane.timers).toMatchObject([{ name: "expiry", dueMs: NOW_MS + 10 * MINUTE_MS }]);
  });

  test("are due a millisecond from now when their time has passed", () => {
    const id = opened();
    paid(id, { kind: "part", at_bank: String(NOW_MS - 3_600_000) });
    lane.report(id, "ann", { call: "ask", result: "no", payload: { code: "x" } });
    expect(lane.timers).toMatchObject([{ name: "expiry", dueMs: NOW_MS + 1 }]);
  });

  test("that have fired are gone though the case stays", () => {
    const id = opened();
    const [poll] = lane.timers;
    if (poll === undefined) throw new Error("no timer is armed");
    lane.fire(poll);
    expect([lane.timers, lane.case(id)?.data.timers]).toEqual([[], {}]);
    expect(lane.commands.map(({ call }) => call)).toEqual(["ask", "look"]);
  });

  test("whose posting is refused stop the lane and leave the books", () => {
    const id = opened({ amount: euros(5000) });
    lane.report(id, "ann", { call: "ask", result: "no", payload: { code: "x" } });
    const [expiry] = lane.timers;
    const before = lane.balances();
    expect(() => expiry && lane.fire(expiry)).toThrow(Undecidable);
    expect([lane.balances(), lane.case(id)?.state]).toEqual([before, "waiting"]);
  });
});

describe("a call", () => {
  test("becomes a command with key, deadline and what goes along as text; what is not known stays at home", () => {
    const id = opened();
    expect(lane.commands).toMatchObject([
      {
        commandId: `${id}/ask/1`,
        caseId: id,
        holderId: "ann",
        call: "ask",
        op: "shop.ask",
        attempt: 1,
        idempotencyKey: `${id}/ask/1`,
        readOnly: false,
        notAfterMicros: BigInt(NOW_MS + 86_400_000) * 1000n,
        timeoutMs: 20_000,
        sequence: 0n,
      },
    ]);
    expect(lane.commands[0]?.payload).toEqual({ amount: "1000", currency: "EUR", mode: "manual", good: "true" });
  });

  test("counts its attempts, and commands are numbered without gaps", () => {
    const id = opened();
    lane.ask(intent("ann", "shop_again", { caseId: id, idempotencyKey: "1" }));
    lane.ask(create());
    expect(lane.commands.map(({ attempt, sequence }) => [attempt, sequence])).toEqual([
      [1, 0n],
      [2, 1n],
      [1, 2n],
    ]);
    expect(lane.case(id)?.data.attempts).toEqual({ ask: 2 });
  });

  test("is good for as long as its key is known, counted from the first command with that key", () => {
    const again = "- { do: [{ emit: order.again }], to: asking }";
    const other = again.replace("{ emit: order.again }", '{ emit: order.again }, { set: { a: "data.a + 1" } }');
    lane = new CardLane(
      rulesWith(
        ORDER.replace("data.entered > params.limit", "data.entered > 9").replace(
          again,
          `${again}
        intent.shop_other:
          ${other}`,
        ),
      ),
    );
    const id = opened();
    const at = (ms: number, type: string): void => {
      lane.decide([intent("ann", type, { caseId: id, idempotencyKey: `${ms}` })], NOW_MS, NOW_MS + ms);
    };
    at(1_000, "shop_again");
    at(2_000, "shop_other");
    at(3_000, "shop_again");
    const sinceMs = lane.commands.map(({ notAfterMicros }) => Number(notAfterMicros / 1000n) - 86_400_000 - NOW_MS);
    expect(sinceMs).toEqual([0, 0, 2_000, 2_000]);
    expect(lane.case(id)?.data.keys).toEqual({ ask: [`${id}/ask/2`, NOW_MS + 2_000] });
    const one = lane.case(id) as CaseRecord;
    const { values: _own, stored: _none, ...data } = one.data;
    const written = writeData(one.data) as string;
    const readAgain = readData(JSON.parse(written), one.flow.variables);
    const { values: _changed, stored: _kept, ...read } = readAgain;
    expect(read).toEqual(data);
    expect(valuesOf({ ...one, data: readAgain })).toEqual(valuesOf(one));
    expect(writeData(readAgain)).toBe(written);
  });

  test("of a version that says nothing of its key is good for its timeout, as it always was", () => {
    lane = new CardLane(rulesWith(ORDER.replace("      key_lifetime: P1D\n", "")));
    const id = opened();
    lane.decide([intent("ann", "shop_again", { caseId: id, idempotencyKey: "1" })], NOW_MS, NOW_MS + 1_000);
    const lastMs = lane.commands.map(({ notAfterMicros }) => Number(notAfterMicros / 1000n) - NOW_MS);
    expect(lastMs).toEqual([20_000, 21_000]);
    expect(lane.case(id)?.data.keys).toEqual({});
  });

  test("that only asks has no key", () => {
    opened();
    const [poll] = lane.timers;
    if (poll !== undefined) lane.fire(poll);
    expect(lane.commandOf("look")).toMatchObject({ idempotencyKey: "", readOnly: true });
  });
});

describe("a report", () => {
  test("that the case remembers changes nothing, and is remembered once", () => {
    const id = opened();
    const told = { call: "ask", result: "ok", payload: OK, observation: "seen" };
    expect(lane.report(id, "ann", told)).toHaveLength(1);
    const history = lane.case(id)?.history;
    expect(lane.report(id, "ann", told)).toEqual([]);
    expect(lane.case(id)?.history).toBe(history);
    const [last] = parseHistory(history ?? "").slice(-1);
    expect(last).toMatchObject({ event: "psp.ok", source: "r", key: "seen", sequence: 1n, state: "waiting" });
  });

  test("is not taken for known because an intent has used its words as a key", () => {
    const id = opened();
    lane.ask(intent("ann", "shop_again", { caseId: id, idempotencyKey: "x||seen" }));
    lane.ask(intent("ann", "shop_again", { caseId: id, idempotencyKey: "seen" }));
    expect(lane.report(id, "ann", { call: "ask", result: "ok", payload: OK, observation: "seen" })).toHaveLength(1);
  });

  test("of an event that the state does not list is remembered and does no more", () => {
    const id = opened();
    paid(id);
    expect(lane.report(id, "ann", { call: "ask", result: "unknown" })).toEqual([]);
    expect(parseHistory(lane.case(id)?.history ?? "").at(-1)).toMatchObject({ event: "psp.unknown", sequence: null });
  });

  test("of an event that is never to be absorbed calls for a person", () => {
    const id = opened();
    paid(id);
    expect(lane.report(id, "ann", { call: "ask", result: "no", payload: { code: "late" } })).toMatchObject([
      { type: "ops.attention", reason: { code: "no_not_expected" }, status: "waiting" },
    ]);
  });

  test.each([
    ["money that is no number", { amount: "ten" }],
    ["negative money", { amount: "-1" }],
    ["more money than the ledger can hold", { amount: `1${"0".repeat(38)}` }],
    ["a word of no list", { kind: "half" }],
    ["something else than true or false", { good: "yes" }],
    ["a time that is none", { at_bank: "today" }],
    ["a fraction for a whole number", { n: "1.5" }],
  ])("with %s stops the lane", (_what, payload) => {
    const id = opened();
    expect(() => paid(id, payload)).toThrow(Undecidable);
    expect(lane.case(id)?.state).toBe("asking");
  });

  test.each(["amount", "kind", "good", "n"])("without its %s stops the lane", (field) => {
    const id = opened();
    const payload = Object.fromEntries(Object.entries(OK).filter(([name]) => name !== field));
    expect(() => lane.report(id, "ann", { call: "ask", result: "ok", payload })).toThrow(/contradicts psp.ok/);
  });

  test("never says in its fault what was found", () => {
    const id = opened();
    expect(() => paid(id, { amount: "4111111111111111x" })).toThrow(/^(?!.*4111)/);
  });

  test("for no case, another holder, no call, no result, or an attempt not made stops the lane", () => {
    const id = opened();
    const told = { call: "ask", result: "ok", payload: OK };
    expect(() => lane.report(producing.payIn("ann", 1).caseId as string, "ann", told)).toThrow(/no case/);
    expect(() => lane.report(id, "bob", told)).toThrow(/no case/);
    expect(() => lane.report(id, "ann", { ...told, call: "beg" })).toThrow(/no call/);
    expect(() => lane.report(id, "ann", { ...told, result: "fine" })).toThrow(/no result/);
    expect(() => lane.report(id, "ann", { ...told, attempt: 2 })).toThrow(/attempt 2/);
    expect(lane.report(id, "ann", { ...told, attempt: 0 })).toHaveLength(1);
  });

  test("passes a freeze: it tells what has happened, and an intent finds the account frozen", () => {
    const id = opened();
    lane.decide([producing.payIn("ann", 50), producing.accountUpdate("ann", "freeze", { account: OWN })]);
    const take = intent("ann", "shop_take", { caseId: id, idempotencyKey: "t", amount: euros(1) });
    expect(lane.ask(take)[0]?.reason?.code).toBe("account_frozen");
    expect(paid(id)).toMatchObject([{ type: "order.paid" }]);
  });
});

describe("an intent", () => {
  test("that is refused uses up its key and leaves everything else", () => {
    const id = opened();
    const before = [lane.balances(), values(id), lane.case(id)?.state];
    const take = intent("ann", "shop_take", { caseId: id, idempotencyKey: "t", amount: euros(1) });
    expect(lane.ask(take)).toMatchObject([{ type: "intent.rejected", reason: { code: "insufficient_funds" } }]);
    expect([lane.balances(), values(id), lane.case(id)?.state]).toEqual(before);
    expect(lane.ask(take)[0]?.type).toBe("intent.repeated");
  });

  test("is refused by the first alternative whose guard holds", () => {
    const id = opened();
    const ask = (key: string) => lane.ask(intent("ann", "shop_again", { caseId: id, idempotencyKey: key }))[0];
    expect([ask("1")?.type, ask("2")?.type, ask("3")?.reason?.code]).toEqual([
      "order.again",
      "order.again",
      "too_often",
    ]);
  });

  test("opens the flow whose guard holds, and is put aside when none does", () => {
    const message = create({ method: "bazaar" });
    expect(lane.ask(message)).toMatchObject([{ flow: "bazaar@1.0.0" }]);
    const fields = (method: string | null) => neededFields(rules, intentOf(create({ method })));
    expect(fields("shop")).toEqual(expect.arrayContaining(["method", "amount"]));
    expect(fields("market")).toBeNull();
    expect(fields(null)).toContain("method");
  });

  test("must carry what its flow reads, but for what the flow asks after", () => {
    const needs = neededFields(rules, intentOf(create()));
    for (const field of ["provider", "captureMode"] as const) expect(needs).not.toContain(field);
    expect(neededFields(rules, intentOf(intent("ann", "shop_take")))).toEqual(["amount"]);
    expect(neededFields(rules, intentOf(intent("ann", "shop_again")))).toEqual([]);
  });
});

describe("an operator's decision", () => {
  const decide = (id: string, decision: string, more: Partial<NewIntent> = {}) =>
    intent("ann", "case_decide", {
      caseId: id,
      idempotencyKey: decision,
      decision,
      principal: "eve",
      reason: "seen",
      ...more,
    });

  test("is an event of its name", () => {
    const id = opened();
    paid(id);
    expect(lane.ask(decide(id, "close"))).toMatchObject([
      { type: "order.closed", intentType: "case_decide", status: "done" },
    ]);
  });

  test("that the state does not list is invalid_state", () => {
    const id = opened();
    expect(lane.ask(decide(id, "close"))[0]?.reason?.code).toBe("invalid_state");
    expect(lane.ask(decide(id, "fly"))[0]?.reason?.code).toBe("invalid_state");
  });

  test("needs a name and a reason, and what its event reads", () => {
    const needs = (decision: string) => neededFields(rules, intentOf(decide("x", decision)));
    expect(needs("close")).toEqual(["decision", "principal", "reason"]);
    expect(needs("take")).toEqual(["decision", "principal", "reason", "amount"]);
    expect(needs("fly")).toEqual(["decision", "principal", "reason"]);
  });

  test("may force a posting below the floor where the flow says so", () => {
    const id = opened();
    paid(id);
    lane.ask(decide(id, "take", { amount: euros(5000) }));
    expect(lane.balance(OWN)).toBe(993n - 5000n);
  });
});

describe("parameters", () => {
  test("are laid over the defaults, for values that are read when the case opens and later", () => {
    lane.parameters = { shop: { limit: 0n, wait: 5000n, fees: { EUR: 900n } } };
    const id = opened();
    expect(values(id)).toMatchObject({ b: 1n, fee: 900n });
    expect(lane.timers).toMatchObject([{ name: "poll", dueMs: NOW_MS + 5000 }]);
    expect(lane.ask(intent("ann", "shop_again", { caseId: id, idempotencyKey: "1" }))[0]?.reason?.code).toBe(
      "too_often",
    );
    expect(lane.balance(BANK)).toBe(0n);
  });
});
