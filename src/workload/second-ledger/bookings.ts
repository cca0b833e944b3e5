// The lines of one event and the accounts that they touch, gathered before it is known whether it may. Every refusal that
// applies is noted; nothing is booked here.

import { placeOf, type SecondPlace } from "./chart.ts";
import type { Value } from "./evaluate.ts";
import type { SecondIntent } from "./intent.ts";
import { accountKey, balanceOf, type LaneLedger, type SecondAccount } from "./ledger.ts";
import type { SecondRules } from "./rules.ts";
import { Unreadable } from "./tree.ts";

export type BookedLine = {
  readonly debit: SecondAccount;
  readonly credit: SecondAccount;
  readonly currency: string;
  readonly minor: bigint;
  readonly posting: string;
  readonly isForced: boolean;
  readonly uuid: string;
};

export type LineAsked = Pick<BookedLine, "currency" | "minor" | "posting" | "isForced" | "uuid"> & {
  readonly debitPath: string;
  readonly creditPath: string;
};

/** As much as the ledger holds: what an account without floor lets go of. */
const WITHOUT_END = 10n ** 38n - 1n;

export class Bookings {
  readonly lines: BookedLine[] = [];
  readonly refusals = new Set<string>();
  /** accounts that this event is the first to touch, in the order in which it does */
  readonly opened = new Map<string, SecondAccount>();
  change: { readonly account: SecondAccount; readonly floorMinor: bigint | null; readonly status: string } | null =
    null;
  readonly #rules: SecondRules;
  readonly #ledger: LaneLedger;
  readonly #holderId: string;
  readonly #isWish: boolean;

  /** @param isWish whether somebody asks for it, and it is no fact: wishes stop at closed and frozen accounts */
  constructor(rules: SecondRules, ledger: LaneLedger, holderId: string, isWish: boolean) {
    this.#rules = rules;
    this.#ledger = ledger;
    this.#holderId = holderId;
    this.#isWish = isWish;
  }

