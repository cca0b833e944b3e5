// Reads what a case remembers, by the documented form alone:
//
//     event|source|offset|block|sequence|state|fingerprint|key

export type RememberedEvent = {
  readonly event: string;
  /** i intents, r reports and messages of other lanes, m messages within the lane, t timers, k other cases of the holder */
  readonly source: string;
  readonly offset: bigint;
  readonly block: bigint;
  readonly sequence: bigint | null;
  readonly state: string;
  readonly key: string;
};

// The key comes last, because it may hold the separator itself.
const LINE = /^([^|]+)\|([irmtk])\|(\d{1,19})\|(\d{1,19})\|(\d{0,19})\|([^|]+)\|([A-Za-z0-9_-]{22})?\|(.*)$/;

/** @returns the events, oldest first; a text that says which line is broken */
export function readHistory(history: string): RememberedEvent[] | string {
  const events: RememberedEvent[] = [];
  for (const text of history.split("\n")) {
    const match = LINE.exec(text);
    if (match === null) return `its history has a line that cannot be read: ${JSON.stringify(text.slice(0, 80))}`;
    const [, event = "", source = "", offset = "", block = "", sequence = "", state = "", print, key = ""] = match;
    if (source === "i" && print === undefined) return `its event ${event} has no fingerprint`;
    events.push({
      event,
      source,
      offset: BigInt(offset),
      block: BigInt(block),
      sequence: sequence === "" ? null : BigInt(sequence),
      state,
      key,
    });
  }
  return events;
}

/** What one history says against itself; null when nothing. */
export function contradictionIn(events: readonly RememberedEvent[]): string | null {
  const keys = new Set<string>();
  let before: RememberedEvent | null = null;
  for (const event of events) {
    const { source, key, block, sequence } = event;
    if (before === null && source === "t") return `it begins with ${event.event}, which is a timer`;
    if (block < 1n || (before !== null && block < before.block)) return `its event ${event.event} is of block ${block}`;
    if (before?.sequence != null && sequence !== null && sequence <= before.sequence) {
      return `its outcome ${sequence} comes after ${before.sequence}`;
    }
    // The first intent's key is the case id itself. A report is known by what it observes.
    const name =
      source === "i" ? (before === null ? null : `i ${key}`) : source === "r" || source === "m" ? `r ${key}` : null;
    if (name !== null && keys.has(name)) return `it took key ${JSON.stringify(key)} twice`;
    if (name !== null) keys.add(name);
    before = event;
  }
  return null;
}
