// Both sides held against each other: what providers say that they did, and what was asked of them and booked. Pure.
//
// Whatever a provider did, a command asked for, in its amount and currency, and it was done once; and what a payment has
// booked at banks and providers is what they did for it. A payment is a case with the children that it opened: money that
// does not fit comes for the one and goes back for the other. One that is still under way, or waits for a person, may differ:
// it is counted and is no problem.

import type { Findings } from "./findings.ts";

/** A line of a provider's own record. */
export type Effect = {
  readonly provider: string;
  /** cardco: the idempotency key; instanet: the id that was made of it */
  readonly key: string;
  readonly kind: string;
  /** `recalled`: the payer's bank asks for it back, and nothing has moved */
  readonly effect: "done" | "undone" | "disputed" | "recalled";
  readonly currency: string;
  readonly minor: bigint;
  /** cardco: how we named the payment */
  readonly reference: string;
  /** id of the request of the payer's bank that it is, or answers; else empty */
  readonly recall: string;
};

/** What a command asked for; queries are none. */
export type AskedEffect = {
  readonly lane: number;
  readonly holderId: string;
  readonly caseId: string;
  /** 32 hex digits, of the case */
  readonly uuid: string;
  readonly idempotencyKey: string;
  /** as cardco and as instanet name it: `nameOf` of an effect */
  readonly names: readonly string[];
  /** null where a command names none, as a void */
  readonly currency: string | null;
  readonly minor: bigint | null;
  /** id of the request of the payer's bank that it answers; else empty */
  readonly recall: string;
};

export type BookedCase = {
  readonly lane: number;
  readonly uuid: string;
  readonly caseId: string;
  readonly state: string;
  /** what may still become of it */
  readonly stands: "at_rest" | "under_way" | "with_person";
  /** 32 hex digits; null for a case that nobody opened */
  readonly parent: string | null;
  /** what came to banks and providers less what went, in minor units by currency */
  readonly booked: ReadonlyMap<string, bigint>;
};

export type Sides = {
  readonly effects: readonly Effect[];
  readonly asked: readonly AskedEffect[];
  readonly cases: readonly BookedCase[];
};

export type SidesTally = {
  /** payments that differ and have not come to rest */
  readonly underWay: readonly string[];
  /** payments that differ, about which a named person has to decide */
  readonly withPerson: readonly string[];
  /** payments that a payer disputes: no flow books that yet */
  readonly disputed: readonly string[];
};

/** Of the money that an effect moves, whether it comes or goes; other kinds move none. */
const COMES: ReadonlyMap<string, 1n | -1n> = new Map([
  ["capture", 1n],
  ["charges", 1n],
  ["debits", 1n],
  ["deposits", 1n],
  ["refund", -1n],
  ["payouts", -1n],
  ["returns", -1n],
  ["recalls", -1n],
]);

/** Which amount is what was asked for. A payer pays what he pays, and maybe twice; an issuer may approve less; a mandate is
 *  about no money. */
const AMOUNT: ReadonlyMap<string, "any" | "at_most"> = new Map([
  ["charges", "any"],
  ["deposits", "any"],
  ["mandates", "any"],
  ["authorization", "at_most"],
  ["order", "at_most"],
  ["increment", "at_most"],
]);
const PAID_BY_PAYER: ReadonlySet<string> = new Set(["charges", "deposits"]);

/** How an effect and the command that asked for it are told to be about the same. */
export function nameOf({ provider, key, reference }: Pick<Effect, "provider" | "key" | "reference">): string {
  const holder = provider === "cardco" ? `${reference.slice(0, reference.lastIndexOf("."))} ` : "";
  return `${provider} ${holder}${key}`;
}

