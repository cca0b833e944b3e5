import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../../src/kafka/crc32c.ts";

test("gives the published check value", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.alloc(0))).toBe(0);
});

test("agrees with the definition, bit by bit, for any bytes and any part of them", () => {
  const bytesAndPart = fc
    .uint8Array({ maxLength: 80 })
    .chain((bytes) => fc.tuple(fc.constant(bytes), fc.nat(bytes.length), fc.nat(bytes.length)));
  fc.assert(
    fc.property(bytesAndPart, ([bytes, a, b]) => {
      const [start, end] = a < b ? [a, b] : [b, a];
      expect(crc32c(bytes, start, end)).toBe(bitByBit(bytes.subarray(start, end)));
    }),
  );
});

test("agrees with it over more bytes than go at a time", () => {
  const bytes = Uint8Array.from({ length: 1_200_003 }, (_, at) => (at * 7919) >>> 3);
  expect(crc32c(bytes, 5)).toBe(bitByBit(bytes.subarray(5)));
});

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
