// A lane in memory for tests of the pure core: keeps what the database would keep, and opens each block on copies of it,
// so that nothing is carried from block to block that would not be read again.
import { join } from "node:path";
import { expect } from "vitest";
import { loadDeclared, loadFlowFiles } from "../../src/declared/load.ts";
import {
  type Account,
  type Books,
  type CaseRecord,
  type IntentInput,
  type Line,
  naturalBalance,
  type Outcome,
  openBooks,
  type TimerKey,
} from "../../src/domain/books.ts";
import { decideIntent, decideTimer, type IntentResult } from "../../src/domain/decide/decide.ts";
import { compileFlow } from "../../src/domain/flow/compile/compile.ts";
import { parseCaseId } from "../../src/domain/ids.ts";
import type { AccountChange, Intent } from "../../src/domain/intent.ts";
import { makeRules, type Rules } from "../../src/domain/rules.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { SHIPPED_SCHEMAS, TEST_FLOWS } from "./faulty.ts";
import { Producing } from "./intents.ts";

/** When tests of the core take place: milliseconds since the epoch. */
export const NOW_MS = Date.UTC(2026, 10, 20, 10);
export const DAY_MS = 86_400_000;
export const LANES = 4;
/** Its clock stands at NOW_MS. */
export const producing = new Producing(() => NOW_MS);

const declared = loadDeclared(SHIPPED_SCHEMAS);
const hold = loadFlowFiles([join(TEST_FLOWS, "hold.flow.yaml")], declared);

/** The shipped flows and `hold`, numbered from 1 on. */
export const FLOWS = [...declared.flows, ...hold.flows].map((flow, index) => compileFlow(flow, index + 1));
export const DECLARED = declared;

export const RULES: Rules = makeRules({
  chart: declared.chart,
  currencies: declared.currencies,
  lanes: LANES,
  flows: FLOWS,
  retired: [],
  caseWindowMs: 400 * DAY_MS,
  caseFutureMs: DAY_MS,
});

/** What intake makes of a message whose fields are all right. */
export function intentOf(message: NewIntent): Intent {
  const { amount, floorMinor, occurredAt, ...rest } = message;
  return {
    caseId: null,
    sourceId: null,
    idempotencyKey: null,
    account: null,
    currency: null,
    from: null,
    to: null,
    final: null,
    reference: null,
    metadata: null,
    correlationId: null,
    causationId: null,
    traceparent: null,
    method: null,
    captureMode: null,
    tokenRef: null,
    provider: null,
    tenant: null,
    settlementCurrency: null,
    quoteId: null,
    fxBasis: null,
    side: null,
    lockSeconds: null,
    decision: null,
    principal: null,
    reason: null,
    ...rest,
    change: (message.change ?? null) as AccountChange | null,
    floorMinor: floorMinor === undefined ? 0n : floorMinor === null ? null : BigInt(floorMinor),
    amount: amount === undefined || amount === null ? null : { ...amount, minor: BigInt(amount.minor) },
    occurredAtMicros: occurredAt,
  };
}

export function inputOf(message: NewIntent, offset: bigint, appendedAtMs = NOW_MS): IntentInput {
  const intent = intentOf(message);
  return { kind: "intent", offset, appendedAtMs, intent, caseId: parseCaseId(intent.caseId) };
}

export type Decided = { readonly result: IntentResult; readonly outcomes: readonly Outcome[] };

export class MemoryLane {
  readonly rules: Rules;
  readonly lane: number;
  readonly outcomes: Outcome[] = [];
  readonly lines: Line[] = [];
  /** armed and neither fired nor cancelled */
  timers: TimerKey[] = [];
  readonly #cases = new Map<string, CaseRecord>();
  readonly #accounts = new Map<string, Account>();
  readonly #house = new Map<string, Account>();
  #next = { block: 1n, outcome: 0n, account: 0n, offset: 0n };

  constructor(rules: Rules = RULES, lane = 1) {
    this.rules = rules;
    this.lane = lane;
  }

