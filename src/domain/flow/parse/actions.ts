// Actions of a flow file: the steps of `do` and `entry`, each a map whose one action key says what it is.

import type { Located, LocatedEntry } from "../../located.ts";
import type { Keys } from "../../reading.ts";
import type { Expression } from "../expression.ts";
import type { Action, NamedExpression } from "../flow.ts";
import { type FlowReading, unread, type Wanted } from "../flow-reading.ts";
import { NAME, WORDS_JOINED } from "../names.ts";
import { mustMatch } from "./data.ts";

type Kind = Action["kind"];

const ANYTHING = (): Wanted => null;
const CODE: Wanted = { kind: "code" };

/** One reader per kind of action; `node` is the map, `argument` the action key's own value. */
const READERS: { readonly [K in Kind]: (reading: FlowReading, node: Located, argument: LocatedEntry) => Action } = {
  let: (reading, node, argument) => {
    reading.fields(node, "let", { required: ["let"] });
    const values = reading.entries(argument.value, "let") ?? [];
    for (const { key, keyPlace } of values) mustMatch(reading, keyPlace, key, NAME, WORDS_JOINED);
    return { kind: "let", place: argument.keyPlace, values: reading.namedExpressions(values, ANYTHING) };
  },
  post: (reading, node, argument) => {
    const posting = reading.text(argument.value, "post") ?? "";
    return { kind: "post", place: argument.value.place, posting, amounts: besides(reading, node, argument) };
  },
  set: (reading, node, argument) => {
    reading.fields(node, "set", { required: ["set"] });
    const values = reading.entries(argument.value, "set") ?? [];
    const wanted = (name: string): Wanted => reading.dataTypes.get(name) ?? null;
    return { kind: "set", place: argument.keyPlace, values: reading.namedExpressions(values, wanted) };
  },
  emit: (reading, node, argument) => {
    const row = reading.fields(node, "emit", { required: ["emit"], optional: ["amounts", "code"] });
    const amounts = row?.get("amounts");
    return {
      kind: "emit",
      place: argument.value.place,
      type: reading.text(argument.value, "emit") ?? "",
      code: readCode(reading, row?.get("code")),
      amounts: reading.namedExpressions((amounts && reading.entries(amounts, "amounts")) ?? [], ANYTHING),
    };
  },
  call: (reading, node, argument) => {
    reading.fields(node, "call", { required: ["call"] });
    return { kind: "call", place: argument.value.place, call: reading.text(argument.value, "call") ?? "" };
  },
  end: (reading, node, argument) => {
    const row = reading.fields(node, "end", { required: ["end"], optional: ["code"] });
    const result = reading.word(argument.value, "end", ["failed", "canceled", "expired"]) ?? "failed";
    return { kind: "end", place: argument.value.place, result, code: readCode(reading, row?.get("code")) };
  },
  spawn: (reading, node, argument) => {
    const flow = reading.textLike(argument.value, "spawn", NAME, WORDS_JOINED) ?? "";
    return { kind: "spawn", place: argument.value.place, flow, values: besides(reading, node, argument) };
  },
  tell: (reading, node, argument) => {
    const word = reading.textLike(argument.value, "tell", NAME, WORDS_JOINED) ?? "";
    return { kind: "tell", place: argument.value.place, word, values: besides(reading, node, argument) };
  },
  consume: (reading, node, argument) => {
    const row = reading.fields(node, "consume", { required: ["consume", "amount"] });
    const amount = row?.get("amount");
    return {
      kind: "consume",
      place: argument.keyPlace,
      quote: reading.expression(argument.value, "consume", { kind: "text" }),
      amount: amount === undefined ? unread(argument.keyPlace) : reading.expression(amount, "amount", null),
    };
  },
  open_account: (reading, node, argument) => {
    const { place, names } = accountOf(reading, node, argument, { required: ["account", "currency"] });
    return { kind: "open_account", place, account: names("account"), currency: names("currency") };
  },
  change_account: (reading, node, argument) => {
    const { place, names } = accountOf(reading, node, argument, { required: ["account"] });
    return { kind: "change_account", place, account: names("account") };
  },
};

/** The values that stand beside the action's own key. */
function besides(reading: FlowReading, node: Located, { key: own }: LocatedEntry): NamedExpression[] {
  const others = (reading.entries(node, own) ?? []).filter(({ key }) => key !== own);
  return reading.namedExpressions(others, ANYTHING);
}

function readCode(reading: FlowReading, node: Located | undefined): Expression | null {
  return node === undefined ? null : reading.expression(node, "code", CODE);
}

function accountOf(reading: FlowReading, node: Located, { key, keyPlace, value }: LocatedEntry, keys: Keys) {
  reading.fields(node, key, { required: [key] });
  const row = reading.fields(value, key, keys);
  return { place: keyPlace, names: (name: string): string => reading.text(row?.get(name), name) ?? "" };
}

export function readActions(reading: FlowReading, node: Located | undefined, what: string): Action[] {
  return (reading.items(node, what) ?? []).flatMap((item) => readAction(reading, item) ?? []);
}

function readAction(reading: FlowReading, node: Located): Action | null {
  const entries = reading.entries(node, "an action") ?? [];
  const argument = entries.find(({ key }) => Object.hasOwn(READERS, key));
  if (argument !== undefined) return READERS[argument.key as Kind](reading, node, argument);
  if (node.kind !== "map") return null;
  return reading.fault(node.place, `an action is one of ${Object.keys(READERS).join(", ")}`);
}
