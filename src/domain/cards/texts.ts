// What a text has to be freed of before its digits are judged: separators, digits of other scripts, encodings, and ids
// whose digits are chance.

// Besides those that people put between the digits of a card (space, hyphen, point): their kin in Unicode, what is not
// seen at all, `+` for a space of a form, and NUL, which parts the letters of UTF-16.
const SEPARATORS =
  // oxlint-disable-next-line no-control-regex -- NUL is one of them
  /[\u0000\t\n\r +\-./_\u00a0\u00ad\u00b7\u1680\u2000-\u200d\u2010-\u2015\u2022\u202f\u205f\u2060\u2212\u3000\ufeff]/;

const ASCII_SEPARATOR = Array.from({ length: 128 }, (_, code) => SEPARATORS.test(String.fromCharCode(code)));

export function isSeparator(code: number): boolean {
  return ASCII_SEPARATOR[code] ?? SEPARATORS.test(String.fromCharCode(code));
}

/** Where the digits of other scripts begin: Arabic-Indic, Persian, Devanagari, full width. */
const ZEROS = [0x0660, 0x06f0, 0x0966, 0xff10];

/** @returns 0 to 9, or -1 for what is no digit */
export function digitValue(code: number): number {
  if (code < 128) return code >= 48 && code <= 57 ? code - 48 : -1;
  const zero = ZEROS.find((first) => code >= first && code < first + 10);
  return zero === undefined ? -1 : code - zero;
}

const UUID = /(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])/gi;
// With a time before the year 2109, which every real one has; and with a letter, else it is a number.
const ULID = /(?<![0-9A-Za-z])0[0-3](?=[0-9]*[A-Z])[0-9A-HJKMNP-TV-Z]{24}(?![0-9A-Za-z])/g;
const HASH = /(?<![0-9A-Za-z])(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})(?![0-9A-Za-z])/gi;
const HASH_LETTERS_MIN = 4;
const IBAN = /(?<![0-9A-Za-z])[A-Z]{2}\d\d(?: ?[0-9A-Z]){11,30}/g;

/** Puts an `x` for every character of an id, so that what is left stands where it stood. */
export function blankIds(text: string): string {
  return text
    .replace(UUID, blankLettered)
    .replace(ULID, blank)
    .replace(HASH, (found) => (letters(found) >= HASH_LETTERS_MIN ? blank(found) : found))
    .replace(IBAN, blankIban);
}

function blank(found: string): string {
  return "x".repeat(found.length);
}

function blankLettered(found: string): string {
  return letters(found) > 0 ? blank(found) : found;
}

function letters(found: string): number {
  return found.replace(/[^a-z]/gi, "").length;
}

/** Characters of an IBAN by country.
 *  @source SWIFT IBAN registry */
const IBAN_CHARS: ReadonlyMap<string, number> = new Map(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 " +
    "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 " +
    "LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 " +
    "SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** An account number with its country's length and right check digits; what stands behind it stays. */
function blankIban(found: string): string {
  const chars = IBAN_CHARS.get(found.slice(0, 2)) ?? Number.POSITIVE_INFINITY;
  let end = 0;
  let iban = "";
  while (end < found.length && iban.length < chars) {
    const char = found.charAt(end++);
    if (char !== " ") iban += char;
  }
  if (iban.length < chars || !checksOut(iban)) return found;
  return "x".repeat(end) + found.slice(end);
}

/** @source ISO 13616: the first four characters go to the end, letters count from 10, and 97 leaves 1 */
function checksOut(iban: string): boolean {
  let rest = 0;
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(char, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

/** With `%34` read as the character that it stands for; once, and byte by byte. */
export function decodedPercents(text: string): string {
  if (!text.includes("%")) return text;
  return text.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

const BASE64 = /[A-Za-z0-9+/_-]{18,}/g;
// Three digits in a row that begin where base64 takes its next three bytes: each leaves little choice of characters.
const THREE_DIGITS = /[MNO][DTjz][AEIMQUYcgk][w-z0-5]/;

/** Whether the four characters from `at` on are three digits in base64. The caller has seen that the first may be. */
export function areThreeDigits(text: string, at: number): boolean {
  return THREE_DIGITS.test(text.slice(at, at + 4));
}

/** What each stretch of base64 with digits says, read once from each of its first four characters, since what stands before
 *  it may look like a part of it. */
export function decodedBase64(text: string): string[] {
  const decoded: string[] = [];
  for (const [stretch] of text.matchAll(BASE64)) {
    if (!THREE_DIGITS.test(stretch)) continue;
    const standard = stretch.replaceAll("-", "+").replaceAll("_", "/");
    for (let skip = 0; skip < 4; skip++) {
      const part = standard.slice(skip);
      // One character too many carries six bits of nothing and is no base64.
      decoded.push(atob(part.length % 4 === 1 ? part.slice(0, -1) : part));
    }
  }
  return decoded;
}
