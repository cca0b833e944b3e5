// The one lane of a scenario, in memory: it keeps what the database would, and opens each block on copies of that. All
// holders live in it, so that money for another holder arrives in the block that sends it.

import {
  type Account,
  type Books,
  type CaseRecord,
  type Command,
  type IntentInput,
  type Line,
  naturalBalance,
  type Outcome,
  openBooks,
  type ReportInput,
  type TimerKey,
} from "../../domain/books.ts";
import { decideIntent, decideReport, decideTimer } from "../../domain/decide/decide.ts";
import { NO_RATES, type RateBook } from "../../domain/fx/rates.ts";
import { NO_PARAMETERS, type ParameterBook } from "../../domain/parameters/parameters.ts";
import type { Rules } from "../../domain/rules.ts";
import type { GivenAccount } from "./scenario.ts";

/** What one or several blocks caused. */
export type Caused = { readonly outcomes: Outcome[]; readonly lines: Line[]; readonly commands: Command[] };

const LANE = 0;
const MESSAGES_MAX = 100;

export class ScenarioLane {
  readonly rules: Rules;
  rates: RateBook = NO_RATES;
  parameters: ParameterBook = NO_PARAMETERS;
  readonly #cases = new Map<string, CaseRecord>();
  readonly #accounts = new Map<string, Account>();
  readonly #house = new Map<string, Account>();
  #timers: TimerKey[] = [];
  #next = { block: 1n, outcome: 0n, command: 0n, account: 0n, offset: 0n, message: 1n };

  constructor(rules: Rules) {
    this.rules = rules;
  }

  /** @returns null when the chart knows no such account */
  open({ path, currency, balance, floor, status }: GivenAccount): Account | null {
    const named = this.rules.chart.resolve(path);
    if (named === null) return null;
    this.#next.account += 1n;
    const { side } = named;
    const isHouse = named.kind === "house";
    const account: Account = {
      id: isHouse ? -this.#next.account : this.#next.account,
      path,
      currency,
      holderId: named.kind === "house" ? null : named.holderId,
      side,
      floorMinor: isHouse ? null : floor,
      status,
      debits: side === "debit" ? balance : 0n,
      credits: side === "credit" ? balance : 0n,
      addedDebits: 0n,
      addedCredits: 0n,
      changed: false,
    };
    if (isHouse) this.#house.set(`${path} ${currency}`, account);
    else this.#accounts.set(path, account);
    return account;
  }

  intent(input: Omit<IntentInput, "offset">, nowMs: number): Caused {
    const offset = this.#next.offset++;
    return this.#block(nowMs, (books) => decideIntent(books, { ...input, offset }));
  }

  report(report: ReportInput["report"], nowMs: number): Caused {
    const offset = this.#next.offset++;
    const input: ReportInput = { kind: "report", id: `r-${LANE}-${offset}`, source: "r", offset, report };
    return this.#block(nowMs, (books) => decideReport(books, input));
  }

  timer(timer: TimerKey): Caused {
    return this.#block(timer.dueMs, (books) => decideTimer(books, { kind: "timer", timer }));
  }

  /** Armed timers, the next one first. */
  timers(): readonly TimerKey[] {
    return this.#timers.toSorted((one, other) => one.dueMs - other.dueMs || (one.caseId < other.caseId ? -1 : 1));
  }

  case(uuid: string): CaseRecord | undefined {
    return this.#cases.get(uuid);
  }

  /** The case of a flow that was opened last. */
  latest(flow: string): CaseRecord | undefined {
    return [...this.#cases.values()].findLast((one) => one.flow.name === flow);
  }

  /** In the account's normal sign; 0n when nothing was ever booked there. */
  balance(path: string, currency: string): bigint {
    const own = this.#accounts.get(path);
    const account = own?.currency === currency ? own : this.#house.get(`${path} ${currency}`);
    return account === undefined ? 0n : naturalBalance(account);
  }

  #block(nowMs: number, work: (books: Books) => unknown): Caused {
    const books = openBooks({
      rules: this.rules,
      rates: this.rates,
      parameters: this.parameters,
      lane: LANE,
      block: this.#next.block,
      nowMs,
      outcomesNext: this.#next.outcome,
      commandsNext: this.#next.command,
      accounts: this.#next.account,
      cases: new Map([...this.#cases].map(([uuid, one]) => [uuid, copyOf(one)])),
      holderAccounts: new Map([...this.#accounts].map(([path, account]) => [path, { ...account }])),
      house: new Map([...this.#house].map(([name, { id }]) => [name, id])),
    });
    work(books);
    this.#takeMessages(books);
    this.#keep(books);
    return { outcomes: books.outcomes, lines: books.lines, commands: books.commands };
  }

  /** As a block does it: messages to the own lane are taken at its end, in order, until none is left. */
  #takeMessages(books: Books): void {
    for (let taken = 0; taken < books.messages.length; taken++) {
      if (taken === MESSAGES_MAX) throw new Error(`after ${MESSAGES_MAX} messages the cases still write to each other`);
      const message = books.messages[taken];
      if (message === undefined) return;
      const sequence = this.#next.message++;
      const from = { ...message.report.from, lane: LANE, sequence, block: books.block };
      const report = { ...message.report, from };
      decideReport(books, { kind: "report", id: `m-${LANE}-${sequence}`, source: "m", offset: sequence, report });
    }
  }

  #keep(books: Books): void {
    const { block, offset, message } = this.#next;
    const { outcomesNext: outcome, commandsNext: command, accounts: account } = books;
    this.#next = { block: block + 1n, outcome, command, account, offset, message };
    for (const [uuid, one] of books.cases) this.#cases.set(uuid, { ...copyOf(one), isNew: false, changed: false });
    for (const [path, one] of books.holderAccounts) if (one.id !== 0n) this.#accounts.set(path, added(one, one));
    for (const [name, one] of books.houseAccounts) {
      if (one.id !== 0n) this.#house.set(name, added(this.#house.get(name) ?? one, one));
    }
    this.#timers.push(...books.timersArmed);
    // One for one: a state that is left and entered again gives up a timer of the same moment as the one that it arms.
    for (const gone of books.timersGone) {
      const index = this.#timers.findIndex((timer) => nameOf(timer) === nameOf(gone));
      if (index >= 0) this.#timers.splice(index, 1);
    }
  }
}

function added(before: Account, { addedDebits, addedCredits, ...account }: Account): Account {
  const debits = before.debits + addedDebits;
  const credits = before.credits + addedCredits;
  return { ...account, debits, credits, addedDebits: 0n, addedCredits: 0n, changed: false };
}

function copyOf(one: CaseRecord): CaseRecord {
  return { ...one };
}

function nameOf({ dueMs, caseId, name }: TimerKey): string {
  return `${dueMs} ${caseId} ${name}`;
}
