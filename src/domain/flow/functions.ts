// The functions that an expression may call: what they take, what they give, and what holds of it whatever the values
// are. `types` judges calls by this table, the checker concludes from the laws, the runtime keeps them
// (test/unit/flow-functions.test.ts holds it against them).

/** What an argument may be.
 *  - `amount`: an int or money; what the result then is
 *  - `same`:   of the type of the amount before it
 *  - `share`:  an int or money; all shares of one call are of one type
 *  - `from`:   the symbol of the currency that the amount is in
 *  - `to`:     the symbol of the currency that the result is in
 *  - `word`:   what a table is asked for: a currency symbol, a word or a text
 *  - `alias`:  one of the flow's accounts
 *  - `field`:  an optional field of the intent */
export type ArgumentKind =
  | "amount"
  | "same"
  | "share"
  | "int"
  | "from"
  | "to"
  | "table"
  | "word"
  | "text"
  | "alias"
  | "field";

/** - `amount`: as the amount that was given
 *  - `entry`:  money of the symbol when the table was asked for a currency, else an int
 *  - `alias`:  money of the currency that the account's lines are in; of any, where they are in several
 *  - a list of names: a record of money in the currency of `to` */
export type ResultKind = "amount" | "entry" | "alias" | "int" | "bool" | "text" | readonly string[];

/** `argument` compared with a number or with another argument. */
export type Condition = {
  readonly argument: string;
  readonly is: ">=" | "<=";
  readonly than: bigint | string;
};

/** What holds of a result, or of the named field of it, whenever all conditions do. */
export type Law =
  | { readonly kind: "not_negative"; readonly field: string | null; readonly given: readonly Condition[] }
  | { readonly kind: "at_most"; readonly argument: string; readonly given: readonly Condition[] }
  | { readonly kind: "at_least"; readonly argument: string; readonly given: readonly Condition[] }
  /** `whole` is the sum of `parts`: fields of the result */
  | { readonly kind: "sum"; readonly whole: string; readonly parts: readonly string[] };

export type FunctionSignature = {
  readonly arguments: readonly { readonly name: string; readonly kind: ArgumentKind }[];
  readonly result: ResultKind;
  /** what must hold when it is called: the process stops where it does not, so the checker wants it proven */
  readonly requires?: readonly Condition[];
  readonly laws: readonly Law[];
};

const notNegative = (argument: string): Condition => ({ argument, is: ">=", than: 0n });
const results = (fields: readonly string[]): Law[] =>
  fields.map((field) => ({ kind: "not_negative", field, given: [] }));
const result = (...given: Condition[]): Law => ({ kind: "not_negative", field: null, given });

const PART: FunctionSignature = {
  arguments: [
    { name: "x", kind: "amount" },
    { name: "n", kind: "share" },
    { name: "d", kind: "share" },
  ],
  result: "amount",
  laws: [
    result(notNegative("x"), notNegative("n"), { argument: "d", is: ">=", than: 1n }),
    {
      kind: "at_most",
      argument: "x",
      given: [
        notNegative("x"),
        notNegative("n"),
        { argument: "n", is: "<=", than: "d" },
        { argument: "d", is: ">=", than: 1n },
      ],
    },
  ],
};

const PAIR = [
  { name: "from", kind: "from" },
  { name: "to", kind: "to" },
] as const;

const NTH_ROUTE = [
  { name: "method", kind: "text" },
  { name: "n", kind: "int" },
  { name: "x", kind: "amount" },
  { name: "currency", kind: "from" },
] as const;

export const FUNCTIONS: Readonly<Record<string, FunctionSignature>> = {
  min: {
    arguments: [
      { name: "a", kind: "amount" },
      { name: "b", kind: "same" },
    ],
    result: "amount",
    laws: [
      { kind: "at_most", argument: "a", given: [] },
      { kind: "at_most", argument: "b", given: [] },
      result(notNegative("a"), notNegative("b")),
    ],
  },
  max: {
    arguments: [
      { name: "a", kind: "amount" },
      { name: "b", kind: "same" },
    ],
    result: "amount",
    laws: [
      { kind: "at_least", argument: "a", given: [] },
      { kind: "at_least", argument: "b", given: [] },
      result(notNegative("a")),
      result(notNegative("b")),
    ],
  },
  "fee.of": {
    arguments: [
      { name: "x", kind: "amount" },
      { name: "bps", kind: "int" },
      { name: "fixed", kind: "same" },
    ],
    result: "amount",
    requires: [notNegative("x")],
    laws: [{ kind: "at_most", argument: "x", given: [] }, result()], // rates and sums below zero count as none
  },
  "share.of": {
    arguments: [
      { name: "x", kind: "amount" },
      { name: "bps", kind: "int" },
    ],
    result: "amount",
    requires: [notNegative("x")],
    laws: [{ kind: "at_most", argument: "x", given: [] }, result()],
  },
  "part.up": PART,
  "part.down": PART,
  lookup: {
    arguments: [
      { name: "table", kind: "table" },
      { name: "word", kind: "word" },
      { name: "otherwise", kind: "same" },
    ],
    result: "entry",
    laws: [result(notNegative("otherwise"))], // entries of a table are never negative
  },
  "fx.usable": { arguments: PAIR, result: "bool", laws: [] },
  "fx.lock": { arguments: PAIR, result: "int", laws: [result()] },
  "fx.convert": {
    arguments: [{ name: "x", kind: "amount" }, ...PAIR, { name: "bps", kind: "int" }],
    result: ["net", "mid", "spread"],
    requires: [notNegative("x")],
    laws: [...results(["net", "mid", "spread"]), { kind: "sum", whole: "mid", parts: ["net", "spread"] }],
  },
  "fx.cost": {
    arguments: [{ name: "x", kind: "amount" }, ...PAIR, { name: "bps", kind: "int" }],
    result: ["cost", "mid", "spread"],
    requires: [notNegative("x")],
    laws: [...results(["cost", "mid", "spread"]), { kind: "sum", whole: "cost", parts: ["mid", "spread"] }],
  },
  "fx.spread": { arguments: [{ name: "table", kind: "table" }, ...PAIR], result: "int", laws: [result()] },
  "quote.usable": {
    arguments: [{ name: "id", kind: "text" }, { name: "x", kind: "amount" }, ...PAIR],
    result: "bool",
    laws: [],
  },
  "quote.convert": {
    arguments: [{ name: "id", kind: "text" }, { name: "x", kind: "amount" }, ...PAIR],
    result: ["net", "mid", "spread"],
    requires: [notNegative("x")],
    laws: [...results(["net", "mid", "spread"]), { kind: "sum", whole: "mid", parts: ["net", "spread"] }],
  },
  // of the case and what they are given alone, so that every repeat chooses the same
  "route.has": { arguments: NTH_ROUTE, result: "bool", laws: [] },
  "route.provider": { arguments: NTH_ROUTE, result: "text", laws: [] },
  spendable: { arguments: [{ name: "account", kind: "alias" }], result: "alias", laws: [result()] },
  home: { arguments: [{ name: "path", kind: "text" }], result: "bool", laws: [] },
  "holder.of": { arguments: [{ name: "path", kind: "text" }], result: "text", laws: [] },
  has: { arguments: [{ name: "field", kind: "field" }], result: "bool", laws: [] },
};
