// What a flow gives those beside it and what it wants of them: fields of a child that it opens and words that this tells,
// fields of a message and a receiver for it, intents that reach its cases. A flow of today is held against the others in
// together.ts, a version that only its cases live by in kept.ts: the same gaps, mended in other places.

import type { Place } from "../../located.ts";
import type { ValueType } from "../expression.ts";
import type { Action, CurrencySymbol, Flow, FlowCall, NamedExpression, NamedType } from "../flow.ts";
import { type ExpressionType, printType } from "../types/kinds.ts";
import { typeFlow } from "../types/types.ts";
import { actionsOf } from "../walk.ts";

/** What does not fit between a flow and one beside it. */
export type Gap = {
  /** in the flow */
  readonly own: Place;
  /** in the flow beside it; null: there is none */
  readonly other: Place | null;
  readonly what: string;
  /** what closes it when the flow itself cannot be changed any more */
  readonly remedy: string;
};

/** @param others the flows of today, among which `flow` may be */
export function gapsOf(flow: Flow, others: readonly Flow[]): Gap[] {
  const { types } = typeFlow(flow);
  const given = { flow, others, types };
  return [
    ...actionsOf(flow).flatMap((action) => (action.kind === "spawn" ? gapsOfSpawn(given, action) : [])),
    ...heardBy(flow).flatMap((heard) => gapsOfWord(given, heard)),
    ...flow.calls.flatMap((call) => gapsOfMessage(given, call)),
    ...gapsOfIntents(given),
  ];
}

type Given = {
  readonly flow: Flow;
  readonly others: readonly Flow[];
  readonly types: ReturnType<typeof typeFlow>["types"];
};

/** What closes a gap to a flow that has changed. */
export const asIs = (name: string): string =>
  `leave ${name} as it is for them, and declare the changed flow by another name`;

// Children ----------------------------------------------------------------------------------------------------------------

function gapsOfSpawn({ flow, others, types }: Given, action: Action & { kind: "spawn" }): Gap[] {
  const own = action.place;
  const child = others.find(({ name }) => name === action.flow);
  if (child === undefined) {
    const remedy = `go on declaring ${action.flow}`;
    return [{ own, other: null, what: `there is no flow ${action.flow} to spawn`, remedy }];
  }
  const remedy = asIs(child.name);
  if (child.start.kind !== "spawn") {
    const what = `${child.name} does not start on a spawn, so ${flow.name} cannot open it`;
    return [{ own, other: child.start.place, what, remedy }];
  }
  const wanted = child.events.find(({ event }) => event === "spawn")?.fields ?? [];
  return [
    ...lacking(wanted, action.values).map(({ name, place }) => {
      const what = `${child.name} is opened without "${name}", which its spawn event carries`;
      return { own, other: place, what, remedy };
    }),
    ...action.values.flatMap(({ name, place }) => {
      if (wanted.some((field) => field.name === name)) return [];
      return [{ own: place, other: child.place, what: `${child.name} takes no "${name}" when it is spawned`, remedy }];
    }),
    ...unfit(types, wanted, action.values).map(({ own: at, other, what }) => {
      return { own: at, other, what: `${child.name} is spawned with ${what}`, remedy };
    }),
    ...child.currencies.flatMap((symbol) => {
      const value = action.values.find(({ name }) => `event.${name}` === symbol.from)?.value;
      if (value === undefined || types.get(value)?.kind !== "number") return [];
      const what = `${child.name} takes its currency ${symbol.symbol} from ${symbol.from}, which is given as a bare number`;
      return [{ own: value.place, other: symbol.place, what, remedy }];
    }),
  ];
}

type Heard = { readonly place: Place; readonly event: string; readonly fields: readonly NamedType[] };

/** What a flow waits for of children, whether or not it reads anything of it. */
function heardBy(flow: Flow): Heard[] {
  const listed = flow.states.flatMap(({ events }) => events.map(({ event, place }) => ({ event, place, fields: [] })));
  const first = new Map<string, Heard>();
  for (const heard of [...flow.events, ...listed]) if (!first.has(heard.event)) first.set(heard.event, heard);
  return [...first.values()].filter(({ event }) => event.startsWith("child."));
}

