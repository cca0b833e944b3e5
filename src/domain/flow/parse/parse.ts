// From the tree of a flow file to a `Flow`. The form is judged here: keys, types, spelling. What the names refer to and
// whether the flow is sound is `check`'s. A part that cannot be read leaves its fault and an empty name behind, so that
// the rest of the file is judged all the same.

import type { Fault, Located, Place } from "../../located.ts";
import type { ParseExpression } from "../expression.ts";
import type { Flow, FlowAccount, FlowDefaults, FlowException, FlowInvariant, FlowStart, FlowTimer } from "../flow.ts";
import { FlowReading, unread } from "../flow-reading.ts";
import { CURRENCY_SYMBOL, EVENT_FORM, isEventName, NAME, WORDS_JOINED } from "../names.ts";
import { readCall } from "./calls.ts";
import { mustMatch, readCurrency, readData, readEventShape, readParam } from "./data.ts";
import { readPostings } from "./postings.ts";
import { readStates } from "./states.ts";

/** @param parseExpression makes trees of the texts of guards and amounts
 *  @returns `flow` null when the file is no map at all. `isWhole` false: parts are missing in `flow` that the file has,
 *           so that nothing may be concluded from what is not there. */
export function parseFlow(
  root: Located,
  parseExpression: ParseExpression,
): { flow: Flow | null; isWhole: boolean; faults: readonly Fault[] } {
  const reading = new FlowReading(parseExpression);
  const file = reading.fields(root, "a flow file", { required: ["apiVersion", "kind", "metadata", "spec"] });
  if (file === null) return { flow: null, isWhole: false, faults: reading.faults };
  reading.word(file.get("apiVersion"), "apiVersion", ["flow/v1"]);
  reading.word(file.get("kind"), "kind", ["Flow"]);
  const flow: Flow = {
    place: root.place,
    ...readMetadata(reading, file.get("metadata")),
    ...readSpec(reading, file.get("spec"), root.place),
  };
  return { flow, isWhole: reading.isWhole, faults: reading.faults };
}

function readMetadata(
  reading: FlowReading,
  node: Located | undefined,
): Pick<Flow, "name" | "version" | "owner" | "family"> {
  const keys = { required: ["name", "version", "owner"], optional: ["family"] };
  const row = node && reading.fields(node, "metadata", keys);
  const version = /^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}$/;
  const name = reading.textLike(row?.get("name"), "name", NAME, WORDS_JOINED) ?? "";
  return {
    name,
    version: reading.textLike(row?.get("version"), "version", version, "major.minor.patch") ?? "",
    owner: reading.text(row?.get("owner"), "owner") ?? "",
    family: reading.textLike(row?.get("family"), "family", NAME, WORDS_JOINED) ?? name,
  };
}

const SPEC_KEYS = {
  required: ["starts_on", "case_kind", "states"],
  optional: [
    "currencies",
    "params",
    "events",
    "data",
    "accounts",
    "invariants",
    "postings",
    "calls",
    "timers",
    "defaults",
    "exceptions",
  ],
};

type Spec = Omit<Flow, "place" | "name" | "version" | "owner" | "family">;

/** Data come before the states: what `set` gives a variable is read by its type. */
function readSpec(reading: FlowReading, node: Located | undefined, fallback: Place): Spec {
  const row = node && reading.fields(node, "spec", SPEC_KEYS);
  const states = row?.get("states");
  return {
    start: readStart(reading, row?.get("starts_on"), fallback),
    caseKind: reading.textLike(row?.get("case_kind"), "case_kind", /^[a-z]{2,8}$/, "2 to 8 letters a-z") ?? "",
    currencies: named(reading, row?.get("currencies"), "currencies", readCurrency),
    params: named(reading, row?.get("params"), "params", readParam),
    events: named(reading, row?.get("events"), "events", readEventShape),
    data: named(reading, row?.get("data"), "data", readData),
    accounts: named(reading, row?.get("accounts"), "accounts", readAccount),
    invariants: (reading.items(row?.get("invariants"), "invariants") ?? []).map((item) => readInvariant(reading, item)),
    postings: readPostings(reading, row?.get("postings")),
    calls: named(reading, row?.get("calls"), "calls", readCall),
    timers: named(reading, row?.get("timers"), "timers", readTimer),
    defaults: readDefaults(reading, row?.get("defaults")),
    exceptions: (reading.items(row?.get("exceptions"), "exceptions") ?? []).map((item) => readException(reading, item)),
    states: readStates(reading, states ?? { kind: "map", place: fallback, entries: [] }),
  };
}

/** Reads a map from names to parts. */
function named<Part>(
  reading: FlowReading,
  node: Located | undefined,
  what: string,
  read: (reading: FlowReading, name: string, place: Place, node: Located) => Part,
): Part[] {
  const entries = (node && reading.entries(node, what)) ?? [];
  return entries.map(({ key, keyPlace, value }) => read(reading, key, keyPlace, value));
}

