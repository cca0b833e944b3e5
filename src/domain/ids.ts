// A case is named by its producer: `trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C` (a kind and a ULID) or a UUIDv7. Either way 16 bytes
// identify it and the first six are its time, so that cases, lines and indexes are in the order of time. Parsing is in
// the hot path (once per intent), so it goes by tables and never through bigint.

import { hash } from "node:crypto";
import { assert, failed } from "./assert.ts";
import { UTF8_BYTES_MAX, writeUtf8 } from "./utf8.ts";

/** `uuid` is the identity: 32 lower-case hex digits, which Postgres reads as a `uuid`.
 *  `kind` is "" for an id written as UUIDv7. `timeMs` is milliseconds since the epoch, below 2^48. */
export type CaseId = { readonly kind: string; readonly uuid: string; readonly timeMs: number };

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford: no I, L, O, U
const ULID_CHARS = 26;
const TIME_LIMIT_MS = 2 ** 48;
/** hex digits of that */
const TIME_DIGITS = 12;
const RANDOM_BYTES = 10;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

// Value of a character, by its code; 32 or more says that it is none of the alphabet, and survives an OR.
const NOT_A_DIGIT = 32;
const VALUE_OF = new Uint8Array(128).fill(NOT_A_DIGIT);
for (let value = 0; value < ALPHABET.length; value++) VALUE_OF[ALPHABET.charCodeAt(value)] = value;

/** Two characters, by their ten bits. */
const CHARS2 = Array.from({ length: 1 << 10 }, (_, bits) => ALPHABET[bits >>> 5]! + ALPHABET[bits & 31]!);
const HEX2 = Array.from({ length: 1 << 8 }, (_, value) => value.toString(16).padStart(2, "0"));
const HEX3 = Array.from({ length: 1 << 12 }, (_, value) => value.toString(16).padStart(3, "0"));

/** Reads a case id in its one canonical spelling (ULIDs in upper case; UUIDs in either case).
 *  @returns null for anything else: the refusal `malformed_case_id` */
export function parseCaseId(text: string | null): CaseId | null {
  if (text === null) return null;
  const underscore = text.indexOf("_");
  return underscore === -1 ? parseUuid(text) : parseUlid(text, underscore);
}

function parseUlid(text: string, underscore: number): CaseId | null {
  if (text.length !== underscore + 1 + ULID_CHARS || !isKind(text, underscore)) return null;
  const at = underscore + 1;
  const first = valueAt(text, at); // 26 characters are 130 bits for 128: the first may be 0 to 7 only
  const second = valueAt(text, at + 1);
  const timeHigh = quad(text, at + 2);
  const timeLow = quad(text, at + 6);
  const one = quad(text, at + 10);
  const two = quad(text, at + 14);
  const three = quad(text, at + 18);
  const four = quad(text, at + 22);
  if (first > 7 || second >= NOT_A_DIGIT || (timeHigh | timeLow | one | two | three | four) < 0) return null;
  const top = (first << 5) | second;
  const uuid = HEX2[top]! + hex5(timeHigh) + hex5(timeLow) + hex5(one) + hex5(two) + hex5(three) + hex5(four);
  return { kind: text.slice(0, underscore), uuid, timeMs: top * 2 ** 40 + timeHigh * 2 ** 20 + timeLow };
}

/** Four characters as 20 bits, or -1 when one of them is not of the alphabet. */
function quad(text: string, at: number): number {
  const a = valueAt(text, at);
  const b = valueAt(text, at + 1);
  const c = valueAt(text, at + 2);
  const d = valueAt(text, at + 3);
  return (a | b | c | d) >= NOT_A_DIGIT ? -1 : (a << 15) | (b << 10) | (c << 5) | d;
}

function valueAt(text: string, at: number): number {
  return VALUE_OF[text.charCodeAt(at)] ?? NOT_A_DIGIT;
}

function hex5(bits: number): string {
  return HEX3[bits >>> 8]! + HEX2[bits & 0xff]!;
}

function isKind(text: string, length: number): boolean {
  if (length < 2 || length > 8) return false;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code < 97 || code > 122) return false;
  }
  return true;
}