  /** Decides intents as one block and keeps it. */
  decide(messages: readonly NewIntent[], appendedAtMs = NOW_MS, nowMs = NOW_MS): Decided[] {
    return this.block(
      (books) =>
        messages.map((message) => {
          const from = books.outcomes.length;
          const result = decideIntent(books, inputOf(message, this.#next.offset++, appendedAtMs));
          return { result, outcomes: books.outcomes.slice(from) };
        }),
      nowMs,
    );
  }

  /** One intent, one block, and the outcome that answers it. */
  answer(message: NewIntent, appendedAtMs = NOW_MS): Outcome {
    const [decided] = this.decide([message], appendedAtMs);
    return decided?.outcomes[0] as Outcome;
  }

  /** Fires a timer in a block of its own. */
  fire(timer: TimerKey): readonly Outcome[] {
    return this.block((books) => {
      decideTimer(books, { kind: "timer", timer });
      return [...books.outcomes];
    }, timer.dueMs);
  }

  /** Opens books on what is kept, lets `work` change them, and keeps the result; nothing is kept when it throws. */
  block<T>(work: (books: Books) => T, nowMs = NOW_MS): T {
    const books = this.open(nowMs);
    const result = work(books);
    this.#keep(books);
    return result;
  }

  open(nowMs = NOW_MS): Books {
    return openBooks({
      rules: this.rules,
      lane: this.lane,
      block: this.#next.block,
      nowMs,
      outcomesNext: this.#next.outcome,
      accounts: this.#next.account,
      cases: new Map([...this.#cases].map(([id, one]) => [id, copyOf(one)])),
      holderAccounts: new Map([...this.#accounts].map(([path, account]) => [path, readAgain(account)])),
      house: new Map([...this.#house].map(([name, { id }]) => [name, id])),
    });
  }

  case(id: string): CaseRecord | undefined {
    return this.#cases.get(parseCaseId(id)?.uuid ?? "");
  }

  account(path: string): Account | undefined {
    return this.#accounts.get(path);
  }

  /** In the account's normal sign; 0n when it does not exist. */
  balance(path: string, currency = "EUR"): bigint {
    const account = this.#accounts.get(path) ?? this.#house.get(`${path} ${currency}`);
    return account === undefined ? 0n : naturalBalance(account);
  }

  /** Every account with everything it holds, as text that two lanes can be compared by. */
  balances(): string[] {
    const all = [...this.#accounts.values(), ...this.#house.values()];
    return all
      .map((a) => `${a.id} ${a.path} ${a.currency} ${a.debits} ${a.credits} ${a.floorMinor} ${a.status}`)
      .sort();
  }

  accounts(): Account[] {
    return [...this.#accounts.values(), ...this.#house.values()];
  }

  /** Keeps what a block would write, by the marks that say so, and nothing else. */
  #keep(books: Books): void {
    this.#next.block += 1n;
    this.#next.outcome = books.outcomesNext;
    this.#next.account = books.accounts;
    this.outcomes.push(...books.outcomes);
    this.lines.push(...books.lines);
    for (const [id, one] of books.cases) {
      if (one.isNew || one.changed) this.#cases.set(id, { ...copyOf(one), isNew: false, changed: false });
    }
    for (const [path, account] of books.holderAccounts) {
      const before = this.#accounts.get(path);
      const { floorMinor, status } = account.changed || before === undefined ? account : before;
      if (account.id !== 0n) this.#accounts.set(path, { ...readAgain(account), floorMinor, status });
    }
    for (const [name, account] of books.houseAccounts) this.#keepHouse(name, account);
    // A state that is entered again may arm the very timer that it has just cancelled: each goes against one.
    this.timers.push(...books.timersArmed);
    for (const gone of books.timersGone) {
      const at = this.timers.findIndex((timer) => nameOf(timer) === nameOf(gone));
      expect(at, `timer ${nameOf(gone)} that is cancelled was armed`).not.toBe(-1);
      this.timers.splice(at, 1);
    }
  }

  /** Of a house account the books know this block's additions alone. */
  #keepHouse(name: string, account: Account): void {
    if (account.id === 0n) return;
    const before = this.#house.get(name);
    const debits = (before?.debits ?? 0n) + account.addedDebits;
    const credits = (before?.credits ?? 0n) + account.addedCredits;
    this.#house.set(name, { ...readAgain(account), debits, credits });
  }
}

function copyOf(one: CaseRecord): CaseRecord {
  return { ...one };
}

function readAgain(account: Account): Account {
  const debits = account.debits + account.addedDebits;
  const credits = account.credits + account.addedCredits;
  return { ...account, debits, credits, addedDebits: 0n, addedCredits: 0n, changed: false };
}

function nameOf({ dueMs, caseId, name }: TimerKey): string {
  return `${dueMs} ${caseId} ${name}`;
}
