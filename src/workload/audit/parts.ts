// What an audit is given, and what it hands back.

import type { Chart } from "../../domain/accounts.ts";
import type { Codec } from "../../kafka/codec.ts";
import type { KafkaSettings, TopicAdmin } from "../../kafka/port.ts";
import type { OutgoingTopic } from "../../store/blocks.ts";
import type { Connection } from "../../store/database.ts";
import type { SecondRules } from "../second-ledger/rules.ts";
import { type AskSchema, SchemaBook } from "../second-ledger/schemas.ts";
import type { Crossings } from "./crossings.ts";
import type { Finding, Findings } from "./findings.ts";
import { type VersionSources, Versions } from "./versions.ts";

export type AuditTopics = Readonly<Record<OutgoingTopic | "intents" | "reports", string>>;

export type AuditParts = {
  readonly kafka: KafkaSettings;
  readonly admin: TopicAdmin;
  /** for tables in pages */
  readonly rows: Connection;
  /** for the short snapshots of what moves; not the same connection */
  readonly snapshots: Connection;
  readonly topics: AuditTopics;
  readonly decoders: Codec["decoders"];
  readonly chart: Chart;
  /** names of postings that may take an account below its floor */
  readonly forcedPostings: ReadonlySet<string>;
  /** `name@version` of each flow by its number */
  readonly flows: ReadonlyMap<number, string>;
  /** states in which a case waits for a person, by the number of its flow */
  readonly humanStates: ReadonlyMap<number, ReadonlySet<string>>;
  /** numbers of flows whose cases may book lines of which no outcome tells */
  readonly quietFlows: ReadonlySet<number>;
  /** what decides every block anew; null: nothing does, whatever the depth */
  readonly second: SecondParts | null;
  readonly depth: AuditDepth;
  /** how long messages that are committed and not yet published are waited for; 0: they are only counted */
  readonly waitMs: number;
  readonly progress: (blocksDone: number, blocksTotal: number) => void;
};

export type SecondParts = {
  readonly rules: SecondRules;
  readonly schemas: Readonly<Record<"intents" | "reports" | "outcomes" | "commands" | "deadLetters", SchemaBook>>;
  readonly versions: Versions;
};

export function secondParts(rules: SecondRules, askSchema: AskSchema, sources: VersionSources): SecondParts {
  return {
    rules,
    versions: new Versions(sources),
    schemas: {
      intents: new SchemaBook(rules.intentSchema, askSchema),
      reports: new SchemaBook(rules.reportSchema, askSchema),
      outcomes: new SchemaBook(rules.outcomeSchema, askSchema),
      commands: new SchemaBook(rules.commandSchema, askSchema),
      deadLetters: new SchemaBook(rules.deadLetterSchema, askSchema),
    },
  };
}

export type AuditDepth = "usual" | "deep";

export type AuditReport = {
  readonly findings: readonly Finding[];
  readonly lanes: number;
  readonly blocks: bigint;
  readonly lines: bigint;
  readonly messages: bigint;
  readonly cases: bigint;
  /** messages committed before the cut and not yet published */
  readonly backlog: bigint;
  /** blocks whose digest could only be checked by its links, because the input records of then are gone */
  readonly digestsNotRecomputed: bigint;
  /** messages whose outbox rows are gone with their partition: only the topic still has them */
  readonly messagesFromTopicAlone: bigint;
  /** blocks that were detached with their days, and so not audited */
  readonly detachedBlocks: bigint;
  /** balances that are older than the first audited block: only what came since could be added up */
  readonly balancesInPart: bigint;
  /** blocks whose inputs were decided anew */
  readonly blocksDecided: bigint;
  /** blocks that were not: their inputs are gone, or they lie behind the first that differs */
  readonly blocksNotDecided: bigint;
  /** inputs whose answer hangs on what was true then, such as a schema that was not registered: it was believed */
  readonly inputsBelieved: bigint;
  /** cases that later blocks have moved on: their history was compared, their state of today was not */
  readonly casesMovedOn: bigint;
};

/** Counts of one lane, added up by the report. */
export type Tally = {
  blocks: bigint;
  lines: bigint;
  messages: bigint;
  cases: bigint;
  backlog: bigint;
  digestsNotRecomputed: bigint;
  messagesFromTopicAlone: bigint;
  detachedBlocks: bigint;
  balancesInPart: bigint;
  blocksDecided: bigint;
  blocksNotDecided: bigint;
  inputsBelieved: bigint;
  casesMovedOn: bigint;
};

export function newTally(): Tally {
  return {
    blocks: 0n,
    lines: 0n,
    messages: 0n,
    cases: 0n,
    backlog: 0n,
    digestsNotRecomputed: 0n,
    messagesFromTopicAlone: 0n,
    detachedBlocks: 0n,
    balancesInPart: 0n,
    blocksDecided: 0n,
    blocksNotDecided: 0n,
    inputsBelieved: 0n,
    casesMovedOn: 0n,
  };
}

/** What every part of a lane's audit works with. */
export type LaneWork = {
  readonly parts: AuditParts;
  readonly lanes: number;
  readonly partitions: ReadonlySet<string>;
  readonly findings: Findings;
  readonly tally: Tally;
  /** of all lanes together */
  readonly crossings: Crossings;
};
