// What one event would do, before it is known whether it may. A draft collects lines, outcomes, timers and account
// changes; `settle` checks the funds and hands everything to the books, a refusal throws the draft away. So an event
// does all of its flow's steps or none.

import { assert } from "./assert.ts";
import { type Account, assignId, type Books, type CaseData, isNewAccount, naturalBalance } from "./books.ts";
import type { FlowPosting } from "./flow/flow.ts";
import type { AskedMoney, Intent } from "./intent.ts";
import type { RefusalCode } from "./refusals.ts";

export type DraftOutcome = {
  readonly type: string;
  readonly amounts: readonly { readonly name: string; readonly minor: bigint; readonly currency: string }[];
};

type Change = { account: Account; floorMinor: bigint | null; status: Account["status"] };
type DraftLine = { debit: Account; credit: Account; currency: string; minor: bigint; posting: FlowPosting };

export class Draft {
  readonly outcomes: DraftOutcome[] = [];
  readonly armed: { name: string; afterMs: number }[] = [];
  readonly #lines: DraftLine[] = [];
  /** accounts this event met for the first time in the lane's life */
  readonly #opened: Account[] = [];
  readonly #books: Books;
  readonly #caseId: string;
  readonly holderId: string;
  readonly #intent: Intent | null;
  #currencies: Record<string, string>;
  #values: Record<string, bigint>;
  #change: Change | null = null;

  constructor(books: Books, caseId: string, holderId: string, data: CaseData, intent: Intent | null) {
    this.#books = books;
    this.#caseId = caseId;
    this.holderId = holderId;
    this.#intent = intent;
    this.#currencies = { ...data.currencies };
    this.#values = { ...data.values };
  }

  // What steps read --------------------------------------------------------------------------------------------------

  value(name: string): bigint {
    const value = this.#values[name];
    assert(value !== undefined, `variable ${name} is not bound`);
    return value;
  }

  currencyOf(symbol: string): string {
    const currency = this.#currencies[symbol];
    assert(currency !== undefined, `currency ${symbol} is not bound`);
    return currency;
  }

  asked(): AskedMoney {
    const amount = this.#intent?.amount ?? null;
    assert(amount !== null, "the intent has no amount, which intake should have seen");
    return amount;
  }

  path(field: "account" | "from" | "to"): string {
    const path = this.#intent?.[field] ?? null;
    assert(path !== null, `the intent has no ${field}, which intake should have seen`);
    return path;
  }

  // What steps do ----------------------------------------------------------------------------------------------------

  bindCurrency(symbol: string, from: string): void {
    const currency = from === "intent.currency" ? this.#intent?.currency : this.asked().currency;
    assert(typeof currency === "string", `currency ${symbol} cannot be bound from ${from}`);
    this.#currencies[symbol] = currency;
  }

  set(name: string, value: bigint): void {
    this.#values[name] = value;
  }

  emit(type: string, amounts: DraftOutcome["amounts"]): void {
    this.outcomes.push({ type, amounts });
  }

  arm(name: string, afterMs: number): void {
    this.armed.push({ name, afterMs });
  }

