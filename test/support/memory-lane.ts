// A lane of the production core in memory: the real intake and the real blocks over a log and tables that are Maps. What it
// has written is handed out as the auditor reads it from Postgres and Kafka.

import { Undecidable } from "../../src/domain/decide/decide.ts";
import { NO_RATES, type RateBook } from "../../src/domain/fx/rates.ts";
import type { Head } from "../../src/domain/head.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { NO_PARAMETERS, type ParameterBook } from "../../src/domain/parameters/parameters.ts";
import type { Rules } from "../../src/domain/rules.ts";
import { MESSAGE_KINDS } from "../../src/kafka/codec-messages.ts";
import type { InputRecord } from "../../src/kafka/port.ts";
import { type Batch, type Block, type LaneMemory, makeBlock } from "../../src/processor/block.ts";
import { NO_PAIRS } from "../../src/processor/crossing.ts";
import { takeIn } from "../../src/processor/intake.ts";
import { readReport } from "../../src/processor/reports.ts";
import type {
  ArmedTimer,
  BalanceRow,
  BlockRow,
  CaseRow,
  CrossingRow,
  LaneStanding,
  LineRow,
  QuarantineRow,
} from "../../src/store/audit.ts";
import type { BalanceRow as StoredBalance, CaseRow as StoredCase } from "../../src/store/blocks.ts";
import type { BlockMessages } from "../../src/workload/audit/messages.ts";
import type { SecondBlock } from "../../src/workload/audit/second.ts";
import { codecWith, IDS, MemoryRegistry, SCHEMAS } from "../unit/codec-fixtures.ts";
import { caseRowOf } from "./case-row.ts";
import { LANES, RULES } from "./ledger.ts";

const LIMITS = { recordBytesMax: 65_536, futureMs: 86_400_000 };
const NOTHING = { next: 0n, last: -1n, lastAtMs: 0, lastHash: Buffer.alloc(0) };

/** Knows the schemas that our own messages are written by. */
export function ownRegistry(): MemoryRegistry {
  const registry = new MemoryRegistry();
  for (const kind of MESSAGE_KINDS) registry.schemas.set(IDS[kind], SCHEMAS[kind]);
  return registry;
}

type Kept = StoredBalance & { readonly openedBlock: bigint };
type Timer = { readonly dueMs: number; readonly caseId: string; readonly name: string };

/** A message to another lane, as the relay would carry it. */
export type Carried = { readonly toLane: number; readonly key: string; readonly value: Buffer };

export type Versions = { readonly rates: () => RateBook; readonly parameters: () => ParameterBook };

const NO_VERSIONS: Versions = { rates: () => NO_RATES, parameters: () => NO_PARAMETERS };

export class MemoryProduction {
  readonly lane: number;
  readonly registry: MemoryRegistry;
  readonly codec;
  readonly log: InputRecord[] = [];
  readonly reportLog: InputRecord[] = [];
  /** what it sent to other lanes, in order; whoever carries it takes it out */
  readonly outgoing: Carried[] = [];
  readonly blocks: SecondBlock[] = [];
  #rules: Rules;
  readonly #versions: Versions;
  #memory: LaneMemory;
  readonly #cases = new Map<string, StoredCase>();
  readonly #balances = new Map<bigint, Kept>();
  #timers: Timer[] = [];
  /** ids of cases that are listed as waiting for a person */
  readonly #attention = new Set<string>();

  constructor(holderId: string, rules: Rules = RULES, registry = ownRegistry(), versions = NO_VERSIONS) {
    this.lane = homeLane(holderId, LANES);
    this.#rules = rules;
    this.#versions = versions;
    this.registry = registry;
    this.codec = codecWith(registry);
    const head: Head = {
      epoch: 1n,
      block: 0n,
      digest: Buffer.alloc(32),
      nowMs: 0,
      intents: NOTHING,
      reports: NOTHING,
      timer: { dueMs: 0, caseId: "0".repeat(32), name: "" },
      outcomesNext: 0n,
      commandsNext: 0n,
      deadLettersNext: 0n,
      accounts: 0n,
    };
    this.#memory = { head, house: new Map(), pairs: NO_PAIRS };
  }

  /** From here on other rules hold. */
  goBy(rules: Rules): void {
    this.#rules = rules;
  }

  get head(): Head {
    return this.#memory.head;
  }

  append(key: Buffer | null, value: Buffer | null, appendedAtMs: number): void {
    this.log.push({ offset: BigInt(this.log.length), appendedAtMs, key, value });
  }

  appendReport(key: Buffer | null, value: Buffer | null, appendedAtMs: number): void {
    this.reportLog.push({ offset: BigInt(this.reportLog.length), appendedAtMs, key, value });
  }

