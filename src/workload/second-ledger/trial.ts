// What one event would make of one case, were it accepted: its actions, one after the other, from the flow's tree.

import type { Bookings } from "./bookings.ts";
import type { SecondCase } from "./case-book.ts";
import { writeCaseId } from "./case-ids.ts";
import { placeOf } from "./chart.ts";
import { evaluate, type Value, whole, wordOf } from "./evaluate.ts";
import { readExpression } from "./expressions.ts";
import { isForced, type SecondFlow } from "./flows.ts";
import type { SecondIntent } from "./intent.ts";
import { quoteUuid, whyNotQuote } from "./quotes.ts";
import { type Around, type EventGiven, fieldOf, type Known, namedIn, symbolOf } from "./scope.ts";
import { at, entriesOf, itemsOf, type Tree, textOf, Unreadable } from "./tree.ts";
import { literalOf, notBehind9999, plainValue } from "./values.ts";
import type { World } from "./world.ts";

/** An amount with the currency that it is in, by a name. */
export type Named = { readonly name: string; readonly minor: bigint; readonly currency: string };

export type Emitted = { readonly type: string; readonly code: string | null; readonly amounts: readonly Named[] };

/** What comes to a case: an intent with what it says, or an event with its fields. */
export type Given = { readonly intent: SecondIntent | null; readonly event: EventGiven };

/** What an event asks of others, in the order in which it does. */
export type Asked =
  | {
      readonly what: "call";
      readonly name: string;
      readonly payload: ReadonlyMap<string, string>;
      readonly key: string;
      /** null where the flow says nothing of it */
      readonly lifetimeMs: bigint | null;
    }
  | {
      readonly what: "message";
      readonly name: string;
      readonly payload: ReadonlyMap<string, string>;
      readonly to: string;
    }
  | { readonly what: "spawn"; readonly flow: string; readonly values: ReadonlyMap<string, GivenValue> }
  | { readonly what: "tell"; readonly word: string; readonly values: ReadonlyMap<string, GivenValue> }
  | { readonly what: "consume"; readonly quote: string; readonly minor: bigint };

/** A value that one case gives to another, with the currency that it is in. */
export type GivenValue = { readonly value: Value; readonly currency: string | null };

/** A case while it takes an event in; what becomes of it is kept only when the whole event is accepted. */
export type Draft = { -readonly [Part in keyof SecondCase]: SecondCase[Part] };

/** Cases as they stand within the event; undefined when there is none. */
export type Look = (uuid: string) => SecondCase | undefined;

export class Trial {
  readonly emitted: Emitted[] = [];
  readonly asks: Asked[] = [];
  readonly #world: World;
  readonly #bookings: Bookings;
  readonly #look: Look;
  readonly #one: Draft;
  readonly #given: Given;
  #names = new Map<string, Known>();

  constructor(world: World, around: { readonly bookings: Bookings; readonly look: Look }, one: Draft, given: Given) {
    const { bookings, look } = around;
    this.#world = world;
    this.#look = look;
    this.#bookings = bookings;
    this.#one = one;
    this.#given = given;
  }

