// Card numbers once more, from docs/card-numbers.md alone: every window of digits is written out and asked each condition.

export function readsAsCard(text: string): boolean {
  if (text.length < 13) return false;
  return readingsOf(text).some(
    (reading) => countDigits(reading) >= 13 && (holdsTrack(reading) || holdsNumber(lettersForIds(reading))),
  );
}

const SECRET_NAMES = ["cvv", "cvv2", "cvc", "cvc2", "cid", "csc", "cav2"];

export function readsAsSecret(name: string, value: string): boolean {
  if (name.length > 12) return false;
  const spelled = [...name.toLowerCase()].filter((char) => /[a-z0-9]/.test(char)).join("");
  if (SECRET_NAMES.includes(spelled)) return /^[0-9]{3,4}$/.test(value);
  if (spelled === "pin") return /^[0-9]{4,12}$/.test(value);
  if (spelled === "pinblock") return /^[0-9a-fA-F]{16}$/.test(value);
  return ["track", "track1", "track2"].includes(spelled) && /[0-9]{13}/.test(value);
}

const THREE_DIGITS = /[MNO][DTjz][AEIMQUYcgk][w-z0-5]/;

function readingsOf(text: string): string[] {
  const readings = [text];
  if (text.includes("%"))
    readings.push(text.replace(/%[0-9a-fA-F]{2}/g, (code) => String.fromCharCode(parseInt(code.slice(1), 16))));
  for (const stretch of text.match(/[A-Za-z0-9+/_-]{18,}/g) ?? []) {
    if (!THREE_DIGITS.test(stretch)) continue;
    for (const skipped of [0, 1, 2, 3]) {
      // Node reads both alphabets alike, and leaves out a last character that carries less than a byte.
      readings.push(Buffer.from(stretch.slice(skipped), "base64").toString("latin1"));
    }
  }
  return readings;
}

function holdsTrack(text: string): boolean {
  return /%[A-Za-z]?[0-9]{13,19}\^/.test(text) || /;[0-9]{13,19}=/.test(text);
}

// Ids ---------------------------------------------------------------------------------------------------------------------

function lettersForIds(text: string): string {
  const hide = (found: string): string => "#".repeat(found.length);
  const lettersIn = (found: string): number => (found.match(/[A-Za-z]/g) ?? []).length;
  return text
    .replace(/(?<![0-9a-fA-F])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9a-fA-F])/g, (id) =>
      lettersIn(id) >= 1 ? hide(id) : id,
    )
    .replace(/(?<![0-9A-Za-z])0[0-3][0-9A-HJKMNP-TV-Z]{24}(?![0-9A-Za-z])/g, (id) =>
      lettersIn(id) >= 1 ? hide(id) : id,
    )
    .replace(/(?<![0-9A-Za-z])[0-9a-fA-F]+(?![0-9A-Za-z])/g, (id) =>
      [32, 40, 64].includes(id.length) && lettersIn(id) >= 4 ? hide(id) : id,
    )
    .replace(/(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){11,30}/g, hideIban);
}

const IBAN_LENGTHS: Readonly<Record<number, string>> = {
  15: "NO",
  16: "BE",
  18: "DK FO FI GL NL",
  19: "MK SI",
  20: "AT BA EE KZ LT LU XK",
  21: "CH HR LI LV",
  22: "BG BH CR DE GB GE IE ME RS VA",
  23: "AE GI IL IQ TL",
  24: "AD CZ ES MD PK RO SA SE SK TN VG",
  25: "PT ST",
  26: "IS TR",
  27: "FR GR IT MC MR SM",
  28: "AL AZ BY CY DO GT HU LB PL SV",
  29: "BR EG PS QA UA",
  30: "JO KW MU",
  31: "MT SC",
  32: "LC",
};

function hideIban(found: string): string {
  const entry = Object.entries(IBAN_LENGTHS).find(([, countries]) => countries.split(" ").includes(found.slice(0, 2)));
  if (entry === undefined) return found;
  const places = [...found].flatMap((char, at) => (char === " " ? [] : [at])).slice(0, Number(entry[0]));
  if (places.length < Number(entry[0])) return found;
  const iban = places.map((at) => found[at]).join("");
  const number = [...(iban.slice(4) + iban.slice(0, 4))].map((char) => parseInt(char, 36)).join("");
  if (BigInt(number) % 97n !== 1n) return found;
  const end = (places.at(-1) as number) + 1;
  return "#".repeat(end) + found.slice(end);
}

// Windows -----------------------------------------------------------------------------------------------------------------

/** One digit, and the separators between it and the digit before it. */
type Digit = { readonly value: number; readonly gap: number };

function holdsNumber(text: string): boolean {
  return stretches(text).some((digits) =>
    digits.some((_, from) =>
      [13, 14, 15, 16, 17, 18, 19].some(
        (length) =>
          from + length <= digits.length &&
          fitsScheme(numberAt(digits, from, length)) &&
          passesLuhn(numberAt(digits, from, length)) &&
          standsAlone(digits, from, from + length),
      ),
    ),
  );
}

