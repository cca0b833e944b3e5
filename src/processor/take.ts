// Taking a lane: raise the fence, read the head, and prove that the input topics are still the ones that the head speaks
// of. A position that cannot be right halts the lane; nothing is ever reset or skipped.

import type { HaltCause } from "../domain/halts.ts";
import { type Head, type InputPosition, recordHash } from "../domain/head.ts";
import { reach } from "../failpoints.ts";
import type { TopicAdmin } from "../kafka/port.ts";
import { readPairs } from "../store/crossing.ts";
import type { Connection } from "../store/database.ts";
import { type AcceptedPosition, raiseEpoch, readAcceptedPosition, readHouseAccounts } from "../store/lanes.ts";
import type { LaneMemory } from "./block.ts";

export type Taken =
  | { readonly kind: "taken"; readonly memory: LaneMemory; readonly accepted: AcceptedPosition | null }
  | { readonly kind: "lost" }
  | ({ readonly kind: "halt" } & Wrong);

type Wrong = { readonly cause: HaltCause; readonly evidence: Record<string, unknown> };

export type TakeParts = {
  readonly session: Connection;
  readonly admin: TopicAdmin;
  readonly process: bigint;
  readonly intentsTopic: string;
  readonly reportsTopic: string;
  readonly lanes: number;
  /** true once the lane is to be given back before it was taken */
  readonly isCancelled: () => boolean;
  /** the fence is up: the lane's writer may be opened while its positions are judged */
  readonly raised: (head: Head) => void;
};

const BUSY_PAUSE_FIRST_MS = 20;
const BUSY_PAUSE_MAX_MS = 250;

/** @throws KafkaUnreachable | ConnectionLost: the lane is given back and taken again later */
export async function takeLane(parts: TakeParts, lane: number): Promise<Taken> {
  const head = await raise(parts, lane);
  if (head === null) return { kind: "lost" };
  reach("epoch.raised");
  parts.raised(head);
  const [miscounted, accepted, house, pairs] = await Promise.all([
    judgePartitions(parts),
    readAcceptedPosition(parts.session, lane),
    readHouseAccounts(parts.session, lane),
    readPairs(parts.session, lane),
  ]);
  const wrong = miscounted ?? (await judgePositions(parts, lane, head, accepted));
  if (wrong !== null) return { kind: "halt", ...wrong };
  reach("positions.judged");
  return { kind: "taken", memory: { head, house, pairs }, accepted };
}

/** Positions that an operator has accepted are not judged: what lies there is what is to be read. */
async function judgePositions(
  parts: TakeParts,
  lane: number,
  head: Head,
  accepted: AcceptedPosition | null,
): Promise<Wrong | null> {
  const [intents, reports] = await Promise.all([
    accepted?.intentsAt == null ? judgePosition(parts, lane, parts.intentsTopic, head.intents) : null,
    accepted?.reportsAt == null ? judgePosition(parts, lane, parts.reportsTopic, head.reports) : null,
  ]);
  return intents ?? reports;
}

/** With another number of partitions holders hash to other lanes, or to partitions that nobody reads. */
export async function judgePartitions({
  admin,
  intentsTopic,
  reportsTopic,
  lanes,
}: Pick<TakeParts, "admin" | "intentsTopic" | "reportsTopic" | "lanes">): Promise<Wrong | null> {
  const counts = await admin.partitionCounts([intentsTopic, reportsTopic]);
  for (const topic of [intentsTopic, reportsTopic]) {
    const partitions = counts.get(topic) ?? 0;
    if (partitions !== lanes) return { cause: "partition_count_changed", evidence: { topic, partitions, lanes } };
  }
  return null;
}

/** Asks until an earlier owner's block is done. That takes milliseconds, or, when it stands still in the middle of one,
 *  until the database ends its idle session. */
async function raise(parts: TakeParts, lane: number): Promise<Head | null> {
  for (let pauseMs = BUSY_PAUSE_FIRST_MS; !parts.isCancelled(); pauseMs = Math.min(pauseMs * 2, BUSY_PAUSE_MAX_MS)) {
    const head = await raiseEpoch(parts.session, parts.process, lane);
    if (head !== "busy") return head === "lost" ? null : head;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return null;
}

async function judgePosition(
  parts: TakeParts,
  lane: number,
  topic: string,
  position: InputPosition,
): Promise<Wrong | null> {
  const { low, end } = await parts.admin.bounds(topic, lane);
  const evidence = { topic, partition: lane, position: position.next, logStart: low, logEnd: end };
  if (position.next > end) return { cause: "position_beyond_end", evidence };
  if (position.next < low) return { cause: "inputs_expired", evidence };
  if (position.last < low) return null; // nothing taken yet, or expired since: then the offsets alone must do
  const record = await parts.admin.recordAt(topic, lane, position.last);
  if (record === null) return { cause: "last_record_missing", evidence: { ...evidence, lastOffset: position.last } };
  const found = recordHash(record.offset, record.key, record.value);
  if (found.equals(position.lastHash)) return null;
  const hashes = { expectedHash: position.lastHash.toString("hex"), foundHash: found.toString("hex") };
  return { cause: "last_record_differs", evidence: { ...evidence, lastOffset: position.last, ...hashes } };
}
