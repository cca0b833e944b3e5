// Where everything that happens goes through, for both providers: an operation begins, takes the steps of its plan when
// they are due, and is told about. One entry of the journal each, applied to the memory in the same turn of the event loop
// in which it was decided, so no two requests decide by the same memory.

import type { Behaviour } from "./behaviour.ts";
import type { Chooser } from "./choose.ts";
import { copiesOf, type Deliveries, type Delivery } from "./deliveries.ts";
import type { Journal } from "./journal.ts";
import { type Begun, lastTurn, type Memory, type Operation, type ProviderName, type Turn } from "./memory.ts";
import type { Step } from "./plan.ts";

export type Times = {
  /** after which customers and banks do their part */
  readonly soonMs: number;
  /** after which comes what comes late, about */
  readonly lateMs: number;
  /** after which a slow request is answered */
  readonly slowMs: number;
  /** for how long a connection that gets no answer is held */
  readonly silentMs: number;
};

/** What the desk has to know of a provider. */
export type ProviderDesk = {
  readonly plan: (operation: Operation) => readonly Step[];
  /** @returns null when it is too late for the step */
  readonly turnFor: (operation: Operation, step: Step, index: number) => Omit<Turn, "at"> | null;
  /** null while nobody wants to be told */
  readonly delivery:
    | ((operation: Operation, index: number, isForged: boolean) => Pick<Delivery, "url" | "make">)
    | null;
  readonly eventId: (operation: Operation, index: number) => string;
};

/** Longer waits than a timer can have are taken in pieces. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class Desk {
  readonly memory: Memory;
  readonly times: Times;
  readonly #journal: Journal;
  readonly #chooser: Chooser;
  readonly #deliveries: Deliveries;
  readonly #providers: Readonly<Record<ProviderName, ProviderDesk>>;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isStopped = false;

  constructor(parts: {
    readonly memory: Memory;
    readonly times: Times;
    readonly journal: Journal;
    readonly chooser: Chooser;
    readonly deliveries: Deliveries;
    readonly providers: Readonly<Record<ProviderName, ProviderDesk>>;
  }) {
    this.memory = parts.memory;
    this.times = parts.times;
    this.#journal = parts.journal;
    this.#chooser = parts.chooser;
    this.#deliveries = parts.deliveries;
    this.#providers = parts.providers;
  }

  /** Takes up what a run before has left: steps that are due, and what is to be told. */
  resume(): void {
    for (const operation of this.memory.all()) {
      operation.turns.forEach((_, index) => {
        this.#tell(operation, index);
      });
      this.#arm(operation);
    }
  }

  choose(asked: Parameters<Chooser["choose"]>[0]): Behaviour {
    return this.#chooser.choose(asked);
  }

  begin(begun: Begun): Operation {
    this.memory.apply(begun);
    this.#journal.append(begun);
    const operation = this.memory.find(begun.provider, begun.key) as Operation;
    this.#tell(operation, 0);
    this.#arm(operation);
    return operation;
  }

  turn(operation: Operation, turn: Turn): void {
    const entry = { e: "turned", provider: operation.provider, key: operation.key, turn } as const;
    this.memory.apply(entry);
    this.#journal.append(entry);
    this.#tell(operation, operation.turns.length - 1);
    this.#arm(operation);
  }

  /** Resolves when all that was decided so far is on disk: before that nobody may be answered. */
  settled(): Promise<void> {
    return this.#journal.settled();
  }

  /** Resolves when the first webhook about the operation was sent. */
  async toldFirst(operation: Operation): Promise<void> {
    const { eventId } = this.#providers[operation.provider];
    await this.#deliveries.attempted(eventId(operation, 0));
  }

  /** Nothing happens by itself any more: what is due then is for the next start. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #tell(operation: Operation, index: number): void {
    const { delivery, eventId } = this.#providers[operation.provider];
    if (delivery === null) return;
    const { at } = operation.turns[index] as Turn;
    const { lateMs } = this.times;
    const delays = { none: 0, late: lateMs, twice_late: 2 * lateMs };
    for (const { suffix, delay, isForged } of copiesOf(operation.behaviour.post, index)) {
      const id = `${eventId(operation, index)}${suffix}`;
      if (this.memory.isTold(id)) continue;
      const message = delivery(operation, index, isForged);
      this.#deliveries.add({ ...message, id, dueAt: at + delays[delay], isForged });
    }
  }

  /** Waits for the next step, or for the end of its time. */
  #arm(operation: Operation): void {
    clearTimeout(this.#timers.get(operation.id));
    this.#timers.delete(operation.id);
    if (this.#isStopped) return;
    const next = this.#nextStep(operation);
    const due = Math.min(next?.dueAt ?? Number.POSITIVE_INFINITY, endOf(operation));
    if (due === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(0, due - Date.now()), TIMER_MS_MAX);
    const timer = setTimeout(() => this.#wake(operation), wait);
    this.#timers.set(operation.id, timer);
  }

  #wake(operation: Operation): void {
    const now = Date.now();
    const next = this.#nextStep(operation);
    if (next !== null && next.dueAt <= now) {
      const turn = this.#providers[operation.provider].turnFor(operation, next.step, next.index);
      // A step that is too late ends the plan: what would follow it follows from it.
      if (turn !== null) this.turn(operation, { at: now, ...turn });
      return;
    }
    if (endOf(operation) <= now) this.turn(operation, closedTurn(now, "expired"));
    else this.#arm(operation);
  }

  #nextStep(operation: Operation): { readonly step: Step; readonly index: number; readonly dueAt: number } | null {
    const index = operation.turns.reduce((last, { step }) => Math.max(last, step ?? 0), 0) + 1;
    const step = this.#providers[operation.provider].plan(operation)[index];
    if (step === undefined) return null;
    const { soonMs, lateMs } = this.times;
    const begunAt = (operation.turns[0] as Turn).at;
    const delays = { now: 0, soon: soonMs, twice_soon: 2 * soonMs, late: lateMs };
    if (step.when !== "closed") return { step, index, dueAt: begunAt + delays[step.when] };
    const { status, at } = lastTurn(operation);
    return status === "closed" ? { step, index, dueAt: at + lateMs } : null;
  }
}

/** When its time is over; never for what has come to its end already, nor for a deposit that is seen on its chain. */
function endOf(operation: Operation): number {
  const open = operation.kind === "deposits" ? ["active"] : ["active", "processing"];
  const isOpen = open.includes(lastTurn(operation).status);
  return isOpen ? (operation.expiresAt ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
}

export function closedTurn(at: number, code: string | null): Turn {
  return { at, step: null, status: "closed", minor: "0", code, effect: null };
}
