// Decides one block's inputs anew, in the order in which a block decides them: timers that are due, reports, intents.

import type { InputRecord } from "../../kafka/port.ts";
import { Deciding, Undecidable } from "./decide.ts";
import { openerOf, type Read, type Reason, type TakenBy, takeIn } from "./intake.ts";
import type { Difference } from "./invariants.ts";
import type { Gathered, UnsentMessage } from "./keeping.ts";
import { firedBy, flowsFor } from "./knowable.ts";
import {
  comesBefore,
  type LaneLedger,
  NO_TIMER,
  noteBlock,
  RECENT_MAX,
  type SecondMessage,
  type SecondTimer,
  timerKey,
} from "./ledger.ts";
import { readReport } from "./reports.ts";
import type { SecondRules } from "./rules.ts";
import type { SchemaBook } from "./schemas.ts";
import type { BlockTaken, DecodedBy } from "./taken.ts";
import { World, type WorldOf } from "./world.ts";

export type Misfit = { readonly record: InputRecord; readonly reason: string };

export type DecidedBlock = Gathered & {
  /** to other lanes, by lane and sequence */
  readonly sent: readonly SecondMessage[];
  /** taken in their turn, those that were cancelled just before it included */
  readonly fired: readonly SecondTimer[];
  readonly misfits: readonly Misfit[];
  /** inputs that could not be decided anew, with why, and were believed */
  readonly believed: readonly string[];
  /** what is wrong with the block whatever it wrote; then nothing of it was decided */
  readonly wrong: readonly Difference[];
};

/** What decisions hang on beside the inputs. */
export type DecidedBy = { readonly schemas: DecodedBy; readonly asks: WorldOf["asks"] };

export function decideBlock(rules: SecondRules, ledger: LaneLedger, taken: BlockTaken, by: DecidedBy): DecidedBlock {
  const decided = {
    lines: [],
    outcomes: [],
    commands: [],
    messages: [] as UnsentMessage[],
    sent: [] as SecondMessage[],
    touched: new Set<never>(),
    fired: firedBy(ledger, taken),
    misfits: [] as Misfit[],
    believed: [] as string[],
    wrong: [] as Difference[],
  };
  decided.wrong.push(...judgeTimes(ledger, taken, decided.fired));
  ledger.nowMs = Math.max(ledger.nowMs, taken.nowMs);
  const world = new World(rules, { asks: by.asks, flows: taken.flows, nowMs: ledger.nowMs });
  const deciding = new Deciding(world, ledger, decided);
  try {
    fireAll(deciding, ledger, decided.fired);
  } catch (error) {
    decided.wrong.push({ invariant: "timers_decided_anew", text: whyUndecidable(error) });
  }
  try {
    for (const record of taken.reports) takeReport(deciding, rules, ledger, record, by.schemas.reports);
    takeIntents(deciding, rules, ledger, taken, { decided, schemas: by.schemas.intents });
    settle(deciding, ledger, taken.block, decided);
  } catch (error) {
    decided.wrong.push({ invariant: "reports_decided_anew", text: whyUndecidable(error) });
  }
  remember(ledger, taken, decided);
  return decided;
}

/** Those that wait as the block begins, in order; one that another before it has cancelled is passed over. */
function fireAll(deciding: Deciding, ledger: LaneLedger, fired: readonly SecondTimer[]): void {
  const waiting = fired.map((timer) => ledger.timers.has(timerKey(timer)));
  for (const [index, timer] of fired.entries()) {
    const isCancelled = waiting[index] === true && !ledger.timers.has(timerKey(timer));
    if (!isCancelled) deciding.timer(timer);
  }
}

function whyUndecidable(error: unknown): string {
  if (error instanceof Undecidable) return error.message;
  throw error;
}

/** A message between lanes is taken in its turn, and once. */
function takeReport(
  deciding: Deciding,
  rules: SecondRules,
  ledger: LaneLedger,
  record: InputRecord,
  schemas: SchemaBook,
): void {
  const place = `the report at offset ${record.offset}`;
  const report = readReport(rules, ledger.lane, record, schemas);
  if (typeof report === "string") throw new Undecidable(`${place}: ${report}`);
  const { from } = report;
  if (from !== null) {
    const last = ledger.seen.get(from.lane) ?? -1n;
    if (from.sequence <= last) return;
    if (from.sequence > last + 1n) {
      throw new Undecidable(
        `${place} is message ${from.sequence} of lane ${from.lane}, and ${last + 1n} was not taken`,
      );
    }
    ledger.seen.set(from.lane, from.sequence);
  }
  deciding.report({ stem: `r-${ledger.lane}-${record.offset}`, source: "r", offset: record.offset, report });
}

function takeIntents(
  deciding: Deciding,
  rules: SecondRules,
  ledger: LaneLedger,
  taken: BlockTaken,
  { decided, schemas }: { readonly decided: { misfits: Misfit[]; believed: string[] }; readonly schemas: SchemaBook },
): void {
  const { lane } = ledger;
  for (const record of taken.intents) {
    const flows = flowsFor(rules, taken, record.offset);
    const read = judgeIntake({ rules, lane, flows }, record, taken, schemas, decided.believed);
    if (read.kind === "misfit") decided.misfits.push({ record, reason: read.reason });
    else {
      const { offset, appendedAtMs } = record;
      const opens = openerOf(flows, read.intent);
      deciding.intent({ kind: "intent", offset, appendedAtMs, intent: read.intent, opens });
    }
  }
}

