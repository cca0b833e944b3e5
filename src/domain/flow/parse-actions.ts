// Actions of a flow file: the steps of `do` and `entry`, each a map whose one action key says what it is.

import type { Located, LocatedEntry } from "../located.ts";
import type { Reading } from "../reading.ts";
import type { Action, NamedValue } from "./flow.ts";
import { VALUE } from "./names.ts";

type Kind = Action["kind"];

const LATER = ["let", "call", "end", "spawn"];

/** One reader per kind of action; `node` is the map, `argument` the action key's own value. */
const READERS: Record<Kind, (reading: Reading, node: Located, argument: LocatedEntry) => Action> = {
  post: (reading, node, argument) => {
    const inputs = (reading.entries(node, "post") ?? []).filter(({ key }) => key !== "post");
    return {
      kind: "post",
      place: argument.value.place,
      posting: reading.text(argument.value, "post") ?? "",
      amounts: inputs.map((entry) => readValue(reading, entry)),
    };
  },
  set: (reading, node, argument) => {
    reading.fields(node, "set", { required: ["set"] });
    const values = reading.entries(argument.value, "set") ?? [];
    return { kind: "set", place: argument.keyPlace, values: values.map((entry) => readValue(reading, entry)) };
  },
  emit: (reading, node, argument) => {
    const row = reading.fields(node, "emit", { required: ["emit"], optional: ["amounts"], later: ["code"] });
    const amounts = row?.get("amounts");
    return {
      kind: "emit",
      place: argument.value.place,
      type: reading.text(argument.value, "emit") ?? "",
      amounts: ((amounts && reading.entries(amounts, "amounts")) ?? []).map((entry) => readValue(reading, entry)),
    };
  },
  open_account: (reading, node, argument) => {
    reading.fields(node, "open_account", { required: ["open_account"] });
    const row = reading.fields(argument.value, "open_account", { required: ["account", "currency"] });
    const account = reading.text(row?.get("account"), "account") ?? "";
    const currency = reading.text(row?.get("currency"), "currency") ?? "";
    return { kind: "open_account", place: argument.keyPlace, account, currency };
  },
  change_account: (reading, node, argument) => {
    reading.fields(node, "change_account", { required: ["change_account"] });
    const row = reading.fields(argument.value, "change_account", { required: ["account"] });
    const account = reading.text(row?.get("account"), "account") ?? "";
    return { kind: "change_account", place: argument.keyPlace, account };
  },
};

export function readActions(reading: Reading, node: Located | undefined, what: string): Action[] {
  return (reading.items(node, what) ?? []).flatMap((item) => readAction(reading, item) ?? []);
}

function readAction(reading: Reading, node: Located): Action | null {
  const entries = reading.entries(node, "an action") ?? [];
  const argument = entries.find(({ key }) => Object.hasOwn(READERS, key));
  if (argument !== undefined) return READERS[argument.key as Kind](reading, node, argument);
  const later = entries.find(({ key }) => LATER.includes(key));
  if (later !== undefined)
    return reading.fault(later.keyPlace, `"${later.key}" is not in this version of the language`);
  if (node.kind !== "map") return null;
  return reading.fault(node.place, `an action is one of ${Object.keys(READERS).join(", ")}`);
}

function readValue(reading: Reading, { key, keyPlace, value }: LocatedEntry): NamedValue {
  const text = value.kind === "scalar" && Number.isSafeInteger(value.value) ? String(value.value) : null;
  const form = "data.<field>, intent.amount.minor, or digits of minor units";
  const read = text ?? reading.text(value, key);
  if (read === null || VALUE.test(read)) return { place: keyPlace, name: key, value: read ?? "" };
  reading.fault(value.place, `${key} must be ${form}; found ${JSON.stringify(read)}`);
  return { place: keyPlace, name: key, value: "" };
}