  /** One line of a posting. Refusals come in their order of precedence over both sides: unknown, same, not home,
   *  currency, closed, frozen. Zero-amount lines are dropped. */
  post(
    posting: FlowPosting,
    currency: string,
    minor: bigint,
    debitPath: string,
    creditPath: string,
  ): RefusalCode | null {
    assert(minor >= 0n, `${posting.name} would post a negative amount`);
    if (minor === 0n) return null;
    const debit = this.#account(debitPath, currency);
    const credit = this.#account(creditPath, currency);
    if (debit === "unknown_account" || credit === "unknown_account") return "unknown_account";
    if (debitPath === creditPath) return "same_account";
    for (const code of ["not_home", "currency_mismatch"] as const) if (debit === code || credit === code) return code;
    assert(typeof debit !== "string" && typeof credit !== "string", "every refusal of an account is ranked above");
    // A freeze stops wishes. What falls due by itself is a fact: refusing it would only stop the lane.
    if (this.#intent !== null && (debit.status === "closed" || credit.status === "closed")) return "account_closed";
    if (this.#intent !== null && (debit.status === "frozen" || credit.status === "frozen")) return "account_frozen";
    this.#lines.push({ debit, credit, currency, minor, posting });
    return null;
  }

  openAccount(path: string, currency: string): RefusalCode | null {
    const place = this.#books.rules.chart.resolve(path);
    if (place === null) return "unknown_account";
    if (place.kind === "house" || place.holderId !== this.holderId) return "not_home";
    const known = this.#books.holderAccounts.get(path);
    if (known !== undefined && known.currency !== currency) return "currency_mismatch";
    if (known !== undefined) return known.status === "closed" ? "account_closed" : "invalid_state";
    const floorMinor = this.#intent?.floorMinor ?? null;
    if (floorMinor !== null && floorMinor > 0n) return "insufficient_funds"; // a new account holds nothing
    this.#openHolderAccount(path, currency, place.side, floorMinor);
    return null;
  }

  changeAccount(path: string): RefusalCode | null {
    const place = this.#books.rules.chart.resolve(path);
    if (place === null) return "unknown_account";
    if (place.kind === "house" || place.holderId !== this.holderId) return "not_home";
    const account = this.#books.holderAccounts.get(path);
    if (account === undefined) return "invalid_state"; // in the chart, but nobody has opened it
    // An account is path and currency: who names another currency means an account that there is not.
    if ((this.#intent?.currency ?? account.currency) !== account.currency) return "currency_mismatch";
    if (account.status === "closed") return "account_closed";
    const change = this.#intent?.change ?? null;
    assert(change !== null, "the intent names no change, which intake should have seen");
    const next: Change = { account, floorMinor: account.floorMinor, status: account.status };
    if (change === "floor") next.floorMinor = this.#intent?.floorMinor ?? null;
    else next.status = change === "freeze" ? "frozen" : change === "unfreeze" ? "open" : "closed";
    if (change === "close" && naturalBalance(account) !== 0n) return "account_not_empty";
    if (change === "floor" && next.floorMinor !== null && naturalBalance(account) < next.floorMinor)
      return "insufficient_funds";
    this.#change = next;
    return null;
  }

  // The end of an event ----------------------------------------------------------------------------------------------

  get lines(): number {
    return this.#lines.length;
  }

  data(timers: CaseData["timers"]): CaseData {
    return { currencies: this.#currencies, values: this.#values, timers };
  }

  /** Applies the draft to the books, or refuses and leaves them as they were. */
  settle(): RefusalCode | null {
    for (const line of this.#lines) apply(line, line.minor);
    for (const line of this.#lines) {
      if (this.#isOverdrawn(line.debit) || this.#isOverdrawn(line.credit)) {
        for (const done of this.#lines) apply(done, -done.minor);
        return "insufficient_funds";
      }
    }
    this.#book();
    return null;
  }

  /** Only an event that takes money out is judged by the floor: paying into an account below its floor is welcome. */
  #isOverdrawn(account: Account): boolean {
    if (account.floorMinor === null || naturalBalance(account) >= account.floorMinor) return false;
    const forced = this.#taken(account, (line) => line.posting.forced);
    // What a forced posting takes is a fact and not judged, but it does not excuse what others take beside it.
    if (naturalBalance(account) + (forced > 0n ? forced : 0n) >= account.floorMinor) return false;
    return this.#taken(account, (line) => !line.posting.forced) > 0n;
  }

  /** What some lines take out of an account, in its normal sign. */
  #taken(account: Account, counts: (line: DraftLine) => boolean): bigint {
    let taken = 0n;
    for (const line of this.#lines) {
      if (!counts(line)) continue;
      if (line.debit === account) taken += account.side === "debit" ? -line.minor : line.minor;
      if (line.credit === account) taken += account.side === "debit" ? line.minor : -line.minor;
    }
    return taken;
  }

  /** Forgets the accounts that only this event would have opened. */
  discard(): void {
    for (const account of this.#opened) {
      if (account.holderId === null) this.#books.houseAccounts.delete(`${account.path} ${account.currency}`);
      else this.#books.holderAccounts.delete(account.path);
    }
  }

  #book(): void {
    for (const account of this.#opened) if (isNewAccount(account)) assignId(this.#books, account);
    for (const { debit, credit, currency, minor, posting } of this.#lines) {
      this.#books.lines.push({ debit, credit, currency, minor, caseId: this.#caseId, posting: posting.name });
    }
    if (this.#change === null) return;
    const { account, floorMinor, status } = this.#change;
    account.floorMinor = floorMinor;
    account.status = status;
    account.changed = true;
  }

  /** The account of a path, opened by this event when it is the first to touch it. */
  #account(path: string, currency: string): Account | RefusalCode {
    const known = this.#books.holderAccounts.get(path) ?? this.#books.houseAccounts.get(`${path} ${currency}`);
    if (known !== undefined) {
      if (known.holderId !== null && known.holderId !== this.holderId) return "not_home";
      return known.currency === currency ? known : "currency_mismatch";
    }
    const place = this.#books.rules.chart.resolve(path);
    if (place === null) return "unknown_account";
    if (place.kind === "house") return this.#houseAccount(path, currency, place.side);
    if (place.holderId !== this.holderId) return "not_home";
    return this.#openHolderAccount(path, currency, place.side, place.floorMinor);
  }

  #houseAccount(path: string, currency: string, side: Account["side"]): Account {
    const name = `${path} ${currency}`;
    const id = this.#books.house.get(name) ?? 0n;
    const account = makeAccount({ id, path, currency, holderId: null, side, floorMinor: null });
    this.#books.houseAccounts.set(name, account);
    if (id === 0n) this.#opened.push(account);
    return account;
  }

  #openHolderAccount(path: string, currency: string, side: Account["side"], floorMinor: bigint | null): Account {
    const account = makeAccount({ id: 0n, path, currency, holderId: this.holderId, side, floorMinor });
    this.#books.holderAccounts.set(path, account);
    this.#opened.push(account);
    return account;
  }
}

function apply(line: DraftLine, minor: bigint): void {
  line.debit.addedDebits += minor;
  line.credit.addedCredits += minor;
}

type NewAccount = Pick<Account, "id" | "path" | "currency" | "holderId" | "side" | "floorMinor">;

function makeAccount(given: NewAccount): Account {
  return {
    id: given.id,
    path: given.path,
    currency: given.currency,
    holderId: given.holderId,
    side: given.side,
    floorMinor: given.floorMinor,
    status: "open",
    debits: 0n,
    credits: 0n,
    addedDebits: 0n,
    addedCredits: 0n,
    changed: false,
  };
}
