// Lets the second ledger decide a lane's blocks anew, beside the audit of their form, and tells where the two differ. At the
// first block that differs it stops: behind it every difference would only follow from that one.

import { parseCaseId } from "../../domain/ids.ts";
import type { CommandMessage, DeadLetterMessage, OutcomeMessage, ReportMessage } from "../../kafka/codec-messages.ts";
import {
  type BlockRow,
  type CaseRow,
  type CrossingRow,
  casePages,
  type LaneStanding,
  type LineRow,
  type QuarantineRow,
  readLanePairs,
  timeMs,
} from "../../store/audit.ts";
import { decideBlock } from "../second-ledger/block.ts";
import { type BlockWritten, compareBlock, type Written, type WrittenCrossing } from "../second-ledger/compare.ts";
import { hearsOthers } from "../second-ledger/flows.ts";
import type { Difference, SecondInvariant } from "../second-ledger/invariants.ts";
import { casesWanted, whyUnknowable } from "../second-ledger/knowable.ts";
import type { LaneLedger, SecondTimer } from "../second-ledger/ledger.ts";
import type { SecondRules } from "../second-ledger/rules.ts";
import type { SchemaBook } from "../second-ledger/schemas.ts";
import { compareAccounts, compareTimers, judgeCase } from "../second-ledger/standing.ts";
import type { BlockTaken } from "../second-ledger/taken.ts";
import {
  type BelievedBlock,
  believeBlock,
  type Changes,
  type LineSum,
  ledgerBefore,
  takeOverCase,
} from "../second-ledger/taken-over.ts";
import type { WorldOf } from "../second-ledger/world.ts";
import { answerOf } from "./answers.ts";
import type { TakenRecords } from "./inputs.ts";
import type { BlockMessages } from "./messages.ts";
import type { LaneWork, SecondParts } from "./parts.ts";

export type SecondBlock = {
  readonly row: BlockRow;
  readonly lines: readonly LineRow[];
  readonly intents: TakenRecords;
  readonly reports: TakenRecords;
  readonly outcomes: BlockMessages;
  readonly commands: BlockMessages;
  readonly deadLetters: BlockMessages;
  /** to other lanes, by lane and sequence; those that are gone with their partition are missing */
  readonly crossing: readonly CrossingRow[];
  readonly quarantine: readonly QuarantineRow[];
};

/** What is asked when something cannot be decided anew. */
export type SecondOf = {
  readonly lane: number;
  /** as of the last block that will be given */
  readonly standing: LaneStanding;
  /** cases by their ids, as far as they are there */
  readonly readCases: (ids: readonly string[]) => Promise<readonly CaseRow[]>;
  /** what the lane's lines from a block on add up to */
  readonly readSums: (from: bigint) => Promise<readonly LineSum[]>;
  readonly readChanges: () => Promise<Changes>;
};

type DecidedWith = { readonly rules: SecondRules; readonly taken: BlockTaken; readonly asks: WorldOf["asks"] };

export class SecondAudit {
  readonly #work: LaneWork;
  readonly #parts: SecondParts;
  readonly #of: SecondOf;
  /** null before the first block of a lane whose beginning is gone, and behind the first block that differs */
  #ledger: LaneLedger | null;
  #hasDiffered = false;
  /** of a lane that something was believed of by today's word; what was taken over earlier stood so then */
  #changes: Changes = new Map();
  /** cases that no row has been found of yet; null before the first is looked at */
  #unseen: Set<string> | null = null;
  /** cases that the blocks given here have opened or moved */
  readonly touched = new Set<string>();

  /** @param ledger as of the block before the first that is given; null: that is gone */
  constructor(work: LaneWork, parts: SecondParts, of: SecondOf, ledger: LaneLedger | null) {
    this.#work = work;
    this.#parts = parts;
    this.#of = of;
    this.#ledger = ledger;
  }

  get ledger(): LaneLedger | null {
    return this.#ledger;
  }

