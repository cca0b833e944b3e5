// How a record that was put aside is named and shown.

import { Undecodable } from "../kafka/codec.ts";
import type { IntentMessage } from "../kafka/codec-messages.ts";
import type { PutAside, PutAsideRecord } from "../store/reads-quarantine.ts";
import { formatTime } from "../workload/intents-time.ts";
import type { ToolMessages } from "./codec.ts";
import type { Column, Fields } from "./output.ts";
import { isoTime, position, printable, type Row } from "./rows.ts";
import type { UsageCheck } from "./usage.ts";

/** `<lane>:<offset>` in the topic of intents */
export type QuarantineId = { readonly lane: number; readonly offset: bigint; readonly text: string };

const ID = /^(\d{1,4}):(\d{1,18})$/;

export function readQuarantineId(usage: UsageCheck, text: string): QuarantineId {
  const match = ID.exec(text);
  if (match === null) usage.fault(`ID: found "${text}", expected LANE:OFFSET as \`quarantine list\` prints it`);
  return { lane: Number(match?.[1] ?? 0), offset: BigInt(match?.[2] ?? 0), text };
}

export const QUARANTINE_COLUMNS: readonly Column[] = [
  { key: "id", title: "Id" },
  { key: "recordedAt", title: "Put aside" },
  { key: "reason", title: "Reason" },
  { key: "key", title: "Key" },
  { key: "size", title: "Bytes", align: "right" },
  { key: "retriedAt", title: "Retried" },
  { key: "detail", title: "Detail" },
];

export function quarantineFields(record: PutAside, topic: string): Fields {
  const { lane, offset, reason, detail, key, size } = record;
  return {
    id: `${lane}:${offset}`,
    topic,
    partition: lane,
    offset: position(offset),
    block: position(record.block),
    recordedAt: isoTime(record.recordedAtMs),
    reason,
    detail,
    key,
    size,
    retriedAt: record.retriedAtMs === null ? null : isoTime(record.retriedAtMs),
  };
}

export function quarantineRow(record: PutAside, topic: string): Row {
  const fields = quarantineFields(record, topic);
  const key = record.key === null ? null : printable(record.key);
  return { fields, cells: { ...fields, key, detail: printable(record.detail) } };
}

/** What the bytes say, when they are an intent. */
export type Body =
  | { readonly kind: "intent"; readonly intent: Fields }
  | { readonly kind: "bytes"; readonly why: string };

/** @param messages null when the registry could not be asked */
export async function bodyOf({ value, size }: PutAsideRecord, messages: ToolMessages | null): Promise<Body> {
  if (value === null) return { kind: "bytes", why: "the bytes are not kept" };
  if (size > value.length) return { kind: "bytes", why: `only the first ${value.length} bytes are kept` };
  if (messages === null) return { kind: "bytes", why: "the schema registry cannot be asked" };
  try {
    return { kind: "intent", intent: intentFields(await messages.codec.decoders.intent.read(value)) };
  } catch (error) {
    if (error instanceof Undecodable) return { kind: "bytes", why: error.detail };
    throw error;
  }
}

/** The form of a JSON line; fields that are absent are left out. */
function intentFields(intent: IntentMessage): Fields {
  const { occurredAt, ...others } = intent;
  const given = Object.entries(others).filter(([name, value]) => value !== null || name === "floorMinor");
  return { ...Object.fromEntries(given), occurredAt: timeText(occurredAt) };
}

/** Hostile times lie beyond what a calendar can say. */
function timeText(micros: bigint): string {
  const ms = micros / 1000n;
  return ms > -8_640_000_000_000_000n && ms < 8_640_000_000_000_000n ? formatTime(micros) : `${micros} microseconds`;
}

const HEX_BYTES_SHOWN = 512;
const HEX_BYTES_A_LINE = 32;

/** The whole record for people. */
export function quarantineText(record: PutAsideRecord, fields: Fields, body: Body): string {
  const { value, key } = record;
  const lines = [
    `${fields["id"]}  ${record.reason}: ${printable(record.detail)}`,
    `  ${fields["topic"]}, partition ${record.lane}, offset ${record.offset}; put aside ${fields["recordedAt"]} in block ${record.block}`,
    `  key ${key === null ? "none" : printable(key)}; ${record.size} bytes, SHA-256 ${record.sha256.toString("hex")}`,
    ...(fields["retriedAt"] === null ? [] : [`  retried ${fields["retriedAt"]}`]),
    "",
  ];
  if (body.kind === "intent") {
    // Escaped within each string, so that line breaks of the form stay.
    const text = JSON.stringify(body.intent, (_name, one: unknown) => (typeof one === "bigint" ? String(one) : one), 2);
    return [...lines, ...text.split("\n").map(printable)].join("\n");
  }
  return [...lines, `not readable as an intent: ${printable(body.why)}`, ...hexLines(value)].join("\n");
}

function hexLines(value: Buffer | null): string[] {
  if (value === null) return [];
  const shown = value.subarray(0, HEX_BYTES_SHOWN);
  const lines: string[] = [];
  for (let at = 0; at < shown.length; at += HEX_BYTES_A_LINE) {
    const part = shown.subarray(at, at + HEX_BYTES_A_LINE);
    lines.push(`  ${at.toString(16).padStart(4, "0")}  ${part.toString("hex").replace(/(.{8})(?=.)/g, "$1 ")}`);
  }
  const more = value.length - shown.length;
  return more === 0 ? lines : [...lines, `  and ${more} bytes more, which --json prints`];
}