/** What a parent waits for, its child tells with all that it reads. */
function gapsOfWord({ flow, others }: Given, { place, event, fields }: Heard): Gap[] {
  const [, name, word] = event.split(".");
  const child = others.find((other) => other.name === name);
  if (child === undefined) return []; // whoever spawns it says so
  const remedy = asIs(child.name);
  const told = actionsOf(child).flatMap((action) => (action.kind === "tell" && action.word === word ? [action] : []));
  if (told.length === 0)
    return [{ own: place, other: child.place, what: `${child.name} never tells "${word}"`, remedy }];
  const { types } = typeFlow(child);
  return told.flatMap((action) => [
    ...lacking(fields, action.values).map((field) => {
      const what = `${child.name} tells "${word}" without "${field.name}" (line ${action.place.line}), which ${flow.name} reads`;
      return { own: field.place, other: action.place, what, remedy };
    }),
    ...unfit(types, fields, action.values).map((misfit) => {
      return {
        own: misfit.other,
        other: misfit.own,
        what: `${child.name} tells "${word}" with ${misfit.what}`,
        remedy,
      };
    }),
  ]);
}

// Messages ----------------------------------------------------------------------------------------------------------------

/** A message travels as text and opens a case at its receiver: what does not fit there would halt that lane. */
function gapsOfMessage({ others, types }: Given, { name: call, place: own, to, payload }: FlowCall): Gap[] {
  if (to.kind !== "message") return [];
  const receiver = others.find(({ start }) => start.kind === "message" && start.type === to.type);
  if (receiver === undefined) {
    const remedy = `go on declaring a flow that starts on it`;
    return [{ own, other: null, what: `no flow starts on the message ${to.type} that ${call} sends`, remedy }];
  }
  const remedy = asIs(receiver.name);
  const wanted = receiver.events.find(({ event }) => event === `message.${to.type}`)?.fields ?? [];
  return [
    ...lacking(wanted, payload).map(({ name, place }) => {
      const what = `${call} sends no "${name}" along, which ${receiver.name} takes from ${to.type}`;
      return { own, other: place, what, remedy };
    }),
    ...unfit(types, wanted, payload).map((misfit) => {
      return { ...misfit, what: `${call} sends ${misfit.what}`, remedy };
    }),
    ...(payload.some(({ name }) => name === "currency") ? [] : receiver.currencies)
      .filter(({ from }) => isMoney(wanted, from))
      .map(({ place, symbol, from }: CurrencySymbol) => {
        const what = `${call} sends no "currency" along, by which ${receiver.name} knows ${symbol} (${from})`;
        return { own, other: place, what, remedy };
      }),
  ];
}

function isMoney(fields: readonly NamedType[], from: string): boolean {
  return fields.some(({ name, type }) => `event.${name}` === from && type.kind === "money");
}

// Intents -----------------------------------------------------------------------------------------------------------------

/** An intent that opens cases reaches none that is there. */
function gapsOfIntents({ flow, others }: Given): Gap[] {
  return flow.states
    .flatMap((state) => state.events)
    .flatMap(({ place, event }) => {
      const opened = others.find(({ start }) => start.kind === "intent" && `intent.${start.type}` === event);
      if (opened === undefined) return [];
      const what = `${event} opens a case of ${opened.name}, so no state can wait for it`;
      return [{ own: place, other: opened.start.place, what, remedy: `open ${opened.name} by another intent` }];
    });
}

// Values ------------------------------------------------------------------------------------------------------------------

function lacking(wanted: readonly NamedType[], given: readonly NamedExpression[]): NamedType[] {
  return wanted.filter(({ name }) => !given.some((value) => value.name === name));
}

/** Values of another type than the field that they go to. */
function unfit(
  types: Given["types"],
  wanted: readonly NamedType[],
  given: readonly NamedExpression[],
): { readonly own: Place; readonly other: Place; readonly what: string }[] {
  return given.flatMap(({ name, value }) => {
    const field = wanted.find((one) => one.name === name);
    const type = types.get(value);
    if (field === undefined || type === undefined || fits(type, field.type)) return [];
    const what = `"${name}" as ${printType(type)}, where ${printType(field.type)} is taken`;
    return [{ own: value.place, other: field.place, what }];
  });
}

/** Currencies go by what is bound, not by name: the one flow's S may be the other's M. */
function fits(given: ExpressionType, wanted: ValueType): boolean {
  switch (given.kind) {
    case "number":
      return wanted.kind === "int" || wanted.kind === "money";
    case "null":
      return wanted.kind === "time";
    case "currency":
      return wanted.kind === "text";
    case "word":
      if (wanted.kind === "word") return given.words.every((word) => wanted.words.includes(word));
      return wanted.kind === "text";
    default:
      return given.kind === wanted.kind;
  }
}