function parseUuid(text: string): CaseId | null {
  if (text.length !== 36 || !UUID_V7.test(text)) return null;
  const uuid = text.replaceAll("-", "").toLowerCase();
  return { kind: "", uuid, timeMs: Number.parseInt(uuid.slice(0, TIME_DIGITS), 16) };
}

/** The id as its producer writes it; what `parseCaseId` reads back to the same id. */
export function formatCaseId(id: CaseId): string {
  assert(id.uuid.length === 32, "a case id has 16 bytes");
  if (id.kind === "") return dashed(id.uuid);
  // 130 bits in 26 characters: two zero bits, then the 128 of the id, taken five hex digits (four characters) at a time.
  const top = (hexAt(id.uuid, 0) << 4) | hexAt(id.uuid, 1);
  let ulid = CHARS2[top] as string;
  for (let at = 2; at < 32; at += 5) {
    const high = (hexAt(id.uuid, at) << 6) | (hexAt(id.uuid, at + 1) << 2) | (hexAt(id.uuid, at + 2) >> 2);
    const low = ((hexAt(id.uuid, at + 2) & 3) << 8) | (hexAt(id.uuid, at + 3) << 4) | hexAt(id.uuid, at + 4);
    ulid += CHARS2[high]! + CHARS2[low]!;
  }
  return `${id.kind}_${ulid}`;
}

/** Value of a lower-case hex digit. */
function hexAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 58 ? code - 48 : code - 87;
}

function dashed(uuid: string): string {
  return `${uuid.slice(0, 8)}-${uuid.slice(8, 12)}-${uuid.slice(12, 16)}-${uuid.slice(16, 20)}-${uuid.slice(20)}`;
}

/** A fresh id for `timeMs`. Chance is handed in: at least 10 random bytes, of which the first 10 are used. */
export function newCaseId(kind: string, timeMs: number, random: Buffer): CaseId {
  if (random.length < RANDOM_BYTES) failed(`an id takes ${RANDOM_BYTES} random bytes, not ${random.length}`);
  return compose(kind, timeMs, random.toString("hex", 0, RANDOM_BYTES));
}

/** The id that a producer derives from ids of its own: `timeMs`, then the first 80 bits of the SHA-256 over the parts,
 *  each led by its length in UTF-8 bytes (four bytes, big-endian), so that ("a", "bc") and ("ab", "c") differ. */
export function deriveCaseId(kind: string, timeMs: number, identity: readonly string[]): CaseId {
  return compose(kind, timeMs, hashOf(identity));
}

function hashOf(identity: readonly string[]): string {
  let size = 0;
  for (const part of identity) size += LENGTH_BYTES + UTF8_BYTES_MAX * part.length;
  const bytes = size <= scratch.length ? scratch : Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of identity) {
    const end = writeUtf8(bytes, part, at + LENGTH_BYTES);
    bytes.writeUInt32BE(end - at - LENGTH_BYTES, at);
    at = end;
  }
  return hash("sha256", bytes.subarray(0, at), "hex").slice(0, 2 * RANDOM_BYTES);
}

const LENGTH_BYTES = 4;
/** For the words of one id at a time. */
const scratch = Buffer.allocUnsafeSlow(4096);

/** The id of a case that another one opens, as its child or by a message: the time of the case that asks, and a hash of the
 *  words, among which is that case's id. The same cause gives the same case, whoever decides it. */
export function childCaseId(kind: string, parentUuid: string, words: readonly string[]): CaseId {
  assertKind(kind);
  const time = parentUuid.slice(0, TIME_DIGITS);
  return { kind, uuid: time + hashOf([parentUuid, ...words]), timeMs: Number.parseInt(time, 16) };
}

function assertKind(kind: string): void {
  if (!isKind(kind, kind.length)) failed(`a kind is 2 to 8 letters a-z, not ${JSON.stringify(kind)}`);
}

function compose(kind: string, timeMs: number, randomHex: string): CaseId {
  assertKind(kind);
  if (!Number.isInteger(timeMs) || timeMs < 0 || timeMs >= TIME_LIMIT_MS)
    failed(`an id cannot carry the time ${timeMs}`);
  return { kind, uuid: timeMs.toString(16).padStart(TIME_DIGITS, "0") + randomHex, timeMs };
}
