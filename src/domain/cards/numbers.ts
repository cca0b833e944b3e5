// Card numbers in texts, where none may be: how one is told from any other digits. A number counts when it fits a scheme
// by its first digits and its length, passes Luhn, and stands where a number can begin and end. docs/card-numbers.md says
// the same in words, with what is not found and how often chance is taken for a card.
//
// Every text of every intent comes through `holdsCardNumber`, so it goes once over the characters and calls for the search
// only when there are digits enough, or something that may stand for digits.

import { type CardScheme, luhnHolds, NUMBER_DIGITS_MAX, NUMBER_DIGITS_MIN, schemeOf } from "./schemes.ts";
import { areThreeDigits, blankIds, decodedBase64, decodedPercents, digitValue, isSeparator } from "./texts.ts";

export type CardFind = {
  readonly scheme: CardScheme | "track";
  readonly lastFour: string;
  readonly start: number;
  readonly end: number;
};

/** More separators than these between two digits, and they belong to two numbers. */
const SEPARATORS_MAX = 3;

// First pass -------------------------------------------------------------------------------------------------------------

// 0: breaks a run of digits.
const DIGIT = 1;
const NEUTRAL = 2;
const ENCODED = 3;
const QUAD = 4;
const CLASSES = new Uint8Array(128);
for (let code = 0; code < 128; code++) if (isSeparator(code)) CLASSES[code] = NEUTRAL;
for (const digit of "0123456789") CLASSES[digit.charCodeAt(0)] = DIGIT;
CLASSES["%".charCodeAt(0)] = ENCODED;
// A digit that begins three bytes of base64 is written M, N or O, and those behind it leave as little choice.
for (const letter of "MNO") CLASSES[letter.charCodeAt(0)] = QUAD;
const SECOND_OF_QUAD = new Uint8Array(128);
for (const letter of "DTjz") SECOND_OF_QUAD[letter.charCodeAt(0)] = 1;

/** Whether a card number stands anywhere in the text, as it is or encoded once. */
export function holdsCardNumber(text: string): boolean {
  return mayHold(text) && (standsPlain(text) || isEncodedCard(text));
}

/** Looks no further than the first. */
function standsPlain(text: string): boolean {
  return cardsIn(text).next().done === false;
}

function mayHold(text: string): boolean {
  const { length } = text;
  if (length < NUMBER_DIGITS_MIN) return false;
  let digits = 0;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code > 127) return true;
    const kind = CLASSES[code];
    if (kind === 0) digits = 0;
    else if (kind === DIGIT) {
      digits += 1;
      if (digits === NUMBER_DIGITS_MIN) return true;
    } else if (kind === QUAD) {
      digits = 0;
      const isSecond = SECOND_OF_QUAD[text.charCodeAt(at + 1)] === 1;
      if (isSecond && areThreeDigits(text, at)) return true;
    } else if (kind === ENCODED) return true;
  }
  return false;
}

function isEncodedCard(text: string): boolean {
  const plain = decodedPercents(text);
  return (plain !== text && standsPlain(plain)) || decodedBase64(text).some(standsPlain);
}

// The search -------------------------------------------------------------------------------------------------------------

/** Digits that only separators part, with where each stands and whether a separator stands before it. */
type Run = { readonly digits: number[]; readonly at: number[]; readonly parted: boolean[] };

/** The card numbers that stand in the text as it is, each with its place; of those that overlap the first. */
export function findCards(text: string): CardFind[] {
  return [...cardsIn(text)].sort((one, other) => one.start - other.start);
}

function* cardsIn(text: string): Generator<CardFind> {
  yield* tracksIn(text);
  for (const run of runsIn(blankIds(text))) yield* cardsInRun(run);
}

const TRACKS = /(?:%[A-Za-z]?(?=\d+\^)|;(?=\d+=))(\d{13,19})[\^=]/g;

/** A magnetic stripe's first and second track, which nobody writes by chance: they need no check digit. */
function* tracksIn(text: string): Generator<CardFind> {
  for (const match of text.matchAll(TRACKS)) {
    const lastFour = (match[1] as string).slice(-4);
    yield { scheme: "track", lastFour, start: match.index, end: match.index + match[0].length };
  }
}

