// A recorded span decided twice by the pure core that decides in the service: once by the versions of then, which has to give
// what is recorded, and once with the candidate in the place of its flow. What the two runs make of the same inputs is held
// against each other.

import type { Command, ReportInput, TimerKey } from "../../domain/books.ts";
import { parseCaseId } from "../../domain/ids.ts";
import { Answers } from "./answers.ts";
import { Comparison, printed, type Which } from "./comparison.ts";
import { Findings } from "./findings.ts";
import { Mail } from "./mail.ts";
import type { DecidingSettings, Intake, RecordedBlock, Recording } from "./recording.ts";
import { type BacktestResult, resultOf } from "./result.ts";
import { type FlowsGiven, RulesAt } from "./rules-at.ts";
import { Run, RunBlock } from "./run.ts";
import type { Tried } from "./run-lane.ts";
import { Schedule, type Scheduled } from "./schedule.ts";

export type BacktestParts = {
  readonly recording: Recording;
  readonly intake: Intake;
  readonly flows: FlowsGiven;
  readonly topics: { readonly intents: string; readonly reports: string };
  /** told of each block */
  readonly progress: () => void;
  readonly stop: AbortSignal;
};

export type Backtested = {
  readonly result: BacktestResult;
  /** versions of the candidate's flow that the recording opened cases on */
  readonly against: readonly string[];
};

/** @returns null when it was stopped
 *  @throws whatever reading the recording throws */
export async function backtest(parts: BacktestParts): Promise<Backtested | null> {
  const test = new Backtest(parts);
  const schedule = new Schedule(parts.recording, parts.intake);
  for (let next = await schedule.next(); next !== null; next = await schedule.next()) {
    if (parts.stop.aborted) return null;
    await test.block(next);
    parts.progress();
  }
  return test.end();
}

const BOTH: readonly Which[] = ["recorded", "candidate"];

type Blocks = Readonly<Record<Which, RunBlock>>;

/** Where an input lies, and of which case it is. */
type Place = {
  readonly uuid: string | null;
  readonly topic: "intents" | "reports" | null;
  readonly offset: bigint | null;
  readonly what: string;
};

class Backtest {
  readonly #parts: BacktestParts;
  readonly #runs: Readonly<Record<Which, Run>> = { recorded: new Run(), candidate: new Run() };
  readonly #rules: RulesAt;
  readonly #comparison = new Comparison();
  readonly #mail = new Mail();
  readonly #answers = new Answers();
  readonly #findings: Findings;
  /** answers that waited for the candidate's call, by lane */
  readonly #late = new Map<number, ReportInput[]>();
  #hasAccounts = false;

  constructor(parts: BacktestParts) {
    this.#parts = parts;
    this.#rules = new RulesAt(parts.flows, parts.recording.cases);
    this.#findings = new Findings(parts.topics);
  }

