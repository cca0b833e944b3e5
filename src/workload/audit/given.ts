// What is declared and registered, as an audit needs it. The second ledger gets texts, which it reads anew; of the rest
// the form is audited alone, and for that the chart and the names of flows do.

import { type Declared, loadFlowText } from "../../declared/load.ts";
import { readDeclaredTexts, readTree } from "../../declared/texts.ts";
import type { Flow } from "../../domain/flow/flow.ts";
import type { Codec } from "../../kafka/codec.ts";
import { readFlowSources } from "../../store/audit.ts";
import type { Connection } from "../../store/database.ts";
import { readRules, readSettings } from "../second-ledger/rules.ts";
import type { AskSchema } from "../second-ledger/schemas.ts";
import { plainTree } from "../second-ledger/tree.ts";
import { type AuditDepth, type AuditParts, type AuditTopics, type SecondParts, secondParts } from "./parts.ts";
import { sourcesIn } from "./versions.ts";

export type GivenFrom = {
  readonly schemasDir: string;
  readonly declared: Declared;
  readonly codec: Codec;
  readonly askSchema: AskSchema;
  readonly topics: AuditTopics;
  readonly lanes: number;
  /** for blocks of which those that they were decided by are not written down */
  readonly settings: {
    readonly caseWindowDays: number;
    readonly caseFutureHours: number;
    readonly intentBytesMax: number;
  };
  readonly depth: AuditDepth;
};

export type Given = Pick<
  AuditParts,
  "topics" | "decoders" | "chart" | "flows" | "humanStates" | "quietFlows" | "forcedPostings" | "second" | "depth"
>;

type FlowSource = Awaited<ReturnType<typeof readFlowSources>>[number];

/** @throws DeclaredFaults | Unreadable | OtherSchema | ConnectionLost */
export async function readGiven(rows: Connection, from: GivenFrom): Promise<Given> {
  const { declared, depth, topics, codec } = from;
  const flows = await readFlowSources(rows);
  const versions = flows.map(({ ref, source }) => loadFlowText(ref, source, declared.chart));
  const forced = versions.flatMap(({ postings }) => postings.filter((posting) => posting.forced));
  return {
    topics,
    decoders: codec.decoders,
    chart: declared.chart,
    flows: new Map(flows.map(({ number, ref }) => [number, ref])),
    humanStates: new Map(flows.map(({ number }, index) => [number, humanStatesOf(versions[index] as Flow)])),
    quietFlows: new Set(flows.flatMap(({ number }, index) => (isQuiet(versions[index] as Flow) ? [number] : []))),
    forcedPostings: new Set(forced.map(({ name }) => name)),
    second: depth === "deep" ? makeSecond(from, flows, rows) : null,
    depth,
  };
}

function humanStatesOf({ states }: Flow): ReadonlySet<string> {
  return new Set(states.filter(({ human }) => human).map(({ name }) => name));
}

/** Whether something that its cases do may book lines and emit nothing. */
function isQuiet({ states }: Flow): boolean {
  const deeds = states.flatMap(({ entry, events, always }) => {
    const alternatives = [...always, ...events.flatMap((event) => event.alternatives)];
    return [entry, ...alternatives.map(({ actions }) => actions)];
  });
  return deeds.some((actions) => {
    const does = new Set(actions.map(({ kind }) => kind));
    return does.has("post") && !does.has("emit") && !does.has("end");
  });
}

function makeSecond(from: GivenFrom, flows: readonly FlowSource[], rows: Connection): SecondParts {
  const { chart, iso, crypto } = readDeclaredTexts(from.schemasDir);
  const schema = (name: string): string => from.declared.messageSchemas[name] ?? "";
  const rules = readRules({
    ...readSettings({ ...from.settings }),
    lanes: from.lanes,
    intentsTopic: from.topics.intents,
    flows: flows.map(({ ref, number, source }) => ({ number, tree: plainTree(readTree(ref, source)) })),
    chart: plainTree(chart),
    iso,
    crypto: plainTree(crypto),
    intentSchema: schema("intent"),
    outcomeSchema: schema("outcome"),
    deadLetterSchema: schema("dead-letter"),
    commandSchema: schema("command"),
    reportSchema: schema("report"),
  });
  return secondParts(rules, from.askSchema, sourcesIn(rows));
}
