// Compares two ledgers that decided the same intents, lane by lane, and ends at the first difference. What causes others
// comes first: outcomes, then what was put aside, cases, lines, and balances.

import type { LaneEnd } from "./cut.ts";
import {
  type Balances,
  cases,
  deadLetters,
  type Item,
  type Items,
  lines,
  outcomes,
  quarantine,
  readBalancesAt,
  type Side,
} from "./side.ts";

export const COMPARED = ["outcomes", "deadLetters", "quarantine", "cases", "lines", "balances"] as const;
export type Compared = (typeof COMPARED)[number];

/** Why two equal ledgers differ in them. */
export const NOT_COMPARED =
  "numbers and digests of blocks and times of recording (they hang on where blocks end), numbers of accounts (compared by path)";

export type Difference = {
  readonly what: Compared;
  readonly lane: number;
  /** where each side has it; null: not at all */
  readonly place: { readonly recorded: string | null; readonly replayed: string | null };
  /** null when one side has no such item at all */
  readonly field: string | null;
  readonly recorded: unknown;
  readonly replayed: unknown;
};

export type Verdict = {
  readonly difference: Difference | null;
  readonly counts: Readonly<Record<Compared, number>>;
  /** the recorded ledger had gone on behind the end: floors and states of accounts were not compared */
  readonly isLater: boolean;
};

export type Pair<Value> = { readonly recorded: Value; readonly replayed: Value };

export type CompareParts = {
  readonly sides: Pair<Side>;
  /** lane by lane, both in the order of lanes */
  readonly ends: Pair<readonly LaneEnd[]>;
  readonly stop: AbortSignal;
  readonly progress: (compared: number) => void;
};

export async function compareLedgers(parts: CompareParts): Promise<Verdict> {
  const counts = { outcomes: 0, deadLetters: 0, quarantine: 0, cases: 0, lines: 0, balances: 0 };
  let isLater = false;
  let compared = 0;
  for (const what of COMPARED) {
    for (const [at, recorded] of parts.ends.recorded.entries()) {
      if (parts.stop.aborted) return { difference: null, counts, isLater };
      const ends = { recorded, replayed: parts.ends.replayed[at] as LaneEnd };
      const items = await itemsOf(what, parts.sides, ends);
      isLater ||= items.isLater;
      const found = await firstDifference(items, () => {
        counts[what] += 1;
        parts.progress(++compared);
      });
      if (found !== null) return { difference: { what, lane: recorded.lane, ...found }, counts, isLater };
    }
  }
  return { difference: null, counts, isLater };
}

type Sources = Pair<Items> & { readonly isLater: boolean };

async function itemsOf(what: Compared, { recorded, replayed }: Pair<Side>, ends: Pair<LaneEnd>): Promise<Sources> {
  const simple = { outcomes, deadLetters, quarantine, cases };
  if (what !== "lines" && what !== "balances") {
    const of = simple[what];
    return { recorded: of(recorded, ends.recorded), replayed: of(replayed, ends.replayed), isLater: false };
  }
  const balances = {
    recorded: await readBalancesAt(recorded, ends.recorded),
    replayed: await readBalancesAt(replayed, ends.replayed),
  };
  const { isLater } = balances.recorded;
  if (what === "balances") {
    return { recorded: listed(balances.recorded, isLater), replayed: listed(balances.replayed, isLater), isLater };
  }
  return {
    recorded: lines(recorded, ends.recorded, balances.recorded.accounts),
    replayed: lines(replayed, ends.replayed, balances.replayed.accounts),
    isLater,
  };
}

async function* listed({ items }: Balances, isLater: boolean): Items {
  for (const item of items) {
    const { floorMinor: _floor, status: _status, ...sums } = item.fields;
    yield isLater ? { ...item, fields: sums } : item;
  }
}

type Found = Omit<Difference, "what" | "lane">;

async function firstDifference({ recorded, replayed }: Pair<Items>, each: () => void): Promise<Found | null> {
  for (;;) {
    const [one, other] = await Promise.all([recorded.next(), replayed.next()]);
    if (one.done === true && other.done === true) return null;
    const found = differenceOf(one.value ?? null, other.value ?? null);
    if (found !== null) return found;
    each();
  }
}

/** Both sides are in the same order, so of two different keys the lower one is what the other side lacks; which is lower
 *  does not matter to a reader, who sees both. */
function differenceOf(recorded: Item | null, replayed: Item | null): Found | null {
  const place = { recorded: recorded?.place ?? null, replayed: replayed?.place ?? null };
  if (recorded === null || replayed === null || recorded.key !== replayed.key) {
    return { place, field: null, recorded: shown(recorded), replayed: shown(replayed) };
  }
  for (const field of Object.keys(recorded.fields)) {
    const [one, other] = [recorded.fields[field], replayed.fields[field]];
    if (textOf(one) !== textOf(other)) return { place, field, recorded: plain(one), replayed: plain(other) };
  }
  return null;
}

function shown(item: Item | null): unknown {
  return item === null ? null : { key: item.key, ...(plain(item.fields) as object) };
}

/** Equal texts are equal values: bigints as digits, bytes in hex, fields of a map in one order. */
function textOf(value: unknown): string {
  return JSON.stringify(plain(value)) ?? "undefined";
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (Buffer.isBuffer(value)) return value.toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([name, one]) => [name, plain(one)]));
}
