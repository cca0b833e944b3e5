// Flows as the plain trees of their files. Nothing is compiled: whoever wants to know something looks it up.

import { at, entriesOf, itemsOf, type Tree, textOf, Unreadable } from "./tree.ts";

export type SecondFlow = {
  /** of this version in the database */
  readonly number: number;
  readonly name: string;
  /** `name@version` */
  readonly ref: string;
  /** the intent type that opens a case */
  readonly startsOn: string;
  readonly spec: Tree;
};

export function readFlow(number: number, tree: Tree): SecondFlow {
  const name = textOf(at(tree, "metadata", "name"), "the name of a flow");
  const version = textOf(at(tree, "metadata", "version"), `the version of ${name}`);
  const spec = at(tree, "spec");
  if (spec === undefined) throw new Unreadable(`${name} has no spec`);
  const startsOn = textOf(at(spec, "starts_on", "intent"), `what ${name} starts on`);
  return { number, name, ref: `${name}@${version}`, startsOn, spec };
}

export function initialState(flow: SecondFlow): string {
  const found = entriesOf(at(flow.spec, "states")).find(([, state]) => at(state, "kind") === "initial");
  if (found === undefined) throw new Unreadable(`${flow.ref} has no initial state`);
  return found[0];
}

/** The events of a state: the first alternative of each, for none of them has guards. */
export function answerTo(flow: SecondFlow, state: string, event: string): Tree | undefined {
  return itemsOf(at(flow.spec, "states", state, "events", event))[0];
}

export function movesOn(flow: SecondFlow, type: string): boolean {
  return entriesOf(at(flow.spec, "states")).some(([, state]) => at(state, "events", `intent.${type}`) !== undefined);
}

/** Fields that an intent must carry for this flow, read off what the file refers to. */
export function fieldsNeeded(flow: SecondFlow, type: string): string[] {
  const { spec } = flow;
  const states = entriesOf(at(spec, "states")).map(([, state]) => state);
  if (type !== flow.startsOn) {
    const asks = JSON.stringify(states.map((state) => at(state, "events", `intent.${type}`) ?? null));
    return asks.includes("intent.amount") ? ["amount"] : [];
  }
  const atOnce = states.map((state) => [at(state, "entry") ?? [], at(state, "always") ?? []]);
  const declared = ["currencies", "accounts", "data"].map((name) => at(spec, name) ?? {});
  const said = JSON.stringify([...declared, atOnce]);
  const fields = ["account", "currency", "from", "to", "amount"].filter((name) =>
    new RegExp(`intent\\.${name}(?![a-z_])`).test(said),
  );
  return JSON.stringify(atOnce).includes('"change_account"') ? [...fields, "change"] : fields;
}

/** Timers that a state arms, with how long after. */
export function timersOf(flow: SecondFlow, state: string): { readonly name: string; readonly afterMs: number }[] {
  return itemsOf(at(flow.spec, "states", state, "timers")).map((timer) => {
    const name = textOf(timer, "a timer's name");
    return {
      name,
      afterMs: durationMs(textOf(at(flow.spec, "timers", name, "after"), `timer ${name} of ${flow.ref}`)),
    };
  });
}

const UNIT_MS: Readonly<Record<string, number>> = {
  W: 7 * 86_400_000,
  D: 86_400_000,
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
};

/** ISO 8601 without years and months: `P1DT2H` is a day and two hours. */
function durationMs(text: string): number {
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([WDHMS])/g))
    ms += Number(count) * (UNIT_MS[unit as string] as number);
  return ms;
}

/** Whether its cases change floors or statuses of accounts. */
export function changesAccounts(flow: SecondFlow): boolean {
  return JSON.stringify(at(flow.spec, "states") ?? {}).includes('"change_account"');
}

/** Whether a posting may take an account below its floor. */
export function isForced(flow: SecondFlow, posting: string): boolean {
  return at(flow.spec, "postings", posting, "forced") === true;
}
