// The second ledger: slow, obvious, and written from the documents. It decides what a lane's inputs must have led to, so
// that what was written can be held against it. It shares no code with what it audits: of the rest of this program it
// takes types, and the plumbing that reads rows and records. Ids, homes, chart, flows, Avro, fingerprints and the order of
// refusals are read by code of its own, with Maps and bigints, and nothing is compiled. `test/tidy.test.ts` names each
// import that this folder may have.
//
// Here: what it goes by, which is the declared texts, read anew, and the settings that decisions depend on.

import { AvroSchema } from "./avro.ts";
import { readScales } from "./chart.ts";
import { readFlow, type SecondFlow } from "./flows.ts";
import { at, type Tree, Unreadable } from "./tree.ts";

export type SecondRules = {
  readonly lanes: number;
  /** every version that ever ran */
  readonly flows: readonly SecondFlow[];
  readonly chart: Tree;
  readonly scales: ReadonlyMap<string, number>;
  readonly intentSchema: AvroSchema;
  readonly outcomeSchema: AvroSchema;
  readonly deadLetterSchema: AvroSchema;
  readonly commandSchema: AvroSchema;
  readonly reportSchema: AvroSchema;
  readonly intentsTopic: string;
} & SecondSettings;

/** As the lanes ran with; what was decided with others would look wrong. */
export type SecondSettings = {
  readonly caseWindowMs: number;
  readonly caseFutureMs: number;
  readonly intentBytesMax: number;
};

/** @param tree with the settings by their names, as they are configured or as a version of the parameters has them
 *  @throws Unreadable */
export function readSettings(tree: Tree): SecondSettings {
  const number = (name: string): number => {
    const value = at(tree, name);
    if (typeof value !== "number" || !Number.isInteger(value)) throw new Unreadable(`${name} is no whole number`);
    return value;
  };
  return {
    caseWindowMs: number("caseWindowDays") * 86_400_000,
    caseFutureMs: number("caseFutureHours") * 3_600_000,
    intentBytesMax: number("intentBytesMax"),
  };
}

export type SecondTexts = SecondSettings & {
  readonly lanes: number;
  readonly flows: readonly { readonly number: number; readonly tree: Tree }[];
  readonly chart: Tree;
  /** text of the ISO list of currencies */
  readonly iso: string;
  readonly crypto: Tree;
  readonly intentSchema: string;
  readonly outcomeSchema: string;
  readonly deadLetterSchema: string;
  readonly commandSchema: string;
  readonly reportSchema: string;
  readonly intentsTopic: string;
};

/** @throws Unreadable | OtherSchema */
export function readRules(texts: SecondTexts): SecondRules {
  const { iso, crypto, flows, ...rest } = texts;
  return {
    ...rest,
    flows: flows.map(({ number, tree }) => readFlow(number, tree)),
    scales: readScales(iso, crypto),
    intentSchema: new AvroSchema(texts.intentSchema),
    outcomeSchema: new AvroSchema(texts.outcomeSchema),
    deadLetterSchema: new AvroSchema(texts.deadLetterSchema),
    commandSchema: new AvroSchema(texts.commandSchema),
    reportSchema: new AvroSchema(texts.reportSchema),
  };
}
