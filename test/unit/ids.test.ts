import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CaseId, deriveCaseId, formatCaseId, newCaseId, parseCaseId } from "../../src/domain/ids.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const KIND = fc.stringMatching(/^[a-z]{2,8}$/);
const TIME_MS = fc.nat(2 ** 48 - 1);
const RANDOM = fc.uint8Array({ minLength: 10, maxLength: 10 }).map((bytes) => Buffer.from(bytes));

/** The slow and obvious reading of a ULID, to compare with. */
function ulidToHex(ulid: string): string {
  let bits = 0n;
  for (const char of ulid) bits = bits * 32n + BigInt(ALPHABET.indexOf(char));
  return bits.toString(16).padStart(32, "0");
}

describe("a case id with a kind", () => {
  test("is read as a plain base-32 number would be, with its time", () => {
    const ulid = fc.tuple(fc.constantFrom(..."01234567"), fc.stringMatching(/^[0-9A-HJKMNP-TV-Z]{25}$/));
    fc.assert(
      fc.property(KIND, ulid, (kind, [first, rest]) => {
        const text = `${kind}_${first}${rest}`;
        const id = parseCaseId(text) as CaseId;
        expect(id.kind).toBe(kind);
        expect(id.uuid).toBe(ulidToHex(first + rest));
        expect(id.timeMs).toBe(Number.parseInt(id.uuid.slice(0, 12), 16));
        expect(formatCaseId(id)).toBe(text);
      }),
    );
  });

  test("is made for a time and comes back with it, in the order of time", () => {
    fc.assert(
      fc.property(KIND, TIME_MS, TIME_MS, RANDOM, (kind, one, other, random) => {
        const ids = [newCaseId(kind, one, random), newCaseId(kind, other, random)] as const;
        expect(parseCaseId(formatCaseId(ids[0]))).toEqual(ids[0]);
        expect(ids[0].uuid < ids[1].uuid).toBe(one < other);
        expect(formatCaseId(ids[0]) < formatCaseId(ids[1])).toBe(one < other);
      }),
    );
  });

  test("agrees with a published ULID", () => {
    // The example of the ULID specification's own README: 01ARZ3NDEKTSV4RRFFQ69G5FAV.
    const id = parseCaseId("trf_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    expect(id).toEqual({ kind: "trf", uuid: "01563e3ab5d3d6764c61efb99302bd5b", timeMs: 1469922850259 });
  });

  test.each([
    ["nothing", null],
    ["empty", ""],
    ["no kind", "01JD3Z7Q6R8W2V5K9T0M4N1B7C"],
    ["kind too short", "t_01JD3Z7Q6R8W2V5K9T0M4N1B7C"],
    ["kind too long", "transfers_01JD3Z7Q6R8W2V5K9T0M4N1B7C"],
    ["kind in capitals", "TRF_01JD3Z7Q6R8W2V5K9T0M4N1B7C"],
    ["kind with a digit", "tr1_01JD3Z7Q6R8W2V5K9T0M4N1B7C"],
    ["lower case", "trf_01jd3z7q6r8w2v5k9t0m4n1b7c"],
    ["a letter outside the alphabet", "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7I"],
    ["a letter beyond ASCII", "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7Ć"],
    ["more than 128 bits", "trf_81JD3Z7Q6R8W2V5K9T0M4N1B7C"],
    ["one short", "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7"],
    ["one long", "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7CC"],
    ["a line end", "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C\n"],
    ["two underscores", "trf__1JD3Z7Q6R8W2V5K9T0M4N1B7C"],
    ["a random UUID", "936da01f-9abd-4d9d-80c7-02af85c822a8"],
    ["a UUID of another variant", "01932c1e-8f2a-7b3c-0d4e-5f6a7b8c9d0e"],
    ["a UUID without dashes", "01932c1e8f2a7b3c8d4e5f6a7b8c9d0e"],
  ])("is malformed: %s", (_what, text) => {
    expect(parseCaseId(text)).toBeNull();
  });

  test("is malformed wherever a foreign character stands", () => {
    const good = "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C";
    for (let at = 4; at < good.length; at++) {
      for (const bad of ["U", "u", "L", "-", "\0", "Ā", "\u{1F600}"]) {
        expect(parseCaseId(good.slice(0, at) + bad + good.slice(at + 1)), `${bad} at ${at}`).toBeNull();
      }
    }
  });
});

describe("a case id as UUIDv7", () => {
  test("comes back to the same text", () => {
    fc.assert(
      fc.property(fc.uuid({ version: 7 }), (text) => {
        const id = parseCaseId(text) as CaseId;
        expect(id.kind).toBe("");
        expect(formatCaseId(id)).toBe(text);
        expect(parseCaseId(text.toUpperCase())).toEqual(id);
      }),
    );
  });
});

describe("a derived case id", () => {
  test("is the time and the first 80 bits of the hash over length-prefixed parts", () => {
    const id = deriveCaseId("trf", 726019200000, ["transfer_create", "cust_12", "t-1"]);
    const prefixed = "\0\0\0\x0ftransfer_create\0\0\0\x07cust_12\0\0\0\x03t-1";
    const digest = createHash("sha256").update(prefixed, "latin1").digest("hex");
    expect(id).toEqual({ kind: "trf", uuid: `00a90a1dd400${digest.slice(0, 20)}`, timeMs: 726019200000 });
  });

  test("tells where one part ends and the next begins", () => {
    expect(deriveCaseId("trf", 1, ["a", "bc"])).not.toEqual(deriveCaseId("trf", 1, ["ab", "c"]));
    expect(deriveCaseId("trf", 1, ["a", ""])).not.toEqual(deriveCaseId("trf", 1, ["a"]));
  });

  test("refuses a kind or a time that no id can carry", () => {
    expect(() => deriveCaseId("", 1, [])).toThrow(/kind/);
    expect(() => deriveCaseId("trf", 2 ** 48, [])).toThrow(/time/);
    expect(() => deriveCaseId("trf", -1, [])).toThrow(/time/);
    expect(() => newCaseId("trf", 1, Buffer.alloc(9))).toThrow(/random/);
  });
});
