// The tail of an output partition as the cursor of what was published, and when it contradicts the database.
import { describe, expect, test } from "vitest";
import { judgeTail, type TailFacts } from "../../src/relay/cursor.ts";

const DIGEST = Buffer.from("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "hex");
const READING = { sequence: 41n, block: 9n, blockDigest: DIGEST.subarray(0, 8) };
const FACTS: TailFacts = {
  low: 0n,
  reading: READING,
  digest: DIGEST,
  marked: 40n,
  begunAnew: false,
  committedNext: 42n,
};

function cause(over: Partial<TailFacts>): string {
  const judged = judgeTail({ ...FACTS, ...over });
  return judged.kind === "halt" ? judged.cause : `published ${judged.published}`;
}

describe("a tail", () => {
  test.each<[string, Partial<TailFacts>]>([
    ["of the last committed message", {}],
    ["behind what is committed", { committedNext: 100n }],
    ["ahead of the hint, which lags", { marked: -1n }],
    ["at the hint", { marked: 41n }],
  ])("%s is the cursor", (_what, over) => {
    expect(cause(over)).toBe("published 41");
  });

  test("ahead of the head halts: the database has lost blocks", () => {
    expect(cause({ committedNext: 41n })).toBe("tail_ahead_of_head");
    expect(cause({ committedNext: 0n })).toBe("tail_ahead_of_head");
  });

  test("of a block that the database does not have halts", () => {
    expect(cause({ digest: null })).toBe("tail_ahead_of_head");
  });

  test("with another digest halts: two histories of one lane", () => {
    const other = Buffer.from(DIGEST);
    other[7] = 0;
    expect(cause({ digest: other })).toBe("tail_differs_from_block");
    other.set(DIGEST);
    other[8] = 0; // beyond what a message carries
    expect(cause({ digest: other })).toBe("published 41");
  });

  test("behind what is known to be published halts: readers have lost messages", () => {
    expect(cause({ marked: 42n, committedNext: 50n })).toBe("tail_behind_mark");
  });

  test("says in its evidence what was found and expected", () => {
    expect(judgeTail({ ...FACTS, committedNext: 40n })).toMatchObject({
      evidence: { tailSequence: 41n, tailBlock: 9n, committedNext: 40n, marked: 40n },
    });
    expect(judgeTail({ ...FACTS, digest: Buffer.alloc(32) })).toMatchObject({
      evidence: { tailDigest: "0011223344556677", blockDigest: "0".repeat(64) },
    });
  });
});

describe("without a readable tail", () => {
  test("a partition that was never written begins at the first message", () => {
    expect(cause({ reading: null, low: 0n, marked: -1n })).toBe("published -1");
  });

  test("a partition that is empty anew halts", () => {
    expect(cause({ reading: null, low: 0n, marked: 0n })).toBe("output_topic_recreated");
  });

  test("a partition that an operator knows to be new goes on behind what was published", () => {
    expect(cause({ reading: null, low: 0n, marked: 7n, begunAnew: true })).toBe("published 7");
  });

  test("the hint alone knows what an expired partition held", () => {
    expect(cause({ reading: null, low: 50n, marked: 40n })).toBe("published 40");
    expect(cause({ reading: null, low: 50n, marked: -1n })).toBe("published -1"); // only markers of fences
  });
});
