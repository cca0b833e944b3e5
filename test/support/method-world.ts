// Holders of several lanes in memory, with the provider `script` and its trouble: the real intake, blocks and codec. Answers
// and messages between lanes come late and twice, commands are executed again as by a gateway that was killed behind the
// provider's answer, and time goes from one thing that is due to the next, so that months are a moment.

import { expect } from "vitest";
import { type CaseData, valueOf } from "../../src/domain/books.ts";
import type { CompiledFlow } from "../../src/domain/flow/compile/compile.ts";
import { type RateRow, RateSnapshot } from "../../src/domain/fx/rates.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { formatCaseId } from "../../src/domain/ids.ts";
import { makeParameterBook, type Overlays, type ParamValues } from "../../src/domain/parameters/parameters.ts";
import { writeOverlays } from "../../src/domain/parameters/stored.ts";
import { reportOf } from "../../src/gateways/contract.ts";
import { ScriptProvider } from "../../src/gateways/script.ts";
import type { CommandMessage, NewIntent } from "../../src/kafka/codec-messages.ts";
import { readData, type StoredData } from "../../src/store/case-data.ts";
import type { VersionSources } from "../../src/workload/audit/versions.ts";
import { CaseIds } from "../../src/workload/generate/generate.ts";
import { Random } from "../../src/workload/generate/random.ts";
import { FLOWS, LANES, NOW_MS, RULES } from "./ledger.ts";
import { MemoryProduction } from "./memory-lane.ts";
import { auditMemory } from "./second-audit.ts";

const STEPS_MAX = 100_000;
/** Behind a timer's time a lane waits for inputs that were in time. */
const TIMER_GRACE_MS = 5_001;

export type WorldCase = {
  /** the flow's name */
  readonly flow: string;
  readonly id: string;
  readonly uuid: string;
  readonly holderId: string;
  readonly state: string;
  readonly isListed: boolean;
  readonly data: CaseData;
  readonly history: string;
};

export type MethodWorldOptions = {
  readonly seed: number;
  /** units of the one for a unit of the other: `["ETH@eip155:1", "EUR", "2000.00"]` */
  readonly prices?: readonly (readonly [base: string, quote: string, mid: string])[];
  /** by flow and holder */
  readonly parameters?: Readonly<Record<string, Readonly<Record<string, ParamValues>>>>;
  readonly lateMs?: number;
  /** other than `script` with its trouble */
  readonly provider?: WorldProvider;
};

/** Answers at once. */
export type WorldProvider = Pick<ScriptProvider, "execute" | "ask">;

type Due = { readonly atMs: number; readonly run: () => void };

export class MethodWorld {
  readonly random: Random;
  readonly ids: CaseIds;
  readonly lanes: ReadonlyMap<number, MemoryProduction>;
  readonly provider: WorldProvider;
  nowMs = NOW_MS;
  readonly #seed: number;
  readonly #queue: Due[] = [];
  readonly #rates: readonly RateRow[];
  readonly #overlays: Overlays;