  /** As `commit`, and where the lane would halt at a report, goes on without the reports that wait.
   *  @returns how many were left out */
  async commitPastHalts(nowMs: number): Promise<number> {
    try {
      await this.commit(nowMs);
      return 0;
    } catch (error) {
      if (!(error instanceof Undecidable)) throw error;
      const left = this.reportLog.splice(Number(this.#memory.head.reports.next));
      for (const one of left.filter((record) => this.#isBetweenLanes(record))) {
        this.appendReport(one.key, one.value, one.appendedAtMs);
      }
      await this.commit(nowMs);
      return left.length;
    }
  }

  /** A message between lanes is never left out: the next would be a gap. */
  #isBetweenLanes({ value }: InputRecord): boolean {
    return value !== null && this.codec.decoders.report.decode(value).from !== null;
  }

  /** Takes what waits in the logs into a block, behind the timers that are due by then; nothing when there is neither.
   *  @param watermarkMs no input that was in time for this moment is still to come; what a lane does by default when left out */
  async commit(nowMs: number, watermarkMs?: number): Promise<void> {
    const { head } = this.#memory;
    const records = this.log.slice(Number(head.intents.next));
    const reports = this.reportLog.slice(Number(head.reports.next));
    const appended = [...records, ...reports].map(({ appendedAtMs }) => appendedAtMs);
    const dueBy = watermarkMs ?? (appended.length === 0 ? nowMs - 5_000 : Math.min(...appended));
    const due = this.#timers.filter(({ dueMs }) => dueMs <= dueBy).sort(byPosition);
    if (appended.length + due.length === 0) return;
    const { intent, report } = this.codec.decoders;
    for (const { value } of records) await learn(intent, value);
    for (const { value } of reports) await learn(report, value);
    const batch: Batch = {
      timers: due.map((timer) => ({ kind: "timer", timer })),
      reports: reports.map((one) => readReport(one, this.lane, LANES, report)),
      reportsLast: reports.at(-1) ?? null,
      messages: [],
      reportsNext: BigInt(this.reportLog.length),
      intents: records.map((one) => takeIn(one, this.lane, this.#rules, intent, LIMITS)),
      intentsNext: BigInt(this.log.length),
      intentsLast: records.at(-1) ?? null,
      nowMs: appended.length === 0 ? null : Math.max(...appended),
      accepted: null,
    };
    const maker = {
      rules: this.#rules,
      ...this.#versions,
      codec: this.codec,
      intentsTopic: "intents",
      process: 1n,
    };
    const block = makeBlock(maker, this.lane, this.#memory, batch, {
      lane: { epoch: 1n, block: head.block, digest: head.digest, clockMs: nowMs },
      cases: [...this.#cases.values()],
      balances: [...this.#balances.values()].filter(({ id }) => id > 0n),
    });
    this.#keep(block);
    this.blocks.push(this.#written(block, records, reports));
    this.outgoing.push(...carriedBy(block));
  }

  #keep({ rows, newHouse, pairs }: Block): void {
    for (const { path, currency, id } of newHouse) this.#memory.house.set(`${path} ${currency}`, id);
    this.#memory = { head: rows.after, house: this.#memory.house, pairs };
    for (const one of rows.cases) if (one.isNew || one.changed) this.#cases.set(one.id, caseRowOf(one));
    for (const one of rows.accounts) {
      const before = this.#balances.get(one.id);
      const debits = (before?.debits ?? 0n) + one.addedDebits;
      const credits = (before?.credits ?? 0n) + one.addedCredits;
      const { id, path, currency, floorMinor, status } = one;
      const openedBlock = before?.openedBlock ?? rows.after.block;
      this.#balances.set(id, { id, path, currency, floorMinor, status, debits, credits, openedBlock });
    }
    const gone = new Set(rows.timersGone.map(nameOf));
    for (const id of rows.attention.begun) this.#attention.add(id);
    for (const id of rows.attention.over) this.#attention.delete(id);
    this.#timers = [...this.#timers, ...rows.timersArmed].filter((timer) => !gone.has(nameOf(timer)));
  }

  // As the auditor reads it ------------------------------------------------------------------------------------------

  #written(block: Block, records: readonly InputRecord[], reports: readonly InputRecord[]): SecondBlock {
    const { rows } = block;
    const recordedAt = new Date(rows.after.nowMs).toISOString();
    const lines: LineRow[] = rows.lines.map((line, index) => ({
      block: rows.after.block,
      index,
      recordedAt,
      debit: line.debit.id,
      credit: line.credit.id,
      amount: line.minor,
      caseId: line.caseId,
      currency: line.currency,
      posting: line.posting,
    }));
    const quarantine: QuarantineRow[] = rows.quarantine.map((row) => ({ ...row, block: rows.after.block, recordedAt }));
    return {
      row: rowOf(block, recordedAt),
      lines,
      quarantine,
      intents: { records, knownFrom: 0n, skipped: [] },
      reports: { records: reports, knownFrom: 0n, skipped: [] },
      outcomes: messagesOf(block, "outcomes"),
      commands: messagesOf(block, "commands"),
      deadLetters: messagesOf(block, "deadLetters"),
      crossing: crossingOf(block, recordedAt),
    };
  }

  standing(): LaneStanding {
    const { head } = this.#memory;
    const balances: BalanceRow[] = [...this.#balances.values()].map(({ id, ...rest }) => ({ account: id, ...rest }));
    const timers: ArmedTimer[] = this.#timers.map(({ dueMs, caseId, name }) => ({
      dueAt: new Date(dueMs).toISOString(),
      caseId,
      name,
    }));
    const { block, outcomesNext, commandsNext, deadLettersNext, accounts } = head;
    const nowAt = new Date(head.nowMs).toISOString();
    const rest = { block, nowAt, accounts, outcomesNext, commandsNext, deadLettersNext };
    const position = {
      timerDueAt: new Date(head.timer.dueMs).toISOString(),
      timerCaseId: head.timer.caseId,
      timerName: head.timer.name,
    };
    const { sent, seen } = this.#memory.pairs;
    const pairs = { sent: pairsText([...sent]), seen: pairsText([...seen]) };
    return {
      head: { lane: this.lane, ...rest, ...position, ...pairs } as unknown as LaneStanding["head"],
      balances,
      timers,
    };
  }

  cases(): CaseRow[] {
    return [...this.#cases.values()].map(({ id, data, ...rest }) => ({
      ...rest,
      caseId: id,
      data,
      missingTimers: [],
      isListed: this.#attention.has(id),
    }));
  }
}