  get #lane(): number {
    return this.#of.lane;
  }

  async block(given: SecondBlock): Promise<void> {
    const { schemas } = this.#parts;
    if (this.#hasDiffered) return this.#notDecided();
    this.#ledger ??= await this.#begin(given);
    for (const { value } of given.intents.records) await schemas.intents.learn(value);
    for (const { value } of given.reports.records) await schemas.reports.learn(value);
    const outcomes = await writtenOf<OutcomeMessage>(schemas.outcomes, given.outcomes, given.row.outcomesFrom);
    const { commandsFrom, deadLettersFrom } = given.row;
    const commands = await writtenOf<CommandMessage>(schemas.commands, given.commands, commandsFrom);
    const deadLetters = await writtenOf<DeadLetterMessage>(schemas.deadLetters, given.deadLetters, deadLettersFrom);
    const taken = takenOf(given, outcomes);
    const rules = isThere(given) ? await this.#rulesOf(given.row) : null;
    if (rules === null || !(await this.#isKnowable(rules, this.#ledger, taken))) {
      if (this.#changes.size === 0) this.#changes = await this.#of.readChanges();
      const isQuiet = this.#parts.rules.flows.some(
        (flow) => given.row.flows.includes(flow.number) && hearsOthers(flow),
      );
      const believed = believedOf(given, taken, isQuiet ? [null] : outcomes);
      believeBlock(this.#parts.rules, this.#ledger, this.#of.standing, believed, this.#changes);
      this.#ledger.cases.rest();
      return this.#notDecided();
    }
    const flows = this.#parts.rules.flows.filter(({ number }) => given.row.flows.includes(number));
    const asks = await this.#parts.versions.asks(given.row, flows);
    const crossing = await crossingOf(schemas.reports, given.crossing);
    this.#decide(this.#ledger, given, { rules, taken, asks }, { outcomes, commands, deadLetters, crossing });
    this.#work.tally.blocksDecided += 1n;
  }

  #notDecided(): void {
    this.#work.tally.blocksNotDecided += 1n;
  }

  /** Of a lane whose first blocks are gone. */
  async #begin({ row }: SecondBlock): Promise<LaneLedger> {
    const { block, outcomesFrom, commandsFrom, deadLettersFrom } = row;
    this.#changes = await this.#of.readChanges();
    const before = { block, nowMs: timeMs(row.recordedAt), outcomesFrom, commandsFrom, deadLettersFrom };
    return ledgerBefore(this.#parts.rules, this.#of.standing, before, await this.#of.readSums(block));
  }

  /** With the settings that the block was decided by. */
  async #rulesOf({ parametersVersion }: BlockRow): Promise<SecondRules> {
    return { ...this.#parts.rules, ...(await this.#parts.versions.settings(parametersVersion)) };
  }

  async #isKnowable(rules: SecondRules, ledger: LaneLedger, taken: BlockTaken): Promise<boolean> {
    if (ledger.takenOverAt === 0n) return true;
    const { schemas } = this.#parts;
    // What a case leads to shows when it is there; those that are nowhere are asked for once.
    const asked = new Set<string>();
    for (let wanted = casesWanted(rules, ledger, taken, schemas); wanted.length > 0; ) {
      for (const one of await this.#of.readCases(wanted)) takeOverCase(rules, ledger, one);
      for (const uuid of wanted) asked.add(uuid);
      wanted = casesWanted(rules, ledger, taken, schemas).filter((uuid) => !asked.has(uuid));
    }
    return whyUnknowable(rules, ledger, taken, schemas, this.#changes) === null;
  }

  #decide(
    ledger: LaneLedger,
    given: SecondBlock,
    { rules, taken, asks }: DecidedWith,
    messages: Pick<BlockWritten, "outcomes" | "commands" | "deadLetters" | "crossing">,
  ): void {
    const { row, lines, quarantine } = given;
    const { schemas } = this.#parts;
    const decided = decideBlock(rules, ledger, taken, { schemas, asks });
    const { differences, counts } = compareBlock(rules, ledger, decided, {
      block: row.block,
      lines,
      flows: row.flows,
      outcomesFrom: row.outcomesFrom,
      commandsFrom: row.commandsFrom,
      deadLettersFrom: row.deadLettersFrom,
      sent: readLanePairs(row.sent),
      seen: readLanePairs(row.seen),
      ...messages,
      quarantine,
    });
    for (const [invariant, count] of Object.entries(counts)) {
      this.#work.findings.checked(invariant as SecondInvariant, count);
    }
    const inputs = given.intents.records.length + given.reports.records.length;
    this.#work.findings.checked("timers_overtake_nothing", inputs);
    this.#work.findings.checked("reports_decided_anew", given.reports.records.length + 1);
    this.#work.findings.checked("time_decided_anew");
    for (const { uuid } of decided.touched) this.touched.add(uuid);
    this.#work.tally.inputsBelieved += BigInt(decided.believed.length);
    this.#tell(`lane ${this.#lane} block ${row.block}: `, [...decided.wrong, ...differences]);
    // Not before: a case that has come to its end is judged with what it holds, which nobody remembers behind that.
    ledger.cases.rest();
  }

  #tell(place: string, differences: readonly Difference[]): void {
    for (const { invariant, text } of differences) this.#work.findings.problem(invariant, `${place}${text}`);
    if (differences.length === 0) return;
    this.#hasDiffered = true;
    this.#ledger = null;
  }

  /** @param standing as of the last block that was given */
  end(standing: LaneStanding): void {
    const ledger = this.#ledger;
    if (ledger === null) return;
    const { findings } = this.#work;
    const place = `lane ${this.#lane}: `;
    findings.checked("accounts_decided_anew", standing.balances.length);
    findings.checked("timers_decided_anew", standing.timers.length + 1);
    findings.checked("timers_not_forgotten", ledger.timers.size + 1);
    const differences = [...compareAccounts(ledger, standing.balances), ...compareTimers(ledger, standing)];
    for (const { invariant, text } of differences) findings.problem(invariant, `${place}${text}`);
  }

  case(row: CaseRow): void {
    const ledger = this.#ledger;
    if (ledger === null) return;
    this.#unseen ??= new Set(ledger.cases.uuids());
    this.#unseen.delete(row.caseId);
    const { isMovedOn, text } = judgeCase(ledger, row);
    if (isMovedOn) this.#work.tally.casesMovedOn += 1n;
    this.#work.findings.expect(
      "cases_decided_anew",
      text === null,
      () => `lane ${this.#lane} case ${row.caseId} ${text}`,
    );
  }

  /** Only those that blocks have just moved, and then `count` others in turn.
   *  @param after the last case of the turn before
   *  @returns     the last case of this one; null: the next turn begins anew */
  async someCases(after: string | null, count: number): Promise<string | null> {
    const { rows } = this.#work.parts;
    const touched = [...this.touched];
    for (let at = 0; at < touched.length; at += CASES_A_PAGE) {
      const page = touched.slice(at, at + CASES_A_PAGE);
      for (const row of await this.#of.readCases(page)) this.case(row);
    }
    const swept = await casePages(rows, this.#lane, count, after).page(null);
    for (const row of swept) this.case(row);
    return swept.length < count ? null : (swept.at(-1)?.caseId ?? null);
  }

  /** After every row was looked at.
   *  @param hasPartition whether cases of a time are kept in a partition of their own: those of others may have left */
  endCases(hasPartition: (timeMs: number) => boolean): void {
    const ledger = this.#ledger;
    if (ledger === null) return;
    for (const uuid of this.#unseen ?? ledger.cases.uuids()) this.#judgeMissing(uuid, hasPartition);
  }

  /** After `someCases`: of those that were touched none may be missing. */
  endTouched(hasPartition: (timeMs: number) => boolean): void {
    for (const uuid of this.touched) if (this.#unseen?.has(uuid)) this.#judgeMissing(uuid, hasPartition);
  }

  #judgeMissing(uuid: string, hasPartition: (timeMs: number) => boolean): void {
    const isKept = hasPartition(Number.parseInt(uuid.slice(0, 12), 16));
    this.#work.findings.expect("cases_decided_anew", !isKept, () => `lane ${this.#lane} case ${uuid} is not there`);
  }
}

const CASES_A_PAGE = 2_000;

/** Whether every record that the block took is there. */
function isThere({ row, intents, reports }: SecondBlock): boolean {
  const { intentsFrom, intentsNext, reportsFrom, reportsNext } = row;
  // A block that moved a position took nothing.
  if (row.halt !== null) return intentsNext === intentsFrom && reportsNext === reportsFrom;
  const isKnown = ({ knownFrom }: TakenRecords, from: bigint, next: bigint): boolean =>
    next <= from || (knownFrom !== null && knownFrom <= from);
  return isKnown(intents, intentsFrom, intentsNext) && isKnown(reports, reportsFrom, reportsNext);
}

function takenOf(given: SecondBlock, outcomes: readonly Written<OutcomeMessage>[]): BlockTaken {
  const { row, intents, reports, quarantine } = given;
  const told = new Map<bigint, string | null>();
  const timersTold: SecondTimer[] = [];
  for (const written of outcomes) {
    const message = written?.message ?? null;
    const answer = message === null ? null : answerOf(message.outcomeId);
    if (message !== null && answer !== null) told.set(answer.offset, message.flow);
    const timer = message === null ? null : timerOf(message.outcomeId);
    if (timer !== null) timersTold.push(timer);
  }
  return {
    block: row.block,
    nowMs: timeMs(row.recordedAt),
    timers: row.timers,
    flows: row.flows,
    reports: reports.records,
    intents: intents.records,
    putAside: new Map(quarantine.map((aside) => [aside.offset, aside])),
    timersTold,
    flowTold: (offset) => told.get(offset) ?? null,
    pairs: new Set([...readLanePairs(row.sent).keys(), ...readLanePairs(row.seen).keys()]),
  };
}

/** `t-<lane>-<case>-<timer>-<due>`; further outcomes of the same timer have a number behind and name it again. */
function timerOf(outcomeId: string): SecondTimer | null {
  const match = /^t-\d+-([0-9a-f]{32})-([a-z0-9_]+)-(\d{1,15})$/.exec(outcomeId);
  if (match === null) return null;
  return { uuid: match[1] as string, name: match[2] as string, dueMs: Number(match[3]) };
}

/** @param outcomes of what happened to its cases; null in it where that is not told */
function believedOf(
  { row, lines }: SecondBlock,
  taken: BlockTaken,
  outcomes: readonly Written<OutcomeMessage>[],
): BelievedBlock {
  const isWhole = outcomes.every((written) => written !== null && written.message !== null);
  const ids = outcomes.map((written) => parseCaseId(written?.message?.caseId ?? null)?.uuid ?? "");
  return {
    block: row.block,
    nowMs: taken.nowMs,
    timers: row.timers,
    outcomesNext: row.outcomesNext,
    commandsNext: row.commandsNext,
    deadLettersNext: row.deadLettersNext,
    sent: readLanePairs(row.sent),
    seen: readLanePairs(row.seen),
    lines,
    cases: isWhole ? new Set(ids) : null,
    lastTimer: taken.timersTold.length === row.timers ? (taken.timersTold.at(-1) ?? null) : null,
  };
}

/** The messages of a block in one topic, in order of their sequence. */
async function writtenOf<Message>(
  book: SchemaBook,
  { messages, missing }: BlockMessages,
  from: bigint,
): Promise<Written<Message>[]> {
  const written: Written<Message>[] = [];
  for (const sequence of missing) written[Number(sequence - from)] = null;
  for (const { sequence, value, key } of messages) {
    await book.learn(value);
    written[Number(sequence - from)] = { key, message: book.read(value) as Message | null };
  }
  return written;
}

async function crossingOf(book: SchemaBook, rows: readonly CrossingRow[]): Promise<WrittenCrossing[]> {
  const written: WrittenCrossing[] = [];
  for (const { toLane, sequence, key, value } of rows) {
    await book.learn(value);
    written.push({ toLane, sequence, key, message: book.read(value) as ReportMessage | null });
  }
  return written;
}