  line(asked: LineAsked): void {
    const { debitPath, creditPath, currency, minor } = asked;
    if (minor < 0n) throw new Unreadable(`${asked.posting} would post ${minor}`);
    if (minor === 0n) return;
    this.judgeSize(minor);
    const [debit, credit] = [this.#side(debitPath, currency), this.#side(creditPath, currency)];
    if (debitPath === creditPath) this.refusals.add("same_account");
    if (debit !== null && credit !== null) this.lines.push({ ...asked, debit, credit });
  }

  /** Nothing comes to a number that the ledger cannot hold. */
  judgeSize(value: Value): void {
    if (typeof value !== "bigint") return;
    if (value > WITHOUT_END || value < -WITHOUT_END) this.refusals.add("amount_too_large");
  }

  /** One side of a line, and what speaks against it; null when there is no such account to book on. */
  #side(path: string, currency: string): SecondAccount | null {
    const place = placeOf(this.#rules.chart, path);
    if (place === null) {
      this.refusals.add("unknown_account");
      return null;
    }
    if (place.holderId !== null && place.holderId !== this.#holderId) {
      this.refusals.add("not_home");
      return null;
    }
    const account = this.#find(path, currency, place) ?? this.#open(path, currency, place, place.floorMinor);
    if (account.currency !== currency) this.refusals.add("currency_mismatch");
    if (this.#isWish && account.status === "closed") this.refusals.add("account_closed");
    if (this.#isWish && account.status === "frozen") this.refusals.add("account_frozen");
    return account;
  }

  /** An account of the case's own holder that later events may book on: it is there from the beginning. */
  meet(path: string, currency: string): void {
    const place = this.#ownPlace(path);
    if (place === null) return;
    const account = this.#find(path, currency, place) ?? this.#open(path, currency, place, place.floorMinor);
    if (account.currency !== currency) this.refusals.add("currency_mismatch");
  }

  #find(path: string, currency: string, place: SecondPlace): SecondAccount | null {
    const key = accountKey(path, currency, place);
    return this.#ledger.accounts.get(key) ?? this.opened.get(key) ?? null;
  }

  #open(path: string, currency: string, place: SecondPlace, floorMinor: bigint | null): SecondAccount {
    const fresh: SecondAccount = {
      id: 0n, // given when it is booked
      path,
      currency,
      place,
      floorMinor,
      status: "open",
      debits: 0n,
      credits: 0n,
      openedBlock: this.#ledger.block + 1n,
    };
    this.opened.set(accountKey(path, currency, place), fresh);
    return fresh;
  }

  /** What an account has above its floor, with the lines so far. */
  spendable(path: string): bigint {
    const place = placeOf(this.#rules.chart, path);
    const account = place === null ? null : this.#find(path, "", place);
    if (account === null) return 0n;
    if (account.floorMinor === null) return WITHOUT_END;
    const above = balanceOf(account) - takenOut(account, this.lines) - account.floorMinor;
    return above > 0n ? above : 0n;
  }

  /** Whether funds suffice for the lines behind the first `judged`, which were judged before. */
  judgeFunds(judged: number): void {
    const [earlier, own] = [this.lines.slice(0, judged), this.lines.slice(judged)];
    for (const account of new Set(own.flatMap(({ debit, credit }) => [debit, credit]))) {
      if (account.floorMinor === null) continue;
      const forced = takenOut(
        account,
        own.filter(({ isForced }) => isForced),
      );
      const wished = takenOut(
        account,
        own.filter(({ isForced }) => !isForced),
      );
      const after = balanceOf(account) - takenOut(account, earlier) - forced - wished;
      // Below the floor it may be: when nothing of it was a wish, or when it would not be but for what was forced.
      const withoutForced = forced > 0n ? after + forced : after;
      if (after < account.floorMinor && withoutForced < account.floorMinor && wished > 0n) {
        this.refusals.add("insufficient_funds");
      }
    }
  }

  // Accounts ------------------------------------------------------------------------------------------------------------

  openAccount(path: string, currency: string, intent: SecondIntent | null): void {
    const place = this.#ownPlace(path);
    if (place === null) return;
    const known = this.#find(path, currency, place);
    const floorMinor = intent?.floorMinor ?? null;
    if (known !== null) {
      this.refusals.add("invalid_state");
      if (known.currency !== currency) this.refusals.add("currency_mismatch");
      if (known.status === "closed") this.refusals.add("account_closed");
    } else {
      if (floorMinor !== null && floorMinor > 0n) this.refusals.add("insufficient_funds");
      this.#open(path, currency, place, floorMinor);
    }
  }

  changeAccount(path: string, intent: SecondIntent | null): void {
    const place = this.#ownPlace(path);
    if (place === null) return;
    const account = this.#find(path, "", place);
    if (account === null) {
      this.refusals.add("invalid_state");
      return;
    }
    const change = intent?.change ?? "";
    const wanted = intent?.floorMinor ?? null;
    if ((intent?.currency ?? account.currency) !== account.currency) this.refusals.add("currency_mismatch");
    if (account.status === "closed") this.refusals.add("account_closed");
    if (change === "close" && balanceOf(account) !== 0n) this.refusals.add("account_not_empty");
    if (change === "floor" && wanted !== null && balanceOf(account) < wanted) this.refusals.add("insufficient_funds");
    const statuses: Readonly<Record<string, string>> = { freeze: "frozen", unfreeze: "open", close: "closed" };
    this.change = {
      account,
      floorMinor: change === "floor" ? wanted : account.floorMinor,
      status: statuses[change] ?? account.status,
    };
  }

  /** Of an account of the case's holder; null when it is none. */
  #ownPlace(path: string): SecondPlace | null {
    const place = placeOf(this.#rules.chart, path);
    if (place === null) this.refusals.add("unknown_account");
    else if (place.holderId !== this.#holderId) this.refusals.add("not_home");
    else return place;
    return null;
  }
}

function takenOut(account: SecondAccount, lines: readonly BookedLine[]): bigint {
  let taken = 0n;
  for (const { debit, credit, minor } of lines) {
    if (debit === account) taken += account.place.side === "debit" ? -minor : minor;
    if (credit === account) taken += account.place.side === "debit" ? minor : -minor;
  }
  return taken;
}
