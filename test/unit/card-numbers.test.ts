// Card numbers in texts: every valid one is found, in whatever way it is written, and ids and times are left alone.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findCards, holdsCardNumber, maskCardNumbers } from "../../src/domain/cards/numbers.ts";
import { luhnHolds } from "../../src/domain/cards/schemes.ts";
import { formatCaseId, newCaseId } from "../../src/domain/ids.ts";

const TEST_CARDS = readFileSync(new URL("./fixtures/test_cards.csv", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .slice(1)
  .map((row) => row.split(",")[1] as string);
const isValid = (digits: string): boolean => luhnHolds([...digits].map(Number), 0, digits.length);
const VALID = TEST_CARDS.filter(isValid);

/** A valid number of a scheme: chance behind its first digits, and the check digit at the end. */
const SCHEMES: readonly (readonly [string, number])[] = [
  ["4", 13],
  ["4", 16],
  ["4", 19],
  ["51", 16],
  ["55", 16],
  ["2221", 16],
  ["2720", 16],
  ["34", 15],
  ["37", 15],
  ["300", 14],
  ["36", 14],
  ["38", 16],
  ["6011", 16],
  ["644", 19],
  ["65", 16],
  ["3528", 16],
  ["3589", 16],
  ["62", 17],
  ["62", 19],
  ["81", 16],
  ["5018", 13],
  ["6759", 18],
  ["2204", 16],
  ["6521", 16],
  ["9792", 16],
  ["50610", 19],
];

const cardNumber = fc.constantFrom(...SCHEMES).chain(([prefix, length]) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), {
      minLength: length - prefix.length - 1,
      maxLength: length - prefix.length - 1,
    })
    .map((middle) => {
      const body = prefix + middle.join("");
      const check = [..."0123456789"].find((digit) => isValid(body + digit));
      return body + (check as string);
    }),
);

const separator = fc.constantFrom(
  "",
  "",
  "",
  " ",
  "-",
  ".",
  " - ",
  "  ",
  "\u00a0",
  "\u2011",
  "\u200b",
  "\t",
  "\n",
  "/",
);

function write(number: string, separators: readonly string[]): string {
  return [...number].map((digit, at) => digit + (at < number.length - 1 ? (separators[at] ?? "") : "")).join("");
}

const written = fc
  .tuple(cardNumber, fc.array(separator, { minLength: 18, maxLength: 18 }))
  .map(([number, separators]) => write(number, separators));
const words = fc.stringMatching(/^[A-Za-zäß:,;() ]{0,30}$/);

describe("a valid card number is found", () => {
  test.each(VALID)("%s, published for tests", (number) => {
    expect(holdsCardNumber(number)).toBe(true);
    expect(holdsCardNumber(`order ${number}, thank you`)).toBe(true);
  });

  test("with any separators between its digits, anywhere in a text", () => {
    fc.assert(fc.property(words, written, words, (before, number, after) => holdsCardNumber(before + number + after)));
  });

  test("in one piece or parted as people do, with other digits on both sides of it", () => {
    const digits = fc.stringMatching(/^[1-9]?[0-9]{0,6}$/);
    fc.assert(
      fc.property(digits, fc.constantFrom(...VALID), fc.constantFrom("", " ", "-"), digits, (...parts) => {
        const [before, number, part, after] = parts;
        const sizes = number.length === 16 ? [4, 4, 4, 4] : number.length === 15 ? [4, 6, 5] : [4, 6, 4];
        let rest = number;
        const groups = sizes.map((size) => {
          const group = rest.slice(0, size);
          rest = rest.slice(size);
          return group;
        });
        const text = before + groups.join(part) + after;
        // Behind a 1, so many digits are a moment.
        fc.pre(part !== "" || !/^(1.{12}|1.{15}|1.{18}|(19|20).{12}|(19|20).{15})$/.test(text));
        return holdsCardNumber(text);
      }),
      { numRuns: 2000 },
    );
  });

  test("inside a longer run of digits, wherever it begins", () => {
    const digits = fc.stringMatching(/^[0-9]{4,20}$/);
    fc.assert(
      fc.property(digits, cardNumber, digits, (before, number, after) => {
        fc.pre(before.length + number.length + after.length > 19);
        return holdsCardNumber(before + number + after);
      }),
    );
  });

  test("with its expiry or its security code behind it", () => {
    for (const text of ["4242424242424242 12/26", "4242 4242 4242 4242 123", "378282246310005 1226 1234"]) {
      expect(holdsCardNumber(text)).toBe(true);
    }
  });

  test("written in digits of another script", () => {
    const full = (text: string, zero: number): string =>
      [...text].map((digit) => String.fromCharCode(zero + Number(digit))).join("");
    for (const zero of [0xff10, 0x0660, 0x06f0, 0x0966]) {
      expect(holdsCardNumber(`a ${full("4242424242424242", zero)}`)).toBe(true);
    }
  });

  test("encoded for an address", () => {
    const percents = (text: string): string => [...text].map((char) => `%${char.charCodeAt(0).toString(16)}`).join("");
    expect(holdsCardNumber(`card=${percents("4242424242424242")}`)).toBe(true);
    expect(holdsCardNumber("card=4242%204242%2D4242%204242")).toBe(true);
    expect(holdsCardNumber("card=4242+4242+4242+4242")).toBe(true);
  });

  test("in base64, at any place of what was encoded", () => {
    fc.assert(
      fc.property(words, fc.constantFrom(...VALID), words, fc.constantFrom("base64", "base64url"), (...parts) => {
        const [before, number, after, encoding] = parts;
        const encoded = Buffer.from(before + number + after).toString(encoding as BufferEncoding);
        return holdsCardNumber(encoded) && holdsCardNumber(`tok_${encoded}`);
      }),
    );
    const parted = Buffer.from("4242 4242 4242 4242").toString("base64");
    expect(holdsCardNumber(parted)).toBe(true);
  });

  test("on the tracks of a magnetic stripe, whatever its check digit", () => {
    expect(holdsCardNumber("%B4242424242424241^DOE/JOHN^2512101")).toBe(true);
    expect(holdsCardNumber(";4242424242424241=25121011000012345678?")).toBe(true);
  });
});

