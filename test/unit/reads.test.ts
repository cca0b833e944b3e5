// Small helpers of the reading verbs: cuts and case ids as people write them, amounts as people read them, merged lists.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printable } from "../../src/cli/rows.ts";
import { caseUuid, printCaseId } from "../../src/domain/case-search.ts";
import { formatCut, parseAsOf } from "../../src/domain/cut.ts";
import { formatDecimal } from "../../src/domain/decimal.ts";
import { lastOf, mergeSorted } from "../../src/store/reads-merge.ts";

describe("cuts", () => {
  test("are read back as they were written, in the order of lanes", () => {
    const cut = new Map([
      [0, 12n],
      [1, 40n],
      [10, 0n],
    ]);
    expect(formatCut(cut)).toBe("0:12,1:40,10:0");
    expect(parseAsOf("10:0,0:12,1:40")).toEqual({ kind: "cut", cut });
    const read = parseAsOf("10:0,0:12,1:40");
    expect(read.kind === "cut" && formatCut(read.cut)).toBe("0:12,1:40,10:0");
  });

  test("are told from times, which need a zone unless they are a date", () => {
    expect(parseAsOf("2026-11-20T10:00:00Z")).toEqual({ kind: "time", atMs: Date.UTC(2026, 10, 20, 10) });
    expect(parseAsOf("2026-11-20T10:00+02:00")).toEqual({ kind: "time", atMs: Date.UTC(2026, 10, 20, 8) });
    expect(parseAsOf("2026-11-20")).toEqual({ kind: "time", atMs: Date.UTC(2026, 10, 20) });
    for (const text of ["", "now", "0:", "0:1,", "0:-1", "0:1 1:2", "2026-13-01", "2026-11-20T10:00:00", "1:1,1:2"]) {
      expect(parseAsOf(text).kind, text).toBe("fault");
    }
  });
});

describe("amounts for people", () => {
  test("have as many decimals as their currency", () => {
    expect([1234n, 5n, 0n, -5n, -1234n].map((minor) => formatDecimal(minor, 2))).toEqual([
      "12.34",
      "0.05",
      "0.00",
      "-0.05",
      "-12.34",
    ]);
    expect([formatDecimal(12n, 0), formatDecimal(-1n, 18)]).toEqual(["12", "-0.000000000000000001"]);
  });

  test("keep every digit", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }),
        fc.integer({ min: 0, max: 18 }),
        (minor, scale) => {
          expect(BigInt(formatDecimal(minor, scale).replace(".", ""))).toBe(minor);
        },
      ),
    );
  });
});

describe("case ids of a search", () => {
  const id = "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C";
  const uuid = caseUuid(id) as string;

  test("may be a ULID with its kind, or the same 16 bytes as a UUID in any case", () => {
    const dashed = printCaseId(uuid, "");
    for (const text of [id, uuid, dashed, dashed.toUpperCase()]) expect(caseUuid(text)).toBe(uuid);
    expect(printCaseId(dashed, "trf")).toBe(id);
    expect(printCaseId(uuid, null)).toBe(dashed);
  });

  test("are nothing else", () => {
    for (const text of ["", "trf_", "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7", `${uuid}0`, "x".repeat(32)]) {
      expect(caseUuid(text), text).toBe(null);
    }
  });
});

describe("lists of several lanes", () => {
  async function* of(values: readonly number[]): AsyncGenerator<number> {
    yield* values;
  }
  const gather = async (values: AsyncIterable<number>): Promise<number[]> => {
    const gathered: number[] = [];
    for await (const value of values) gathered.push(value);
    return gathered;
  };

  test("are one list in order, and its end is the last of them", async () => {
    const property = fc.asyncProperty(
      fc.array(fc.array(fc.integer())),
      fc.integer({ min: 1, max: 9 }),
      async (lists, count) => {
        const sorted = lists.map((list) => list.toSorted((a, b) => a - b));
        const expected = lists.flat().sort((a, b) => a - b);
        const merged = () => mergeSorted(sorted.map(of), (one, other) => one < other);
        expect(await gather(merged())).toEqual(expected);
        expect(await gather(lastOf(merged(), count))).toEqual(expected.slice(-count));
        expect(await gather(lastOf(merged(), null))).toEqual(expected);
      },
    );
    await fc.assert(property);
  });
});

test("a stranger's text does nothing to a terminal", () => {
  expect(printable("a\u0000b\u001b[2J\u202e\u2028é\u{e0001}")).toBe("a\\u{0}b\\u{1b}[2J\\u{202e}\\u{2028}é\\u{e0001}");
});
