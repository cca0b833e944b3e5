// States of a flow file: their kind, timers, and what each event does.

import type { Located, Place } from "../../located.ts";
import type { Alternative, FlowEvent, FlowState, StateKind } from "../flow.ts";
import type { FlowReading } from "../flow-reading.ts";
import { EVENT_FORM, isEventName, NAME, WORDS_JOINED } from "../names.ts";
import { readActions } from "./actions.ts";

const KINDS: readonly StateKind[] = ["initial", "active", "choice", "quiescent", "final"];
const STATE_KEYS = { required: ["kind"], optional: ["human", "timers", "entry", "events", "always"] };

export function readStates(reading: FlowReading, node: Located): FlowState[] {
  const entries = reading.entries(node, "states") ?? [];
  return entries.map(({ key, keyPlace, value }) => readState(reading, key, keyPlace, value));
}

function readState(reading: FlowReading, name: string, place: Place, node: Located): FlowState {
  if (!NAME.test(name)) reading.fault(place, `the name ${JSON.stringify(name)} must be ${WORDS_JOINED}`);
  const row = reading.fields(node, `state ${name}`, STATE_KEYS);
  const timers = reading.items(row?.get("timers"), "timers") ?? [];
  return {
    place,
    name,
    kind: reading.word(row?.get("kind"), "kind", KINDS) ?? "active",
    human: reading.flag(row?.get("human"), "human"),
    timers: timers.map((timer) => ({ place: timer.place, name: reading.text(timer, "a timer's name") ?? "" })),
    entry: readActions(reading, row?.get("entry"), "entry"),
    events: readEvents(reading, row?.get("events")),
    always: readAlternatives(reading, row?.get("always"), "always"),
  };
}

function readEvents(reading: FlowReading, node: Located | undefined): FlowEvent[] {
  const entries = (node && reading.entries(node, "events")) ?? [];
  return entries.map(({ key, keyPlace, value }) => {
    if (!isEventName(key)) reading.fault(keyPlace, `an event is ${EVENT_FORM}; found ${JSON.stringify(key)}`);
    const alternatives = readAlternatives(reading, value, key);
    if (value.kind === "list" && alternatives.length === 0) reading.fault(value.place, `${key} has no alternative`);
    const refusing = alternatives.find(({ refuse }) => refuse !== null);
    if (refusing !== undefined && !/^(intent|ops)\./.test(key))
      reading.fault(refusing.place, `${key} is nobody's wish, so it cannot be refused`);
    return { place: keyPlace, event: key, alternatives };
  });
}

function readAlternatives(reading: FlowReading, node: Located | undefined, what: string): Alternative[] {
  return (reading.items(node, what) ?? []).map((item) => readAlternative(reading, item, what));
}

const GOES = { required: ["to"], optional: ["when", "do"] };
const REFUSES = { required: ["refuse"], optional: ["when"] };

function readAlternative(reading: FlowReading, node: Located, what: string): Alternative {
  const entries = node.kind === "map" ? node.entries : [];
  const refuses = entries.some(({ key }) => key === "refuse");
  const row = reading.fields(node, `an alternative of ${what}`, refuses ? REFUSES : GOES);
  const when = row?.get("when");
  return {
    place: row?.get(refuses ? "refuse" : "to")?.place ?? node.place,
    when: when === undefined ? null : reading.expression(when, "when", { kind: "bool" }),
    refuse: refuses ? (reading.textLike(row?.get("refuse"), "refuse", NAME, WORDS_JOINED) ?? "") : null,
    actions: readActions(reading, row?.get("do"), "do"),
    to: refuses ? "stay" : (reading.text(row?.get("to"), "to") ?? ""),
  };
}
