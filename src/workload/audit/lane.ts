// Audits one lane up to the cut: its blocks in order with everything that belongs to them, then what has moved on since,
// balances and cases.

import {
  type BlockRow,
  blockPages,
  type LaneCut,
  type LaneStanding,
  type LineRow,
  linePages,
  type MovedPosition,
  type QuarantineRow,
  quarantinePages,
  readAccountsOf,
  readMovedPositions,
  readNext,
  readStanding,
} from "../../store/audit.ts";
import type { OutgoingTopic } from "../../store/blocks.ts";
import { emptyLedger, type LaneLedger } from "../second-ledger/ledger.ts";
import { compareAnswers, memoryOf, tellUntaken } from "./answers.ts";
import { LaneBalances } from "./balances.ts";
import { type DecodedOutcome, takeLines, takeQuarantine, tellStrayLines } from "./block-rows.ts";
import { auditCases } from "./cases.ts";
import { Chain } from "./chain.ts";
import { type Crossed, type CrossingBefore, CrossingTrail, readReportMessage } from "./crossing-trail.ts";
import { type SaidMessage, TRANSIT } from "./crossings.ts";
import { compareDeadLetters } from "./dead-letters.ts";
import { compareDeeply } from "./deep-blocks.ts";
import { InputTrail, type LastTaken, NOTHING_TAKEN } from "./inputs.ts";
import { beforeOf, type LaneMemory } from "./memory.ts";
import {
  type BlockMessages,
  matchCarried,
  messagesOfBlock,
  openTopicMessages,
  type TopicMessages,
} from "./messages.ts";
import { type Before, readOpening } from "./opening.ts";
import { OutcomeTable } from "./outcome-table.ts";
import type { LaneWork } from "./parts.ts";
import type { SecondAudit } from "./second.ts";
import { openSecond } from "./second-open.ts";
import { OUTGOING_TOPICS, Sources } from "./sources.ts";
import { type Stream, tableStream } from "./stream.ts";

const BLOCKS_A_PAGE = 500;
const LINES_A_PAGE = 5_000;
const QUARANTINE_A_PAGE = 200;
const DAY_MS = 86_400_000;

/** Untouched cases that are looked at again, in turn, with each cut of an auditor that keeps its memory. */
const CASES_SWEPT = 2_000;

/** After each block; waits, or throws what ends the audit. */
export type BlockDone = () => Promise<void> | void;

/** @param blockDone called after each block
 *  @param memory    of the audit before; null: everything is looked at
 *  @returns         what the next audit of the lane goes on from */
export async function auditLane(
  work: LaneWork,
  cut: LaneCut,
  blockDone: BlockDone,
  memory: LaneMemory | null = null,
): Promise<LaneMemory> {
  const sources = new Sources(work, cut.lane);
  try {
    // What the second ledger comes to is held against balances and timers of one moment, so its lane is audited up to
    // there: a few blocks further than the cut of all lanes.
    const standing = work.parts.second === null ? null : await readStanding(work.parts.snapshots, cut.lane);
    const until = standing?.head ?? cut;
    const audit = await LaneAudit.open(work, { cut: until, standing, followedTo: cut.block }, sources, memory);
    await audit.blocks(blockDone);
    if (standing !== null) audit.second?.end(standing);
    const { table, second, hasCasesOf: hasPartition } = audit;
    let sweptTo: string | null = null;
    if (memory === null) {
      await audit.balances.compare(until.block);
      const span = { first: audit.first, last: until.block };
      await auditCases(work, cut.lane, { table, span, second, hasPartition });
    } else if (second !== null) {
      sweptTo = await second.someCases(memory.sweptTo, CASES_SWEPT);
      second.endTouched(hasPartition);
    }
    return { ...audit.remembered(), before: beforeOf(until), ledger: second?.ledger ?? null, sweptTo };
  } finally {
    await sources.close();
  }
}

/** The head that is audited up to, with what it has left where the second ledger decides anew, and the block of the cut of
 *  all lanes. */
type UpTo = { readonly cut: LaneCut; readonly standing: LaneStanding | null; readonly followedTo: bigint };

type Inputs = { readonly intents: InputTrail; readonly reports: InputTrail };