  async block({ recorded, reports, unread }: Scheduled): Promise<void> {
    const { recording } = this.#parts;
    const { lane, block, nowMs } = recorded;
    const { book, settings } = await recording.parameters(recorded.parametersVersion);
    const rates = await recording.rates(recorded.ratesVersion);
    const open = (which: Which): RunBlock => {
      const rules = this.#rules.at(which, lane, block, settings);
      return new RunBlock(this.#runs[which].lane(lane), { rules, rates, parameters: book, block, nowMs });
    };
    const blocks = { recorded: open("recorded"), candidate: open("candidate") };
    this.#takeAccounts(blocks);
    for (const which of BOTH)
      for (const line of recorded.priorLines) blocks[which].lane.book(blocks[which].rules, line);
    for (const { offset, why } of unread) this.#findings.notReproduced(lane, `report at offset ${offset}: ${why}`);
    this.#timers(blocks, recorded);
    this.#reports(blocks, reports);
    this.#intents(blocks, recorded, settings);
    this.#settle(blocks);
    this.#endBlock(blocks, recorded);
  }

  end(): Backtested {
    const { recording, flows } = this.#parts;
    this.#findings.unasked(this.#answers.unasked, (lane, uuid) => this.#nameOf(lane, uuid));
    const of = { runs: this.#runs, comparison: this.#comparison, findings: this.#findings, cases: recording.cases };
    return { result: resultOf({ ...of, chart: flows.chart }), against: [...this.#rules.against].sort() };
  }

  #takeAccounts({ recorded: { rules } }: Blocks): void {
    if (this.#hasAccounts) return;
    this.#hasAccounts = true;
    for (const which of BOTH)
      for (const account of this.#parts.recording.accounts) this.#runs[which].lane(account.lane).take(rules, account);
  }

  // Timers ----------------------------------------------------------------------------------------------------------------

  /** In the recording's run those that have fired in this block. In the candidate's run the same ones, as far as its cases
   *  wait for them, and those that only its own cases wait for, once no input that was in time can come any more. */
  #timers(blocks: Blocks, { lane, block, nowMs, intents, reports }: RecordedBlock): void {
    const { cases } = this.#parts.recording;
    const fired = cases.timersOf(lane, block);
    const untilMs = [...intents, ...reports].reduce((least, { appendedAtMs }) => Math.min(least, appendedAtMs), nowMs);
    const isLeft = (timer: TimerKey): boolean => blocks.recorded.lane.waitsFor(timer);
    for (const timer of this.#runs.candidate.due(lane, untilMs, isLeft)) {
      if (!fired.includes(timer)) this.#timer(blocks, timer, null);
    }
    for (const timer of fired) {
      this.#findings.count("timers");
      if (!blocks.recorded.lane.waitsFor(timer)) {
        const name = this.#nameOf(lane, timer.caseId);
        this.#findings.notReproduced(
          lane,
          `timer ${timer.name} of ${name} has fired, and the case does not wait for it`,
        );
      } else {
        this.#timer(blocks, timer, blocks.recorded.timer(timer));
      }
    }
  }

  #timer(blocks: Blocks, timer: TimerKey, recorded: Tried | null): void {
    const { candidate } = blocks;
    const isWaited =
      candidate.lane.waitsFor(timer) && !this.#comparison.isUnknown(`${candidate.lane.lane} ${timer.caseId}`);
    const place = { topic: null, offset: null, what: `timer.${timer.name}` };
    this.#conclude(blocks, { uuid: timer.caseId, ...place }, recorded, isWaited ? candidate.timer(timer) : null);
  }

  // Reports ---------------------------------------------------------------------------------------------------------------

  #reports(blocks: Blocks, reports: readonly ReportInput[]): void {
    const { lane } = blocks.recorded.lane;
    // What only the candidate brought about was sent before the recorded reports of this block.
    for (const input of [...this.#mail.extras(lane), ...this.#take(lane)]) this.#report(blocks, null, input);
    for (const input of reports) {
      const { from, result, caseId } = input.report;
      if (result !== "asked" && this.#parts.recording.cases.isPrior(lane, caseId.uuid)) {
        this.#findings.count("prior");
        continue;
      }
      this.#findings.count(from === null ? "reports" : "messages");
      if (from === null) this.#observation(blocks, input);
      else this.#message(blocks, input);
    }
  }

  #take(lane: number): readonly ReportInput[] {
    const late = this.#late.get(lane) ?? [];
    this.#late.delete(lane);
    return late;
  }

  #message(blocks: Blocks, input: ReportInput): void {
    const { lane } = blocks.recorded.lane;
    const { caseId, call } = input.report;
    const { recorded, candidate } = this.#mail.take(lane, input);
    const cause = causeOf(input);
    if (candidate === "unknown") {
      const asked = { call, op: "message", caseId: this.#nameOf(lane, caseId.uuid) };
      this.#findings.unanswered(asked, "asked otherwise");
      this.#comparison.lose(`${lane} ${caseId.uuid}`);
    }
    const isMissed = cause !== null && !this.#comparison.isUnknown(cause);
    if (candidate === "not sent" && isMissed) this.#findings.count("messagesNotSent");
    this.#report(blocks, recorded, typeof candidate === "string" ? null : candidate);
  }

  /** What a provider said. */
  #observation(blocks: Blocks, input: ReportInput): void {
    const { lane } = blocks.recorded.lane;
    const caseId = this.#nameOf(lane, input.report.caseId.uuid);
    const answered = this.#answers.answers(lane, caseId, input);
    const isDecided = this.#report(blocks, input, answered === "as recorded" ? input : null);
    const isKnown = !this.#comparison.isUnknown(`${lane} ${input.report.caseId.uuid}`);
    if (isDecided && isKnown && answered === "not asked yet") this.#answers.hold(lane, caseId, input);
  }

  /** @param now null: the candidate's run does not get it
   *  @returns whether the recording's run could decide it */
  #report(blocks: Blocks, then: ReportInput | null, now: ReportInput | null): boolean {
    const { recorded, candidate } = blocks;
    const { caseId, call, result } = ((then ?? now) as ReportInput).report;
    const { source, offset } = (then ?? now) as ReportInput;
    const triedThen = then === null ? null : recorded.report(then);
    const isKnown = !this.#comparison.isUnknown(`${candidate.lane.lane} ${caseId.uuid}`);
    const isGiven = now !== null && isKnown && triedThen?.kind !== "undecidable";
    const place = { uuid: caseId.uuid, what: `${call}.${result}`, ...placeOf(source, offset) };
    const cause = causeOf((then ?? now) as ReportInput);
    this.#conclude(blocks, place, triedThen, isGiven ? candidate.report(now) : null, cause);
    return triedThen?.kind === "done";
  }

  // Intents ---------------------------------------------------------------------------------------------------------------

