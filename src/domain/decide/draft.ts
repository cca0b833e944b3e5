// What one event would do, before it is known whether it may. A draft collects lines, outcomes, changed variables, calls
// and account changes; `settle` checks the funds and hands everything to the books, a refusal throws the draft away. So an
// event does all of its flow's steps or none. What a case keeps is shared with the event until the event changes it: what an
// event costs hangs on what it does, not on how much its case keeps.

import { assert, failed } from "../assert.ts";
import {
  type Account,
  type Books,
  type CaseData,
  type CaseRecord,
  caseOf,
  holderAccountOf,
  type KeyUse,
  naturalBalance,
  type OutcomeAmount,
  storedValue,
} from "../books.ts";
import type { CompiledCall, Payload } from "../flow/compile/calls.ts";
import type { EventFields } from "../flow/compile/events.ts";
import { WITHOUT_FLOOR } from "../flow/compile/functions.ts";
import { momentOf } from "../flow/duration.ts";
import type { Value } from "../flow/expression.ts";
import type { Figures, Scope } from "../flow/scope.ts";
import type { Rate } from "../fx/fx.ts";
import { CONSUME_EVENT, quoteFor } from "../fx/quotes.ts";
import { formatCaseId, parseCaseId } from "../ids.ts";
import type { AskedMoney, Intent } from "../intent.ts";
import { fitsLedger } from "../money.ts";
import type { ParamValue } from "../parameters/parameters.ts";
import { type Reason, reasonOf } from "../reasons.ts";
import { firstRefusal, type RefusalCode } from "../refusals.ts";
import { nthProvider, type Payment } from "../routes/routes.ts";
import {
  accountAt,
  apply,
  type Change,
  type DraftLine,
  forgetOpened,
  isOverdrawn,
  keepOpened,
  type NamedPosting,
  openAccount,
  refusalOf,
  swap,
  takenOf,
  unapply,
} from "./draft-accounts.ts";

/** What an event is decided by. */
export type Cause = {
  /** null for all but intents */
  readonly intent: Intent | null;
  readonly event: EventFields;
  /** currencies of the event's amounts where they are told beside them; `*` for all */
  readonly currencies: Readonly<Record<string, string>> | null;
  readonly occurredAtMicros: bigint;
  readonly attempt: number;
  /** asked by somebody, who can be refused; what is not is a fact: it passes a freeze */
  readonly isWish: boolean;
};

export type DraftOutcome = {
  readonly type: string;
  readonly amounts: Readonly<Record<string, OutcomeAmount>>;
  readonly reason: Reason | null;
};

/** What an event sets off in other cases of its holder, taken right after it. */
export type FollowUp =
  | {
      readonly kind: "spawn";
      readonly flow: string;
      readonly child: number;
      readonly event: EventFields;
      readonly currencies: Readonly<Record<string, string>>;
    }
  | { readonly kind: "tell"; readonly uuid: string; readonly name: string; readonly event: EventFields };

export type Sending = {
  readonly call: CompiledCall;
  readonly attempt: number;
  readonly payload: Payload;
  /** the idempotency key, or the holder that a message goes to */
  readonly to: string;
  /** since when the call has been made under this key; null where nothing is said of how long a provider knows it */
  readonly keySinceMs: number | null;
  /** later than that it is only asked about; of no meaning for a message */
  readonly notAfterMs: number;
};

/** One for all events: what a `let` binds is read by the actions behind it, and nothing runs between those. */
const LETS: (Value | Figures)[] = [];

export const NO_AMOUNTS: DraftOutcome["amounts"] = Object.freeze({});
const NO_LINES: DraftLine[] = [];
const NO_OUTCOMES: DraftOutcome[] = [];

export class Draft implements Scope {
  outcomes: DraftOutcome[] = NO_OUTCOMES;
  readonly lets = LETS;
  readonly books: Books;
  readonly known: CaseRecord;
  readonly cause: Cause;
  readonly intent: Intent | null;
  /** null: none */
  followUps: FollowUp[] | null = null;
  sendings: Sending[] | null = null;
  /** what computing a value refused */
  refused: RefusalCode | null = null;
  opened: Account[] | null = null;
  #lines: DraftLine[] = NO_LINES;
  /** the case's own until the first of them changes */
  #values: readonly (Value | undefined)[];
  #changed: (Value | undefined)[] | null = null;
  #currencies: Record<string, string> | null = null;
  #overlay: Readonly<Record<string, ParamValue>> | null | undefined;
  #ended: string | null;
  #change: Change | null = null;
  #caseId: string | null = null;

