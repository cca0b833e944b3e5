// Array parameters of a block in Postgres' binary form: https://www.postgresql.org/docs/18/sql-createtype.html names the
// receive functions, src/backend/utils/adt/arrayfuncs.c (array_recv) has the layout. As texts they were printed and joined
// here and taken apart there, a twentieth of what either did for a transfer.
//
//     int4 dimensions (0: no element, else 1) · int4 flags (1: has nulls) · int4 oid of the elements
//     [int4 count · int4 lower bound] · for each element int4 bytes (-1: null) and the bytes

import { assert, failed } from "../domain/assert.ts";
import { UTF8_BYTES_MAX, writeUtf8 } from "../domain/utf8.ts";

const OID = {
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  json: 114,
  timestamptz: 1184,
  numeric: 1700,
  uuid: 2950,
} as const;

const HEADER_BYTES = 20;
const NULL = -1;
/** microseconds from 1970 to 2000, where Postgres counts from */
const EPOCH_MICROS = 946_684_800_000_000n;

/** One for all: nothing awaits between the first element and the copy that the caller gets. */
let scratch = Buffer.allocUnsafeSlow(1 << 20);
let view = viewOf(scratch);
let at = 0;

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function reserve(bytes: number): void {
  if (at + bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(scratch.length * 2, at + bytes));
  scratch.copy(larger, 0, 0, at);
  scratch = larger;
  view = viewOf(larger);
}

function begin(oid: number, count: number): void {
  at = HEADER_BYTES;
  view.setInt32(0, count === 0 ? 0 : 1);
  view.setInt32(4, 0);
  view.setInt32(8, oid);
  view.setInt32(12, count);
  view.setInt32(16, 1);
}

function end(count: number): Buffer {
  return Buffer.from(scratch.subarray(0, count === 0 ? 12 : at));
}

function writeNull(): void {
  reserve(4);
  view.setInt32(4, 1);
  view.setInt32(at, NULL);
  at += 4;
}

export function int2Array(values: readonly number[]): Buffer {
  begin(OID.int2, values.length);
  reserve(6 * values.length);
  for (const value of values) {
    // Written as it is, it would become another number without a word.
    if ((value << 16) >> 16 !== value) failed(`${value} is no integer of two bytes`);
    view.setInt32(at, 2);
    view.setInt16(at + 4, value);
    at += 6;
  }
  return end(values.length);
}

export function int4Array(values: readonly number[]): Buffer {
  begin(OID.int4, values.length);
  reserve(8 * values.length);
  for (const value of values) {
    if ((value | 0) !== value) failed(`${value} is no integer of four bytes`);
    view.setInt32(at, 4);
    view.setInt32(at + 4, value);
    at += 8;
  }
  return end(values.length);
}

export function int8Array(values: readonly bigint[]): Buffer {
  begin(OID.int8, values.length);
  reserve(12 * values.length);
  for (const value of values) writeInt8(value);
  return end(values.length);
}

function writeInt8(value: bigint): void {
  view.setInt32(at, 8);
  view.setBigInt64(at + 4, value);
  at += 12;
}

/** @param micros microseconds since 1970 */
export function timestampArray(micros: readonly bigint[]): Buffer {
  begin(OID.timestamptz, micros.length);
  reserve(12 * micros.length);
  for (const value of micros) writeInt8(value - EPOCH_MICROS);
  return end(micros.length);
}

/** @param values 32 hexadecimal digits each, in small letters */
export function uuidArray(values: readonly string[]): Buffer {
  begin(OID.uuid, values.length);
  reserve(20 * values.length);
  for (const value of values) {
    assert(value.length === 32, "a uuid has 32 digits");
    view.setInt32(at, 16);
    at += 4;
    for (let digit = 0; digit < 32; digit += 2) {
      scratch[at++] = (nibble(value.charCodeAt(digit)) << 4) | nibble(value.charCodeAt(digit + 1));
    }
  }
  return end(values.length);
}

/** A digit's last four bits are its value, a letter's are nine less. */
function nibble(code: number): number {
  return (code & 15) + (code >> 6) * 9;
}

export function textArray(values: readonly (string | null)[]): Buffer {
  begin(OID.text, values.length);
  for (const value of values) {
    if (value === null) writeNull();
    else writeText(value);
  }
  return end(values.length);
}

/** @param documents printed; null is SQL's null */
export function jsonArray(documents: readonly (string | null)[]): Buffer {
  begin(OID.json, documents.length);
  for (const document of documents) {
    if (document === null) writeNull();
    else writeText(document);
  }
  return end(documents.length);
}

function writeText(value: string): void {
  reserve(4 + UTF8_BYTES_MAX * value.length);
  const sizeAt = at;
  at = writeUtf8(scratch, value, at + 4);
  view.setInt32(sizeAt, at - sizeAt - 4);
}

export function byteaArray(values: readonly (Buffer | null)[]): Buffer {
  begin(OID.bytea, values.length);
  for (const value of values) {
    if (value === null) {
      writeNull();
      continue;
    }
    reserve(4 + value.length);
    view.setInt32(at, value.length);
    value.copy(scratch, at + 4);
    at += 4 + value.length;
  }
  return end(values.length);
}

/** Whole numbers of any size as numeric: digits to the base of 10,000, the first with its weight. */
export function numericArray(values: readonly (bigint | null)[]): Buffer {
  begin(OID.numeric, values.length);
  for (const value of values) {
    if (value === null) writeNull();
    else writeNumeric(value);
  }
  return end(values.length);
}

const NUMERIC_NEGATIVE = 0x4000;
const BASE = 10_000;
const BASE_LARGE = 10_000n ** 3n;
/** a digit of 12 decimals, which a number holds exactly, is three of them */
const DIGITS_OF_LARGE = 3;
const digits: number[] = [];

function writeNumeric(value: bigint): void {
  let rest = value < 0n ? -value : value;
  digits.length = 0;
  while (rest >= BASE_LARGE) {
    let part = Number(rest % BASE_LARGE);
    rest /= BASE_LARGE;
    for (let digit = 0; digit < DIGITS_OF_LARGE; digit++) {
      digits.push(part % BASE);
      part = Math.trunc(part / BASE);
    }
  }
  for (let part = Number(rest); part > 0; part = Math.trunc(part / BASE)) digits.push(part % BASE);
  const count = digits.length;
  reserve(12 + 2 * count);
  view.setInt32(at, 8 + 2 * count);
  view.setInt16(at + 4, count);
  view.setInt16(at + 6, Math.max(count - 1, 0));
  view.setInt16(at + 8, value < 0n ? NUMERIC_NEGATIVE : 0);
  view.setInt16(at + 10, 0);
  at += 12;
  for (let digit = count - 1; digit >= 0; digit--) {
    view.setInt16(at, digits[digit] as number);
    at += 2;
  }
}
