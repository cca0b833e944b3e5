// The messages of a block: from the outbox, or from the topic where the outbox has let go of them, each decoded and held
// against its place.

import { homeLane, isHolderId } from "../../domain/holder.ts";
import type { OutcomeMessage } from "../../kafka/codec-messages.ts";
import { type BlockRow, type MessageRow, messagePages, timeMs } from "../../store/audit.ts";
import type { OutgoingTopic } from "../../store/blocks.ts";
import { type SequenceSpan, spanOf, takeMessages } from "./block-rows.ts";
import type { LaneWork } from "./parts.ts";
import { readStamped, type Stamped } from "./sources.ts";
import { type Stream, tableStream } from "./stream.ts";
import { type Published, TopicMatch } from "./topic-match.ts";

const MESSAGES_A_PAGE = 2_000;

export type TopicMessages = {
  readonly topic: OutgoingTopic;
  /** messages that an earlier audit found not yet published: they are only held against the topic */
  readonly carried: SequenceSpan;
  readonly rows: Stream<MessageRow>;
  readonly match: TopicMatch;
};

export type BlockMessages = {
  readonly messages: readonly BlockMessage[];
  /** sequences that are neither in the outbox nor in the topic any more */
  readonly missing: readonly bigint[];
};

export type BlockMessage = {
  readonly sequence: bigint;
  /** of its outbox row; null where that has gone */
  readonly key: string | null;
  readonly value: Buffer;
  /** null when the bytes are none of ours */
  readonly message: Stamped | null;
};

/** @param span        sequences of the audited blocks
 *  @param carriedFrom the first that an earlier audit found not yet published; null: there was none */
export async function openTopicMessages(
  work: LaneWork,
  lane: number,
  topic: OutgoingTopic,
  { from: first, next }: SequenceSpan,
  { published, carriedFrom }: { readonly published: Published; readonly carriedFrom: bigint | null },
): Promise<TopicMessages> {
  const { parts, findings } = work;
  const span = { from: carriedFrom ?? first, next };
  const invariant = topic === "deadLetters" ? "dead_letters_equal_quarantine" : "outcome_topic_equals_outbox";
  const rows = tableStream(messagePages(parts.rows, lane, topic, span, MESSAGES_A_PAGE));
  const name = `${parts.topics[topic]}/${lane}`;
  const match = new TopicMatch(published, { findings, invariant, name, from: span.from, until: span.next });
  await match.begin();
  return { topic, rows, match, carried: { from: span.from, next: first } };
}

/** What was not published when an earlier audit looked has to be by and by. */
export async function matchCarried({ carried, rows, match }: TopicMessages): Promise<void> {
  const taken = await rows.takeWhile(({ sequence }) => sequence < carried.next);
  const bySequence = new Map(taken.map((row) => [row.sequence, row]));
  for (let sequence = carried.from; sequence < carried.next; sequence++) {
    await match.match(sequence, bySequence.get(sequence) ?? null);
  }
}

/** Every message of the block in one topic, as far as it is there. */
export async function messagesOfBlock(
  work: LaneWork,
  lane: number,
  source: TopicMessages,
  row: BlockRow,
): Promise<BlockMessages> {
  const { findings, tally } = work;
  const { topic, match } = source;
  const span = spanOf(row, topic);
  const place = `lane ${lane} block ${row.block}, ${topic}`;
  const rows = await takeMessages(findings, place, source.rows, row, span);
  await match.passOver(span.from);
  const messages: BlockMessage[] = [];
  const missing: bigint[] = [];
  for (let sequence = span.from; sequence < span.next; sequence++) {
    const stored = rows.get(sequence) ?? null;
    const inTopic = await match.match(sequence, stored);
    if (stored === null) tellMissing(work, place, row, sequence);
    const value = stored?.value ?? inTopic;
    if (value === null) {
      missing.push(sequence);
      continue;
    }
    tally.messages += 1n;
    const message = await readStamped(work, topic, value);
    judgePlace(work, place, { lane, sequence, row, message, key: stored?.key ?? null });
    messages.push({ sequence, key: stored?.key ?? null, value, message });
  }
  return { messages, missing };
}

/** Messages leave the outbox with the partition of their quarter of a day; as long as that is there, so must they be. */
function tellMissing(work: LaneWork, place: string, row: BlockRow, sequence: bigint): void {
  const at = new Date(timeMs(row.recordedAt)).toISOString();
  const quarter = String(Math.floor(Number(at.slice(11, 13)) / 6) * 6).padStart(2, "0");
  const partition = `outbox_${at.slice(0, 10).replaceAll("-", "")}_${quarter}`;
  if (work.partitions.has(partition)) {
    work.findings.problem("lines_in_blocks", `${place}: message ${sequence} has no outbox row`);
  } else {
    work.tally.messagesFromTopicAlone += 1n;
  }
}

type Judged = {
  readonly lane: number;
  readonly sequence: bigint;
  readonly row: BlockRow;
  readonly message: Stamped | null;
  readonly key: string | null;
};

function judgePlace({ findings, lanes }: LaneWork, place: string, judged: Judged): void {
  const { lane, sequence, row, message, key } = judged;
  if (message === null) {
    findings.problem("digest_chain", `${place}: message ${sequence} cannot be read`);
    return;
  }
  const isOfBlock = message.block === row.block && message.sequence === sequence;
  findings.expect("digest_chain", isOfBlock && isStamped(message, row), () => {
    const said = `says sequence ${message.sequence}, block ${message.block}, digest ${message.blockDigest.toString("hex")}`;
    return `${place}: message ${sequence} ${said}; its block's digest is ${row.digest.toString("hex").slice(0, 16)}`;
  });
  const isHome = key === null || !isHolderId(key) || homeLane(key, lanes) === lane;
  const holder = isOutcome(message) ? message.holderId : null;
  const isKeyed = key === null || holder === null || key === holder;
  // The key of a dead letter is that of a record which may have been anywhere.
  const isInLane = message.lane === lane && (holder === null || (isHome && isKeyed));
  findings.expect("rows_in_their_lane", isInLane, () => {
    return `${place}: message ${sequence} is of lane ${message.lane}, key ${key}, holder ${holder}`;
  });
}

function isStamped(message: Stamped, row: BlockRow): boolean {
  return message.blockDigest.equals(row.digest.subarray(0, message.blockDigest.length));
}

function isOutcome(message: Stamped): message is Stamped & OutcomeMessage {
  return "outcomeId" in message;
}
