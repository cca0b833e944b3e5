// What a case remembers of every event it took in, as one text: a line an event, oldest first,
//
//     event|source|offset|block|sequence|state|fingerprint|key
//
// `event` is the intent type or `timer.<name>`, `source` the letter of the input (i intents, r reports, t timer), `sequence`
// the first outcome's (empty when there was none), `state` the one after the event, `fingerprint` and `key` are empty for
// timers. It is the memory that deduplication rests on and it answers "states with times, inputs, outcomes" without an
// index: the block number leads to the block's time and to the case's lines. One text instead of a table, because a row
// an intent more would cost a fifth of the throughput.

import { assert } from "./assert.ts";

export type HistoryEntry = {
  readonly event: string;
  readonly source: "i" | "r" | "t";
  readonly offset: bigint;
  readonly block: bigint;
  readonly sequence: bigint | null;
  readonly state: string;
  readonly fingerprint: string;
  readonly key: string;
};

export function formatEntry(entry: HistoryEntry): string {
  const sequence = entry.sequence === null ? "" : entry.sequence.toString();
  return `${entry.event}|${entry.source}|${entry.offset}|${entry.block}|${sequence}|${entry.state}|${entry.fingerprint}|${entry.key}`;
}

export function appendEntry(history: string, entry: HistoryEntry): string {
  return history === "" ? formatEntry(entry) : `${history}\n${formatEntry(entry)}`;
}

export function parseHistory(history: string): HistoryEntry[] {
  if (history === "") return [];
  return history.split("\n").map((text) => {
    const parts = text.split("|");
    const [event, source, offset, block, sequence, state, print] = parts;
    assert(
      parts.length >= 8 && (source === "i" || source === "r" || source === "t"),
      `history line is broken: ${text}`,
    );
    return {
      event: event as string,
      source,
      offset: BigInt(offset as string),
      block: BigInt(block as string),
      sequence: sequence === "" ? null : BigInt(sequence as string),
      state: state as string,
      fingerprint: print as string,
      key: parts.slice(7).join("|"), // the last field may hold the separator
    };
  });
}
