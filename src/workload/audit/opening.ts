// Where the audit of a lane begins: at its first block, or, when whole days of blocks have been detached, behind those.

import { type BlockRow, readFirstBlock, timeMs } from "../../store/audit.ts";
import { NO_DIGEST } from "./hashes.ts";
import type { LaneWork } from "./parts.ts";

const DAY_MS = 86_400_000;

/** Where the positions of a lane stood before the first block that is audited. */
export type Before = Pick<
  BlockRow,
  "block" | "digest" | "epoch" | "intentsNext" | "reportsNext" | "outcomesNext" | "commandsNext" | "deadLettersNext"
> & { readonly ms: number };

/** As if a block 0 had ended there. */
const BEGINNING: Before = {
  block: 0n,
  digest: NO_DIGEST,
  epoch: 0n,
  ms: 0,
  intentsNext: 0n,
  reportsNext: 0n,
  outcomesNext: 0n,
  commandsNext: 0n,
  deadLettersNext: 0n,
};

/** Blocks that are missing before the first one are believed to be detached only when no partition of their days is
 *  attached any more; else they are a gap. What they were is not known here, so the first block's word is taken for it. */
export async function readOpening(work: LaneWork, lane: number): Promise<Before> {
  const first = await readFirstBlock(work.parts.rows, lane);
  if (first === null || first.block <= 1n || !isDetachedBefore(work, timeMs(first.recordedAt))) return BEGINNING;
  return {
    block: first.block - 1n,
    digest: first.previousDigest,
    epoch: 0n,
    ms: 0,
    intentsNext: first.intentsFrom,
    reportsNext: first.reportsFrom,
    outcomesNext: first.outcomesFrom,
    commandsNext: first.commandsFrom,
    deadLettersNext: first.deadLettersFrom,
  };
}

function isDetachedBefore({ partitions }: LaneWork, ms: number): boolean {
  const day = `block_${new Date(Math.floor(ms / DAY_MS) * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "")}`;
  if (!partitions.has(day)) return false;
  return ![...partitions].some((name) => /^block_\d{8}$/.test(name) && name < day);
}
