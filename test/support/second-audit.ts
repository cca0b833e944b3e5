// The second ledger over what a lane of the production core has written, in memory.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readDeclaredTexts, readTree } from "../../src/declared/texts.ts";
import { Findings } from "../../src/workload/audit/findings.ts";
import { type LaneWork, newTally, secondParts, type Tally } from "../../src/workload/audit/parts.ts";
import { SecondAudit } from "../../src/workload/audit/second.ts";
import { emptyLedger, type LaneLedger } from "../../src/workload/second-ledger/ledger.ts";
import { readRules, type SecondRules } from "../../src/workload/second-ledger/rules.ts";
import { plainTree } from "../../src/workload/second-ledger/tree.ts";
import { SCHEMAS } from "../unit/codec-fixtures.ts";
import { SHIPPED_SCHEMAS, TEST_FLOWS } from "./faulty.ts";
import { DAY_MS, DECLARED, LANES } from "./ledger.ts";
import type { MemoryProduction } from "./memory-lane.ts";

export const FLOW_FILES = [...DECLARED.flows.map(({ place }) => place.file), join(TEST_FLOWS, "hold.flow.yaml")];

/** The shipped flows and `hold`, numbered from 1 on as in `ledger.ts`. */
export function secondRules(): SecondRules {
  const { chart, iso, crypto } = readDeclaredTexts(SHIPPED_SCHEMAS);
  return readRules({
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
    intentsTopic: "intents",
    caseWindowMs: 400 * DAY_MS,
    caseFutureMs: DAY_MS,
    intentBytesMax: 65_536,
  });
}

const RULES = secondRules();

export type SecondReport = {
  /** what differs, by invariant */
  readonly found: Record<string, string>;
  readonly tally: Tally;
};

/** Decides anew what the lane has written, and holds it against where the lane stands.
 *  @param from a ledger that was taken over, with the blocks behind it; else everything is decided */
export async function auditMemory(lane: MemoryProduction, rules = RULES, from?: LaneLedger): Promise<SecondReport> {
  const findings = new Findings();
  const tally = newTally();
  const work = { findings, tally } as unknown as LaneWork;
  const parts = secondParts(rules, (id) => lane.registry.schemaById(id));
  const readCases = async (ids: readonly string[]) => lane.cases().filter(({ caseId }) => ids.includes(caseId));
  const audit = new SecondAudit(work, parts, { lane: lane.lane, readCases }, from ?? emptyLedger(lane.lane));
  for (const block of lane.blocks) if (block.row.block > (from?.block ?? 0n)) await audit.block(block);
  audit.end(lane.standing());
  for (const row of lane.cases()) audit.case(row);
  audit.endCases(() => true);
  const failed = findings.list(() => true).filter(({ ok }) => !ok);
  return { found: Object.fromEntries(failed.map((one) => [one.invariant, one.problems.join("\n")])), tally };
}
