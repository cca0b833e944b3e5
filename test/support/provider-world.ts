// A lane in memory and the provider `script`, put together as in life: answers take their time and come twice, commands are
// executed again because whoever executed them was killed before it could tell, blocks are decided again because whoever
// decided them was, and timers fire when nothing else is due before.

import { expect } from "vitest";
import { type Books, type CaseRecord, type Command, type TimerKey, valueOf } from "../../src/domain/books.ts";
import { formatCaseId } from "../../src/domain/ids.ts";
import { reportOf } from "../../src/gateways/contract.ts";
import { ScriptProvider } from "../../src/gateways/script.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { Random } from "../../src/workload/generate/random.ts";
import { CardLane } from "./card-lane.ts";
import { MemoryLane, NOW_MS } from "./ledger.ts";

const TWICE_SHARE = 0.1;
const KILLED_SHARE = 0.05;
const STEPS_MAX = 100_000;

type Due = { readonly atMs: number; readonly run: () => void };

class MortalLane extends CardLane {
  readonly #random: Random;

  constructor(random: Random) {
    super();
    this.#random = random;
  }

  /** Now and then whoever decides is killed before the block is kept, and it is decided again. */
  override block<T>(work: (books: Books) => T, nowMs = NOW_MS): T {
    if (this.#random.happens(KILLED_SHARE)) {
      const killed = new Error("killed");
      const die = (): void => {
        MemoryLane.prototype.block.call(
          this,
          (books) => {
            work(books);
            throw killed;
          },
          nowMs,
        );
      };
      expect(die).toThrow(killed);
    }
    return super.block(work, nowMs);
  }
}

export class ProviderWorld {
  readonly random: Random;
  readonly lane: CardLane;
  readonly provider: ScriptProvider;
  nowMs = NOW_MS;
  readonly #queue: Due[] = [];
  #commandsSeen = 0;

  constructor(seed: number, troublePercent = 60) {
    this.random = new Random(seed);
    this.lane = new MortalLane(new Random(seed + 1_000));
    this.provider = new ScriptProvider({ seed: String(seed), troublePercent, lateMs: 20_000 });
  }

  at(delayMs: number, run: () => void): void {
    const due = { atMs: this.nowMs + delayMs, run };
    const index = this.#queue.findIndex(({ atMs }) => atMs > due.atMs);
    this.#queue.splice(index === -1 ? this.#queue.length : index, 0, due);
  }

  ask(message: Pick<NewIntent, "type" | "holderId"> & Partial<NewIntent>): void {
    this.lane.decide([{ occurredAt: BigInt(this.nowMs) * 1000n, ...message }], this.nowMs, this.nowMs);
    this.#dispatch();
  }

  /** What a named person decides of a case that waits for one. */
  decide(one: CaseRecord, decision: string, key = "person"): void {
    this.ask({
      type: "case_decide",
      holderId: one.holderId,
      caseId: idOf(one),
      idempotencyKey: `${key}-${this.nowMs}`,
      decision,
      principal: "ada",
      reason: "the bank's statement",
    });
  }

  /** Takes one after the other whatever is due before `untilMs`. */
  settle(untilMs: number): void {
    let steps = 0;
    while (this.#step(untilMs)) if (steps++ > STEPS_MAX) throw new Error("it does not come to rest");
  }

  cases(): readonly CaseRecord[] {
    return [...this.lane.open().cases.values()];
  }

  /** Every currency of all accounts. */
  expectZeroSums(): void {
    const sums = new Map<string, bigint>();
    for (const { currency, debits, credits } of this.lane.accounts())
      sums.set(currency, (sums.get(currency) ?? 0n) + debits - credits);
    for (const [currency, sum] of sums) expect(sum, currency).toBe(0n);
  }

  /** Under which keys something was done at the provider, with how often a key was used. */
  keysOf(call: string): ReadonlyMap<string, number> {
    const keys = new Map<string, number>();
    for (const command of this.lane.commands.filter((one) => one.call === call)) {
      const key = command.idempotencyKey ?? "";
      keys.set(key, (keys.get(key) ?? 0) + 1);
    }
    return keys;
  }

  /** Reports and intents before timers. @returns false when nothing happens any more before `untilMs` */
  #step(untilMs: number): boolean {
    const timer = this.#nextTimer();
    const next = this.#queue[0];
    if (next !== undefined && next.atMs <= (timer?.dueMs ?? Number.POSITIVE_INFINITY)) {
      this.#queue.shift();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
      return true;
    }
    if (timer === undefined || timer.dueMs > untilMs) return false;
    this.nowMs = Math.max(this.nowMs, timer.dueMs);
    this.lane.fire(timer);
    this.#dispatch();
    return true;
  }

  #nextTimer(): TimerKey | undefined {
    return [...this.lane.timers].sort((a, b) => a.dueMs - b.dueMs || (a.name < b.name ? -1 : 1))[0];
  }

  /** What the cases have asked since the last time goes to the provider, and its answers come back. */
  #dispatch(): void {
    for (; this.#commandsSeen < this.lane.commands.length; this.#commandsSeen++) {
      const command = this.lane.commands[this.#commandsSeen] as Command;
      this.#send(command, 1);
      // Killed behind the effect and before it could tell: whoever takes over executes it again.
      if (this.random.happens(KILLED_SHARE)) this.at(5_000, () => this.#send(command, 1));
    }
  }

  #send(command: Command, firstMs: number): void {
    const message = { ...command, lane: 1, block: 0n, notAfter: command.notAfterMicros };
    const answers = command.readOnly ? this.provider.ask(message) : this.provider.execute(message);
    for (const answer of answers) {
      const times = this.random.happens(TWICE_SHARE) ? 2 : 1;
      for (let time = 0; time < times; time++) {
        this.at(answer.afterMs + firstMs + this.random.below(3_000) * (time + 1), () => {
          const { holderId, call, attempt, result, observation, payload } = reportOf(message, answer, this.nowMs);
          this.lane.report(command.caseId, holderId, { call, attempt, result, observation, payload }, this.nowMs);
          this.#dispatch();
        });
      }
    }
  }
}

export function idOf(one: CaseRecord): string {
  return formatCaseId({ kind: one.kind, uuid: one.id, timeMs: 0 });
}

/** A number or an amount that a case keeps; 0n when it is not known. */
export function kept(one: CaseRecord, name: string): bigint {
  const value = valueOf(one.data, name);
  return typeof value === "bigint" ? value : 0n;
}
