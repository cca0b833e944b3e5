import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { homeLane, isHolderId, murmur2 } from "../../src/domain/holder.ts";

type Vector = { key: string; murmur2: number; partition_of_12: number };
const fixture = new URL("fixtures/murmur2_vectors.json", import.meta.url);
const { vectors } = JSON.parse(readFileSync(fixture, "utf8")) as { vectors: Vector[] };

const HOLDER_ID = fc.stringMatching(/^[A-Za-z0-9_.-]{1,64}$/).filter((id) => id !== "house");

describe("the home lane of a holder", () => {
  test.each(vectors)("is Kafka's partition of the key $key", (vector) => {
    expect(murmur2(Buffer.from(vector.key, "utf8"))).toBe(vector.murmur2);
    expect(homeLane(vector.key, 12)).toBe(vector.partition_of_12);
  });

  test("is one of the lanes, and the same for the text and for its bytes", () => {
    fc.assert(
      fc.property(fc.oneof(HOLDER_ID, fc.string({ maxLength: 200, unit: "binary" })), fc.nat(200), (text, more) => {
        const lanes = more + 1;
        const lane = homeLane(text, lanes);
        expect(lane).toBeGreaterThanOrEqual(0);
        expect(lane).toBeLessThan(lanes);
        expect(lane).toBe((murmur2(Buffer.from(text, "utf8")) & 0x7fffffff) % lanes);
      }),
    );
  });

  test("does not exist without lanes", () => {
    expect(() => homeLane("cust_1", 0)).toThrow(/lanes/);
  });
});

describe("a holder id", () => {
  test("is 1 to 64 of A-Z a-z 0-9 _ - .", () => {
    fc.assert(fc.property(HOLDER_ID, (id) => isHolderId(id)));
    fc.assert(
      fc.property(HOLDER_ID, fc.constantFrom(":", " ", "/", "é", "\n", "\0", "{"), (id, bad) => !isHolderId(id + bad)),
    );
  });

  test.each(["", "house", "a".repeat(65), "a b", "cust:1", "cust_1\n", "\u202ecust", "žofie"])("is not %j", (text) => {
    expect(isHolderId(text)).toBe(false);
  });
});
