// What each case holds by itself: the sum of its own lines on each account, for flows that promise something of it. Accounts
// that drain hold nothing of a case that rests, and what a flow declares as an invariant is true behind every event.

import type { SecondCase } from "./case-book.ts";
import { evaluate, type Value, whole } from "./evaluate.ts";
import { readExpression } from "./expressions.ts";
import type { SecondFlow } from "./flows.ts";
import type { Difference } from "./invariants.ts";
import type { LaneLedger, SecondLine } from "./ledger.ts";
import { at, entriesOf, itemsOf, type Tree, textOf, Unreadable } from "./tree.ts";

/** By account, debits less credits of the case's own lines; null when not all of them are known. */
export type Held = ReadonlyMap<bigint, bigint> | null;

const watched = new WeakMap<SecondFlow, boolean>();

/** Whether a flow promises anything of what its cases hold. */
export function isWatched(flow: SecondFlow): boolean {
  const known = watched.get(flow);
  if (known !== undefined) return known;
  const drains = entriesOf(at(flow.spec, "accounts")).some(([, account]) => at(account, "drains") === true);
  const is = drains || itemsOf(at(flow.spec, "invariants")).length > 0;
  watched.set(flow, is);
  return is;
}

/** What a case holds with lines of its own more. */
export function heldWith(held: Held, lines: readonly SecondLine[]): Held {
  if (held === null) return null;
  const more = new Map(held);
  for (const { debit, credit, minor } of lines) {
    more.set(debit, (more.get(debit) ?? 0n) + minor);
    more.set(credit, (more.get(credit) ?? 0n) - minor);
  }
  for (const [account, minor] of more) if (minor === 0n) more.delete(account);
  return more;
}

/** What a case holds that it should not, and promises of its flow that do not hold. */
export function judgeHeld(ledger: LaneLedger, known: SecondCase): Difference[] {
  const { flow, state, held } = known;
  if (held === null || state === "rejected" || !isWatched(flow)) return [];
  const place = `case ${known.uuid} in ${state}`;
  const wrong: Difference[] = [];
  const kind = at(flow.spec, "states", state, "kind");
  for (const [alias, account] of kind === "quiescent" || kind === "final" ? entriesOf(at(flow.spec, "accounts")) : []) {
    if (at(account, "drains") !== true) continue;
    for (const [currency, minor] of heldOn(ledger, known, textOf(at(account, "path"), alias))) {
      const text = `${place} holds ${minor} ${currency} on ${alias}, which drains`;
      wrong.push({ invariant: "draining_accounts_empty", text });
    }
  }
  for (const { place: said, is, shouldBe } of promisesOf(ledger, known)) {
    if (is === shouldBe) continue;
    wrong.push({ invariant: "flow_invariants_hold", text: `${place}: ${said}, and it is ${is}, not ${shouldBe}` });
  }
  return wrong;
}

type Promised = { readonly place: string; readonly is: bigint; readonly shouldBe: bigint };

/** What is declared of one account in one currency. Two symbols may be bound to one currency: then what is declared of both is
 *  true of their sum, if all that is booked there is of these symbols. */
function promisesOf(ledger: LaneLedger, known: SecondCase): Promised[] {
  const { flow, currencies } = known;
  const promises = new Map<
    string,
    { alias: string; currency: string; symbols: Set<string>; texts: string[]; sum: bigint }
  >();
  for (const declared of itemsOf(at(flow.spec, "invariants"))) {
    const text = textOf(declared, "an invariant");
    const [, alias = "", symbol = "", equals] = /^bal\(\s*(\w+)\s*,\s*(\w+)\s*\)\s*==\s*(.+)$/.exec(text) ?? [];
    if (equals === undefined) throw new Unreadable(`${text} is no invariant`);
    const currency = currencies.get(symbol) ?? "";
    const one = promises.get(`${alias} ${currency}`) ?? { alias, currency, symbols: new Set(), texts: [], sum: 0n };
    one.symbols.add(symbol);
    one.texts.push(text);
    one.sum += whole(
      evaluate(readExpression(equals), { named: (path) => dataOf(known, path), asked: () => undefined }),
    );
    promises.set(`${alias} ${currency}`, one);
  }
  return [...promises.values()].flatMap(({ alias, currency, symbols, texts, sum }) => {
    const path = textOf(at(flow.spec, "accounts", alias, "path"), `account ${alias}`);
    const others = [...currencies].filter(([symbol, code]) => code === currency && !symbols.has(symbol));
    if (others.some(([symbol]) => isBookedIn(flow, path, symbol))) return [];
    return [{ place: texts.join(" and "), is: heldOn(ledger, known, path).get(currency) ?? 0n, shouldBe: sum }];
  });
}

function dataOf({ values }: SecondCase, [first, second = ""]: readonly string[]): Value | undefined {
  return first === "data" ? values.get(second) : undefined;
}

/** Whether a line of some posting books on a path in a symbol. */
function isBookedIn({ spec }: SecondFlow, path: string, symbol: string): boolean {
  const isThere = (alias: Tree | undefined): boolean =>
    typeof alias === "string" && at(spec, "accounts", alias, "path") === path;
  return entriesOf(at(spec, "postings")).some(([, posting]) =>
    itemsOf(at(posting, "lines")).some((line) => {
      const [debit, credit, said] = itemsOf(line);
      return said === symbol && (isThere(debit) || isThere(credit));
    }),
  );
}

/** What a case holds at a path, by currency. */
function heldOn({ accountsById }: LaneLedger, known: SecondCase, template: string): Map<string, bigint> {
  const path = template.replace(/\{([^}]+)\}/g, (_, name: string) => {
    return name === "holder" ? known.holderId : String(known.values.get(name.replace("data.", "")) ?? "");
  });
  const sums = new Map<string, bigint>();
  for (const [account, minor] of known.held ?? []) {
    const found = accountsById.get(account);
    if (found?.path === path) sums.set(found.currency, (sums.get(found.currency) ?? 0n) + minor);
  }
  return sums;
}

/** Whether an outcome may be one by which a case ends. */
export function isEnding(type: string): boolean {
  return /\.(failed|canceled|expired)$/.test(type);
}

/** The word of an outcome by which a case of a flow ends: `payment.failed` ends it as failed. Null for flows that say such an
 *  outcome otherwise than by `end`. */
export function endOf({ family, spec }: SecondFlow, type: string): string | null {
  if (!isEnding(type) || !type.startsWith(`${family}.`)) return null;
  const word = type.slice(family.length + 1);
  return JSON.stringify(at(spec, "states") ?? null).includes(`"end":"${word}"`) ? word : null;
}