  get #flow(): SecondFlow {
    return this.#one.flow;
  }

  // States --------------------------------------------------------------------------------------------------------------

  /** Currencies and variables of a case that opens, in the order of the file. */
  bind(): void {
    for (const [symbol, from] of entriesOf(at(this.#flow.spec, "currencies"))) {
      const currency = this.#currencyFrom(textOf(from, `currency ${symbol}`)) ?? missing(`currency ${symbol}`);
      if (!this.#world.rules.scales.has(currency)) this.#bookings.refusals.add("unknown_currency");
      this.#one.currencies = new Map([...this.#one.currencies, [symbol, currency]]);
    }
    const values = new Map(this.#one.values);
    this.#one.values = values; // what begins later may look at what has begun
    for (const [name, field] of entriesOf(at(this.#flow.spec, "data"))) {
      const value = this.#begin(field);
      this.#bookings.judgeSize(value);
      values.set(name, value);
    }
    for (const [alias, account] of entriesOf(at(this.#flow.spec, "accounts"))) {
      const template = textOf(at(account, "path"), `account ${alias}`);
      const isOfVariable = [...template.matchAll(/\{([^}]+)\}/g)].some(
        ([, name = ""]) => !/^(holder$|intent\.|event\.)/.test(name),
      );
      const path = isOfVariable ? this.#path(alias) : "";
      // One that is empty will be known later.
      if (path !== "" && placeOf(this.#world.rules.chart, path) === null) {
        this.#bookings.refusals.add("unknown_account");
      }
    }
    this.#meetAccounts();
  }

  /** The holder's accounts whose currency the flow says. */
  #meetAccounts(): void {
    for (const [alias, account] of entriesOf(at(this.#flow.spec, "accounts"))) {
      const symbol = at(account, "currency");
      if (symbol === undefined) continue;
      const path = textOf(at(account, "path"), `account ${alias}`).replace("{holder}", this.#one.holderId);
      const name = textOf(symbol, `the currency of ${alias}`);
      this.#bookings.meet(path, this.#one.currencies.get(name) ?? missing(`currency ${name}`));
    }
  }

  #currencyFrom(from: string): string | null {
    const { intent, event } = this.#given;
    if (from.startsWith("event.")) return currencyOf(event, from.slice("event.".length));
    if (from === "intent.currency") return intent?.currency ?? null;
    const settled = from === "intent.settlementCurrency" ? intent?.settlementCurrency : null;
    return settled ?? intent?.amount?.currency ?? null;
  }

  #begin(field: Tree): Value {
    const init = at(field, "init") ?? at(field, "from");
    const otherwise = at(field, "default");
    const isUnsaid =
      typeof init === "string" &&
      init.startsWith("intent.") &&
      fieldOf(this.#given.intent, init.split(".").slice(1)) === undefined;
    if (otherwise !== undefined && isUnsaid) return plainValue(field, otherwise);
    return this.#value(init ?? null, field);
  }

  /** Goes from state to state until one waits, doing what stands on the way.
   *  @param alternatives null: the case opens, and begins where it begins
   *  @returns the state that it comes to rest in; null: it stays, or is refused */
  walk(alternatives: readonly Tree[] | null, initial: string): string | null {
    let rests: string | null = null;
    let next: readonly Tree[] = alternatives ?? [{ to: initial }];
    for (let step = 0; next.length > 0; step++) {
      if (step > STEPS_MAX) throw new Unreadable(`${this.#flow.ref} does not come to rest`);
      const chosen = this.#choose(next);
      const refuse = at(chosen, "refuse");
      if (refuse !== undefined) {
        this.#bookings.refusals.add(textOf(refuse, "a code"));
        return null;
      }
      this.#do(at(chosen, "do"));
      const to = textOf(at(chosen, "to"), "a state");
      if (to === "stay") return rests;
      rests = to;
      this.#do(at(this.#flow.spec, "states", to, "entry"));
      next = itemsOf(at(this.#flow.spec, "states", to, "always"));
    }
    return rests;
  }

  /** The first whose guard holds. */
  #choose(alternatives: readonly Tree[]): Tree {
    const chosen = alternatives.find((one) => {
      const when = at(one, "when");
      return when === undefined || this.#value(when) === true;
    });
    return chosen ?? missing("an alternative that holds");
  }

  /** When the timers of a state are due, by what the case has come to. */
  timersOf(state: string, nowMs: number): Map<string, number> {
    const due = new Map<string, number>();
    for (const timer of itemsOf(at(this.#flow.spec, "states", state, "timers"))) {
      const name = textOf(timer, "a timer's name");
      const declared = at(this.#flow.spec, "timers", name);
      const after = whole(this.#value(at(declared, "after") ?? missing(`timer ${name}`), DURATION));
      const anchor = at(declared, "anchor");
      const from = anchor === undefined ? null : this.#value(anchor);
      const dueMs = (from === null ? BigInt(nowMs) : whole(from)) + after;
      if (dueMs <= BigInt(nowMs)) due.set(name, nowMs + 1);
      else due.set(name, notBehind9999(dueMs));
    }
    return due;
  }

  // Actions -------------------------------------------------------------------------------------------------------------

  #do(actions: Tree | undefined): void {
    this.#names = new Map();
    for (const action of itemsOf(actions)) this.#act(action);
    this.#names = new Map();
  }

  #act(action: Tree): void {
    if (at(action, "post") !== undefined) this.#post(action);
    else if (at(action, "let") !== undefined) this.#let(action);
    else if (at(action, "set") !== undefined) this.#set(action);
    else if (at(action, "emit") !== undefined) this.#emit(action);
    else if (at(action, "end") !== undefined) this.#end(action);
    else if (at(action, "call") !== undefined) this.#call(textOf(at(action, "call"), "a call"));
    else if (at(action, "spawn") !== undefined) this.#spawn(action);
    else if (at(action, "tell") !== undefined) this.#tell(action);
    else if (at(action, "consume") !== undefined) this.#consume(action);
    else this.#account(action);
  }

  #account(action: Tree): void {
    const opens = at(action, "open_account");
    const changes = at(action, "change_account");
    if (opens === undefined && changes === undefined) {
      throw new Unreadable(`${this.#flow.ref} has an action that nobody knows`);
    }
    const path = this.#path(textOf(at(opens ?? changes, "account"), "an account"));
    if (opens === undefined) return this.#bookings.changeAccount(path, this.#given.intent);
    const currency = this.#currency(textOf(at(opens, "currency"), "a currency"));
    this.#bookings.openAccount(path, currency, this.#given.intent);
  }

  #post(action: Tree): void {
    const name = textOf(at(action, "post"), "a posting");
    const posting = at(this.#flow.spec, "postings", name);
    for (const line of itemsOf(at(posting, "lines"))) {
      const [debit, credit, symbol, input] = itemsOf(line).map((part) => textOf(part, `a part of ${name}`));
      this.#bookings.line({
        debitPath: this.#path(debit ?? ""),
        creditPath: this.#path(credit ?? ""),
        currency: this.#currency(symbol ?? ""),
        minor: whole(this.#value(at(action, input ?? "") ?? missing(`${input} of ${name}`))),
        posting: name,
        isForced: isForced(this.#flow, name),
        uuid: this.#one.uuid,
      });
    }
  }

  /** All right sides are of before. */
  #let(action: Tree): void {
    const news = entriesOf(at(action, "let")).map(([name, tree]): [string, Known] => {
      return [name, { value: this.#value(tree), symbol: this.#symbol(tree) }];
    });
    this.#names = new Map([...this.#names, ...news]);
  }

  /** All right sides are of before. */
  #set(action: Tree): void {
    const news = entriesOf(at(action, "set")).map(([name, tree]) => {
      return [name, this.#value(tree, at(this.#flow.spec, "data", name))] as const;
    });
    for (const [, value] of news) this.#bookings.judgeSize(value);
    this.#one.values = new Map([...this.#one.values, ...news]);
  }

  #emit(action: Tree): void {
    const amounts = entriesOf(at(action, "amounts")).map(([name, tree]) => {
      const symbol = this.#symbol(tree) ?? entriesOf(at(this.#flow.spec, "currencies"))[0]?.[0] ?? "";
      const minor = whole(this.#value(tree));
      this.#bookings.judgeSize(minor);
      return { name, minor, currency: this.#currency(symbol) };
    });
    this.emitted.push({ type: textOf(at(action, "emit"), "an outcome's type"), code: this.#code(action), amounts });
  }

  /** Once a case; a second one does nothing. */
  #end(action: Tree): void {
    if (this.#one.ended !== null) return;
    this.#one.ended = textOf(at(action, "end"), "a result");
    this.emitted.push({ type: `${this.#flow.family}.${this.#one.ended}`, code: this.#code(action), amounts: [] });
  }

  /** A bare word is the code itself. */
  #code(action: Tree): string | null {
    const tree = at(action, "code");
    if (tree === undefined) return null;
    const text = textOf(tree, "a code");
    return /^[a-z][a-z0-9_]*$/.test(text) ? text : wordOf(this.#value(text));
  }

  // Others --------------------------------------------------------------------------------------------------------------

  #call(name: string): void {
    const declared = at(this.#flow.spec, "calls", name);
    const payload = new Map<string, string>();
    for (const [field, tree] of entriesOf(at(declared, "with"))) {
      const value = this.#value(tree);
      this.#bookings.judgeSize(value);
      if (value !== null) payload.set(field, String(value));
    }
    const holder = at(declared, "holder");
    if (at(declared, "message") !== undefined) {
      const to = wordOf(this.#value(holder ?? missing(`the holder of ${name}`)));
      this.asks.push({ what: "message", name, payload, to });
    } else {
      const key = at(declared, "key");
      const filled = key === undefined ? "" : this.#filled(textOf(key, "a key"));
      const lifetime = at(declared, "key_lifetime");
      const lifetimeMs = lifetime === undefined ? null : whole(this.#value(lifetime, DURATION));
      this.asks.push({ what: "call", name, payload, key: filled, lifetimeMs });
    }
  }

  #spawn(action: Tree): void {
    const values = this.#valuesBeside(action, "spawn");
    this.asks.push({ what: "spawn", flow: textOf(at(action, "spawn"), "a flow"), values });
  }

  #tell(action: Tree): void {
    const values = this.#valuesBeside(action, "tell");
    this.asks.push({ what: "tell", word: textOf(at(action, "tell"), "a word"), values });
  }

  /** The quote must still be good for the amount; it is its own case that takes note. */
  #consume(action: Tree): void {
    const id = wordOf(this.#value(at(action, "consume") ?? missing("a quote")));
    const minor = whole(this.#value(at(action, "amount") ?? missing("an amount")));
    const uuid = quoteUuid(id);
    const quote = uuid === null ? undefined : this.#look(uuid);
    const [from = "", to = ""] = [quote?.currencies.get("G"), quote?.currencies.get("R")];
    const { holderId, uuid: by } = this.#one;
    const code = whyNotQuote(quote, { holderId, by, minor, from, to });
    if (code !== null || quote === undefined) this.#bookings.refusals.add(code ?? "quote_mismatch");
    else this.asks.push({ what: "consume", quote: quote.uuid, minor });
  }

  /** What stands beside the name of an action, each by its own name. */
  #valuesBeside(action: Tree, word: string): Map<string, GivenValue> {
    const given = entriesOf(action).filter(([name]) => name !== word);
    return new Map(
      given.map(([name, tree]) => {
        const symbol = this.#symbol(tree);
        const value = this.#value(tree);
        this.#bookings.judgeSize(value);
        return [name, { value, currency: symbol === null ? null : this.#currency(symbol) }];
      }),
    );
  }

  // Expressions ---------------------------------------------------------------------------------------------------------

  get #around(): Around {
    const { flow, holderId, kind, uuid, currencies, values } = this.#one;
    const { intent, event } = this.#given;
    const param = (name: string): Value | undefined => this.#world.param(this.#one, name);
    return {
      flow,
      holderId,
      caseId: () => writeCaseId(kind, uuid),
      intent,
      event,
      currencies,
      values,
      names: this.#names,
      param,
    };
  }

  /** Of what stands in the file where a value of that type is asked for. */
  #value(tree: Tree, type?: Tree): Value {
    const literal = literalOf(type, tree);
    if (literal !== undefined) return literal;
    const around = this.#around;
    return evaluate(readExpression(textOf(tree, "a value")), {
      named: (path) => namedIn(around, path),
      asked: (name, given) => this.#function(name, given),
    });
  }

  /** The symbol of the currency that an amount is in. */
  #symbol(tree: Tree): string | null {
    return typeof tree === "string" ? symbolOf(this.#around, readExpression(tree)) : null;
  }

  #function(name: string, given: readonly Value[]): Value | undefined {
    const [one] = given;
    if (name === "has") return fieldOf(this.#given.intent, wordOf(one).split(".").slice(1)) !== undefined;
    if (name === "spendable") return this.#bookings.spendable(this.#path(wordOf(one)));
    const { intent } = this.#given;
    return this.#world.function(name, given, { one: this.#one, bookings: this.#bookings, intent, look: this.#look });
  }

  #currency(symbol: string): string {
    return this.#one.currencies.get(symbol) ?? missing(`currency ${symbol}`);
  }

  #path(alias: string): string {
    return this.#filled(textOf(at(this.#flow.spec, "accounts", alias, "path"), `account ${alias}`));
  }

  /** A template with its braces filled. */
  #filled(template: string): string {
    return template.replace(/\{([^}]+)\}/g, (_, inner: string) => {
      if (inner === "holder") return this.#one.holderId;
      if (inner === "case") return writeCaseId(this.#one.kind, this.#one.uuid);
      const name = /^[a-z_]+$/.test(inner) ? `data.${inner}` : inner;
      return String(this.#value(name));
    });
  }
}

/** Of an amount that an event brings, or the field itself when it is a currency; `*` is of all. */
function currencyOf({ fields, currencies }: EventGiven, field: string): string | null {
  const value = fields.get(field);
  return currencies.get(field) ?? (typeof value === "string" ? value : (currencies.get("*") ?? null));
}

const STEPS_MAX = 100;
const DURATION: Tree = { duration: true };

function missing(what: string): never {
  throw new Unreadable(`${what} is not there`);
}