class LaneAudit {
  readonly #work: LaneWork;
  readonly #cut: LaneCut;
  readonly #followedTo: bigint;
  readonly #blocks: Stream<BlockRow>;
  readonly #lines: Stream<LineRow>;
  #quarantine: Stream<QuarantineRow>;
  readonly #outgoing: readonly TopicMessages[];
  readonly #inputs: Inputs;
  /** the last block that moved a position by hand: topics of before may have been others */
  readonly #lastMoved: bigint;
  readonly #publishedTo: LaneMemory["published"];
  readonly #chain: Chain;
  readonly #crossing: CrossingTrail;
  /** currencies by the lane's accounts between lanes */
  readonly #transit: ReadonlyMap<bigint, string>;
  readonly balances: LaneBalances;
  /** the first block that is audited */
  readonly first: bigint;
  readonly table = new OutcomeTable();
  readonly second: SecondAudit | null;
  readonly #days = new Map<number, boolean>();
  /** whether cases of that time have a partition of their own */
  readonly hasCasesOf = (timeMs: number): boolean => {
    const day = Math.floor(timeMs / DAY_MS);
    let has = this.#days.get(day);
    if (has === undefined) {
      const name = new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "");
      has = this.#work.partitions.has(`case_state_${name}`);
      this.#days.set(day, has);
    }
    return has;
  };

  private constructor(work: LaneWork, { cut, standing, followedTo }: UpTo, opened: Opened) {
    const { parts, findings } = work;
    const { lane, block } = cut;
    this.#work = work;
    this.#cut = cut;
    this.#followedTo = followedTo;
    this.#blocks = tableStream(blockPages(parts.rows, lane, { after: opened.after, until: block }, BLOCKS_A_PAGE));
    const from = opened.after === null ? null : opened.after + 1n;
    this.#lines = tableStream(linePages(parts.rows, lane, { from, until: block }, LINES_A_PAGE));
    this.#outgoing = opened.outgoing;
    this.#inputs = opened.inputs;
    this.#lastMoved = opened.lastMoved;
    this.#publishedTo = opened.published;
    this.first = opened.opening.block + 1n;
    if (opened.after === null) work.tally.detachedBlocks += opened.opening.block;
    this.#quarantine = this.#quarantineAfter(opened.opening.block);
    this.#chain = new Chain(findings, lane, opened.opening);
    this.#crossing = new CrossingTrail(work, lane, opened.crossing);
    this.#transit = opened.transit;
    this.balances = new LaneBalances(work, lane, opened.opening.block + 1n);
    this.second = standing === null ? null : openSecond(work, standing, opened.ledger);
  }

  static async open(work: LaneWork, upTo: UpTo, sources: Sources, memory: LaneMemory | null): Promise<LaneAudit> {
    return new LaneAudit(work, upTo, await openSources(work, upTo.cut, sources, memory));
  }

  /** Where reading goes on in the next audit. */
  remembered(): Pick<LaneMemory, "intents" | "reports" | "published" | "unpublished" | "crossing"> {
    const published = { ...this.#publishedTo };
    const unpublished: Record<OutgoingTopic, bigint | null> = { outcomes: null, commands: null, deadLetters: null };
    for (const { topic, match } of this.#outgoing) {
      published[topic] = match.comparedTo ?? published[topic];
      unpublished[topic] = match.unpublishedFrom;
    }
    const taken = ({ lastHash, lastOffset }: InputTrail): LastTaken => ({ hash: lastHash, offset: lastOffset });
    const { intents, reports } = this.#inputs;
    const crossing = this.#crossing.remembered();
    return { intents: taken(intents), reports: taken(reports), published, unpublished, crossing };
  }

  /** Offsets may begin anew behind a moved position, so the rows of each stretch are a stream of their own. */
  #quarantineAfter(block: bigint): Stream<QuarantineRow> {
    const { parts } = this.#work;
    const blocks = { after: block, until: this.#cut.block };
    return tableStream(quarantinePages(parts.rows, this.#cut.lane, parts.topics.intents, blocks, QUARANTINE_A_PAGE));
  }

  async blocks(blockDone: BlockDone): Promise<void> {
    const { tally, findings } = this.#work;
    for (const source of this.#outgoing) await matchCarried(source);
    for (let row = await this.#blocks.peek(); row !== null; row = await this.#blocks.peek()) {
      this.#blocks.advance();
      if (this.#chain.link(row)) await this.#block(row);
      tally.blocks += 1n;
      await blockDone();
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
      const newest = await match.finish();
      tally.backlog += match.backlog;
      await this.#judgeNewest(topic, newest);
    }
    const { lastHash, lastOffset } = this.#inputs.intents;
    tellUntaken(findings, this.#cut.lane, await this.#inputs.intents.rest());
    this.#chain.end(this.#cut, { intents: lastHash, offset: lastOffset });
    this.#crossing.end(this.#cut);
  }

  /** What is published was committed before. Asked after the topic was read to its end, the head is never behind it. */
  async #judgeNewest(topic: OutgoingTopic, newest: bigint | null): Promise<void> {
    if (newest === null) return;
    const { parts, findings } = this.#work;
    const next = (await readNext(parts.rows, this.#cut.lane))[topic];
    if (newest < next) return;
    const invariant = topic === "deadLetters" ? "dead_letters_equal_quarantine" : "outcome_topic_equals_outbox";
    const text = `holds sequence ${newest}, and only what is before ${next} is committed: the database has lost blocks`;
    findings.problem(invariant, `${parts.topics[topic]}/${this.#cut.lane} ${text}`);
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
    const outcomes = this.#readOutcomes(row, messages.outcomes);
    const isWhole = messages.outcomes.missing.length === 0;
    const { intents, reports } = this.#inputs;
    const isMoved = row.halt !== null;
    const taken = await intents.take({ from: row.intentsFrom, next: row.intentsNext, isMoved });
    const reported = await reports.take({ from: row.reportsFrom, next: row.reportsNext, isMoved });
    compareAnswers(findings, lane, row, taken, { outcomes, isWhole, quarantine });
    if (this.#work.parts.depth === "deep") {
      await compareDeeply(this.#work, { lane, row, lines, records: taken.records, outcomes, isWhole, quarantine });
    }
    const crossed = await this.#crossing.take(row, reported);
    await this.#follow(row, crossed, lines);
    const { outcomes: answers, commands, deadLetters } = messages;
    await this.second?.block({
      row,
      lines,
      intents: taken,
      reports: reported,
      outcomes: answers,
      commands,
      deadLetters,
      crossing: crossed.sent,
      quarantine,
    });
    compareDeadLetters(findings, lane, row, quarantine, deadLetters);
    const last =
      intents.lastHash === null || reports.lastHash === null
        ? null
        : { intents: intents.lastHash, reports: reports.lastHash };
    if (!this.#chain.recompute(row, lines, valuesOf(messages, crossed), last)) tally.digestsNotRecomputed += 1n;
    if (isMoved) this.#afterMoved(row);
  }

  /** Conversations between lanes are followed up to the cut of all lanes: only there they are closed. */
  async #follow(row: BlockRow, crossed: Crossed, lines: readonly LineRow[]): Promise<void> {
    const { crossings, findings } = this.#work;
    if (!crossings.follows(this.#cut.lane, row.block, this.#followedTo)) return;
    const sent: SaidMessage[] = [];
    for (const one of crossed.sent) sent.push({ row: one, report: await readReportMessage(this.#work, one.value) });
    crossings.add(findings, { lane: this.#cut.lane, block: row.block, crossed, lines, transit: this.#transit }, sent);
  }

  async #messages(row: BlockRow): Promise<Record<OutgoingTopic, BlockMessages>> {
    const found: Record<OutgoingTopic, BlockMessages> = { outcomes: NONE, commands: NONE, deadLetters: NONE };
    for (const source of this.#outgoing) {
      found[source.topic] = await messagesOfBlock(this.#work, this.#cut.lane, source, row);
    }
    return found;
  }

  #readOutcomes(row: BlockRow, { messages, missing }: BlockMessages): DecodedOutcome[] {
    const outcomes: DecodedOutcome[] = [];
    for (const sequence of missing) this.table.setUnknown(sequence);
    for (const { message, sequence } of messages) {
      if (message === null || !("outcomeId" in message)) {
        this.table.setUnknown(sequence);
        continue;
      }
      const outcome = message as DecodedOutcome;
      outcomes.push(outcome);
      const { caseId, memory } = memoryOf(outcome, this.hasCasesOf);
      this.table.set(sequence, caseId, row.block, memory);
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

const NONE: BlockMessages = { messages: [], missing: [] };

/** Within a block messages lie topic behind topic, each in order of its sequence.
 *  @returns null when some of them are nowhere any more */
function valuesOf(
  found: Record<OutgoingTopic, BlockMessages>,
  crossed: Crossed,
): { readonly stamped: Buffer[]; readonly toLanes: Buffer[] } | null {
  if (!crossed.isSentWhole) return null;
  const values: Buffer[] = [];
  for (const topic of OUTGOING_TOPICS) {
    const { messages, missing } = found[topic];
    if (missing.length > 0) return null;
    for (const { value } of messages) values.push(value);
  }
  return { stamped: values, toLanes: crossed.sent.map(({ value }) => value) };
}

type Opened = {
  readonly opening: Before;
  /** the block behind which reading begins; null: the first that there is */
  readonly after: bigint | null;
  readonly outgoing: readonly TopicMessages[];
  readonly published: LaneMemory["published"];
  readonly inputs: Inputs;
  readonly lastMoved: bigint;
  readonly ledger: LaneLedger | null;
  readonly crossing: CrossingBefore;
  readonly transit: ReadonlyMap<bigint, string>;
};

const NOTHING_PUBLISHED = { outcomes: 0n, commands: 0n, deadLetters: 0n };

async function openSources(work: LaneWork, cut: LaneCut, sources: Sources, memory: LaneMemory | null): Promise<Opened> {
  const { parts } = work;
  const { lane } = cut;
  const opening = memory?.before ?? (await readOpening(work, lane));
  const moved = await lastMovedPosition(work, cut, memory?.before.block ?? 0n);
  const published = memory?.published ?? NOTHING_PUBLISHED;
  const outgoing: TopicMessages[] = [];
  for (const topic of OUTGOING_TOPICS) {
    const span = { from: nextOf(opening, topic), next: nextOf(cut, topic) };
    const messages = {
      published: await sources.published(topic, published[topic]),
      carriedFrom: memory?.unpublished[topic] ?? null,
    };
    outgoing.push(await openTopicMessages(work, lane, topic, span, messages));
  }
  const input = async (name: "intents" | "reports", first: bigint, until: bigint): Promise<InputTrail> => {
    const { records, from } = await sources.partition(parts.topics[name], first, until);
    const last = memory?.[name] ?? (opening.block === 0n ? NOTHING_TAKEN : null);
    return new InputTrail(records, from, { isReadable: moved === null, last });
  };
  const from = moved ?? opening;
  const intents = await input("intents", from.intentsNext, cut.intentsNext);
  const reports = await input("reports", from.reportsNext, cut.reportsNext);
  return {
    opening,
    after: memory?.before.block ?? null,
    outgoing,
    published,
    inputs: { intents, reports },
    lastMoved: moved?.block ?? 0n,
    crossing: memory?.crossing ?? { sent: new Map(), seen: new Map(), isWhole: opening.block === 0n },
    transit: await readAccountsOf(parts.rows, lane, TRANSIT),
    ledger: memory?.ledger ?? (opening.block === 0n ? emptyLedger(parts.second?.rules.flows ?? [], lane) : null),
  };
}

function nextOf(
  head: Pick<LaneCut, "outcomesNext" | "commandsNext" | "deadLettersNext">,
  topic: OutgoingTopic,
): bigint {
  if (topic === "outcomes") return head.outcomesNext;
  return topic === "commands" ? head.commandsNext : head.deadLettersNext;
}

/** The last block before the cut that moved a position by hand; every one must follow a halt that was resumed. */
async function lastMovedPosition(
  { parts, findings }: LaneWork,
  cut: LaneCut,
  after: bigint,
): Promise<MovedPosition | null> {
  const all = (await readMovedPositions(parts.rows, cut.lane)).filter(({ block }) => block > after);
  for (const { block, halt, cause, isResumed } of all) {
    findings.expect("inputs_contiguous", isResumed, () => {
      const why = cause === null ? "which does not exist" : "which nobody has resumed in this lane";
      return `lane ${cut.lane} block ${block} moves a position after halt ${halt}, ${why}`;
    });
  }
  return all.findLast(({ block }) => block <= cut.block) ?? null;
}
