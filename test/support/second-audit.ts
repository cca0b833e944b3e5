// The second ledger over what a lane of the production core has written, in memory.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readDeclaredTexts, readTree } from "../../src/declared/texts.ts";
import { Findings } from "../../src/workload/audit/findings.ts";
import { type LaneWork, newTally, secondParts, type Tally } from "../../src/workload/audit/parts.ts";
import { SecondAudit, type SecondBlock, type SecondOf } from "../../src/workload/audit/second.ts";
import type { VersionSources } from "../../src/workload/audit/versions.ts";
import { emptyLedger, type LaneLedger } from "../../src/workload/second-ledger/ledger.ts";
import { readRules, type SecondRules } from "../../src/workload/second-ledger/rules.ts";
import type { LineSum } from "../../src/workload/second-ledger/taken-over.ts";
import { plainTree } from "../../src/workload/second-ledger/tree.ts";
import { SCHEMAS } from "../unit/codec-fixtures.ts";
import { SHIPPED_SCHEMAS, TEST_FLOWS } from "./faulty.ts";
import { DAY_MS, DECLARED, LANES } from "./ledger.ts";
import type { MemoryProduction } from "./memory-lane.ts";

export const FLOW_FILES = [...DECLARED.flows.map(({ place }) => place.file), join(TEST_FLOWS, "hold.flow.yaml")];

const { chart, iso, crypto } = readDeclaredTexts(SHIPPED_SCHEMAS);

/** The shipped flows and `hold`, numbered from 1 on as in `ledger.ts`. */
export const SECOND_RULES: SecondRules = readRules({
  lanes: LANES,
  flows: FLOW_FILES.map((file, at) => ({
    number: at + 1,
    tree: plainTree(readTree(file, readFileSync(file, "utf8"))),
  })),
  chart: plainTree(chart),
  iso,
  crypto: plainTree(crypto),
  intentSchema: SCHEMAS.intent,
  outcomeSchema: SCHEMAS.outcome,
  deadLetterSchema: SCHEMAS.deadLetter,
  commandSchema: SCHEMAS.command,
  reportSchema: SCHEMAS.report,
  intentsTopic: "intents",
  caseWindowMs: 400 * DAY_MS,
  caseFutureMs: DAY_MS,
  intentBytesMax: 65_536,
});

const ACCOUNT_UPDATE = SECOND_RULES.flows.find(({ name }) => name === "account_update")?.number;

export type SecondReport = {
  /** what differs, by invariant */
  readonly found: Record<string, string>;
  readonly tally: Tally;
};

const NO_VERSIONS: VersionSources = { rates: async () => [], parameters: async () => new Map() };

export type AuditOver = {
  readonly versions?: VersionSources;
  readonly rules?: SecondRules;
  /** a ledger that was taken over; null: the beginning is gone; from the first block on when left out */
  readonly from?: LaneLedger | null;
  /** those behind it */
  readonly blocks?: readonly SecondBlock[];
};

/** Decides anew what the lane has written, and holds it against where the lane stands. */
export async function auditMemory(lane: MemoryProduction, over: AuditOver = {}): Promise<SecondReport> {
  const { rules = SECOND_RULES, from, blocks } = over;
  const findings = new Findings();
  const tally = newTally();
  const work = { findings, tally } as unknown as LaneWork;
  const parts = secondParts(rules, (id) => lane.registry.schemaById(id), over.versions ?? NO_VERSIONS);
  const audit = new SecondAudit(
    work,
    parts,
    askedOf(lane),
    from === undefined ? emptyLedger(rules.flows, lane.lane) : from,
  );
  for (const block of blocks ?? lane.blocks) await audit.block(block);
  audit.end(lane.standing());
  for (const row of lane.cases()) audit.case(row);
  audit.endCases(() => true);
  const failed = findings.list(() => true).filter(({ ok }) => !ok);
  return { found: Object.fromEntries(failed.map((one) => [one.invariant, one.problems.join("\n")])), tally };
}

function askedOf(lane: MemoryProduction): SecondOf {
  return {
    lane: lane.lane,
    standing: lane.standing(),
    readCases: async (ids) => lane.cases().filter(({ caseId }) => ids.includes(caseId)),
    readSums: async (from) =>
      lane.blocks
        .flatMap(({ row, lines }) => (row.block < from ? [] : lines))
        .flatMap(({ debit, credit, amount }) => [
          { account: debit, debits: amount, credits: 0n },
          { account: credit, debits: 0n, credits: amount },
        ])
        .reduce<LineSum[]>(addUp, []),
    readChanges: async () => {
      const changed = lane.cases().filter(({ flow, state }) => flow === ACCOUNT_UPDATE && state !== "rejected");
      const changes = new Map<string, bigint>();
      for (const { holderId, history } of changed) {
        const block = BigInt(history.split("|")[3] ?? "0");
        if (block > (changes.get(holderId) ?? 0n)) changes.set(holderId, block);
      }
      return changes;
    },
  };
}

function addUp(sums: LineSum[], { account, debits, credits }: LineSum): LineSum[] {
  const at = sums.findIndex((sum) => sum.account === account);
  const sum = sums[at];
  if (sum === undefined) return [...sums, { account, debits, credits }];
  return sums.with(at, { account, debits: sum.debits + debits, credits: sum.credits + credits });
}