function numberAt(digits: readonly Digit[], from: number, length: number): string {
  let text = "";
  for (let at = from; at < from + length; at++) text += String(digits[at]?.value);
  return text;
}

const SEPARATOR =
  // oxlint-disable-next-line no-control-regex -- NUL is one of them
  /[\u0000\t\n\r +./_\-\u00a0\u00ad\u00b7\u1680\u2000-\u200d\u2010-\u2015\u2022\u202f\u205f\u2060\u2212\u3000\ufeff]/;
const SCRIPTS = ["0", "\u0660", "\u06f0", "\u0966", "\uff10"].map((zero) => zero.charCodeAt(0));

/** Null when it is none. */
function digitOf(code: number): number | null {
  const zero = code < 0x80 ? 0x30 : SCRIPTS.find((first) => code >= first && code <= first + 9);
  return zero === undefined || code < zero || code > zero + 9 ? null : code - zero;
}

/** Most texts have too few for any card number, and nothing more is to be asked of those. */
function countDigits(text: string): number {
  let digits = 0;
  for (let at = 0; at < text.length; at++) if (digitOf(text.charCodeAt(at)) !== null) digits += 1;
  return digits;
}

function stretches(text: string): Digit[][] {
  const all: Digit[][] = [[]];
  let gap = 0;
  for (let at = 0; at < text.length; at++) {
    const value = digitOf(text.charCodeAt(at));
    if (value !== null) {
      all.at(-1)?.push({ value, gap });
      gap = 0;
    } else {
      gap += 1;
      if (gap > 3 || !SEPARATOR.test(text.charAt(at))) {
        all.push([]);
        gap = 0;
      }
    }
  }
  return all.filter((digits) => digits.length >= 13);
}

function standsAlone(digits: readonly Digit[], from: number, to: number): boolean {
  const isCut = (at: number): boolean => at === 0 || at === digits.length || (digits[at]?.gap ?? 0) > 0;
  if (isCut(from) && isCut(to)) return true;
  const parts = digits.slice(from, to).reduce<number[]>((sizes, { gap }, at) => {
    if (at === 0 || gap > 0) return [...sizes, 1];
    return [...sizes.slice(0, -1), (sizes.at(-1) ?? 0) + 1];
  }, []);
  if (parts.length > 1) return ["4,4,4,4", "4,6,5", "4,6,4", "4,4,4,4,3"].includes(parts.join());
  let first = from;
  let last = to;
  while (!isCut(first)) first -= 1;
  while (!isCut(last)) last += 1;
  const piece = numberAt(digits, first, last - first);
  return !isMoment(piece) && (to - from >= 14 || piece.length > 19);
}

function isMoment(piece: string): boolean {
  if ([13, 16, 19].includes(piece.length)) return piece.startsWith("1");
  if (piece.length !== 14 && piece.length !== 17) return false;
  const [century, month, day, hour, minute, second] = [0, 4, 6, 8, 10, 12].map((at) => Number(piece.slice(at, at + 2)));
  const isDay = [19, 20].includes(century as number) && isWithin(month, 1, 12) && isWithin(day, 1, 31);
  return isDay && isWithin(hour, 0, 23) && isWithin(minute, 0, 59) && isWithin(second, 0, 59);
}

function isWithin(value: number | undefined, low: number, high: number): boolean {
  return value !== undefined && value >= low && value <= high;
}

function passesLuhn(number: string): boolean {
  const sums = [...number].reverse().map((char, at) => {
    const doubled = Number(char) * (at % 2 === 1 ? 2 : 1);
    return doubled > 9 ? doubled - 9 : doubled;
  });
  return sums.reduce((sum, one) => sum + one, 0) % 10 === 0;
}

/** Who begins numbers how, as `low-high` of equally many digits, and how long they are. */
const SCHEMES: readonly (readonly [string, readonly number[]])[] = [
  ["4", [13, 16, 19]],
  ["34 37", [15]],
  ["300-305 3095 36 38 39", [14, 16, 17, 18, 19]],
  ["51-55 2221-2720 508 509 506699-506778 636297-636368 60 82 9792", [16]],
  ["6011 644-649 65 3528-3589 62 81 2200-2204", [16, 17, 18, 19]],
  ["506099-506198", [16, 18, 19]],
  ["5018 5020 5038 5893 6304 6390 6759-6763 676770-676774", [13, 14, 15, 16, 17, 18, 19]],
];

/** Taken apart once: a megabyte of digits asks for them seven million times. */
const BEGINNINGS = SCHEMES.map(([beginnings, lengths]) => {
  const ranges = beginnings.split(" ").map((beginning) => {
    const [low, high = low] = beginning.split("-") as [string, string?];
    return { low, high };
  });
  return { ranges, lengths };
});

function fitsScheme(number: string): boolean {
  return BEGINNINGS.some(({ ranges, lengths }) => {
    if (!lengths.includes(number.length)) return false;
    return ranges.some(({ low, high }) => {
      const start = number.slice(0, low.length);
      return start >= low && start <= high;
    });
  });
}
