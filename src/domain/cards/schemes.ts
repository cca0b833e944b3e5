// Which first digits and lengths card schemes give out, and the check digit that all of them share.

export type CardScheme =
  | "visa"
  | "mastercard"
  | "amex"
  | "diners"
  | "discover"
  | "jcb"
  | "unionpay"
  | "maestro"
  | "mir"
  | "rupay"
  | "verve"
  | "elo"
  | "troy";

export const NUMBER_DIGITS_MIN = 13;
export const NUMBER_DIGITS_MAX = 19;

/** Both ends are within; prefixes are compared by their first six digits. */
type SchemeRange = {
  readonly scheme: CardScheme;
  readonly low: number;
  readonly high: number;
  readonly lengths: readonly number[];
};

const FROM_16 = [16, 17, 18, 19];

function range(scheme: CardScheme, low: string, high: string, lengths: readonly number[]): SchemeRange {
  return { scheme, low: Number(low.padEnd(6, "0")), high: Number(high.padEnd(6, "9")), lengths };
}

// As the schemes publish them for those who accept their cards (ISO/IEC 7812 hands the ranges out). Where ranges of two
// schemes overlap the name is the first one's; whether it is a card is the same.
const RANGES: readonly SchemeRange[] = [
  range("elo", "506699", "506778", [16]),
  range("elo", "509000", "509999", [16]),
  range("elo", "636297", "636368", [16]),
  range("visa", "4", "4", [13, 16, 19]),
  range("mastercard", "51", "55", [16]),
  range("mastercard", "2221", "2720", [16]),
  range("amex", "34", "34", [15]),
  range("amex", "37", "37", [15]),
  range("diners", "300", "305", [14, 16, 17, 18, 19]),
  range("diners", "3095", "3095", [14, 16, 17, 18, 19]),
  range("diners", "36", "36", [14, 16, 17, 18, 19]),
  range("diners", "38", "39", [14, 16, 17, 18, 19]),
  range("discover", "6011", "6011", FROM_16),
  range("discover", "644", "649", FROM_16),
  range("verve", "506099", "506198", [16, 18, 19]),
  range("discover", "65", "65", FROM_16),
  range("jcb", "3528", "3589", FROM_16),
  range("unionpay", "62", "62", FROM_16),
  range("unionpay", "81", "81", FROM_16),
  range("maestro", "5018", "5018", [13, 14, 15, ...FROM_16]),
  range("maestro", "5020", "5020", [13, 14, 15, ...FROM_16]),
  range("maestro", "5038", "5038", [13, 14, 15, ...FROM_16]),
  range("maestro", "5893", "5893", [13, 14, 15, ...FROM_16]),
  range("maestro", "6304", "6304", [13, 14, 15, ...FROM_16]),
  range("maestro", "6390", "6390", [13, 14, 15, ...FROM_16]),
  range("maestro", "6759", "6763", [13, 14, 15, ...FROM_16]),
  range("maestro", "676770", "676774", [13, 14, 15, ...FROM_16]),
  range("mir", "2200", "2204", FROM_16),
  range("rupay", "508", "508", [16]),
  range("rupay", "60", "60", [16]),
  range("rupay", "82", "82", [16]),
  range("troy", "9792", "9792", [16]),
];

/** By the first digit, since most digits begin no card at all. */
const BY_FIRST_DIGIT = Array.from({ length: 10 }, (_, first) =>
  RANGES.filter(({ low }) => Math.floor(low / 100_000) === first),
);

/** @returns the scheme that gives out numbers of this length that begin so, or null */
export function schemeOf(digits: readonly number[], from: number, length: number): CardScheme | null {
  const ranges = BY_FIRST_DIGIT[digits[from] as number] as readonly SchemeRange[];
  if (ranges.length === 0) return null;
  let prefix = 0;
  for (let index = from; index < from + 6; index++) prefix = prefix * 10 + (digits[index] as number);
  const found = ranges.find(({ low, high, lengths }) => prefix >= low && prefix <= high && lengths.includes(length));
  return found?.scheme ?? null;
}

/** Every second digit from the right is doubled, its own digits summed; the sum of all ends in 0.
 *  @source ISO/IEC 7812-1, annex B */
export function luhnHolds(digits: readonly number[], from: number, length: number): boolean {
  let sum = 0;
  for (let step = 0; step < length; step++) {
    const digit = digits[from + length - 1 - step] as number;
    if (step % 2 === 0) sum += digit;
    else sum += digit < 5 ? 2 * digit : 2 * digit - 9;
  }
  return sum % 10 === 0;
}
