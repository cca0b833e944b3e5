// What a case remembers of every event it took in, as one text: a line an event, oldest first,
//
//     event|source|offset|block|sequence|state|fingerprint|key
//
// `event` is the intent type or the event's name in the flow, `source` the letter of the input (i intent, r report or message
// of another lane, m message of the own lane, t timer, k another case of the holder), `sequence` the first outcome's (empty
// when there was none), `state` the one after the event; `fingerprint` is of intents, `key` their idempotency key, a report's
// observation, or the case that caused a k. It is the memory that deduplication rests on and it answers "states with times, inputs, outcomes" without an
// index: the block number leads to the block's time and to the case's lines. One text instead of a table, because a row
// an intent more would cost a fifth of the throughput.

import { assert } from "./assert.ts";

export type EntrySource = "i" | "r" | "m" | "t" | "k";

export type HistoryEntry = {
  readonly event: string;
  readonly source: EntrySource;
  readonly offset: bigint;
  readonly block: bigint;
  readonly sequence: bigint | null;
  readonly state: string;
  readonly fingerprint: string;
  readonly key: string;
};

export function formatEntry(entry: HistoryEntry): string {
  const { block, sequence, state } = entry;
  return formatWith(entry, block.toString(), sequence, state);
}

/** What is known of an event before it is decided. */
export type EntryStart = Pick<HistoryEntry, "event" | "source" | "offset" | "fingerprint" | "key">;

/** In parts: a new object for what is known in the end cost a fifth of deciding a transfer.
 *  @param block its number's digits */
export function formatWith(start: EntryStart, block: string, sequence: bigint | null, state: string): string {
  const first = sequence === null ? "" : sequence.toString();
  return `${start.event}|${start.source}|${start.offset}|${block}|${first}|${state}|${start.fingerprint}|${start.key}`;
}

export function appendEntry(history: string, entry: HistoryEntry): string {
  return appendText(history, formatEntry(entry));
}

export function appendText(history: string, text: string): string {
  return history === "" ? text : `${history}\n${text}`;
}

export function parseHistory(history: string): HistoryEntry[] {
  return history === "" ? [] : history.split("\n").map(parseEntry);
}

const SOURCES: readonly string[] = ["i", "r", "m", "t", "k"];

function parseEntry(text: string): HistoryEntry {
  const parts = text.split("|");
  const [event, source = "", offset, block, sequence, state, print] = parts;
  assert(parts.length >= 8 && SOURCES.includes(source), `history line is broken: ${text}`);
  return {
    event: event as string,
    source: source as EntrySource,
    offset: BigInt(offset as string),
    block: BigInt(block as string),
    sequence: sequence === "" ? null : BigInt(sequence as string),
    state: state as string,
    fingerprint: print as string,
    key: parts.slice(7).join("|"), // the last field may hold the separator
  };
}

/** What opened the case. */
export function firstEntry(history: string): HistoryEntry | null {
  if (history === "") return null;
  const end = history.indexOf("\n");
  return parseEntry(end === -1 ? history : history.slice(0, end));
}

/** The later intent that consumed a key. The first entry is the create, whose key is the case id. */
export function entryOfKey(history: string, key: string): HistoryEntry | null {
  if (!isKeyOfALine(history, key)) return null;
  return (
    parseHistory(history)
      .slice(1)
      .find((entry) => entry.source === "i" && entry.key === key) ?? null
  );
}

/** Whether a report of this observation was taken in. */
export function observes(history: string, observation: string): boolean {
  if (!isKeyOfALine(history, observation)) return false;
  return parseHistory(history).some(({ source, key }) => (source === "r" || source === "m") && key === observation);
}

/** Asked before the lines are taken apart: most keys are new, and their cases have a long history. May say yes where a key
 *  holds the separator. */
function isKeyOfALine(history: string, key: string): boolean {
  for (let at = history.indexOf(key); at !== -1; at = history.indexOf(key, at + 1)) {
    const end = at + key.length;
    if (history[at - 1] === "|" && (end === history.length || history[end] === "\n")) return true;
    if (key === "") return true;
  }
  return false;
}