export function compareSides(findings: Findings, { effects, asked, cases }: Sides): SidesTally {
  const askedBy = groupBy(
    asked.flatMap((one) => one.names.map((name) => ({ name, one }))),
    ({ name }) => name,
  );
  const payments = new Payments(cases, asked);
  for (const own of groupBy(effects, (effect) => `${effect.kind} ${nameOf(effect)}`).values()) {
    const [first] = own as [Effect];
    const commands = (askedBy.get(nameOf(first)) ?? []).map(({ one }) => one);
    judgeKey(findings, own, commands);
    const [command] = commands;
    if (command !== undefined) payments.did(command, own);
  }
  return payments.judge(findings);
}

/** All that was done under one key. */
function judgeKey(findings: Findings, effects: readonly Effect[], commands: readonly AskedEffect[]): void {
  const [{ kind, currency }] = effects as [Effect];
  const done = effects.filter(({ effect }) => effect === "done");
  const undone = effects.filter(({ effect }) => effect === "undone");
  const told = (): string => effects.map(printEffect).join("; ");
  findings.expect("effects_once", PAID_BY_PAYER.has(kind) || done.length <= 1, () => `done more than once: ${told()}`);
  findings.expect("effects_once", sumOf(undone) <= sumOf(done), () => `more came back than was done: ${told()}`);
  findings.expect("effects_asked_for", commands.length > 0, () => `no command asked for it: ${told()}`);
  for (const effect of commands.length === 0 ? [] : done) {
    const holds = commands.some((command) => fits(effect, command));
    findings.expect("effects_asked_for", holds, () => {
      const [{ caseId, minor, currency: ours }] = commands as [AskedEffect];
      return `${caseId} asked for ${minor ?? "no amount"} ${ours ?? currency}, and this was done: ${printEffect(effect)}`;
    });
  }
}

function fits({ kind, currency, minor }: Effect, command: AskedEffect): boolean {
  if (command.currency !== null && command.currency !== currency) return false;
  const rule = AMOUNT.get(kind) ?? "equal";
  if (command.minor === null || rule === "any") return true;
  return rule === "at_most" ? minor <= command.minor : minor === command.minor;
}

/** What was booked and what was done, payment by payment. */
class Payments {
  readonly #cases = new Map<string, BookedCase>();
  readonly #members = new Map<string, BookedCase[]>();
  readonly #effects = new Map<string, Effect[]>();
  /** whose case is not there: it has left with its day, or never was */
  readonly #unknown = new Map<string, { readonly caseId: string; readonly effects: Effect[] }>();

  /** by the request of a payer's bank: the command that answers it */
  readonly #answers: ReadonlyMap<string, AskedEffect>;

  constructor(cases: readonly BookedCase[], asked: readonly AskedEffect[]) {
    this.#answers = new Map(asked.map((one) => [one.recall, one]));
    for (const one of cases) this.#cases.set(placeOf(one), one);
    for (const one of cases) {
      const root = this.#rootOf(one);
      this.#members.set(root, [...(this.#members.get(root) ?? []), one]);
    }
  }

  did(command: AskedEffect, effects: readonly Effect[]): void {
    const own = this.#cases.get(placeOf(command));
    if (own === undefined) {
      const known = this.#unknown.get(placeOf(command))?.effects ?? [];
      this.#unknown.set(placeOf(command), { caseId: command.caseId, effects: [...known, ...effects] });
      return;
    }
    const root = this.#rootOf(own);
    this.#effects.set(root, [...(this.#effects.get(root) ?? []), ...effects]);
  }