function* runsIn(text: string): Generator<Run> {
  let run: Run = { digits: [], at: [], parted: [] };
  let separators = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const digit = digitValue(code);
    if (digit >= 0) {
      run.digits.push(digit);
      run.at.push(at);
      run.parted.push(separators > 0);
      separators = 0;
    } else if (!isSeparator(code) || ++separators > SEPARATORS_MAX) {
      if (run.digits.length >= NUMBER_DIGITS_MIN) yield run;
      if (run.digits.length > 0) run = { digits: [], at: [], parted: [] };
      separators = 0;
    }
  }
  if (run.digits.length >= NUMBER_DIGITS_MIN) yield run;
}

function* cardsInRun(run: Run): Generator<CardFind> {
  const { digits, at } = run;
  for (let from = 0; from + NUMBER_DIGITS_MIN <= digits.length; from++) {
    // The longest first: a number of 19 digits is not one of 16 and three more.
    for (let length = Math.min(NUMBER_DIGITS_MAX, digits.length - from); length >= NUMBER_DIGITS_MIN; length--) {
      const scheme = schemeOf(digits, from, length);
      if (scheme === null || !luhnHolds(digits, from, length) || !mayStand(run, from, length)) continue;
      const lastFour = digits.slice(from + length - 4, from + length).join("");
      yield { scheme, lastFour, start: at[from] as number, end: (at[from + length - 1] as number) + 1 };
      from += length - 1;
      break;
    }
  }
}

// Where a number may stand -----------------------------------------------------------------------------------------------

/** How people part a number that they write behind other digits. */
const GROUPINGS: ReadonlySet<string> = new Set(["4-4-4-4", "4-6-5", "4-6-4", "4-4-4-4-3"]);

/** Whole between separators it may be parted in any way. Among other digits it must be in one piece, or parted as cards are:
 *  else every list of dates and amounts would hold one. */
function mayStand(run: Run, from: number, length: number): boolean {
  const to = from + length;
  if (isEdge(run, from) && isEdge(run, to)) return true;
  const groups: number[] = [];
  let begin = from;
  for (let index = from + 1; index <= to; index++) {
    if (index < to && run.parted[index] !== true) continue;
    groups.push(index - begin);
    begin = index;
  }
  return groups.length === 1 ? mayStandInside(run, from, length) : GROUPINGS.has(groups.join("-"));
}

/** Thirteen digits are rare as cards and common in longer numbers: inside one they count only when it is longer than any
 *  card. Nothing inside a moment is a card. Of a longer piece, which is no moment either, only so much is walked: whoever
 *  sends a megabyte of digits would else have all of it walked for each of them. */
function mayStandInside(run: Run, from: number, length: number): boolean {
  let first = from;
  let end = from + length;
  while (!isEdge(run, first) && end - first <= NUMBER_DIGITS_MAX) first -= 1;
  while (!isEdge(run, end) && end - first <= NUMBER_DIGITS_MAX) end += 1;
  if (isMoment(run.digits.slice(first, end))) return false;
  return length > NUMBER_DIGITS_MIN || end - first > NUMBER_DIGITS_MAX;
}

function isEdge({ digits, parted }: Run, index: number): boolean {
  return index === 0 || index === digits.length || parted[index] === true;
}

const CALENDAR = /^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d(?:\d{3})?$/;

/** Milliseconds, microseconds or nanoseconds since the epoch, until the year 2033; or year to second, or to millisecond. */
function isMoment(digits: readonly number[]): boolean {
  const { length } = digits;
  if (length === 13 || length === 16 || length === 19) return digits[0] === 1;
  return (length === 14 || length === 17) && CALENDAR.test(digits.join(""));
}

// Masking ----------------------------------------------------------------------------------------------------------------

/** The text with each card number told by scheme and last digits alone: `[PAN:visa:****1111]`. One that is encoded takes the
 *  whole text along. */
export function maskCardNumbers(text: string): string {
  if (!mayHold(text)) return text;
  let masked = "";
  let done = 0;
  for (const { scheme, lastFour, start, end } of findCards(text)) {
    if (start < done) continue;
    masked += `${text.slice(done, start)}[PAN:${scheme}:****${lastFour}]`;
    done = end;
  }
  masked += text.slice(done);
  return isEncodedCard(masked) ? "[PAN]" : masked;
}
