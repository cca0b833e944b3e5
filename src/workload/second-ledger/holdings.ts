// What each case holds by itself: the sum of its own lines on each account, for flows that promise something of it. Accounts
// that drain hold nothing of a case that rests, and what a flow declares as an invariant is true behind every event.

import type { SecondCase } from "./case-book.ts";
import { evaluate, whole } from "./evaluate.ts";
import { readExpression } from "./expressions.ts";
import type { SecondFlow } from "./flows.ts";
import type { Difference } from "./invariants.ts";
import type { LaneLedger, SecondLine } from "./ledger.ts";
import { at, entriesOf, itemsOf, textOf, Unreadable } from "./tree.ts";

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
  for (const declared of itemsOf(at(flow.spec, "invariants"))) {
    const text = textOf(declared, "an invariant");
    const [is, shouldBe] = bothSides(ledger, known, text);
    if (is !== shouldBe) {
      wrong.push({ invariant: "flow_invariants_hold", text: `${place}: ${text}, and it is ${is}, not ${shouldBe}` });
    }
  }
  return wrong;
}

function bothSides(ledger: LaneLedger, known: SecondCase, text: string): [bigint, bigint] {
  const match = /^bal\(\s*(\w+)\s*,\s*(\w+)\s*\)\s*==\s*(.+)$/.exec(text);
  const [, alias = "", symbol = "", equals = ""] = match ?? [];
  const path = at(known.flow.spec, "accounts", alias, "path");
  if (match === null || path === undefined) throw new Unreadable(`${text} is no invariant`);
  const currency = known.currencies.get(symbol) ?? "";
  const shouldBe = evaluate(readExpression(equals), {
    named: ([first, second = ""]) => (first === "data" ? known.values.get(second) : undefined),
    asked: () => undefined,
  });
  return [heldOn(ledger, known, textOf(path, alias)).get(currency) ?? 0n, whole(shouldBe)];
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

/** The word of an outcome by which a case of a flow ends: `payment.failed` ends it as failed. Null for flows that say such an
 *  outcome otherwise than by `end`. */
export function endOf({ family, spec }: SecondFlow, type: string): string | null {
  const word = type.startsWith(`${family}.`) ? type.slice(family.length + 1) : "";
  if (!["failed", "canceled", "expired"].includes(word)) return null;
  return JSON.stringify(at(spec, "states") ?? null).includes(`"end":"${word}"`) ? word : null;
}
