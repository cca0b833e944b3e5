// What the recording knows of its cases: which had begun before the span, when each timer fired, which version of a flow was
// in force at which block. All of it is in the histories of cases.

import { parseHistory } from "../../domain/history.ts";
import { parseCaseId } from "../../domain/ids.ts";
import type { LaneSpan } from "./recording.ts";

/** As it stands in the database; `flow` is the number of its version. */
export type CaseLine = { readonly caseId: string; readonly flow: number; readonly history: string };

export type RecordedTimer = { readonly caseId: string; readonly name: string; readonly dueMs: number };

type Opened = { readonly block: bigint; readonly flow: number };

const TIMER_EVENT = "timer.";

export class RecordedCases {
  readonly #spans: ReadonlyMap<number, LaneSpan>;
  readonly #nameOf: (flow: number) => string;
  readonly #prior = new Set<string>();
  /** by `<lane> <case>`, of the cases that began in the span: what they remember of it */
  readonly #histories = new Map<string, string>();
  readonly #timers = new Map<string, RecordedTimer[]>();
  readonly #fired = new Set<string>();
  /** by `<lane> <flow's name>` */
  readonly #opened = new Map<string, Opened[]>();
  readonly #children: { readonly key: string; readonly parent: string }[] = [];

  constructor(spans: readonly LaneSpan[], nameOf: (flow: number) => string) {
    this.#spans = new Map(spans.map((span) => [span.lane, span]));
    this.#nameOf = nameOf;
  }

  add(lane: number, { caseId, flow, history }: CaseLine): void {
    const span = this.#spans.get(lane);
    const entries = parseHistory(history);
    const [first] = entries;
    if (span === undefined || first === undefined || first.block > span.until) return;
    const key = `${lane} ${caseId}`;
    const opener = first.source === "k" ? parseCaseId(first.key) : null;
    if (first.block < span.from) this.#prior.add(key);
    else if (opener !== null && span.from > 1n) this.#children.push({ key, parent: `${lane} ${opener.uuid}` });
    const known = entries.filter(({ block }) => block <= span.until);
    this.#histories.set(key, plainHistory(known));
    if (first.block >= span.from) push(this.#opened, `${lane} ${this.#nameOf(flow)}`, { block: first.block, flow });
    for (const { source, event, offset, block } of known) {
      if (source !== "t" || block < span.from) continue;
      const timer = { caseId, name: event.slice(TIMER_EVENT.length), dueMs: Number(offset) };
      push(this.#timers, `${lane} ${block}`, timer);
      this.#fired.add(timerKey(lane, timer));
    }
  }

  /** Told once all cases are. What a case that is not decided anew opens is not decided anew either; ids do not tell which
   *  of the two comes first. */
  close(): void {
    for (let before = -1; before !== this.#prior.size; ) {
      before = this.#prior.size;
      for (const { key, parent } of this.#children) if (this.#prior.has(parent)) this.#prior.add(key);
    }
    for (const key of this.#prior) this.#histories.delete(key);
    for (const list of this.#opened.values()) list.sort((a, b) => (a.block < b.block ? -1 : 1));
  }

  isPrior(lane: number, uuid: string): boolean {
    return this.#prior.has(`${lane} ${uuid}`);
  }

  /** Those that fired in a block, in their order, but for cases that are not decided anew. */
  timersOf(lane: number, block: bigint): readonly RecordedTimer[] {
    const fired = this.#timers.get(`${lane} ${block}`) ?? [];
    return fired.filter(({ caseId }) => !this.isPrior(lane, caseId)).sort(byPosition);
  }

  /** Whether it fired within the span. */
  hasFired(lane: number, timer: RecordedTimer): boolean {
    return this.#fired.has(timerKey(lane, timer));
  }

  /** The version of a flow that new cases of a lane opened on at a block; null when none ever opened. */
  versionAt(lane: number, name: string, block: bigint): number | null {
    const opened = this.#opened.get(`${lane} ${name}`) ?? [];
    let [low, high] = [0, opened.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((opened[middle] as Opened).block <= block) low = middle + 1;
      else high = middle;
    }
    return (opened[low - 1] ?? opened[0])?.flow ?? null;
  }

  /** Of each case that began in the span, by `<lane> <case>`: `plainHistory` of it. */
  get histories(): ReadonlyMap<string, string> {
    return this.#histories;
  }
}

/** A history without what depends on how outcomes and messages within a lane were counted. */
export function plainHistory(entries: ReturnType<typeof parseHistory>): string {
  const lines = entries.map(({ event, source, offset, block, state, fingerprint, key }) => {
    const place = source === "m" ? "" : offset;
    return `${event}|${source}|${place}|${block}|${state}|${fingerprint}|${key}`;
  });
  return lines.join("\n");
}

function timerKey(lane: number, { caseId, name, dueMs }: RecordedTimer): string {
  return `${lane} ${dueMs} ${caseId} ${name}`;
}

export function byPosition(one: RecordedTimer, other: RecordedTimer): number {
  if (one.dueMs !== other.dueMs) return one.dueMs - other.dueMs;
  const [place, otherPlace] = [`${one.caseId} ${one.name}`, `${other.caseId} ${other.name}`];
  return place < otherPlace ? -1 : 1;
}

function push<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
