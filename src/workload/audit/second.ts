// Lets the second ledger decide a lane's blocks anew, beside the audit of their form, and tells where the two differ. At the
// first block that differs it stops: behind it every difference would only follow from that one.

import type { DeadLetterMessage, OutcomeMessage } from "../../kafka/codec-messages.ts";
import {
  type BlockRow,
  type CaseRow,
  type LaneStanding,
  type LineRow,
  type QuarantineRow,
  timeMs,
} from "../../store/audit.ts";
import { type BlockTaken, decideBlock } from "../second-ledger/block.ts";
import { compareBlock, type Written } from "../second-ledger/compare.ts";
import type { Difference, SecondInvariant } from "../second-ledger/invariants.ts";
import { emptyLedger, type LaneLedger } from "../second-ledger/ledger.ts";
import { SchemaBook } from "../second-ledger/schemas.ts";
import { compareAccounts, compareTimers, judgeCase } from "../second-ledger/standing.ts";
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
  readonly deadLetters: BlockMessages;
  readonly quarantine: readonly QuarantineRow[];
};

export class SecondAudit {
  readonly #work: LaneWork;
  readonly #parts: SecondParts;
  readonly #lane: number;
  readonly #intents: SchemaBook;
  readonly #outcomes: SchemaBook;
  readonly #deadLetters: SchemaBook;
  /** null once nothing can be decided any more */
  #ledger: LaneLedger | null;
  /** cases that no row has been found of yet; null before the first is looked at */
  #unseen: Set<string> | null = null;

  /** @param isWhole whether the lane's blocks and inputs are there from the first on */
  constructor(work: LaneWork, parts: SecondParts, lane: number, isWhole: boolean) {
    const { rules, askSchema } = parts;
    this.#work = work;
    this.#parts = parts;
    this.#lane = lane;
    this.#intents = new SchemaBook(rules.intentSchema, askSchema);
    this.#outcomes = new SchemaBook(rules.outcomeSchema, askSchema);
    this.#deadLetters = new SchemaBook(rules.deadLetterSchema, askSchema);
    this.#ledger = isWhole ? emptyLedger(lane) : null;
  }

  async block(given: SecondBlock): Promise<void> {
    const { tally } = this.#work;
    if (this.#ledger === null || !isThere(given.row, given.intents)) {
      this.#ledger = null;
      tally.blocksNotDecided += 1n;
      return;
    }
    for (const { value } of given.intents.records) await this.#intents.learn(value);
    const outcomes = await writtenOf<OutcomeMessage>(this.#outcomes, given.outcomes, given.row.outcomesFrom);
    const deadLetters = await writtenOf<DeadLetterMessage>(
      this.#deadLetters,
      given.deadLetters,
      given.row.deadLettersFrom,
    );
    this.#decide(this.#ledger, given, outcomes, deadLetters);
    tally.blocksDecided += 1n;
  }

  #decide(
    ledger: LaneLedger,
    given: SecondBlock,
    outcomes: readonly Written<OutcomeMessage>[],
    deadLetters: readonly Written<DeadLetterMessage>[],
  ): void {
    const { row, lines, quarantine } = given;
    const { rules } = this.#parts;
    const decided = decideBlock(rules, ledger, takenOf(given, outcomes), this.#intents);
    const { differences, counts } = compareBlock(rules, ledger, decided, {
      block: row.block,
      lines,
      flows: row.flows,
      outcomesFrom: row.outcomesFrom,
      outcomes,
      commands: row.commandsNext - row.commandsFrom,
      deadLettersFrom: row.deadLettersFrom,
      deadLetters,
      quarantine,
    });
    for (const [invariant, count] of Object.entries(counts)) {
      this.#work.findings.checked(invariant as SecondInvariant, count);
    }
    const inputs = given.intents.records.length + given.reports.records.length;
    this.#work.findings.checked("timers_overtake_nothing", inputs);
    this.#work.findings.checked("reports_decided_anew");
    this.#work.findings.checked("time_decided_anew");
    this.#work.tally.inputsBelieved += BigInt(decided.believed.length);
    this.#tell(`lane ${this.#lane} block ${row.block}: `, [...decided.wrong, ...differences]);
  }

  #tell(place: string, differences: readonly Difference[]): void {
    for (const { invariant, text } of differences) this.#work.findings.problem(invariant, `${place}${text}`);
    if (differences.length > 0) this.#ledger = null;
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
    const known = ledger.cases.get(row.caseId);
    this.#unseen ??= new Set(ledger.cases.keys());
    this.#unseen.delete(row.caseId);
    const { isMovedOn, text } = judgeCase(known, row, ledger.block);
    if (isMovedOn) this.#work.tally.casesMovedOn += 1n;
    this.#work.findings.expect(
      "cases_decided_anew",
      text === null,
      () => `lane ${this.#lane} case ${row.caseId} ${text}`,
    );
  }

  /** @param hasPartition whether cases of a time are kept in a partition of their own: those of others may have left */
  endCases(hasPartition: (timeMs: number) => boolean): void {
    const ledger = this.#ledger;
    if (ledger === null) return;
    for (const uuid of this.#unseen ?? ledger.cases.keys()) {
      const isKept = hasPartition(Number.parseInt(uuid.slice(0, 12), 16));
      this.#work.findings.expect("cases_decided_anew", !isKept, () => `lane ${this.#lane} case ${uuid} is not there`);
    }
  }
}

/** Whether every record that the block took is there. */
function isThere(row: BlockRow, { knownFrom }: TakenRecords): boolean {
  return row.intentsNext <= row.intentsFrom || (knownFrom !== null && knownFrom <= row.intentsFrom);
}

function takenOf(given: SecondBlock, outcomes: readonly Written<OutcomeMessage>[]): BlockTaken {
  const { row, intents, reports, quarantine } = given;
  const told = new Map<bigint, string | null>();
  for (const written of outcomes) {
    const message = written?.message ?? null;
    const answer = message === null ? null : answerOf(message.outcomeId);
    if (message !== null && answer !== null) told.set(answer.offset, message.flow);
  }
  return {
    block: row.block,
    nowMs: timeMs(row.recordedAt),
    timers: row.timers,
    flows: row.flows,
    reports: reports.records,
    intents: intents.records,
    putAside: new Map(quarantine.map((aside) => [aside.offset, aside])),
    flowTold: (offset) => told.get(offset) ?? null,
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
