// What one event would do, were it accepted: gathered step by step from the flow's tree, with every refusal that applies.
// Only an accepted trial is booked.

import { placeOf, type SecondPlace } from "./chart.ts";
import { isForced, type SecondFlow } from "./flows.ts";
import type { SecondIntent } from "./intent.ts";
import { accountKey, balanceOf, type LaneLedger, type SecondAccount } from "./ledger.ts";
import type { SecondRules } from "./rules.ts";
import { at, entriesOf, itemsOf, type Tree, textOf, Unreadable } from "./tree.ts";

export type TrialLine = {
  readonly debit: SecondAccount;
  readonly credit: SecondAccount;
  readonly currency: string;
  readonly minor: bigint;
  readonly posting: string;
};

export type Emitted = {
  readonly type: string;
  readonly amounts: readonly { readonly name: string; readonly minor: bigint; readonly currency: string }[];
};

export class Trial {
  readonly lines: TrialLine[] = [];
  readonly emitted: Emitted[] = [];
  readonly refusals = new Set<string>();
  /** accounts that this event is the first to touch, in the order in which it does */
  readonly opened = new Map<string, SecondAccount>();
  change: { readonly account: SecondAccount; readonly floorMinor: bigint | null; readonly status: string } | null =
    null;
  readonly currencies: Map<string, string>;
  readonly values: Map<string, bigint>;
  readonly #rules: SecondRules;
  readonly #ledger: LaneLedger;
  readonly #flow: SecondFlow;
  readonly #holderId: string;
  readonly #intent: SecondIntent | null;

  /** @param intent null for a timer */
  constructor(
    rules: SecondRules,
    ledger: LaneLedger,
    of: { readonly flow: SecondFlow; readonly holderId: string } & Bound,
    intent: SecondIntent | null,
  ) {
    this.#rules = rules;
    this.#ledger = ledger;
    this.#flow = of.flow;
    this.#holderId = of.holderId;
    this.#intent = intent;
    this.currencies = new Map(of.currencies);
    this.values = new Map(of.values);
  }

