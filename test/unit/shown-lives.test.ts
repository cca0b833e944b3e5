// The lives that README.md and ARCHITECTURE.md tell in tables, against the core: states, postings, lines and outcomes.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Line } from "../../src/domain/books.ts";
import { formatDecimal } from "../../src/domain/decimal.ts";
import { parseCaseId } from "../../src/domain/ids.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { CardLane, fixedRates, type Told } from "../support/card-lane.ts";
import { tableOf } from "../support/commands.ts";
import { caseId } from "../support/intents.ts";
import { NOW_MS, RULES } from "../support/ledger.ts";
import { MemoryLanes, type MemoryOwner } from "../support/memory-lanes.ts";
import { ROOT } from "../support/source.ts";

/** Without the marks of code. */
const cellsTold = (page: string, heading: string): string[][] =>
  tableOf(readFileSync(join(ROOT, page), "utf8").replaceAll("`", ""), heading);

const amountOf = ({ currency, minor }: Pick<Line, "currency" | "minor">): string =>
  `${currency} ${formatDecimal(minor, 2)}`;

const firstWord = (text: string): string => text.split(" ")[0] ?? "";
const cellsOf = (line: Line): string[] => [line.posting, line.debit.path, line.credit.path, amountOf(line)];

class ShownPayment {
  readonly #lane = new CardLane();
  readonly #id = caseId("pay", NOW_MS);
  readonly rows: string[][] = [];

  constructor() {
    this.#lane.prices = { EURUSD: "1.0850" };
    const card = { spread_bps: { EURUSD: 100n }, fee_bps: 290n, fee_fixed: { USD: 30n }, reserve_bps: 1000n };
    this.#lane.parameters = { card, refund: { spread_bps: { EURUSD: 100n } } };
  }

  asks(event: string, minor: string, change: Partial<NewIntent>, kind = "pay"): void {
    const key = event === "payment_create" ? {} : { idempotencyKey: event };
    const amount = { currency: "EUR", scale: 2, minor };
    const intent = { type: event, holderId: "mer_204", caseId: this.#id, amount, occurredAt: BigInt(NOW_MS) * 1000n };
    this.#keep(event, kind, () => {
      const [outcome] = this.#lane.ask({ ...intent, ...key, ...change });
      expect(outcome?.reason).toBeNull();
    });
  }

  hears(event: string, call: string, told: Pick<Told, "result" | "payload">, kind = "pay"): void {
    this.#keep(event, kind, () => {
      this.#lane.report(this.#lane.commandOf(call).caseId, "mer_204", { call, ...told });
    });
  }

  move(prices: Readonly<Record<string, string>>): void {
    this.#lane.prices = prices;
  }

  #keep(event: string, kind: string, work: () => void): void {
    const from = this.#lane.lines.length;
    work();
    const state = this.#lane.children(kind).at(-1)?.state ?? "none";
    const lines = this.#lane.lines.slice(from).map(cellsOf);
    const [first = ["", "", "", ""], ...others] = lines;
    this.rows.push([event, state, ...first], ...others.map((cells) => ["", "", ...cells]));
  }
}

test("README.md: a card payment and its refund, with all of their lines", () => {
  const payment = new ShownPayment();
  const create = { method: "card", provider: "script", tokenRef: "tok_1", captureMode: "manual" };
  payment.asks("payment_create", "10000", { ...create, settlementCurrency: "USD" });
  payment.hears("approved", "authorize", { result: "approved", payload: { approved: "10000", seq: "1" } });
  payment.asks("payment_capture", "10000", { final: true });
  payment.hears("captured", "capture", { result: "ok", payload: { amount: "10000", seq: "1" } });
  payment.move({ EURUSD: "1.0900" });
  payment.asks("refund_create", "4000", {}, "rfd");
  payment.hears("completed", "refund", { result: "completed" }, "rfd");

  const heading = "| event | from | state after it | posting | debit | credit | amount |";
  const told = cellsTold("README.md", heading).map(([event = "", _from, state = "", ...cells]) => [
    firstWord(event),
    firstWord(state),
    ...cells.map((cell) => cell.replace("…", "liability:merchant:mer_204")),
  ]);
  expect(told).toEqual(payment.rows);
});

test("ARCHITECTURE.md: a transfer over both lanes, with its lines and outcomes", () => {
  const [sender, receiver] = ["cust_12", "cust_7"];
  const accountOf = (holder: string): string => `liability:customer:${holder}:available`;
  const lanes = new MemoryLanes({ ...RULES, lanes: 16 }, NOW_MS, fixedRates({}));
  const [from, to] = [lanes.of(sender), lanes.of(receiver)];
  expect(from.lane).not.toBe(to.lane);
  const occurredAt = BigInt(NOW_MS) * 1000n;
  for (const holderId of [sender, receiver]) {
    const account = { account: accountOf(holderId), currency: "EUR", floorMinor: null };
    lanes.publish({ type: "account_open", holderId, caseId: caseId("acc", NOW_MS), occurredAt, ...account });
    lanes.commit(lanes.of(holderId).lane, 0, 1);
  }
  const id = caseId("trf", NOW_MS);
  const amount = { currency: "EUR", scale: 2, minor: "1500" };
  const names = { from: accountOf(sender), to: accountOf(receiver) };
  lanes.publish({ type: "transfer_create", holderId: sender, caseId: id, occurredAt, amount, ...names });

  const rows: string[][] = [];
  const carried = new Map<MemoryOwner, number>();
  const step = (owner: MemoryOwner, name: string, event: string): void => {
    const [lines, outcomes] = [owner.lines.length, owner.outcomes.length];
    lanes.commit(owner.lane, 1, 1);
    const [line] = owner.lines.slice(lines);
    const [outcome] = owner.outcomes.slice(outcomes);
    const cells = line === undefined ? ["", "", "", ""] : cellsOf(line);
    rows.push([name, event, outcome?.status ?? "none", ...cells, outcome?.type ?? "none"]);
    expect([owner.lines.length - lines, owner.outcomes.length - outcomes]).toEqual([line === undefined ? 0 : 1, 1]);
    for (const message of owner.sent.slice(carried.get(owner) ?? 0)) {
      (lanes.lanes[message.toLane] as MemoryOwner).arrive(message, NOW_MS);
    }
    carried.set(owner, owner.sent.length);
  };
  step(from, "sender's", "transfer_create");
  step(to, "receiver's", "transfer_credit");
  step(from, "sender's", "transfer.accepted");
  expect(from.cases.get(parseCaseId(id)?.uuid ?? "")?.state).toBe("completed");

  const heading = "| lane | event | state after it | posting | debit | credit | amount | outcome |";
  expect(cellsTold("ARCHITECTURE.md", heading)).toEqual(rows);
});
