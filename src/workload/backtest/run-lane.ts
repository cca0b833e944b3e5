// A lane of one of the two runs, in memory: the cases that began in the span and the accounts. Each input is decided on books
// of its own, so that one which cannot be decided leaves nothing behind.

import { AssertionFailed } from "../../domain/assert.ts";
import { type Account, type Books, type CaseRecord, openBooks, type TimerKey } from "../../domain/books.ts";
import { Undecidable } from "../../domain/decide/decide.ts";
import type { RateBook } from "../../domain/fx/rates.ts";
import type { ParameterBook } from "../../domain/parameters/parameters.ts";
import type { Rules } from "../../domain/rules.ts";
import type { PriorLine, RecordedAccount } from "./recording.ts";

/** What a block is decided by. */
export type BlockGround = {
  readonly rules: Rules;
  readonly rates: RateBook;
  readonly parameters: ParameterBook;
  readonly block: bigint;
  readonly nowMs: number;
};

export type Tried =
  | { readonly kind: "done"; readonly books: Books }
  | { readonly kind: "undecidable"; readonly why: string };

export class RunLane {
  readonly lane: number;
  readonly cases = new Map<string, CaseRecord>();
  readonly #accounts = new Map<string, Account>();
  readonly #house = new Map<string, bigint>();
  #next = { outcome: 0n, command: 0n, account: 0n, message: 0n };

  constructor(lane: number) {
    this.lane = lane;
  }

  /** An account that was there before. */
  take(rules: Rules, { path, currency, floorMinor, status, debits, credits }: RecordedAccount): void {
    const place = rules.chart.resolve(path);
    if (place === null || place.kind !== "holder") return;
    this.#next.account += 1n;
    const { side, holderId } = place;
    const added = { addedDebits: 0n, addedCredits: 0n, changed: false };
    const id = this.#next.account;
    this.#accounts.set(path, { id, path, currency, holderId, side, floorMinor, status, debits, credits, ...added });
  }

  /** What a case that this run does not decide booked. Of the house's accounts nobody needs a balance. */
  book(rules: Rules, { debit, credit, currency, minor }: PriorLine): void {
    const add = (path: string, debits: bigint, credits: bigint): void => {
      const known = this.#accounts.get(path);
      if (known !== undefined) {
        this.#accounts.set(path, { ...known, debits: known.debits + debits, credits: known.credits + credits });
        return;
      }
      // As in the service, the first line opens it.
      const place = rules.chart.resolve(path);
      if (place === null || place.kind !== "holder") return;
      const { lane } = this;
      this.take(rules, { lane, path, currency, floorMinor: place.floorMinor, status: "open", debits, credits });
    };
    add(debit, minor, 0n);
    add(credit, 0n, minor);
  }

  waitsFor({ caseId, name, dueMs }: TimerKey): boolean {
    return this.cases.get(caseId)?.data.timers[name] === dueMs;
  }

  nextMessage(): bigint {
    return this.#next.message++;
  }

  /** Decides one input; of one that cannot be decided nothing is kept. */
  try(ground: BlockGround, work: (books: Books) => unknown): Tried {
    const books = this.#open(ground);
    try {
      work(books);
    } catch (error) {
      // The one halts a lane, the other ends the process: either way the flow cannot take this input.
      if (!(error instanceof Undecidable || error instanceof AssertionFailed)) throw error;
      return { kind: "undecidable", why: error.message };
    }
    this.#keep(books);
    return { kind: "done", books };
  }

  #open({ rules, rates, parameters, block, nowMs }: BlockGround): Books {
    return openBooks({
      rules,
      rates,
      parameters,
      lane: this.lane,
      block,
      nowMs,
      outcomesNext: this.#next.outcome,
      commandsNext: this.#next.command,
      accounts: this.#next.account,
      cases: new Touched(this.cases, copyOfCase),
      holderAccounts: new Touched(this.#accounts, (account) => ({ ...account })),
      house: this.#house,
    });
  }

  #keep(books: Books): void {
    const { outcomesNext: outcome, commandsNext: command, accounts: account } = books;
    this.#next = { ...this.#next, outcome, command, account };
    for (const [uuid, one] of books.cases) {
      if (one.changed || one.isNew) this.cases.set(uuid, { ...one, isNew: false, changed: false });
    }
    for (const [path, one] of books.holderAccounts) if (one.id !== 0n) this.#accounts.set(path, added(one));
    for (const [name, { id }] of books.houseAccounts) if (id !== 0n) this.#house.set(name, id);
  }
}

/** What an input looks at, copied when it is looked at: most inputs need one case of many thousands. */
class Touched<Value> extends Map<string, Value> {
  readonly #kept: ReadonlyMap<string, Value>;
  readonly #copy: (value: Value) => Value;

  constructor(kept: ReadonlyMap<string, Value>, copy: (value: Value) => Value) {
    super();
    this.#kept = kept;
    this.#copy = copy;
  }

  override get(key: string): Value | undefined {
    const own = super.get(key);
    if (own !== undefined) return own;
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    const copy = this.#copy(kept);
    this.set(key, copy);
    return copy;
  }
}

function copyOfCase(one: CaseRecord): CaseRecord {
  return { ...one };
}

function added({ addedDebits, addedCredits, ...account }: Account): Account {
  const debits = account.debits + addedDebits;
  const credits = account.credits + addedCredits;
  return { ...account, debits, credits, addedDebits: 0n, addedCredits: 0n, changed: false };
}