  /** Currencies and variables of a case that opens. */
  bind(): void {
    for (const [symbol, from] of entriesOf(at(this.#flow.spec, "currencies"))) {
      const currency = from === "intent.currency" ? this.#intent?.currency : this.#intent?.amount?.currency;
      this.currencies.set(symbol, currency ?? missing(`currency ${symbol}`));
    }
    for (const [name, field] of entriesOf(at(this.#flow.spec, "data"))) {
      const from = at(field, "from") ?? at(field, "init") ?? 0;
      this.values.set(name, this.#amount(from));
    }
  }

  do(actions: Tree | undefined): void {
    for (const action of itemsOf(actions)) {
      if (at(action, "post") !== undefined) this.#post(action);
      else if (at(action, "set") !== undefined) this.#set(action);
      else if (at(action, "emit") !== undefined) this.#emit(action);
      else if (at(action, "open_account") !== undefined) this.#openAccount(at(action, "open_account"));
      else if (at(action, "change_account") !== undefined) this.#changeAccount(at(action, "change_account"));
      else throw new Unreadable(`${this.#flow.ref} has an action that nobody knows`);
    }
  }

  /** Whether funds suffice, once no other refusal applies. */
  judgeFunds(): void {
    for (const account of new Set(this.lines.flatMap(({ debit, credit }) => [debit, credit]))) {
      if (account.floorMinor === null) continue;
      const forced = this.#taken(account, (line) => isForced(this.#flow, line.posting));
      const wished = this.#taken(account, (line) => !isForced(this.#flow, line.posting));
      const after = balanceOf(account) - forced - wished;
      // Below the floor it may be: when nothing of it was a wish, or when it would not be but for what was forced.
      const withoutForced = forced > 0n ? after + forced : after;
      if (after < account.floorMinor && withoutForced < account.floorMinor && wished > 0n) {
        this.refusals.add("insufficient_funds");
      }
    }
  }

  #taken(account: SecondAccount, counts: (line: TrialLine) => boolean): bigint {
    let taken = 0n;
    for (const { debit, credit, minor } of this.lines.filter(counts)) {
      if (debit === account) taken += account.place.side === "debit" ? -minor : minor;
      if (credit === account) taken += account.place.side === "debit" ? minor : -minor;
    }
    return taken;
  }

  // Actions -------------------------------------------------------------------------------------------------------------

  #post(action: Tree): void {
    const name = textOf(at(action, "post"), "a posting");
    const posting = at(this.#flow.spec, "postings", name);
    for (const line of itemsOf(at(posting, "lines"))) {
      const [debit, credit, symbol, input] = itemsOf(line).map((part) => textOf(part, `a part of ${name}`));
      const minor = this.#amount(at(action, input ?? "") ?? missing(`${input} of ${name}`));
      if (minor < 0n) throw new Unreadable(`${name} of ${this.#flow.ref} would post ${minor}`);
      if (minor === 0n) continue;
      this.#line(name, this.#currency(symbol ?? ""), minor, this.#path(debit ?? ""), this.#path(credit ?? ""));
    }
  }

  #line(posting: string, currency: string, minor: bigint, debitPath: string, creditPath: string): void {
    const sides = [this.#side(debitPath, currency), this.#side(creditPath, currency)];
    if (debitPath === creditPath) this.refusals.add("same_account");
    const [debit, credit] = sides;
    if (debit === undefined || debit === null || credit === undefined || credit === null) return;
    this.lines.push({ debit, credit, currency, minor, posting });
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
    // Wishes stop at a closed or frozen account; what falls due by itself is a fact.
    if (this.#intent !== null && account.status === "closed") this.refusals.add("account_closed");
    if (this.#intent !== null && account.status === "frozen") this.refusals.add("account_frozen");
    return account;
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

  #openAccount(asked: Tree | undefined): void {
    const path = this.#path(textOf(at(asked, "account"), "an account"));
    const currency = this.#currency(textOf(at(asked, "currency"), "a currency"));
    const place = this.#ownPlace(path);
    if (place === null) return;
    const known = this.#find(path, currency, place);
    const floorMinor = this.#intent?.floorMinor ?? null;
    if (known !== null) {
      this.refusals.add("invalid_state");
      if (known.currency !== currency) this.refusals.add("currency_mismatch");
      if (known.status === "closed") this.refusals.add("account_closed");
    } else {
      if (floorMinor !== null && floorMinor > 0n) this.refusals.add("insufficient_funds");
      this.#open(path, currency, place, floorMinor);
    }
  }

  #changeAccount(asked: Tree | undefined): void {
    const path = this.#path(textOf(at(asked, "account"), "an account"));
    const place = this.#ownPlace(path);
    if (place === null) return;
    const account = this.#find(path, "", place);
    if (account === null) {
      this.refusals.add("invalid_state");
      return;
    }
    const change = this.#intent?.change ?? missing("the change of an account");
    const wanted = this.#intent?.floorMinor ?? null;
    if ((this.#intent?.currency ?? account.currency) !== account.currency) this.refusals.add("currency_mismatch");
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

  #set(action: Tree): void {
    for (const [name, value] of entriesOf(at(action, "set"))) this.values.set(name, this.#amount(value));
  }

  #emit(action: Tree): void {
    const amounts = entriesOf(at(action, "amounts")).map(([name, value]) => {
      const field = textOf(value, name).replace(/^data\./, "");
      const symbol =
        at(this.#flow.spec, "data", field, "money") ?? entriesOf(at(this.#flow.spec, "currencies"))[0]?.[0];
      return { name, minor: this.#amount(value), currency: this.#currency(textOf(symbol, `the currency of ${name}`)) };
    });
    this.emitted.push({ type: textOf(at(action, "emit"), "an outcome's type"), amounts });
  }

  // Names ---------------------------------------------------------------------------------------------------------------

  #amount(value: Tree): bigint {
    const text = textOf(value, "an amount");
    if (text === "intent.amount.minor") return this.#intent?.amount?.minor ?? missing("the intent's amount");
    if (text.startsWith("data.")) return this.values.get(text.slice("data.".length)) ?? missing(text);
    return BigInt(text);
  }

  #currency(symbol: string): string {
    return this.currencies.get(symbol) ?? missing(`currency ${symbol}`);
  }

  #path(alias: string): string {
    const template = textOf(at(this.#flow.spec, "accounts", alias, "path"), `account ${alias}`);
    const field = /^\{intent\.(account|from|to)\}$/.exec(template)?.[1] as "account" | "from" | "to" | undefined;
    if (field !== undefined) return this.#intent?.[field] ?? missing(`the intent's ${field}`);
    return template.replace("{holder}", this.#holderId);
  }
}

export type Bound = {
  readonly currencies: ReadonlyMap<string, string>;
  readonly values: ReadonlyMap<string, bigint>;
};

function missing(what: string): never {
  throw new Unreadable(`${what} is not there`);
}
