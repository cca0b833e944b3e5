// From the tree of a flow file to a `Flow`. The form is judged here: keys, types, spelling. What the names refer to and
// whether the flow is sound is `check`'s. A part that cannot be read leaves its fault and an empty name behind, so that
// the rest of the file is judged all the same.

import type { Fault, Located, Place } from "../located.ts";
import { Reading } from "../reading.ts";
import { parseDurationMs } from "./duration.ts";
import type { CurrencySymbol, DataField, Flow, FlowAccount, FlowTimer } from "./flow.ts";
import { CURRENCY_SYMBOL, NAME, WORDS_JOINED } from "./names.ts";
import { readPostings } from "./parse-postings.ts";
import { readStates } from "./parse-states.ts";

/** @returns `flow` null when the file is no map at all. `isWhole` false: parts are missing in `flow` that the file has,
 *           so that nothing may be concluded from what is not there. */
export function parseFlow(root: Located): { flow: Flow | null; isWhole: boolean; faults: readonly Fault[] } {
  const reading = new Reading();
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

function readMetadata(reading: Reading, node: Located | undefined): Pick<Flow, "name" | "version" | "owner"> {
  const row = node && reading.fields(node, "metadata", { required: ["name", "version", "owner"] });
  const version = /^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}$/;
  return {
    name: reading.textLike(row?.get("name"), "name", NAME, WORDS_JOINED) ?? "",
    version: reading.textLike(row?.get("version"), "version", version, "major.minor.patch") ?? "",
    owner: reading.text(row?.get("owner"), "owner") ?? "",
  };
}

const SPEC_KEYS = {
  required: ["starts_on", "case_kind", "states"],
  optional: ["currencies", "data", "accounts", "postings", "timers"],
  later: ["params", "invariants", "calls", "defaults", "case_key", "migrate"],
};

type Spec = Omit<Flow, "place" | "name" | "version" | "owner">;

function readSpec(reading: Reading, node: Located | undefined, fallback: Place): Spec {
  const row = node && reading.fields(node, "spec", SPEC_KEYS);
  const start = row?.get("starts_on");
  const startRow = start && reading.fields(start, "starts_on", { required: ["intent"], later: ["when"] });
  const states = row?.get("states");
  return {
    startsOn: reading.textLike(startRow?.get("intent"), "intent", NAME, WORDS_JOINED) ?? "",
    caseKind: reading.textLike(row?.get("case_kind"), "case_kind", /^[a-z]{2,8}$/, "2 to 8 letters a-z") ?? "",
    currencies: named(reading, row?.get("currencies"), "currencies", readCurrency),
    data: named(reading, row?.get("data"), "data", readData),
    accounts: named(reading, row?.get("accounts"), "accounts", readAccount),
    postings: readPostings(reading, row?.get("postings")),
    timers: named(reading, row?.get("timers"), "timers", readTimer),
    states: readStates(reading, states ?? { kind: "map", place: fallback, entries: [] }),
  };
}

/** Reads a map from names to parts. */
function named<Part>(
  reading: Reading,
  node: Located | undefined,
  what: string,
  read: (reading: Reading, name: string, place: Place, node: Located) => Part,
): Part[] {
  const entries = (node && reading.entries(node, what)) ?? [];
  return entries.map(({ key, keyPlace, value }) => read(reading, key, keyPlace, value));
}

function mustMatch(reading: Reading, place: Place, name: string, pattern: RegExp, form: string): void {
  if (!pattern.test(name)) reading.fault(place, `the name ${JSON.stringify(name)} must be ${form}`);
}

function readCurrency(reading: Reading, symbol: string, place: Place, node: Located): CurrencySymbol {
  mustMatch(reading, place, symbol, CURRENCY_SYMBOL, "a capital letter or a few");
  const from = reading.word(node, `currency ${symbol}`, ["intent.currency", "intent.amount.currency"]);
  return { place, symbol, from: from ?? "" };
}

function readData(reading: Reading, name: string, place: Place, node: Located): DataField {
  mustMatch(reading, place, name, NAME, WORDS_JOINED);
  const keys = { required: ["money"], optional: ["from", "init"], later: ["int", "bool", "enum", "time"] };
  const row = reading.fields(node, `data field ${name}`, keys);
  const money = reading.textLike(row?.get("money"), "money", CURRENCY_SYMBOL, "a currency symbol") ?? "";
  const from = row?.get("from");
  const init = row?.get("init");
  if ((from === undefined) === (init === undefined))
    reading.fault(place, `data field ${name} takes either "from" or "init"`);
  const intent = reading.word(from, "from", ["intent.amount.minor"]);
  const minor = reading.integer(init, "init", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  return { place, name, type: { money }, from: intent === null ? { minor: BigInt(minor) } : { intent } };
}

function readAccount(reading: Reading, alias: string, place: Place, node: Located): FlowAccount {
  mustMatch(reading, place, alias, NAME, WORDS_JOINED);
  const row = reading.fields(node, `account ${alias}`, { required: ["path"], later: ["class", "drains"] });
  return { place: row?.get("path")?.place ?? place, alias, path: reading.text(row?.get("path"), "path") ?? "" };
}

function readTimer(reading: Reading, name: string, place: Place, node: Located): FlowTimer {
  mustMatch(reading, place, name, NAME, WORDS_JOINED);
  const row = reading.fields(node, `timer ${name}`, { required: ["after"], later: ["anchor"] });
  const after = reading.text(row?.get("after"), "after");
  const afterMs = after === null ? null : parseDurationMs(after);
  if (after !== null && afterMs === null) {
    const form = "an ISO 8601 duration above zero, without years or months, such as PT15M or P7D";
    reading.fault(row?.get("after")?.place ?? place, `after must be ${form}; found ${JSON.stringify(after)}`);
  }
  return { place, name, afterMs: afterMs ?? 0 };
}
