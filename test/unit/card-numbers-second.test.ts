// The two detectors are written apart from each other; for every text they have to say the same.
import fc from "fast-check";
import { expect, test } from "vitest";
import { holdsCardNumber } from "../../src/domain/cards/numbers.ts";
import { holdsCardSecret } from "../../src/domain/cards/secrets.ts";
import { cardNumberInBytes } from "../../src/processor/intake-cards.ts";
import { cardInBytes } from "../../src/workload/second-ledger/card-intake.ts";
import { readsAsCard, readsAsSecret } from "../../src/workload/second-ledger/card-numbers.ts";
import { codecWith, MemoryRegistry } from "./codec-fixtures.ts";

const pieces = fc.constantFrom(
  ..."0123456789",
  ..." -._/+%;^=:,TZabcdefNMOz",
  "4242424242424242",
  "378282246310005",
  "4222222222222",
  "6304000000000000",
  "01JD3Z7Q6R8W2V5K9T0M4N1B7C",
  "550e8400-e29b-41d4-a716-446655440000",
  "DE89 3704 0044 0532 0130 00",
  "1764156633123",
  "20251126113033",
  "\uff14\uff12",
  "\u0664\u0662",
  "\u00a0",
  "\u200b",
  "%34%32",
  "%20",
  "NDI0MjQyNDI0MjQyNDI0Mg==",
  "%B",
  "d41d8cd98f00b204e9800998ecf8427e",
);
const schemeStarts = fc.constantFrom(
  "4",
  "34",
  "36",
  "51",
  "2221",
  "62",
  "65",
  "3528",
  "6011",
  "5018",
  "50669",
  "9792",
);
const numbers = fc.tuple(schemeStarts, fc.stringMatching(/^[0-9]{9,22}$/)).map(([start, rest]) => start + rest);
const texts = fc.array(fc.oneof(pieces, numbers), { maxLength: 30 }).map((parts) => parts.join(""));

test("both find a card number in the same texts", () => {
  let found = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const first = holdsCardNumber(text);
      if (first) found += 1;
      return first === readsAsCard(text);
    }),
    { numRuns: 5_000 },
  );
  expect(found).toBeGreaterThan(500);
});

test("both find one in the same base64", () => {
  const parted = fc.constantFrom(
    "4242 4242 4242 4242",
    "4-2-4-2-4-2-4-2-4-2-4-2-4-2-4-2",
    "4242424242424242",
    "42.42.42.42.42.42.42.42",
  );
  fc.assert(
    fc.property(texts, parted, texts, (before, card, after) => {
      const text = Buffer.from(before + card + after).toString("base64");
      return holdsCardNumber(text) === readsAsCard(text);
    }),
    { numRuns: 1_000 },
  );
});

test("both find one among any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom("", "4242 4242 4242 4242"), (bytes, card) => {
      const text = Buffer.from(bytes).toString("latin1") + card + Buffer.from(bytes).toString("utf8");
      return holdsCardNumber(text) === readsAsCard(text);
    }),
    { numRuns: 1_000 },
  );
});

test("both put the same records aside, whatever digits their amounts share with their texts", () => {
  const { encoders, decoders } = codecWith(new MemoryRegistry());
  const digits = fc.constantFrom("4242424242424242", "2424242424242", "1111111111111111", "1", "4".repeat(62));
  const text = fc.oneof(texts, digits);
  let found = 0;
  fc.assert(
    fc.property(digits, digits, text, text, (minor, floorMinor, reference, note) => {
      const amount = { currency: "EUR", scale: 2, minor };
      const intent = { type: "t", holderId: "ann", occurredAt: 1n, amount, floorMinor, reference, metadata: { note } };
      const value = encoders.intent.encode(intent);
      const record = { offset: 1n, appendedAtMs: 1, key: null, value };
      const first = cardNumberInBytes(record, decoders.intent) !== null;
      if (first) found += 1;
      return first === cardInBytes(record, decoders.intent.decode(value));
    }),
    { numRuns: 1_000 },
  );
  expect(found).toBeGreaterThan(100);
});

test("both know the names of a card's secrets", () => {
  const names = fc.constantFrom("cvv", "CVC-2", "cid", "pin", "Pin Block", "track_2", "pint", "cvvv", "constructor");
  const values = fc.constantFrom("123", "1234", "12", "a", "0123456789abcdef", "4242424242424", "123456");
  fc.assert(
    fc.property(names, values, (name, value) => holdsCardSecret(name, value) === readsAsSecret(name, value)),
    {
      numRuns: 500,
    },
  );
  expect(holdsCardSecret("cvv", "123") && holdsCardSecret("PIN", "1234")).toBe(true);
  expect(holdsCardSecret("cid", "cus_1") || holdsCardSecret("pint", "1234")).toBe(false);
});
