// The accounts that a draft touches: found in the books, or opened by the event that is the first to touch them.

import { failed } from "../assert.ts";
import { type Account, assignId, type Books, firstLookAt, isNewAccount, naturalBalance } from "../books.ts";
import type { FlowPosting } from "../flow/flow.ts";
import type { RefusalCode } from "../refusals.ts";

export type DraftLine = {
  readonly debit: Account;
  readonly credit: Account;
  readonly currency: string;
  readonly minor: bigint;
  readonly posting: NamedPosting;
};

/** As much of a posting as a draft needs. */
export type NamedPosting = Pick<FlowPosting, "name" | "forced">;

/** What of a draft its accounts hang on. */
export type Touching = {
  readonly books: Books;
  readonly holderId: string;
  /** accounts that this event met for the first time in the lane's life; null: none */
  opened: Account[] | null;
};

/** The account of a path, opened by this event when it is the first to touch it. */
export function accountAt(touching: Touching, path: string, currency: string): Account | RefusalCode {
  const { books, holderId } = touching;
  const found = books.houseByPath.get(path);
  if (found !== undefined) for (const account of found) if (account.currency === currency) return account;
  const met = books.holderAccounts.get(path);
  if (met !== undefined) return judged(met, holderId, currency);
  // Only what is in neither is asked about by its name: no path is of both kinds.
  const house = books.rules.chart.houseKey(path, currency);
  if (house !== null) return openHouse(touching, house, path, currency);
  const known = firstLookAt(books, path);
  if (known !== null) return judged(known, holderId, currency);
  const place = books.rules.chart.resolve(path);
  if (place === null || place.kind === "house") return "unknown_account";
  if (place.holderId !== holderId) return "not_home";
  return openAccount(touching, path, currency, place);
}

/** Nobody writes another holder's account, or one of another currency. */
function judged(known: Account, holderId: string, currency: string): Account | RefusalCode {
  if (known.holderId !== holderId) return "not_home";
  return known.currency === currency ? known : "currency_mismatch";
}

/** What `accountAt` refuses; null: nothing. */
export function refusalOf(account: Account | RefusalCode): RefusalCode | null {
  return typeof account === "string" ? account : null;
}

function openHouse(touching: Touching, name: string, path: string, currency: string): Account {
  const { books } = touching;
  const place = books.rules.chart.resolve(path);
  if (place === null) failed(`${path} is an account of the house`);
  const id = books.house.get(name) ?? 0n;
  const account = makeAccount({ id, path, currency, holderId: null, side: place.side, floorMinor: null });
  books.houseAccounts.set(name, account);
  const beside = books.houseByPath.get(path);
  if (beside === undefined) books.houseByPath.set(path, [account]);
  else beside.push(account);
  if (id === 0n) noteOpened(touching, account);
  return account;
}

export function openAccount(
  touching: Touching,
  path: string,
  currency: string,
  { side, floorMinor }: Pick<Account, "side" | "floorMinor">,
): Account {
  const account = makeAccount({ id: 0n, path, currency, holderId: touching.holderId, side, floorMinor });
  touching.books.holderAccounts.set(path, account);
  noteOpened(touching, account);
  return account;
}

function noteOpened(touching: Touching, account: Account): void {
  touching.opened ??= [];
  touching.opened.push(account);
}

/** Gives those that were opened their ids, in the order in which they were met. */
export function keepOpened({ books, opened }: Touching): void {
  if (opened === null) return;
  for (const account of opened) if (isNewAccount(account)) assignId(books, account);
}

/** Forgets the accounts that only this event would have opened. */
export function forgetOpened({ books, opened }: Touching): void {
  for (const account of opened ?? []) {
    if (account.holderId === null) forgetHouse(books, account);
    else books.holderAccounts.delete(account.path);
  }
}

function forgetHouse(books: Books, account: Account): void {
  books.houseAccounts.delete(`${account.path} ${account.currency}`);
  const others = books.houseByPath.get(account.path)?.filter((one) => one !== account) ?? [];
  books.houseByPath.set(account.path, others);
}

/** Adds the lines to their accounts. */
export function apply(lines: readonly DraftLine[]): void {
  for (const { debit, credit, minor } of lines) {
    debit.addedDebits += minor;
    credit.addedCredits += minor;
  }
}

/** Takes them away again. */
export function unapply(lines: readonly DraftLine[]): void {
  for (const { debit, credit, minor } of lines) {
    debit.addedDebits -= minor;
    credit.addedCredits -= minor;
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

/** What becomes of an account by an intent that changes it. */
export type Change = { account: Account; floorMinor: bigint | null; status: Account["status"] };

/** Exchanges what an account is with what it becomes, so that doing it twice undoes it. */
export function swap(change: Change): void {
  const { account } = change;
  const { floorMinor, status } = account;
  account.floorMinor = change.floorMinor;
  account.status = change.status;
  account.changed = true;
  change.floorMinor = floorMinor;
  change.status = status;
}
