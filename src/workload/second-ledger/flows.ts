// Flows as the plain trees of their files. Nothing is compiled: whoever wants to know something looks it up.

import { once } from "./once.ts";
import { at, entriesOf, itemsOf, type Tree, textOf, Unreadable } from "./tree.ts";

export type SecondFlow = {
  /** of this version in the database */
  readonly number: number;
  readonly name: string;
  /** `name@version` */
  readonly ref: string;
  /** first word of its own outcomes */
  readonly family: string;
  readonly caseKind: string;
  /** the intent type that opens a case; null: another case or a message does */
  readonly startsOn: string | null;
  /** the message that opens a case */
  readonly startsOnMessage: string | null;
  readonly spec: Tree;
};

export function readFlow(number: number, tree: Tree): SecondFlow {
  const name = textOf(at(tree, "metadata", "name"), "the name of a flow");
  const version = textOf(at(tree, "metadata", "version"), `the version of ${name}`);
  const spec = at(tree, "spec");
  if (spec === undefined) throw new Unreadable(`${name} has no spec`);
  return {
    number,
    name,
    ref: `${name}@${version}`,
    family: textOf(at(tree, "metadata", "family") ?? name, `the family of ${name}`),
    caseKind: textOf(at(spec, "case_kind"), `the kind of cases of ${name}`),
    startsOn: nameOrNull(at(spec, "starts_on", "intent")),
    startsOnMessage: nameOrNull(at(spec, "starts_on", "message")),
    spec,
  };
}

function nameOrNull(tree: Tree | undefined): string | null {
  return typeof tree === "string" ? tree : null;
}

export function initialState(flow: SecondFlow): string {
  const found = entriesOf(at(flow.spec, "states")).find(([, state]) => at(state, "kind") === "initial");
  if (found === undefined) throw new Unreadable(`${flow.ref} has no initial state`);
  return found[0];
}

/** What may become of an event in a state, in order; undefined when the state does not list it. */
export function answersTo(flow: SecondFlow, state: string, event: string): readonly Tree[] | undefined {
  const found = at(flow.spec, "states", state, "events", event);
  return found === undefined ? undefined : itemsOf(found);
}

export function listsEvent(flow: SecondFlow, event: string): boolean {
  return entriesOf(at(flow.spec, "states")).some(([, state]) => at(state, "events", event) !== undefined);
}

export function movesOn(flow: SecondFlow, type: string): boolean {
  return listsEvent(flow, `intent.${type}`);
}

/** Of each name one version: the newest of those that a block says it went by, or else the newest.
 *  @param flows  every version, older ones first
 *  @param wentBy numbers of versions */
export function versionsOf(flows: readonly SecondFlow[], wentBy: readonly number[]): readonly SecondFlow[] {
  return versionsBy(flows, wentBy.join());
}

const versionsBy = once((flows: readonly SecondFlow[], wentBy: string): readonly SecondFlow[] => {
  const numbers = wentBy.split(",").map(Number);
  const chosen = new Map<string, SecondFlow>();
  for (const flow of [...flows, ...flows.filter(({ number }) => numbers.includes(number))]) chosen.set(flow.name, flow);
  return [...chosen.values()];
});

/** What may become of a fact: where a state does not list it, it raises an alarm, or else is remembered and no more. */
export function factAnswers(
  { flow, state }: { readonly flow: SecondFlow; readonly state: string },
  event: string,
): readonly Tree[] {
  const code = at(flow.spec, "defaults", "alarms", event);
  const alarm: Tree = { do: [{ emit: "ops.attention", code: code ?? null }], to: "stay" };
  return answersTo(flow, state, event) ?? [code === undefined ? { to: "stay" } : alarm];
}

/** Fields that an event carries, with their types. */
export function fieldsOf(flow: SecondFlow, event: string): Tree | undefined {
  return at(flow.spec, "events", event);
}

export function stateOf(flow: SecondFlow, name: string): Tree | undefined {
  return at(flow.spec, "states", name);
}

/** Whether its cases change floors or statuses of accounts. */
export function changesAccounts(flow: SecondFlow): boolean {
  return JSON.stringify(at(flow.spec, "states") ?? {}).includes('"change_account"');
}

/** Whether a posting may take an account below its floor. */
export function isForced(flow: SecondFlow, posting: string): boolean {
  return at(flow.spec, "postings", posting, "forced") === true;
}

/** Whether its cases are moved by others than intents and timers: by reports, messages, or other cases. Of that no outcome need
 *  tell. */
export function hearsOthers({ spec, startsOn }: SecondFlow): boolean {
  if (startsOn === null || at(spec, "calls") !== undefined) return true;
  return /"(child\.|quote\.consume)/.test(JSON.stringify(at(spec, "states") ?? null));
}
