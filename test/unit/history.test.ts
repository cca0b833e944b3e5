import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AssertionFailed } from "../../src/domain/assert.ts";
import { appendEntry, formatEntry, type HistoryEntry, parseHistory } from "../../src/domain/history.ts";

const ENTRY: HistoryEntry = {
  event: "hold_capture",
  source: "i",
  offset: 12n,
  block: 7n,
  sequence: 9n,
  state: "captured",
  fingerprint: "abc_-",
  key: "capture-1",
};

const word = fc.stringMatching(/^[a-z][a-z0-9_.]{0,20}$/);
const number = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
/** what intake lets through as a key: anything without control characters */
const key = fc.string({ unit: "grapheme", maxLength: 128 }).filter((text) => !text.includes("\n"));
const entry: fc.Arbitrary<HistoryEntry> = fc.record({
  event: word,
  source: fc.constantFrom("i", "r", "t"),
  offset: number,
  block: number,
  sequence: fc.option(number),
  state: word,
  fingerprint: fc.constantFrom("", "0123456789abcdefABCD_-"),
  key,
});

describe("a case's history", () => {
  test("has a line an event, with its parts in order", () => {
    expect(formatEntry(ENTRY)).toBe("hold_capture|i|12|7|9|captured|abc_-|capture-1");
    expect(formatEntry({ ...ENTRY, sequence: null, fingerprint: "", key: "" })).toBe("hold_capture|i|12|7||captured||");
  });

  test("is empty before the first event", () => {
    expect(parseHistory("")).toEqual([]);
    expect(appendEntry("", ENTRY)).toBe(formatEntry(ENTRY));
  });

  test.each(["a|b", "|", "||||||||", "a\\|b", " | "])("keeps the key %j", (text) => {
    expect(parseHistory(formatEntry({ ...ENTRY, key: text }))).toEqual([{ ...ENTRY, key: text }]);
  });

  test("reads back whatever was written", () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
        expect(parseHistory(entries.reduce(appendEntry, ""))).toEqual(entries);
      }),
    );
  });

  test.each(["no separators", "a|x|1|1|1|s|p|k", "a|i|1|1|1|s|p"])("of another form is a bug: %s", (text) => {
    expect(() => parseHistory(text)).toThrow(AssertionFailed);
  });
});