  constructor(books: Books, known: CaseRecord, cause: Cause) {
    this.books = books;
    this.known = known;
    this.cause = cause;
    this.intent = cause.intent;
    this.#values = known.data.values;
    this.#ended = known.data.ended;
  }

  // What steps read --------------------------------------------------------------------------------------------------

  get holderId(): string {
    return this.known.holderId;
  }

  get caseUuid(): string {
    return this.known.id;
  }

  get caseId(): string {
    this.#caseId ??= formatCaseId({ kind: this.known.kind, uuid: this.known.id, timeMs: 0 });
    return this.#caseId;
  }

  get nowMs(): number {
    return this.books.nowMs;
  }

  get atMs(): bigint {
    return this.cause.occurredAtMicros / 1000n;
  }

  get attempt(): bigint {
    return BigInt(this.cause.attempt);
  }

  value(slot: number): Value {
    const value = this.#kept(slot);
    if (value === undefined) failed(`variable ${this.known.data.variables.names[slot]} is not bound`);
    return value;
  }

  #kept(slot: number): Value | undefined {
    const value = this.#values[slot];
    return value === undefined ? storedValue(this.known.data, slot) : value;
  }

  eventField(name: string): Value {
    const value = this.cause.event[name];
    if (value === undefined) failed(`the event has no ${name}`);
    return value;
  }

  eventCurrency(field: string): string {
    const { currencies, event } = this.cause;
    const value = event[field];
    return currencies?.[field] ?? (typeof value === "string" ? value : currencies?.["*"]) ?? "";
  }

  currencyOf(symbol: string): string {
    const currency = (this.#currencies ?? this.known.data.currencies)[symbol];
    if (currency === undefined) failed(`currency ${symbol} is not bound`);
    return currency;
  }

  asked(): AskedMoney {
    const amount = this.intent?.amount ?? null;
    assert(amount !== null, "the intent has no amount, which intake should have seen");
    return amount;
  }

  param(name: string, otherwise: ParamValue): ParamValue {
    const { parameters } = this.books;
    if (parameters.version === 0) return otherwise;
    if (this.#overlay === undefined) {
      const { tenant, provider } = this.known.data.variables;
      const who = { tenant: this.#label(tenant), provider: this.#label(provider), holderId: this.holderId };
      this.#overlay = parameters.overlay(this.known.flow.name, who);
    }
    return this.#overlay?.[name] ?? otherwise;
  }

  #label(slot: number): string | null {
    const value = slot === -1 ? undefined : this.#kept(slot);
    return typeof value === "string" && value !== "" ? value : null;
  }

  rateOf(from: string, to: string): Rate | null {
    return this.books.rates.usable(from, to, this.books.nowMs);
  }

  routeOf(payment: Omit<Payment, "caseUuid">, n: bigint): string | null {
    const { method, currency, minor } = payment;
    return nthProvider(this.books.parameters.routes, { method, currency, minor, caseUuid: this.known.id }, n);
  }

  scaleOf(currency: string): number {
    const scale = this.books.rules.currencies.scaleOf(currency);
    if (scale === null) failed(`currency ${currency} of an accepted event is not known`);
    return scale;
  }

  placeOf(path: string) {
    return this.books.rules.chart.resolve(path);
  }

  spendable(path: string): bigint {
    const account = holderAccountOf(this.books, path);
    if (account === null) return 0n;
    if (account.floorMinor === null) return WITHOUT_FLOOR;
    const posted = takenOf(account, this.#lines, () => true);
    const left = naturalBalance(account) - account.floorMinor - posted;
    return left > 0n ? left : 0n;
  }

  quoteCase(id: string): CaseRecord | null {
    const parsed = parseCaseId(id);
    return parsed === null ? null : caseOf(this.books, parsed.uuid);
  }

  refuse(code: RefusalCode): void {
    this.refused = firstRefusal(this.refused, code);
  }

  /** What an intent or a report says fits; a sum, or what a rate makes of it, may not. */
  judgeSize(value: Value): void {
    if (typeof value === "bigint" && !fitsLedger(value)) this.refuse("amount_too_large");
  }

  // What steps do ----------------------------------------------------------------------------------------------------

  bindCurrency(symbol: string, currency: string): void {
    if (this.books.rules.currencies.scaleOf(currency) === null) this.refuse("unknown_currency");
    this.#currencies ??= {};
    this.#currencies[symbol] = currency;
  }

  set(slot: number, value: Value): void {
    this.judgeSize(value);
    if (this.#changed === null) {
      this.#changed = this.#values.slice();
      this.#values = this.#changed;
    }
    this.#changed[slot] = value;
    const { tenant, provider } = this.known.data.variables;
    if (slot === tenant || slot === provider) this.#overlay = undefined;
  }

  emit(type: string, amounts: DraftOutcome["amounts"], reason: Reason | null = null): void {
    this.outcomes = listed(this.outcomes, { type, amounts, reason });
  }

  /** For an event that contradicts what its case expects: somebody must look. */
  alarm(code: string): void {
    this.emit("ops.attention", NO_AMOUNTS, reasonOf(code));
  }

  /** @returns whether this is the case's first end, and so the one that counts */
  end(result: string): boolean {
    if (this.#ended !== null) return false;
    this.#ended = result;
    return true;
  }

  send(call: CompiledCall): RefusalCode | null {
    const earlier = this.sendings === null ? 0 : this.sendings.filter((one) => one.call === call).length;
    const attempt = (this.known.data.attempts[call.name] ?? 0) + earlier + 1;
    const payload = call.payload(this);
    if (call.to.kind === "message") {
      const to = call.to.holder(this);
      this.sendings = listed(this.sendings, { call, attempt, payload, to, keySinceMs: null, notAfterMs: 0 });
      return null;
    }
    const { parent } = this.known.data;
    // A provider is asked about a refund under the name that it knows, which is its payment's.
    if (parent !== null) payload["parent"] = parent;
    const to = call.to.key(this);
    const lifetimeMs = call.to.keyLifetimeMs?.(this) ?? null;
    const keySinceMs = lifetimeMs === null ? null : this.#keySince(call.name, to);
    const notAfterMs = momentOf(BigInt(keySinceMs ?? this.nowMs) + (lifetimeMs ?? BigInt(call.to.timeoutMs)));
    this.sendings = listed(this.sendings, { call, attempt, payload, to, keySinceMs, notAfterMs });
    return null;
  }

  /** A provider counts from when it was given the key, which is never before the first command with it: a repeat long after
   *  may find that the key is forgotten, and would be a second effect. */
  #keySince(call: string, key: string): number {
    const last = this.known.data.keys[call];
    return last !== undefined && last[0] === key ? last[1] : this.nowMs;
  }

  spawn(flow: string, event: EventFields, currencies: Readonly<Record<string, string>>): RefusalCode | null {
    const earlier = this.followUps?.filter((one) => one.kind === "spawn" && one.flow === flow).length ?? 0;
    const child = (this.known.data.attempts[`+${flow}`] ?? 0) + earlier;
    this.#follow({ kind: "spawn", flow, child, event, currencies });
    return null;
  }

  tell(name: string, event: EventFields): RefusalCode | null {
    const { parent } = this.known.data;
    const id = parseCaseId(parent);
    assert(id !== null, `${this.known.flow.ref} tells a parent and has none`);
    this.#follow({ kind: "tell", uuid: id.uuid, name, event });
    return null;
  }

  /** The quote must still be good for the amount; it is its own case that takes note. */
  consume(id: string, minor: bigint): RefusalCode | null {
    const known = this.quoteCase(id);
    const { G: from = "", R: to = "" } = known?.data.currencies ?? {};
    const quote = quoteFor(known, { holderId: this.holderId, by: this.caseUuid, minor, from, to });
    if (typeof quote === "string") return quote;
    assert(known !== null, "a quote that is good is there");
    this.#follow({ kind: "tell", uuid: known.id, name: CONSUME_EVENT, event: { amount: minor, by: this.caseUuid } });
    return null;
  }

  #follow(followUp: FollowUp): void {
    this.followUps = listed(this.followUps, followUp);
  }

  /** One line of a posting. Refusals come in their order of precedence over both sides: too large, unknown, same, not home,
   *  currency, closed, frozen. Zero-amount lines are dropped. */
  post(
    posting: NamedPosting,
    currency: string,
    minor: bigint,
    debitPath: string,
    creditPath: string,
  ): RefusalCode | null {
    if (minor < 0n) failed(`${posting.name} would post a negative amount`);
    if (minor === 0n) return null;
    if (!fitsLedger(minor)) return "amount_too_large";
    const debit = accountAt(this, debitPath, currency);
    const credit = accountAt(this, creditPath, currency);
    const refused = firstRefusal(refusalOf(debit), refusalOf(credit));
    if (debitPath === creditPath) return firstRefusal(refused, "same_account");
    if (refused !== null) return refused;
    assert(typeof debit !== "string" && typeof credit !== "string", "what is refused has left before");
    // A freeze stops wishes. What falls due by itself is a fact: refusing it would only stop the lane.
    if (this.cause.isWish && (debit.status === "closed" || credit.status === "closed")) return "account_closed";
    if (this.cause.isWish && (debit.status === "frozen" || credit.status === "frozen")) return "account_frozen";
    this.#lines = listed(this.#lines, { debit, credit, currency, minor, posting });
    return null;
  }

  /** An account of the holder that the case will need: opened when it is not there. */
  meetAccount(path: string, currency: string): void {
    const account = accountAt(this, path, currency);
    if (typeof account === "string") this.refuse(account);
  }

  openAccount(path: string, currency: string): RefusalCode | null {
    const place = this.placeOf(path);
    if (place === null) return "unknown_account";
    if (place.kind === "house" || place.holderId !== this.holderId) return "not_home";
    const known = holderAccountOf(this.books, path);
    if (known !== null && known.currency !== currency) return "currency_mismatch";
    if (known !== null) return known.status === "closed" ? "account_closed" : "invalid_state";
    const floorMinor = this.intent?.floorMinor ?? null;
    if (floorMinor !== null && floorMinor > 0n) return "insufficient_funds"; // a new account holds nothing
    openAccount(this, path, currency, { side: place.side, floorMinor });
    return null;
  }

  changeAccount(path: string): RefusalCode | null {
    const place = this.placeOf(path);
    if (place === null) return "unknown_account";
    if (place.kind === "house" || place.holderId !== this.holderId) return "not_home";
    const account = holderAccountOf(this.books, path);
    if (account === null) return "invalid_state"; // in the chart, but nobody has opened it
    // An account is path and currency: who names another currency means an account that there is not.
    if ((this.intent?.currency ?? account.currency) !== account.currency) return "currency_mismatch";
    if (account.status === "closed") return "account_closed";
    const change = this.intent?.change ?? null;
    assert(change !== null, "the intent names no change, which intake should have seen");
    const next: Change = { account, floorMinor: account.floorMinor, status: account.status };
    if (change === "floor") next.floorMinor = this.intent?.floorMinor ?? null;
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

  /** Hands lines and account changes to the books, or refuses and leaves them as they were. */
  settle(): RefusalCode | null {
    apply(this.#lines);
    for (const line of this.#lines) {
      if (isOverdrawn(line.debit, this.#lines) || isOverdrawn(line.credit, this.#lines)) {
        unapply(this.#lines);
        return "insufficient_funds";
      }
    }
    keepOpened(this);
    for (const { debit, credit, currency, minor, posting } of this.#lines) {
      this.books.lines.push({ debit, credit, currency, minor, caseId: this.known.id, posting: posting.name });
    }
    if (this.#change !== null) swap(this.#change);
    return null;
  }

  /** What the case keeps after the event. */
  data(timers: CaseData["timers"]): CaseData {
    const { data } = this.known;
    return {
      currencies: this.#currencies ?? data.currencies,
      variables: data.variables,
      values: this.#values,
      stored: data.stored,
      timers,
      attempts: this.#attempts(),
      keys: this.#keys(),
      parent: data.parent,
      ended: this.#ended,
    };
  }

  #attempts(): CaseData["attempts"] {
    const { attempts } = this.known.data;
    if (this.sendings === null && this.followUps === null) return attempts;
    let counted: Record<string, number> | null = null;
    for (const { call, attempt } of this.sendings ?? []) {
      counted ??= { ...attempts };
      counted[call.name] = attempt;
    }
    for (const one of this.followUps ?? []) {
      if (one.kind !== "spawn") continue;
      counted ??= { ...attempts };
      counted[`+${one.flow}`] = one.child + 1;
    }
    return counted ?? attempts;
  }

  #keys(): CaseData["keys"] {
    const { keys } = this.known.data;
    if (this.sendings === null) return keys;
    let used: Record<string, KeyUse> | null = null;
    for (const { call, to, keySinceMs } of this.sendings) {
      if (keySinceMs === null) continue;
      used ??= { ...keys };
      used[call.name] = [to, keySinceMs];
    }
    return used ?? keys;
  }

  /** Forgets the accounts that only this event would have opened. */
  discard(): void {
    forgetOpened(this);
  }

  /** Takes a settled draft back: lines are the books' newest when this is called, so those are cut off there. */
  unsettle(): void {
    unapply(this.#lines);
    this.books.lines.length -= this.#lines.length;
    if (this.#change !== null) swap(this.#change);
    forgetOpened(this);
  }
}

/** A list begins with its first entry: to put one into an empty list makes room for sixteen more. */
function listed<Entry>(list: Entry[] | null, entry: Entry): Entry[] {
  if (list === null || list.length === 0) return [entry];
  list.push(entry);
  return list;
}
