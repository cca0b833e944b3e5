// States of a flow file: their kind, timers, and what each event does.

import type { Located, Place } from "../located.ts";
import type { Reading } from "../reading.ts";
import type { Alternative, FlowEvent, FlowState, StateKind } from "./flow.ts";
import { EVENT, NAME, WORDS_JOINED } from "./names.ts";
import { readActions } from "./parse-actions.ts";

const KINDS: readonly StateKind[] = ["initial", "active", "choice", "quiescent", "final"];
const STATE_KEYS = { required: ["kind"], optional: ["human", "timers", "entry", "events", "always"] };

export function readStates(reading: Reading, node: Located): FlowState[] {
  const entries = reading.entries(node, "states") ?? [];
  return entries.map(({ key, keyPlace, value }) => readState(reading, key, keyPlace, value));
}

function readState(reading: Reading, name: string, place: Place, node: Located): FlowState {
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

function readEvents(reading: Reading, node: Located | undefined): FlowEvent[] {
  const entries = (node && reading.entries(node, "events")) ?? [];
  return entries.map(({ key, keyPlace, value }) => {
    if (!EVENT.test(key)) {
      reading.fault(
        keyPlace,
        `an event is intent.<type> or timer.<name> in this version, found ${JSON.stringify(key)}`,
      );
    }
    const alternatives = readAlternatives(reading, value, key);
    if (value.kind === "list" && alternatives.length === 0) reading.fault(value.place, `${key} has no alternative`);
    return { place: keyPlace, event: key, alternatives };
  });
}

function readAlternatives(reading: Reading, node: Located | undefined, what: string): Alternative[] {
  return (reading.items(node, what) ?? []).map((item) => {
    const row = reading.fields(item, `an alternative of ${what}`, {
      required: ["to"],
      optional: ["do"],
      later: ["when"],
    });
    return {
      place: row?.get("to")?.place ?? item.place,
      actions: readActions(reading, row?.get("do"), "do"),
      to: reading.text(row?.get("to"), "to") ?? "",
    };
  });
}
