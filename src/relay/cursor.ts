// What the tail of an output partition says about what was published, and when it contradicts the database. Pure.

import type { HaltCause } from "../domain/halts.ts";

export type TailFacts = {
  /** first offset that the partition keeps; 0n when nothing was ever deleted from it */
  readonly low: bigint;
  /** the last message, or null when nothing readable is left */
  readonly reading: { readonly sequence: bigint; readonly block: bigint; readonly blockDigest: Buffer } | null;
  /** the digest that the database holds for the tail's block; null when it has no such block */
  readonly digest: Buffer | null;
  /** sequence that the database's hint says was published; -1n: none */
  readonly marked: bigint;
  /** an operator has said that the topic was made anew and goes on with what comes next */
  readonly begunAnew: boolean;
  /** sequence behind the last committed message */
  readonly committedNext: bigint;
};

export type TailJudgement =
  | { readonly kind: "published"; readonly published: bigint }
  | { readonly kind: "halt"; readonly cause: HaltCause; readonly evidence: Record<string, unknown> };

export function judgeTail(facts: TailFacts): TailJudgement {
  const { reading, digest, marked, committedNext } = facts;
  if (reading === null) return judgeMissingTail(facts);
  const evidence = { tailSequence: reading.sequence, tailBlock: reading.block, committedNext, marked };
  // Published and not committed: Postgres has lost blocks, by a failover or a restore. Nothing may be rebuilt silently.
  if (reading.sequence >= committedNext || digest === null)
    return { kind: "halt", cause: "tail_ahead_of_head", evidence };
  if (!digest.subarray(0, reading.blockDigest.length).equals(reading.blockDigest)) {
    const digests = { tailDigest: reading.blockDigest.toString("hex"), blockDigest: digest.toString("hex") };
    return { kind: "halt", cause: "tail_differs_from_block", evidence: { ...evidence, ...digests } };
  }
  // Known to be published and gone from the log: it was truncated or made anew, and readers have lost messages.
  if (reading.sequence < marked) return { kind: "halt", cause: "tail_behind_mark", evidence };
  return { kind: "published", published: reading.sequence };
}

/** Never written, or nothing left: then only the database's hint knows what was published. Where the partition begins
 *  tells the two apart; its end does not, because fencing writes markers into an empty one. */
function judgeMissingTail({ low, marked, begunAnew, committedNext }: TailFacts): TailJudgement {
  if (low === 0n && marked >= 0n && !begunAnew)
    return { kind: "halt", cause: "output_topic_recreated", evidence: { marked, committedNext } };
  return { kind: "published", published: marked };
}