describe("what is no card number is left alone:", () => {
  const chance = fc.uint8Array({ minLength: 10, maxLength: 10 });
  const time = fc.integer({ min: Date.UTC(2015, 0, 1), max: Date.UTC(2033, 0, 1) });

  test("ULIDs, UUIDs, hashes and trace contexts, also in a row", () => {
    const ids = fc.tuple(time, chance).map(([ms, bytes]) => formatCaseId(newCaseId("pay", ms, Buffer.from(bytes))));
    const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
    const trace = fc.tuple(hex(32), hex(16)).map(([id, span]) => `00-${id}-${span}-01`);
    const any = fc.oneof(
      ids,
      ids.map((id) => id.slice(4)),
      fc.uuid(),
      hex(64),
      hex(40),
    );
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 5 }), (some) => !holdsCardNumber(some.join(" "))),
      {
        numRuns: 5_000,
      },
    );
    // The 16 digits of a span may be all decimal: one in two thousand is, and one in thirty of those is taken.
    const taken = fc.sample(trace, 5_000).filter(holdsCardNumber).length;
    expect(taken).toBeLessThanOrEqual(3);
  });

  test("moments, as numbers and as written by people", () => {
    fc.assert(
      fc.property(time, fc.integer({ min: 0, max: 999_999 }), (ms, micros) => {
        const iso = new Date(ms).toISOString();
        const six = String(micros).padStart(6, "0");
        const texts = [
          String(ms),
          `${ms}${six.slice(0, 3)}`,
          `${ms}${six}`,
          iso,
          iso.replace("Z", `${six.slice(0, 3)}Z`),
          iso.replace(/[-T:]/g, "").slice(0, 14),
          iso.replace(/[-T:.]/g, "").slice(0, 17),
          iso.replace("T", " "),
        ];
        return texts.every((text) => !holdsCardNumber(text));
      }),
      { numRuns: 5_000 },
    );
  });

  test("amounts of up to twelve digits, account paths, bank accounts", () => {
    const texts = ["123456789012", "1,234,567.89 EUR", "liability:customer:cus_42:available", "asset:bank:main"];
    const ibans = [
      "DE89370400440532013000",
      "DE89 3704 0044 0532 0130 00",
      "GB82 WEST 1234 5698 7654 32",
      "FR1420041010050500013M02606",
    ];
    for (const text of [...texts, ...ibans, `from ${ibans[1]} for you`]) expect(holdsCardNumber(text)).toBe(false);
  });

  test("numbers whose check digit is wrong, and those of no scheme", () => {
    for (const number of VALID) {
      const wrong = number.slice(0, -1) + String((Number(number.at(-1)) + 1) % 10);
      expect(findCards(wrong).filter(({ start }) => start === 0)).toEqual([]);
    }
    for (const number of ["0000000000000000", "1000000000000008", "7992739871300003", "9000000000000001"]) {
      expect(holdsCardNumber(number)).toBe(false);
    }
  });
});

// The shares that docs/card-numbers.md states. Seeded, so that they are the same with every run.
test.each([
  [13, 0.007, 0.013],
  [16, 0.035, 0.05],
  [20, 0.2, 0.35],
])("of random numbers of %i digits, between %d and %d are taken for a card", (length, low, high) => {
  let state = 7;
  const digit = (): string => {
    state = (state * 16_807) % (2 ** 31 - 1);
    return String(Math.floor((state / (2 ** 31 - 1)) * 10));
  };
  const sample = Array.from({ length: 20_000 }, () => Array.from({ length }, digit).join(""));
  const share = sample.filter(holdsCardNumber).length / sample.length;
  expect(share).toBeGreaterThan(low);
  expect(share).toBeLessThan(high);
});

describe("masking", () => {
  test("leaves scheme and last digits, and everything around", () => {
    expect(maskCardNumbers("a 4242 4242 4242 4242, b 378282246310005.")).toBe(
      "a [PAN:visa:****4242], b [PAN:amex:****0005].",
    );
    expect(maskCardNumbers("nothing here 12345")).toBe("nothing here 12345");
  });

  test("takes the whole text when the number is encoded in it", () => {
    expect(maskCardNumbers(`t=${Buffer.from("4242424242424242").toString("base64")}`)).toBe("[PAN]");
  });

  test("leaves none behind", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(words, written), { maxLength: 6 }), (parts) => {
        return !holdsCardNumber(maskCardNumbers(parts.join("")));
      }),
    );
  });
});

// The longest record is looked through while its lane waits. A search that walks all the digits for each of them takes
// minutes for these.
test.each(["4111111111111111", "1111111111111111"])(
  "a megabyte of %s is looked through in one pass",
  (piece) => {
    const text = piece.repeat(1_048_576 / piece.length);
    const since = performance.now();
    holdsCardNumber(text);
    maskCardNumbers(text);
    expect(performance.now() - since).toBeLessThan(8_000);
  },
  60_000,
);
