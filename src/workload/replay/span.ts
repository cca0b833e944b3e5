// Which records of a topic are meant: places as a user writes them, and the offsets that they come to.

import type { TopicAdmin } from "../../kafka/port.ts";
import { parseTime } from "../intents-time.ts";

/** Where a span begins or ends. An end is the first offset or moment that is left out. */
export type Place =
  | { readonly kind: "beginning" }
  | { readonly kind: "end" }
  /** of every partition */
  | { readonly kind: "offset"; readonly offset: bigint }
  /** of the partitions that are named; the others are left out of the replay */
  | { readonly kind: "offsets"; readonly offsets: ReadonlyMap<number, bigint> }
  /** by append time */
  | { readonly kind: "time"; readonly atMs: number };

export type ReadPlace = Place | { readonly kind: "fault"; readonly expected: string };

/** `from <= to`; equal when the partition has nothing to replay. */
export type Span = { readonly partition: number; readonly from: bigint; readonly to: bigint };

/** What was asked for cannot be done. One sentence a line. */
export class ReplayRefused extends Error {
  override name = "ReplayRefused";
}

const ONE_OFFSET = /^\d{1,18}$/;
const OFFSETS = /^\d{1,9}:\d{1,18}(,\d{1,9}:\d{1,18})*$/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const EXPECTED =
  "offsets like 0:120,1:80, one offset for all partitions, beginning, end, or a time like 2026-11-20T10:00:00Z";

export function parsePlace(text: string): ReadPlace {
  if (text === "beginning" || text === "end") return { kind: text };
  if (ONE_OFFSET.test(text)) return { kind: "offset", offset: BigInt(text) };
  if (OFFSETS.test(text)) return parseOffsets(text);
  const micros = parseTime(DATE.test(text) ? `${text}T00:00:00Z` : text);
  // Append times are whole milliseconds: the first one that is not before the time.
  return micros === null ? { kind: "fault", expected: EXPECTED } : { kind: "time", atMs: Number(ceilMs(micros)) };
}

function ceilMs(micros: bigint): bigint {
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  return (micros - rest) / 1000n + (rest === 0n ? 0n : 1n);
}

function parseOffsets(text: string): ReadPlace {
  const offsets = new Map<number, bigint>();
  for (const part of text.split(",")) {
    const [partition = "", offset = ""] = part.split(":");
    if (offsets.has(Number(partition))) return { kind: "fault", expected: `partition ${partition} to be named once` };
    offsets.set(Number(partition), BigInt(offset));
  }
  return { kind: "offsets", offsets };
}

/** What can be told of two places without asking Kafka.
 *  @returns a sentence, or null */
export function contradiction(from: Place, to: Place): string | null {
  if (from.kind === "offsets" && to.kind === "offsets") {
    const differ = [...from.offsets.keys(), ...to.offsets.keys()].some(
      (partition) => !from.offsets.has(partition) || !to.offsets.has(partition),
    );
    if (differ) return "--from and --to name different partitions";
  }
  const isBackwards =
    (from.kind === "time" && to.kind === "time" && from.atMs > to.atMs) ||
    (from.kind === "end" && to.kind !== "end") ||
    (to.kind === "beginning" && from.kind !== "beginning");
  if (isBackwards) return "--from is behind --to";
  const named =
    from.kind === "offsets" ? [...from.offsets.keys()] : to.kind === "offsets" ? [...to.offsets.keys()] : [0];
  const behind = named.filter(
    (partition) => (offsetIn(from, partition) ?? 0n) > (offsetIn(to, partition) ?? 2n ** 62n),
  );
  return behind.length === 0 ? null : `--from is behind --to (partition ${behind.join(", ")})`;
}

function offsetIn(place: Place, partition: number): bigint | null {
  if (place.kind === "offset") return place.offset;
  return place.kind === "offsets" ? (place.offsets.get(partition) ?? null) : null;
}

/** The spans as of now: what is appended later is not in them, so that a topic can be replayed into itself.
 *  @throws ReplayRefused with everything that is not there */
export async function resolveSpans(
  admin: TopicAdmin,
  topic: string,
  partitions: number,
  { from, to }: { readonly from: Place; readonly to: Place },
): Promise<readonly Span[]> {
  const named = from.kind === "offsets" ? from.offsets : to.kind === "offsets" ? to.offsets : null;
  const wanted = named === null ? Array.from({ length: partitions }, (_, partition) => partition) : [...named.keys()];
  const faults: string[] = [];
  const spans: Span[] = [];
  for (const partition of wanted.toSorted((a, b) => a - b)) {
    if (partition >= partitions) {
      faults.push(`${topic} has ${partitions} partitions, none numbered ${partition}`);
      continue;
    }
    const bounds = await admin.bounds(topic, partition);
    const asked = { admin, topic, partition, ...bounds };
    for (const place of [from, to]) faults.push(...outside(place, asked));
    const begin = await offsetOf(from, asked);
    const end = await offsetOf(to, asked);
    spans.push({ partition, from: begin, to: end > begin ? end : begin });
  }
  if (faults.length > 0) throw new ReplayRefused([...new Set(faults)].join("\n"));
  return spans;
}

type Asked = {
  readonly admin: TopicAdmin;
  readonly topic: string;
  readonly partition: number;
  readonly low: bigint;
  readonly end: bigint;
};

/** An offset that was named for one partition must be there; one for all is cut to what each partition has. */
function outside(place: Place, { topic, partition, low, end }: Asked): string[] {
  const offset = place.kind === "offsets" ? (place.offsets.get(partition) ?? low) : low;
  if (offset < low) return [`${topic}/${partition} begins at offset ${low}: what was at ${offset} has expired`];
  return offset > end ? [`${topic}/${partition} ends at offset ${end}, before ${offset}`] : [];
}

async function offsetOf(place: Place, { admin, topic, partition, low, end }: Asked): Promise<bigint> {
  if (place.kind === "beginning") return low;
  if (place.kind === "end") return end;
  const found = place.kind === "time" ? await admin.offsetAt(topic, partition, place.atMs) : offsetIn(place, partition);
  const offset = found ?? end;
  if (offset < low) return low;
  return offset > end ? end : offset;
}

/** As `--from` or `--to` takes it. */
export function formatOffsets(spans: readonly Span[], which: "from" | "to"): string {
  return spans.map((span) => `${span.partition}:${span[which]}`).join(",");
}