/** Numbers what was sent, and takes what was sent within the lane, in its order, until nothing is left. */
function settle(
  deciding: Deciding,
  ledger: LaneLedger,
  block: bigint,
  decided: { readonly messages: readonly UnsentMessage[]; readonly sent: SecondMessage[] },
): void {
  for (let at = 0; at < decided.messages.length; at++) {
    const message = decided.messages[at] as UnsentMessage;
    const { toLane } = message;
    const sequence = ledger.sent.get(toLane) ?? 0n;
    ledger.sent.set(toLane, sequence + 1n);
    const sent = { ...message, sequence, from: { ...message.from, lane: ledger.lane, sequence, block } };
    if (toLane !== ledger.lane) {
      decided.sent.push(sent);
      continue;
    }
    ledger.seen.set(toLane, sequence);
    deciding.report({ stem: `m-${ledger.lane}-${sequence}`, source: "m", offset: sequence, report: sent });
  }
}

function remember(ledger: LaneLedger, taken: BlockTaken, { fired, misfits }: DecidedBlock): void {
  noteBlock(ledger, taken.block, fired.length);
  ledger.deadLettersNext += BigInt(misfits.length);
  ledger.firedTo = fired.at(-1) ?? ledger.firedTo;
}

// Time --------------------------------------------------------------------------------------------------------------------

function judgeTimes(ledger: LaneLedger, taken: BlockTaken, fired: readonly SecondTimer[]): Difference[] {
  const wrong: Difference[] = [];
  const last = fired.at(-1) ?? ledger.firedTo ?? NO_TIMER;
  const inputs = [...taken.reports, ...taken.intents];
  if (fired.length < taken.timers) {
    const text = `it fired ${taken.timers} timers, and ${fired.length} wait`;
    wrong.push({ invariant: "timers_decided_anew", text });
  }
  for (const timer of fired) {
    const place = `timer ${timer.name} of case ${timer.uuid}, due ${iso(timer.dueMs)}`;
    if (timer.dueMs > taken.nowMs) {
      wrong.push({ invariant: "timers_not_early", text: `${place}, fires at ${iso(taken.nowMs)}` });
    }
    if (ledger.firedTo !== null && !comesBefore(ledger.firedTo, timer)) {
      wrong.push({ invariant: "timers_decided_anew", text: `${place}, fires behind one that comes later` });
    }
  }
  for (const { offset, appendedAtMs } of inputs) {
    // Of a broker whose clock went back, the log's own order is believed: later records were appended later.
    ledger.inputsToMs = Math.max(ledger.inputsToMs, appendedAtMs);
    if (ledger.inputsToMs >= last.dueMs) continue;
    const text = `the input at offset ${offset}, appended at ${iso(appendedAtMs)}, comes behind timer ${last.name} of case ${last.uuid}, due ${iso(last.dueMs)}`;
    wrong.push({ invariant: "timers_overtake_nothing", text });
  }
  const time = judgeNow(ledger, taken, inputs, fired);
  return time === null ? wrong : [...wrong, time];
}

function judgeNow(
  ledger: LaneLedger,
  taken: BlockTaken,
  inputs: readonly InputRecord[],
  fired: readonly SecondTimer[],
): Difference | null {
  const least = Math.max(ledger.nowMs, fired.at(-1)?.dueMs ?? 0, ...inputs.map(({ appendedAtMs }) => appendedAtMs));
  // Without inputs the clock said it, and nobody knows any more what it said.
  const isRight = inputs.length === 0 ? taken.nowMs >= least : taken.nowMs === least;
  if (isRight) return null;
  const wanted = inputs.length === 0 ? `not before ${iso(least)}` : iso(least);
  return { invariant: "time_decided_anew", text: `it is of ${iso(taken.nowMs)}, decided anew ${wanted}` };
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

const FORGOTTEN_MS = 300_000;

/** Timers that will not fire any more, or should have long ago: five minutes due, and a hundred blocks since have fired
 *  none. Sooner nobody can tell: an owner that has just taken the lane looks for timers after its first empty fetch. */
export function forgottenTimers(ledger: LaneLedger): Difference[] {
  const [oldest] = ledger.recent;
  const isQuiet = ledger.recent.length === RECENT_MAX && ledger.recent.every(({ fired }) => fired === 0);
  const forgotten: Difference[] = [];
  for (const timer of ledger.timers.values()) {
    const isPassed = ledger.firedTo !== null && ledger.firedTo.dueMs > 0 && !comesBefore(ledger.firedTo, timer);
    const isLate = isQuiet && timer.dueMs + FORGOTTEN_MS < (oldest?.nowMs ?? 0);
    if (!isPassed && !isLate) continue;
    const why = isPassed ? "the lane is past it" : `${RECENT_MAX} blocks since have fired none`;
    const text = `timer ${timer.name} of case ${timer.uuid}, due ${iso(timer.dueMs)}: ${why}`;
    forgotten.push({ invariant: "timers_not_forgotten", text });
  }
  return forgotten;
}

// Intake ------------------------------------------------------------------------------------------------------------------

/** Two reasons hang on what was true then: that the registry had no such schema, and that the database refused a row. */
function judgeIntake(
  by: TakenBy,
  record: InputRecord,
  taken: BlockTaken,
  schemas: SchemaBook,
  believed: string[],
): Read {
  const read = takeIn(by, record, schemas);
  const aside = taken.putAside.get(record.offset);
  if (read.kind === "misfit" || aside === undefined) return read;
  const isOfThen =
    aside.reason === "unknown_schema" ||
    (aside.reason === "invalid_field" && /^(the database refuses it|type: no flow takes it)/.test(aside.detail));
  if (!isOfThen) return read;
  believed.push(`offset ${record.offset}: ${aside.detail}`);
  return { kind: "misfit", reason: aside.reason as Reason, field: null };
}