const STARTS = ["intent", "message", "spawn"] as const;

function readStart(reading: FlowReading, node: Located | undefined, fallback: Place): FlowStart {
  const row = node && reading.fields(node, "starts_on", { required: [], optional: [...STARTS, "when"] });
  const place = node?.place ?? fallback;
  const given = STARTS.filter((key) => row?.has(key));
  if (row !== undefined && row !== null && given.length !== 1)
    reading.fault(place, `starts_on takes one of ${STARTS.join(", ")}`);
  const when = row?.get("when");
  if (given[0] === "message" || given[0] === "spawn") {
    if (when !== undefined) reading.fault(when.place, "a guard decides between flows that start on one intent");
  }
  if (given[0] === "message")
    return { kind: "message", place, type: reading.textLike(row?.get("message"), "message", NAME, WORDS_JOINED) ?? "" };
  if (given[0] === "spawn") {
    if (!reading.flag(row?.get("spawn"), "spawn")) reading.fault(place, "spawn must be true");
    return { kind: "spawn", place };
  }
  return {
    kind: "intent",
    place,
    type: reading.textLike(row?.get("intent"), "intent", NAME, WORDS_JOINED) ?? "",
    when: when === undefined ? null : reading.expression(when, "when", { kind: "bool" }),
  };
}

function readAccount(reading: FlowReading, alias: string, place: Place, node: Located): FlowAccount {
  mustMatch(reading, place, alias, NAME, WORDS_JOINED);
  const row = reading.fields(node, `account ${alias}`, { required: ["path"], optional: ["currency", "drains"] });
  const currency = row?.get("currency");
  return {
    place: row?.get("path")?.place ?? place,
    alias,
    path: reading.text(row?.get("path"), "path") ?? "",
    currency: reading.textLike(currency, "currency", CURRENCY_SYMBOL, "a currency symbol"),
    drains: reading.flag(row?.get("drains"), "drains"),
  };
}

const INVARIANT = /^\s*bal\(\s*([a-z][a-z0-9_]*)\s*,\s*([A-Z][A-Z0-9]*)\s*\)\s*==\s*([^=].*)$/;

function readInvariant(reading: FlowReading, node: Located): FlowInvariant {
  const { place } = node;
  const text = reading.text(node, "an invariant") ?? "";
  const [, account = "", symbol = "", right] = INVARIANT.exec(text) ?? [];
  if (right !== undefined) {
    const equals = reading.expression({ kind: "scalar", place, value: right }, "the right side", null);
    return { place, text, account, symbol, equals };
  }
  if (text !== "") {
    const form = "bal(<account>, <currency>) == <expression over data>";
    reading.fault(place, `an invariant is ${form}; found ${JSON.stringify(text)}`);
  }
  return { place, text, account: "", symbol: "", equals: unread(place) };
}

function readTimer(reading: FlowReading, name: string, place: Place, node: Located): FlowTimer {
  mustMatch(reading, place, name, NAME, WORDS_JOINED);
  const row = reading.fields(node, `timer ${name}`, { required: ["after"], optional: ["anchor"] });
  const after = row?.get("after");
  const anchor = row?.get("anchor");
  return {
    place,
    name,
    after: after === undefined ? unread(place) : reading.expression(after, "after", { kind: "duration" }),
    anchor: anchor === undefined ? null : reading.expression(anchor, "anchor", { kind: "time" }),
  };
}

function readDefaults(reading: FlowReading, node: Located | undefined): FlowDefaults {
  const row = node && reading.fields(node, "defaults", { required: [], optional: ["alarms"] });
  const alarms = row?.get("alarms");
  const entries = (alarms && reading.entries(alarms, "alarms")) ?? [];
  return {
    alarms: entries.map(({ key, keyPlace, value }) => {
      if (!isEventName(key) || /^(intent|ops|timer)\./.test(key))
        reading.fault(
          keyPlace,
          `an alarm is for a report or a child's word, and an event is ${EVENT_FORM}; found "${key}"`,
        );
      const code = reading.textLike(value, `the code of ${key}`, NAME, WORDS_JOINED) ?? "";
      return { place: keyPlace, event: key, code };
    }),
  };
}

function readException(reading: FlowReading, node: Located): FlowException {
  const row = reading.fields(node, "an exception", { required: ["property", "at", "reason"] });
  return {
    place: node.place,
    property: reading.textLike(row?.get("property"), "property", NAME, WORDS_JOINED) ?? "",
    at: reading.text(row?.get("at"), "at") ?? "",
    reason: reading.text(row?.get("reason"), "reason") ?? "",
  };
}
