// Audits one lane up to the cut: its blocks in order with everything that belongs to them, then what has moved on since,
// balances and cases.

import {
  type BlockRow,
  blockPages,
  type LaneCut,
  type LineRow,
  linePages,
  type QuarantineRow,
  quarantinePages,
  readMovedPositions,
} from "../../store/audit.ts";
import type { OutgoingTopic } from "../../store/blocks.ts";
import { compareAnswers, memoryOf } from "./answers.ts";
import { LaneBalances } from "./balances.ts";
import { type DecodedOutcome, takeLines, takeQuarantine, tellStrayLines } from "./block-rows.ts";
import { auditCases } from "./cases.ts";
import { Chain } from "./chain.ts";
import { compareDeadLetters } from "./dead-letters.ts";
import { InputTrail } from "./inputs.ts";
import { type BlockMessage, messagesOfBlock, type TopicMessages, topicMessages } from "./messages.ts";
import { OutcomeTable } from "./outcome-table.ts";
import type { LaneWork } from "./parts.ts";
import { OUTGOING_TOPICS, Sources } from "./sources.ts";
import { type Stream, tableStream } from "./stream.ts";

const BLOCKS_A_PAGE = 500;
const LINES_A_PAGE = 5_000;
const QUARANTINE_A_PAGE = 200;

/** @param blockDone called after each block */
export async function auditLane(work: LaneWork, cut: LaneCut, blockDone: () => void): Promise<void> {
  const sources = new Sources(work, cut.lane);
  try {
    const audit = await LaneAudit.open(work, cut, sources);
    await audit.blocks(blockDone);
    await audit.balances.compare(cut.block);
    await auditCases(work, cut.lane, audit.table, cut.block);
  } finally {
    await sources.close();
  }
}

type Inputs = { readonly intents: InputTrail; readonly reports: InputTrail };

class LaneAudit {
  readonly #work: LaneWork;
  readonly #cut: LaneCut;
  readonly #blocks: Stream<BlockRow>;
  readonly #lines: Stream<LineRow>;
  #quarantine: Stream<QuarantineRow>;
  readonly #outgoing: readonly TopicMessages[];
  readonly #inputs: Inputs;
  /** the last block that moved a position by hand: topics of before may have been others */
  readonly #lastMoved: bigint;
  readonly #chain: Chain;
  readonly balances: LaneBalances;
  readonly table = new OutcomeTable();

  private constructor(work: LaneWork, cut: LaneCut, opened: Opened) {
    const { parts, findings } = work;
    const { lane, block } = cut;
    this.#work = work;
    this.#cut = cut;
    this.#blocks = tableStream(blockPages(parts.rows, lane, block, BLOCKS_A_PAGE));
    this.#lines = tableStream(linePages(parts.rows, lane, { from: null, until: block }, LINES_A_PAGE));
    this.#outgoing = opened.outgoing;
    this.#inputs = opened.inputs;
    this.#lastMoved = opened.lastMoved;
    this.#quarantine = this.#quarantineAfter(0n);
    this.#chain = new Chain(findings, lane);
    this.balances = new LaneBalances(work, lane);
  }

  static async open(work: LaneWork, cut: LaneCut, sources: Sources): Promise<LaneAudit> {
    return new LaneAudit(work, cut, await openSources(work, cut, sources));
  }

