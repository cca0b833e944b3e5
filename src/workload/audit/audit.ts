// The auditor: reads the ledger and the topics and says, invariant by invariant, what is wrong and where. It shares no
// code with what it audits beyond types, money, ids, the chart of accounts and the reading of messages: hashes, sums and
// orders are made anew from the documented forms.
//
// It is safe beside working instances, because it audits a cut: all heads are read in one statement, and everything that
// is only ever added to (blocks, lines, messages, topics) is compared up to these blocks. What moves is read in short
// snapshots of its own: a lane's balances with the block at which they stand, cases and timers page by page. No snapshot
// lasts longer than it takes to read a lane's balances.

import { parseCaseId } from "../../domain/ids.ts";
import {
  type LaneCut,
  readBeyondHead,
  readCut,
  readForeignLanes,
  readLanePairs,
  readPartitionNames,
  readStrayQuarantine,
} from "../../store/audit.ts";
import { awaitPublished } from "./backlog.ts";
import { Crossings } from "./crossings.ts";
import { DEEP_INVARIANTS, Findings, type Invariant, PROBLEMS_MAX, SIDES_INVARIANTS } from "./findings.ts";
import { auditLane } from "./lane.ts";
import { readOpening } from "./opening.ts";
import { type AuditParts, type AuditReport, type LaneWork, newTally } from "./parts.ts";

/** @throws DatabaseUnreachable | ConnectionLost | KafkaUnreachable | KafkaRefused | RegistryUnreachable: then nothing is
 *          known of what was not yet audited */
export async function audit(parts: AuditParts): Promise<AuditReport> {
  const findings = new Findings();
  const cut = await readCut(parts.rows);
  const partitions = await readPartitionNames(parts.rows);
  const tally = newTally();
  const crossings = new Crossings("the cut", uuidOf);
  const work: LaneWork = { parts, lanes: cut.length, partitions, findings, tally, crossings };
  await auditTopics(work);
  await auditForeign(work);
  for (const { lane } of cut) {
    await auditBeyond(work, lane);
    await auditStrays(work, lane);
  }
  if (parts.waitMs > 0) await awaitPublished(work, cut);
  const total = Number(cut.reduce((sum, { block }) => sum + block, 0n));
  let done = 0;
  for (const lane of cut) {
    await auditLane(work, lane, () => {
      done += 1;
      parts.progress(done, total);
    });
  }
  crossings.end(findings, seenAt(cut));
  const wanted = (invariant: Invariant): boolean =>
    !SIDES_INVARIANTS.has(invariant) && (parts.depth === "deep" || !DEEP_INVARIANTS.has(invariant));
  return { findings: findings.list(wanted), lanes: cut.length, ...tally };
}

/** 32 hex digits of a case id; one that is none stands for itself. */
export function uuidOf(caseId: string): string {
  return parseCaseId(caseId)?.uuid ?? caseId;
}

/** The last message that a lane has taken of another, by `<from> <to>`. */
function seenAt(cut: readonly LaneCut[]): Map<string, bigint> {
  const all = cut.flatMap(({ lane, seen }) =>
    [...readLanePairs(seen)].map(([from, last]) => [`${from} ${lane}`, last] as const),
  );
  return new Map(all);
}

/** Lanes are partition numbers, so every topic has as many as there are lanes. */
export async function auditTopics({ parts, lanes, findings }: LaneWork): Promise<void> {
  const names = Object.values(parts.topics);
  const counts = await parts.admin.partitionCounts(names);
  for (const topic of names) {
    findings.expect("rows_in_their_lane", counts.get(topic) === lanes, () => {
      return `topic ${topic} has ${counts.get(topic) ?? "no"} partitions, and there are ${lanes} lanes`;
    });
  }
}

/** Rows of lanes that do not exist. */
export async function auditForeign({ parts, findings }: LaneWork): Promise<void> {
  for (const { table, lane } of await readForeignLanes(parts.rows)) {
    findings.problem("rows_in_their_lane", `table ${table} has rows of lane ${lane}, which does not exist`);
  }
}

/** Rows that lie beyond their lane's head. */
export async function auditBeyond({ parts, findings }: LaneWork, lane: number): Promise<void> {
  for (const { table, at } of await readBeyondHead(parts.rows, lane)) {
    const what = table === "outbox" ? `message ${at}` : table === "line" ? `a line of block ${at}` : `block ${at}`;
    findings.problem("lines_in_blocks", `lane ${lane}: ${what} lies beyond the lane's head`);
  }
}

/** Quarantine rows of no block. */
export async function auditStrays(work: LaneWork, lane: number): Promise<void> {
  const { parts, findings } = work;
  const { block: detached } = await readOpening(work, lane);
  const strays = await readStrayQuarantine(parts.rows, lane, parts.topics.intents, {
    after: detached,
    limit: PROBLEMS_MAX,
  });
  for (const { topic, offset, block } of strays) {
    const text = `lane ${lane}: the quarantine row of ${topic} offset ${offset} belongs to no block (says ${block})`;
    findings.problem("lines_in_blocks", text);
  }
}