function rowOf({ rows }: Block, recordedAt: string): BlockRow {
  const { before, after } = rows;
  return {
    block: after.block,
    recordedAt,
    epoch: after.epoch,
    previousDigest: before.digest,
    digest: after.digest,
    linesHash: rows.linesHash,
    messagesHash: rows.messagesHash,
    intentsFrom: before.intents.next,
    intentsNext: after.intents.next,
    reportsFrom: before.reports.next,
    reportsNext: after.reports.next,
    flows: [...new Set(rows.cases.filter((one) => one.changed).map(({ flow }) => flow.number))].sort((a, b) => a - b),
    timers: rows.timersFired,
    lines: rows.lines.length,
    outcomesFrom: before.outcomesNext,
    outcomesNext: after.outcomesNext,
    commandsFrom: before.commandsNext,
    commandsNext: after.commandsNext,
    deadLettersFrom: before.deadLettersNext,
    deadLettersNext: after.deadLettersNext,
    halt: null,
    ratesVersion: rows.ratesVersion,
    parametersVersion: rows.parametersVersion,
    sent: pairsText(rows.crossing?.sent ?? []),
    seen: pairsText(rows.crossing?.seen ?? []),
  };
}

async function learn(
  decoder: { needs(value: Buffer): number | null; learn(id: number): Promise<unknown> },
  value: Buffer | null,
) {
  const id = value === null ? null : decoder.needs(value);
  if (id !== null) await decoder.learn(id);
}

function pairsText(pairs: readonly (readonly [number, bigint])[]): string | null {
  return pairs.length === 0 ? null : pairs.map(([lane, sequence]) => `${lane} ${sequence}`).join(",");
}

function crossingOf(block: Block, recordedAt: string): CrossingRow[] {
  const { sequences } = block.messages.crossing;
  return carriedBy(block).map((one, index) => ({
    ...one,
    sequence: sequences[index] as bigint,
    block: block.rows.after.block,
    recordedAt,
  }));
}

function carriedBy({ messages }: Block): Carried[] {
  const { toLanes, keys, starts, sizes } = messages.crossing;
  return toLanes.map((toLane, index) => {
    const start = starts[index] as number;
    const value = Buffer.from(messages.bytes.subarray(start, start + (sizes[index] as number)));
    return { toLane, key: keys[index] as string, value };
  });
}

function messagesOf({ messages }: Block, topic: "outcomes" | "commands" | "deadLetters"): BlockMessages {
  const found = messages.starts.flatMap((start, index) => {
    if (messages.topics[index] !== topic) return [];
    const value = Buffer.from(messages.bytes.subarray(start, start + (messages.sizes[index] as number)));
    return [
      { sequence: messages.sequences[index] as bigint, key: messages.keys[index] as string, value, message: null },
    ];
  });
  return { messages: found, missing: [] };
}

function nameOf({ dueMs, caseId, name }: Timer): string {
  return `${dueMs} ${caseId} ${name}`;
}

function byPosition(one: Timer, other: Timer): number {
  if (one.dueMs !== other.dueMs) return one.dueMs - other.dueMs;
  const [place, otherPlace] = [`${one.caseId} ${one.name}`, `${other.caseId} ${other.name}`];
  return place < otherPlace ? -1 : 1;
}