  /** Offsets may begin anew behind a moved position, so the rows of each stretch are a stream of their own. */
  #quarantineAfter(block: bigint): Stream<QuarantineRow> {
    const { parts } = this.#work;
    const blocks = { after: block, until: this.#cut.block };
    return tableStream(quarantinePages(parts.rows, this.#cut.lane, parts.topics.intents, blocks, QUARANTINE_A_PAGE));
  }

  async blocks(blockDone: () => void): Promise<void> {
    const { tally, findings } = this.#work;
    for (let row = await this.#blocks.peek(); row !== null; row = await this.#blocks.peek()) {
      this.#blocks.advance();
      if (this.#chain.link(row)) await this.#block(row);
      tally.blocks += 1n;
      blockDone();
    }
    const place = `lane ${this.#cut.lane}`;
    for (let rest = await this.#lines.peek(); rest !== null; rest = await this.#lines.peek()) {
      tellStrayLines(findings, place, [rest]);
      this.#lines.advance();
    }
    for (let rest = await this.#quarantine.peek(); rest !== null; rest = await this.#quarantine.peek()) {
      findings.problem("lines_in_blocks", `${place}: no block took offset ${rest.offset}, which has a quarantine row`);
      this.#quarantine.advance();
    }
    for (const { match, rows, topic } of this.#outgoing) {
      for (let rest = await rows.peek(); rest !== null; rest = await rows.peek()) {
        findings.problem("lines_in_blocks", `${place}, ${topic}: message ${rest.sequence} belongs to no block`);
        rows.advance();
      }
      await match.finish();
      tally.backlog += match.backlog;
    }
    const { lastHash, lastOffset } = this.#inputs.intents;
    this.#chain.end(this.#cut, { intents: lastHash, offset: lastOffset });
  }

  async #block(row: BlockRow): Promise<void> {
    const { findings, tally } = this.#work;
    const { lane } = this.#cut;
    const place = `lane ${lane} block ${row.block}`;
    const lines = await takeLines(findings, place, this.#lines, row);
    this.balances.add(lines);
    tally.lines += BigInt(lines.length);
    const quarantine = await takeQuarantine(findings, place, this.#quarantine, row);
    const messages = await this.#messages(row);
    const outcomes = this.#readOutcomes(row, messages.outcomes ?? []);
    const { intents, reports } = this.#inputs;
    const isMoved = row.halt !== null;
    const taken = await intents.take({ from: row.intentsFrom, next: row.intentsNext, isMoved });
    await reports.take({ from: row.reportsFrom, next: row.reportsNext, isMoved });
    compareAnswers(findings, lane, row, taken, { outcomes, quarantine });
    if (messages.deadLetters !== null) compareDeadLetters(findings, lane, row, quarantine, messages.deadLetters);
    const last =
      intents.lastHash === null || reports.lastHash === null
        ? null
        : { intents: intents.lastHash, reports: reports.lastHash };
    if (!this.#chain.recompute(row, lines, valuesOf(messages), last)) tally.digestsNotRecomputed += 1n;
    if (isMoved) this.#afterMoved(row);
  }

  async #messages(row: BlockRow): Promise<Record<OutgoingTopic, BlockMessage[] | null>> {
    const found: Record<OutgoingTopic, BlockMessage[] | null> = { outcomes: null, commands: null, deadLetters: null };
    for (const source of this.#outgoing) {
      found[source.topic] = await messagesOfBlock(this.#work, this.#cut.lane, source, row);
    }
    return found;
  }

  #readOutcomes(row: BlockRow, messages: readonly BlockMessage[]): DecodedOutcome[] {
    const outcomes: DecodedOutcome[] = [];
    const hasPartition = (ms: number): boolean =>
      this.#work.partitions.has(`case_state_${new Date(ms).toISOString().slice(0, 10).replaceAll("-", "")}`);
    for (const { message } of messages) {
      if (message === null || !("outcomeId" in message)) continue;
      const outcome = message as DecodedOutcome;
      outcomes.push(outcome);
      const { caseId, memory } = memoryOf(outcome, hasPartition);
      this.table.set(outcome.sequence, caseId, row.block, memory);
    }
    return outcomes;
  }

  #afterMoved(row: BlockRow): void {
    this.#quarantine = this.#quarantineAfter(row.block);
    if (row.block !== this.#lastMoved) return;
    this.#inputs.intents.becomeReadable();
    this.#inputs.reports.becomeReadable();
  }
}

/** Within a block messages lie topic behind topic, each in order of its sequence. */
function valuesOf(messages: Record<OutgoingTopic, BlockMessage[] | null>): Buffer[] | null {
  const values: Buffer[] = [];
  for (const topic of OUTGOING_TOPICS) {
    const some = messages[topic];
    if (some === null) return null;
    for (const { value } of some) values.push(value);
  }
  return values;
}

type Opened = { readonly outgoing: readonly TopicMessages[]; readonly inputs: Inputs; readonly lastMoved: bigint };

async function openSources(work: LaneWork, cut: LaneCut, sources: Sources): Promise<Opened> {
  const { parts, findings } = work;
  const { lane } = cut;
  const all = await readMovedPositions(parts.rows, lane);
  for (const { block, halt, cause, isResumed } of all) {
    findings.expect("inputs_contiguous", isResumed, () => {
      const why = cause === null ? "which does not exist" : "which nobody has resumed in this lane";
      return `lane ${lane} block ${block} moves a position after halt ${halt}, ${why}`;
    });
  }
  const moved = all.filter(({ block }) => block <= cut.block).at(-1);
  const from = { intents: moved?.intentsNext ?? 0n, reports: moved?.reportsNext ?? 0n };
  const input = async (topic: string, first: bigint, until: bigint): Promise<InputTrail> => {
    const { records, from: begins } = await sources.partition(topic, first, until);
    return new InputTrail(records, begins, moved === undefined);
  };
  const until = { outcomes: cut.outcomesNext, commands: cut.commandsNext, deadLetters: cut.deadLettersNext };
  const outgoing: TopicMessages[] = [];
  for (const topic of OUTGOING_TOPICS) {
    outgoing.push(topicMessages(work, lane, topic, until[topic], await sources.published(topic)));
  }
  const intents = await input(parts.topics.intents, from.intents, cut.intentsNext);
  const reports = await input(parts.topics.reports, from.reports, cut.reportsNext);
  return { outgoing, inputs: { intents, reports }, lastMoved: moved?.block ?? 0n };
}