  judge(findings: Findings): SidesTally {
    const tally = { underWay: [] as string[], withPerson: [] as string[], disputed: [] as string[] };
    for (const { caseId, effects } of this.#unknown.values()) {
      findings.problem("bookings_equal_effects", `${caseId} is not there: ${effects.map(printEffect).join("; ")}`);
    }
    for (const [root, members] of this.#members) {
      const effects = this.#effects.get(root) ?? [];
      const name = (members.find((one) => placeOf(one) === root) ?? (members[0] as BookedCase)).caseId;
      if (effects.some(({ effect }) => effect === "disputed")) tally.disputed.push(name);
      const differences = [...differencesOf(members, effects).map(printDifference), ...this.#unanswered(effects)];
      const isWith = (stands: BookedCase["stands"]): boolean => members.some((one) => one.stands === stands);
      if (differences.length > 0 && isWith("with_person")) tally.withPerson.push(name);
      else if (differences.length > 0 && isWith("under_way")) tally.underWay.push(name);
      else
        findings.expect("bookings_equal_effects", differences.length === 0, () =>
          tellOf(members, effects, differences),
        );
    }
    return tally;
  }

  #unanswered(effects: readonly Effect[]): readonly string[] {
    const taken = new Set(effects.flatMap(({ kind, effect, recall }) => (isAnswer(kind, effect) ? [recall] : [])));
    const open = effects.filter(
      ({ effect, recall }) => effect === "recalled" && !taken.has(recall) && !this.#isTurnedDown(recall),
    );
    return open.map(({ recall }) => `asked for by the payer's bank and not answered: ${recall}`);
  }

  /** An answer that the payer's bank did not take ends its case, which says so; an answer that was only asked for is none. */
  #isTurnedDown(recall: string): boolean {
    const command = this.#answers.get(recall);
    const own = command === undefined ? undefined : this.#cases.get(placeOf(command));
    return own !== undefined && TURNED_DOWN.has(own.state);
  }

  /** The case itself, or who opened it, and who opened that. */
  #rootOf(one: BookedCase): string {
    const parent = one.parent === null ? undefined : this.#cases.get(placeOf({ lane: one.lane, uuid: one.parent }));
    return parent === undefined ? placeOf(one) : this.#rootOf(parent);
  }
}

/** States of a case whose answer was turned down, now or long ago. */
const TURNED_DOWN: ReadonlySet<string> = new Set(["ended", "closed"]);

function isAnswer(kind: string, effect: Effect["effect"]): boolean {
  return kind === "recalls" && effect === "done";
}

type Difference = { readonly currency: string; readonly booked: bigint; readonly done: bigint };

function differencesOf(members: readonly BookedCase[], effects: readonly Effect[]): Difference[] {
  const sums = new Map<string, { booked: bigint; done: bigint }>();
  const at = (currency: string): { booked: bigint; done: bigint } => {
    const found = sums.get(currency) ?? { booked: 0n, done: 0n };
    sums.set(currency, found);
    return found;
  };
  for (const { booked } of members) for (const [currency, minor] of booked) at(currency).booked += minor;
  for (const { kind, effect, currency, minor } of effects) {
    const sign = COMES.get(kind) ?? 0n;
    if (effect === "done" || effect === "undone") at(currency).done += (effect === "done" ? sign : -sign) * minor;
  }
  return [...sums].map(([currency, sum]) => ({ currency, ...sum })).filter(({ booked, done }) => booked !== done);
}

function tellOf(members: readonly BookedCase[], effects: readonly Effect[], differences: readonly string[]): string {
  const cases = members.map(({ caseId, state }) => `${caseId} (${state})`).join(", ");
  const did = effects.length === 0 ? "nothing was done" : effects.map(printEffect).join("; ");
  return `${cases}: ${differences.join(", ")}: ${did}`;
}

function printDifference({ currency, booked, done }: Difference): string {
  const what = done === 0n ? "booked without an effect" : booked === 0n ? "done and not booked" : "another amount";
  return `${what}: booked ${booked} ${currency}, done ${done} ${currency}`;
}

function printEffect({ provider, key, kind, effect, minor, currency }: Effect): string {
  return `${provider} ${kind} ${key} ${effect} ${minor} ${currency}`;
}

function placeOf({ lane, uuid }: { readonly lane: number; readonly uuid: string }): string {
  return `${lane} ${uuid}`;
}

function sumOf(effects: readonly Effect[]): bigint {
  return effects.reduce((sum, { minor }) => sum + minor, 0n);
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
