// The accounts that a draft touches: found in the books, or opened by the event that is the first to touch them.

import { type Account, assignId, type Books, holderAccountOf, isNewAccount, naturalBalance } from "./books.ts";
import type { FlowPosting } from "./flow/flow.ts";
import type { RefusalCode } from "./refusals.ts";

export type DraftLine = {
  readonly debit: Account;
  readonly credit: Account;
  readonly currency: string;
  readonly minor: bigint;
  readonly posting: FlowPosting;
};

export class DraftAccounts {
  readonly #books: Books;
  readonly #holderId: string;
  /** accounts that this event met for the first time in the lane's life */
  readonly #opened: Account[] = [];

  constructor(books: Books, holderId: string) {
    this.#books = books;
    this.#holderId = holderId;
  }

  /** The account of a path, opened by this event when it is the first to touch it. */
  at(path: string, currency: string): Account | RefusalCode {
    const known = this.#books.holderAccounts.get(path) ?? this.#books.houseAccounts.get(`${path} ${currency}`);
    if (known !== undefined) {
      if (known.holderId !== null && known.holderId !== this.#holderId) return "not_home";
      return known.currency === currency ? known : "currency_mismatch";
    }
    const place = this.#books.rules.chart.resolve(path);
    if (place === null) return "unknown_account";
    if (place.kind === "house") return this.#openHouse(path, currency, place.side);
    if (place.holderId !== this.#holderId) return "not_home";
    holderAccountOf(this.#books, path); // not there, or not read yet
    return this.open(path, currency, place.side, place.floorMinor);
  }

  #openHouse(path: string, currency: string, side: Account["side"]): Account {
    const name = `${path} ${currency}`;
    const id = this.#books.house.get(name) ?? 0n;
    const account = makeAccount({ id, path, currency, holderId: null, side, floorMinor: null });
    this.#books.houseAccounts.set(name, account);
    if (id === 0n) this.#opened.push(account);
    return account;
  }

  open(path: string, currency: string, side: Account["side"], floorMinor: bigint | null): Account {
    const account = makeAccount({ id: 0n, path, currency, holderId: this.#holderId, side, floorMinor });
    this.#books.holderAccounts.set(path, account);
    this.#opened.push(account);
    return account;
  }

  /** Gives those that were opened their ids, in the order in which they were met. */
  keep(): void {
    for (const account of this.#opened) if (isNewAccount(account)) assignId(this.#books, account);
  }

  /** Forgets the accounts that only this event would have opened. */
  forget(): void {
    for (const account of this.#opened) {
      if (account.holderId === null) this.#books.houseAccounts.delete(`${account.path} ${account.currency}`);
      else this.#books.holderAccounts.delete(account.path);
    }
  }
}

/** Adds the lines to their accounts, or to take them away again what is the opposite. */
export function apply(lines: readonly DraftLine[], times: 1n | -1n): void {
  for (const { debit, credit, minor } of lines) {
    debit.addedDebits += times * minor;
    credit.addedCredits += times * minor;
  }
}

/** Only an event that takes money out is judged by the floor: paying into an account below its floor is welcome. */
export function isOverdrawn(account: Account, lines: readonly DraftLine[]): boolean {
  if (account.floorMinor === null || naturalBalance(account) >= account.floorMinor) return false;
  const forced = takenOf(account, lines, (line) => line.posting.forced);
  // What a forced posting takes is a fact and not judged, but it does not excuse what others take beside it.
  if (naturalBalance(account) + (forced > 0n ? forced : 0n) >= account.floorMinor) return false;
  return takenOf(account, lines, (line) => !line.posting.forced) > 0n;
}

/** What some lines take out of an account, in its normal sign. */
export function takenOf(account: Account, lines: readonly DraftLine[], counts: (line: DraftLine) => boolean): bigint {
  let taken = 0n;
  for (const line of lines) {
    if (!counts(line)) continue;
    if (line.debit === account) taken += account.side === "debit" ? -line.minor : line.minor;
    if (line.credit === account) taken += account.side === "debit" ? line.minor : -line.minor;
  }
  return taken;
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
