// Messages between lanes, as a block numbers and takes them. Each pair of lanes counts its messages from 0 without gaps:
// the sender by `sent`, the receiver by `seen`. What is numbered twice does not exist, what arrives twice is dropped, what
// the sender's outbox does not hold belongs to a history that the database has lost, and what arrives too early means that
// something before it is lost: then the lane halts.

import { failed } from "../domain/assert.ts";
import type { Books, LaneMessage, MessageOrigin } from "../domain/books.ts";
import { decideReport } from "../domain/decide/decide.ts";
import type { HaltCause } from "../domain/halts.ts";
import type { Unsent } from "../store/crossing.ts";

/** What a lane has sent to others, as the next sequence by their number, and the last sequence that it has taken from
 *  each. Both have an entry for the lane itself once it has sent to itself. */
export type LanePairs = {
  readonly sent: ReadonlyMap<number, bigint>;
  readonly seen: ReadonlyMap<number, bigint>;
};

export const NO_PAIRS: LanePairs = { sent: new Map(), seen: new Map() };

const NOTHING_UNSENT: Unsent = new Set();

export type NumberedMessage = LaneMessage & { readonly sequence: bigint };

/** A message that the lane must not take: its sender has not sent it, or the one before it has not come. */
export class ImpossibleMessage extends Error {
  override name = "ImpossibleMessage";
  readonly haltCause: HaltCause;
  readonly evidence: Record<string, unknown>;

  constructor(haltCause: HaltCause, evidence: Record<string, unknown>) {
    super(`${haltCause}: message ${evidence["sequence"]} of lane ${evidence["fromLane"]}`);
    this.haltCause = haltCause;
    this.evidence = evidence;
  }
}

/** More messages within a lane than a block's inputs can cause: a flow asks itself without end, past the checker. */
const OWN_MESSAGES_MAX = 1_000_000;

/** The pairs that a block moves; those of before stay as they are. */
export class Crossing {
  readonly #before: LanePairs;
  readonly #unsent: Unsent;
  /** by lane: the next sequence to it, of those that this block moved */
  readonly sent = new Map<number, bigint>();
  /** by lane: the last sequence taken from it, of those that this block moved */
  readonly seen = new Map<number, bigint>();
  /** to other lanes, in the order in which they were sent */
  readonly outgoing: NumberedMessage[] = [];
  /** messages that had been taken before */
  dropped = 0;

  constructor(before: LanePairs, unsent: Unsent = NOTHING_UNSENT) {
    this.#before = before;
    this.#unsent = unsent;
  }

  /** @returns false for one that was taken before: it is dropped
   *  @throws ImpossibleMessage */
  isNew({ lane, sequence, block }: Pick<MessageOrigin, "lane" | "sequence" | "block">, offset: bigint): boolean {
    const last = this.seen.get(lane) ?? this.#before.seen.get(lane) ?? -1n;
    if (sequence <= last) {
      this.dropped += 1;
      return false;
    }
    const evidence = { fromLane: lane, sequence, block, offset };
    if (this.#unsent.has(offset)) throw new ImpossibleMessage("lane_message_not_sent", evidence);
    if (sequence !== last + 1n) throw new ImpossibleMessage("lane_message_gap", { ...evidence, expected: last + 1n });
    this.seen.set(lane, sequence);
    return true;
  }

  /** Numbers what the block's decisions sent, and takes those to the own lane in their order, until none is left: their
   *  answers too. The block ends with them, so that one event's money is never split over two blocks of one lane. */
  settle(books: Books): void {
    let own = 0;
    for (let at = 0; at < books.messages.length; at++) {
      const message = books.messages[at] as LaneMessage;
      const { toLane, report } = message;
      const sequence = this.sent.get(toLane) ?? this.#before.sent.get(toLane) ?? 0n;
      this.sent.set(toLane, sequence + 1n);
      if (toLane !== books.lane) {
        this.outgoing.push({ toLane, report, sequence });
        continue;
      }
      if (++own > OWN_MESSAGES_MAX) failed(`a block has more than ${OWN_MESSAGES_MAX} messages to its own lane`);
      this.seen.set(toLane, sequence);
      const from = { ...report.from, lane: books.lane, sequence, block: books.block };
      const id = `m-${books.lane}-${sequence}`;
      decideReport(books, { kind: "report", id, source: "m", offset: sequence, report: { ...report, from } });
    }
    this.outgoing.sort(byPair);
  }

  get isEmpty(): boolean {
    return this.sent.size === 0 && this.seen.size === 0;
  }

  /** As they are once the block is committed. */
  after(): LanePairs {
    if (this.isEmpty) return this.#before;
    return {
      sent: new Map([...this.#before.sent, ...this.sent]),
      seen: new Map([...this.#before.seen, ...this.seen]),
    };
  }
}

/** The order in which they are hashed and stored, which rows alone can tell again. Those to one lane are sorted already, by
 *  their sequence, and stay so. */
function byPair(one: NumberedMessage, other: NumberedMessage): number {
  return one.toLane - other.toLane;
}