  constructor({ seed, prices = [], parameters = {}, lateMs = 20_000, provider }: MethodWorldOptions) {
    this.#seed = seed;
    this.random = new Random(seed);
    this.ids = new CaseIds(this.random);
    this.provider = provider ?? new ScriptProvider({ seed: String(seed), troublePercent: 60, lateMs });
    this.#rates = prices.map(([base, quote, mid]) => rateOf(base, quote, mid));
    const none = { provider: new Map(), tenant: new Map() };
    this.#overlays = new Map(
      Object.entries(parameters).map(([flow, holders]) => [
        flow,
        { ...none, holder: new Map(Object.entries(holders)) },
      ]),
    );
    const rates = RateSnapshot.EMPTY.with(1n, this.#rates);
    const book = makeParameterBook(1, this.#overlays);
    const versions = { rates: () => rates, parameters: () => book };
    const lanes = Array.from({ length: LANES }, (_, lane) => {
      const [resident = ""] = holdersOf("any", lane, 1);
      return new MemoryProduction(resident, RULES, undefined, versions);
    });
    this.lanes = new Map(lanes.map((lane) => [lane.lane, lane]));
  }

  at(delayMs: number, run: () => void): void {
    const due = { atMs: this.nowMs + delayMs, run };
    const index = this.#queue.findIndex(({ atMs }) => atMs > due.atMs);
    this.#queue.splice(index === -1 ? this.#queue.length : index, 0, due);
  }

  /** Publishes an intent, and now and then a second time. */
  ask(message: Pick<NewIntent, "type" | "holderId"> & Partial<NewIntent>): void {
    const intent = { occurredAt: BigInt(this.nowMs) * 1000n, ...message };
    const lane = this.#laneOf(intent.holderId);
    const value = lane.codec.encoders.intent.encode(intent);
    const publish = (): void => lane.append(Buffer.from(intent.holderId), value, this.nowMs);
    publish();
    if (this.random.happens(0.1)) this.at(1 + this.random.below(5_000), publish);
  }

  /** What a named person decides of a case. */
  decide(one: WorldCase, decision: string, more: Partial<NewIntent> = {}): void {
    this.ask({
      type: "case_decide",
      holderId: one.holderId,
      caseId: one.id,
      idempotencyKey: `person-${this.nowMs}-${decision}`,
      decision,
      principal: "ada",
      reason: "seen with the provider",
      ...more,
    });
  }

  /** Everything that is due until then happens. */
  async settle(untilMs: number): Promise<void> {
    for (let step = 0; ; step++) {
      if (step > STEPS_MAX) throw new Error("it does not come to rest");
      const next = this.#nextMs();
      if (next > untilMs) return;
      this.nowMs = Math.max(this.nowMs, next);
      for (let due = this.#queue[0]; due !== undefined && due.atMs <= this.nowMs; due = this.#queue[0]) {
        this.#queue.shift();
        due.run();
      }
      for (const lane of this.lanes.values()) await this.#commit(lane);
    }
  }

  cases(): WorldCase[] {
    return [...this.lanes.values()].flatMap((lane) =>
      lane.cases().map(({ caseId, kind, flow, data, ...rest }) => ({
        ...rest,
        flow: FLOWS[flow - 1]?.name ?? "",
        uuid: caseId,
        id: formatCaseId({ kind, uuid: caseId, timeMs: 0 }),
        data: readData(data as StoredData | null, (FLOWS[flow - 1] as CompiledFlow).variables),
      })),
    );
  }

  /** Credits less debits of an account in all lanes. */
  balance(path: string, currency: string): bigint {
    const rows = [...this.lanes.values()].flatMap((lane) => lane.standing().balances);
    return rows
      .filter((row) => row.path === path && row.currency === currency)
      .reduce((sum, { debits, credits }) => sum + credits - debits, 0n);
  }

  /** What was told, with the code of a reason. */
  told(): Set<string> {
    const told = [...this.lanes.values()].flatMap((lane) =>
      lane.blocks.flatMap(({ outcomes }) =>
        outcomes.messages.flatMap(({ value }) => {
          const { type, reason } = lane.codec.decoders.outcome.decode(value);
          return reason === null ? [type] : [type, reason.code];
        }),
      ),
    );
    return new Set(told);
  }

  /** Every currency sums to zero, and a second ledger decides every block the same. */
  async expectSound(test: string): Promise<void> {
    const sums = new Map<string, bigint>();
    for (const lane of this.lanes.values()) {
      for (const { currency, debits, credits } of lane.standing().balances)
        sums.set(currency, (sums.get(currency) ?? 0n) + debits - credits);
      const { found } = await auditMemory(lane, { versions: this.#versions });
      expect(found, `SEED=${this.#seed} npx vitest run ${test}`).toEqual({});
    }
    for (const [currency, sum] of sums) expect(sum, currency).toBe(0n);
    for (const one of this.cases()) {
      const isHuman = RULES.flows.find(({ name }) => name === one.flow)?.human.has(one.state) === true;
      expect([one.id, one.state, one.isListed]).toEqual([one.id, one.state, isHuman]);
    }
  }

  get #versions(): VersionSources {
    const rows = this.#rates.map(({ life, ...row }) => ({
      ...row,
      life: life.map((span) => [span.untilMs, span.quality, Number(span.extraBps), span.lockMaxMs] as const),
    }));
    return {
      rates: async (after) => (after < 1n ? rows : []),
      parameters: async () =>
        new Map([[1n, { overlays: writeOverlays(this.#overlays), settings: null, routes: null }]]),
    };
  }

  #laneOf(holderId: string): MemoryProduction {
    return this.lanes.get(homeLane(holderId, LANES)) as MemoryProduction;
  }

  /** When something happens next; infinity when nothing does. */
  #nextMs(): number {
    const timers = [...this.lanes.values()].flatMap((lane) => lane.standing().timers);
    const due = timers.map(({ dueAt }) => Date.parse(dueAt) + TIMER_GRACE_MS);
    return Math.min(this.#queue[0]?.atMs ?? Number.POSITIVE_INFINITY, ...due);
  }

  async #commit(lane: MemoryProduction): Promise<void> {
    const from = lane.blocks.length;
    await lane.commit(this.nowMs);
    for (const { commands } of lane.blocks.slice(from)) {
      for (const { value } of commands.messages) this.#execute(lane.codec.decoders.command.decode(value));
    }
    for (const { toLane, key, value } of lane.outgoing.splice(0)) {
      const to = this.lanes.get(toLane) as MemoryProduction;
      const arrive = (): void => to.appendReport(Buffer.from(key), value, this.nowMs);
      // In order, however late: messages of a pair are one sequence, and a gap would halt the lane. Then again, as by a relay
      // that was killed behind its append.
      this.at(1, arrive);
      if (this.random.happens(0.1)) this.at(1 + this.random.below(5_000), arrive);
    }
  }

  #execute(command: CommandMessage): void {
    const tell = (): void => {
      const answers = command.readOnly ? this.provider.ask(command) : this.provider.execute(command);
      const lane = this.#laneOf(command.holderId);
      for (const answer of answers) {
        const times = this.random.happens(0.1) ? 2 : 1;
        for (let time = 0; time < times; time++) {
          this.at(answer.afterMs + 1 + this.random.below(3_000) * (time + 1), () => {
            const report = reportOf(command, answer, this.nowMs);
            lane.appendReport(Buffer.from(report.holderId), lane.codec.encoders.report.encode(report), this.nowMs);
          });
        }
      }
    };
    tell();
    if (this.random.happens(0.1)) this.at(1 + this.random.below(60_000), tell);
  }
}

/** Some holders that are at home in a lane. */
export function holdersOf(prefix: string, lane: number, count: number): string[] {
  const all = Array.from({ length: 200 }, (_, at) => `${prefix}_${at}`);
  return all.filter((holder) => homeLane(holder, LANES) === lane).slice(0, count);
}

/** @returns 0n where the case has none */
export function amountOf(one: WorldCase, name: string): bigint {
  return (valueOf(one.data, name) ?? 0n) as bigint;
}

function rateOf(base: string, quote: string, mid: string): RateRow {
  const life = [{ untilMs: NOW_MS + 10_000 * 86_400_000, quality: "fresh", extraBps: 0n, lockMaxMs: null }] as const;
  const said = { bid: mid, mid, ask: mid, seq: 1n, asOfMs: NOW_MS, receivedAtMs: NOW_MS };
  return { version: 1n, feed: "desk", priority: 1, pivot: "EUR", base, quote, ...said, life };
}