  #intents(blocks: Blocks, { lane, intents }: RecordedBlock, settings: DecidingSettings): void {
    const { intake, recording } = this.#parts;
    for (const record of intents) {
      const then = intake.intent(record, lane, blocks.recorded.rules, settings);
      const now = intake.intent(record, lane, blocks.candidate.rules, settings);
      const input = now.kind === "intent" ? now : then;
      if (input.kind === "misfit") {
        this.#findings.count("quarantined");
        continue;
      }
      const uuid = input.caseId?.uuid ?? null;
      const isPrior = uuid !== null && recording.cases.isPrior(lane, uuid);
      this.#findings.count(isPrior ? "prior" : "intents");
      if (isPrior) continue;
      const recorded = then.kind === "intent" ? blocks.recorded.intent(then) : null;
      const place = { uuid, topic: "intents", offset: record.offset, what: `intent.${input.intent.type}` } as const;
      if (now.kind === "misfit") {
        const why = `it would be put aside as ${now.reason}: ${now.detail}`;
        this.#findings.undecidable({ lane, caseId: input.intent.caseId ?? "no case", ...place, why });
      }
      const isGiven = now.kind === "intent" && (uuid === null || !this.#comparison.isUnknown(`${lane} ${uuid}`));
      this.#conclude(blocks, place, recorded, isGiven ? blocks.candidate.intent(now) : null);
    }
  }

  // The end of a block ----------------------------------------------------------------------------------------------------

  #settle(blocks: Blocks): void {
    for (const which of BOTH) {
      for (const { input, tried } of blocks[which].settle()) {
        const { caseId, call, result } = input.report;
        const place = { uuid: caseId.uuid, topic: null, offset: null, what: `${call}.${result}` };
        const isRecorded = which === "recorded";
        this.#conclude(blocks, place, isRecorded ? tried : null, isRecorded ? null : tried, causeOf(input));
      }
    }
  }

  /** What the two runs have made of an input; null: that run did not get it.
   *  @param cause `<lane> <case>` of the case whose message it is, if it is one */
  #conclude(
    { recorded: { lane: then }, candidate: { lane: now, rules } }: Blocks,
    place: Place,
    recorded: Tried | null,
    candidate: Tried | null,
    cause: string | null = null,
  ): void {
    const { lane } = then;
    const { uuid, ...where } = place;
    if (recorded?.kind === "undecidable") this.#findings.notReproduced(lane, recorded.why);
    if (candidate?.kind === "undecidable" && recorded?.kind !== "undecidable") {
      const caseId = uuid === null ? "no case" : this.#nameOf(lane, uuid);
      this.#findings.undecidable({ lane, caseId, ...where, why: `its lane would halt: ${candidate.why}` });
      if (uuid !== null) this.#comparison.lose(`${lane} ${uuid}`);
    }
    if (recorded?.kind === "done") {
      this.#comparison.add("recorded", recorded.books, cause);
      // The others go on with the money that is recorded: what would differ for its lack alone says nothing of them.
      for (const { debit, credit, currency, minor, caseId } of recorded.books.lines) {
        if (!this.#comparison.isUnknown(`${lane} ${caseId}`)) continue;
        now.book(rules, { debit: debit.path, credit: credit.path, currency, minor });
      }
    }
    if (candidate?.kind === "done") this.#comparison.add("candidate", candidate.books, cause);
  }

  #endBlock({ recorded, candidate }: Blocks, { lane, block, lines, priorLines }: RecordedBlock): void {
    if (recorded.lines + priorLines.length !== lines) {
      const found = `${recorded.lines + priorLines.length} lines, recorded are ${lines}`;
      this.#findings.notReproduced(lane, `block ${block} decided anew has ${found}`);
    }
    for (const command of recorded.commands) this.#answers.recorded(lane, command);
    for (const command of candidate.commands) this.#called(lane, command);
    for (const message of recorded.messages) this.#mail.send("recorded", lane, message);
    for (const message of candidate.messages) this.#mail.send("candidate", lane, message);
    for (const message of candidate.messages) this.#mail.sortOut(lane, block, message);
    for (const timer of candidate.armed) {
      if (!this.#parts.recording.cases.hasFired(lane, timer)) this.#runs.candidate.keep(lane, timer);
    }
  }

  #called(lane: number, command: Command): void {
    const found = this.#answers.candidate(lane, command);
    if (found === "in the recording") {
      const held = this.#answers.release(lane, command);
      if (held.length > 0) this.#late.set(lane, [...(this.#late.get(lane) ?? []), ...held]);
      return;
    }
    const uuid = parseCaseId(command.caseId)?.uuid ?? command.caseId;
    if (!this.#comparison.isUnknown(`${lane} ${uuid}`)) this.#findings.unanswered(command, found);
    this.#comparison.lose(`${lane} ${uuid}`);
  }

  /** As its id is written, if either run knows the case. */
  #nameOf(lane: number, uuid: string): string {
    const { recorded, candidate } = this.#runs;
    const known = recorded.lane(lane).cases.get(uuid) ?? candidate.lane(lane).cases.get(uuid);
    return known === undefined ? uuid : printed(known);
  }
}

function placeOf(source: ReportInput["source"], offset: bigint): Pick<Place, "topic" | "offset"> {
  return source === "m" ? { topic: null, offset: null } : { topic: "reports", offset };
}

/** `<lane> <case>` of who sent it. */
function causeOf({ report: { from } }: ReportInput): string | null {
  const uuid = from === null ? undefined : parseCaseId(from.caseId)?.uuid;
  return from === null || uuid === undefined ? null : `${from.lane} ${uuid}`;
}
