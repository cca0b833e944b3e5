// What a provider can do with a request, in three independent words: its fate (what becomes of the operation), the line
// (how the request is answered) and the post (how the webhooks about it come). docs/sandbox.md shows these tables, and
// test/unit/sandbox-choose.test.ts holds the two together.

type Word = {
  /** chosen by an amount that ends with it, see `choose.ts` */
  readonly number: number;
  readonly means: string;
};

const FATE_WORDS = {
  done: { number: 0, means: "it succeeds" },
  declined: { number: 1, means: "refused by the issuer or the bank: `declined`, at instanet `failed`" },
  partial: { number: 10, means: "half of the amount is approved, or paid in" },
  overpaid: { number: 11, means: "a charge or deposit is paid with one unit more" },
  paid_twice: { number: 12, means: "a charge or deposit is paid, and late once more" },
  paid_late: { number: 13, means: "a charge or deposit is paid late after it was closed or expired" },
  action_done: { number: 20, means: "demands a step of the customer, who does it late" },
  action_abandoned: { number: 21, means: "demands a step of the customer, who gives it up late" },
  action_waits: { number: 22, means: "demands a step, and waits until somebody posts to its `action.url`" },
  pending_done: { number: 30, means: "stays open, and succeeds late" },
  pending_failed: { number: 31, means: "stays open, and fails late" },
  pending_waits: { number: 32, means: "stays open for ever" },
  done_failed: { number: 40, means: "succeeds, and fails late after all: the money comes back" },
  declined_done: { number: 41, means: "refused, and late done after all" },
  disputed: { number: 42, means: "succeeds, and late the payer disputes it" },
  recalled: { number: 43, means: "a bank transfer is paid, and late the payer's bank asks for it back" },
  claimed: { number: 44, means: "a charge is paid, and late the payer's bank claims it back for fraud, in two parts" },
  refused: { number: 50, means: "422 `not_supported`: nothing is done, and the key stays new" },
} as const satisfies Readonly<Record<string, Word>>;

const LINE_WORDS = {
  plain: { number: 100, means: "answers" },
  slow: { number: 101, means: "does it, and answers after `--slow-ms`" },
  silent_after: { number: 102, means: "does it, and never answers" },
  silent_before: { number: 103, means: "never answers and does nothing, the first time" },
  error_after: { number: 104, means: "does it, and answers 500" },
  error_before: { number: 105, means: "answers 503 and does nothing, the first time" },
  cut_after: { number: 106, means: "does it, and breaks the connection" },
  cut_before: { number: 107, means: "breaks the connection and does nothing, the first time" },
  rate_limited: { number: 108, means: "answers 429 and does nothing, the first time" },
  garbage_after: { number: 109, means: "does it, and answers 200 with a page of HTML" },
  blind: { number: 110, means: "does it and breaks the connection, and answers the first query about it with 503" },
} as const satisfies Readonly<Record<string, Word>>;

const POST_WORDS = {
  once: { number: 200, means: "one webhook for each thing that happens, at once" },
  twice: { number: 201, means: "each comes again late" },
  late: { number: 202, means: "each comes late" },
  early: { number: 203, means: "the first comes before the answer" },
  swapped: { number: 204, means: "the first comes after what happens later" },
  forged: { number: 205, means: "before each comes one that says something else, with a wrong signature" },
  unsent: { number: 206, means: "none comes" },
} as const satisfies Readonly<Record<string, Word>>;

export type Fate = keyof typeof FATE_WORDS;
export type Line = keyof typeof LINE_WORDS;
export type Post = keyof typeof POST_WORDS;

export const FATES: Readonly<Record<Fate, Word>> = FATE_WORDS;
export const LINES: Readonly<Record<Line, Word>> = LINE_WORDS;
export const POSTS: Readonly<Record<Post, Word>> = POST_WORDS;

export type Behaviour = {
  readonly fate: Fate;
  /** why, where the fate is a refusal or a failure; null takes the usual one */
  readonly code: string | null;
  readonly line: Line;
  readonly post: Post;
};

export const SMOOTH: Behaviour = { fate: "done", code: null, line: "plain", post: "once" };

const CODE = /^[a-z][a-z0-9_]{0,63}$/;

/** Reads words in any order, each kind once at most: `declined:insufficient_funds silent_after twice`.
 *  @returns the behaviour, or what is wrong with the text */
export function parseBehaviour(text: string): Behaviour | string {
  const found: { fate?: Fate; line?: Line; post?: Post } = {};
  let code: string | null = null;
  for (const part of text.split(/\s+/).filter((one) => one !== "")) {
    const [word = "", detail] = part.split(/:(.*)/s);
    if (isFate(word) && found.fate === undefined) {
      found.fate = word;
      if (detail !== undefined && !CODE.test(detail)) return `"${part}": expected a code such as insufficient_funds`;
      code = detail ?? null;
    } else if (detail !== undefined) return `"${part}": only a fate that is known has a code`;
    else if (isLine(word) && found.line === undefined) found.line = word;
    else if (isPost(word) && found.post === undefined) found.post = word;
    else return `"${part}": no such word, or a second one of its kind`;
  }
  return { ...SMOOTH, ...found, code };
}

export function printBehaviour({ fate, code, line, post }: Behaviour): string {
  return `${fate}${code === null ? "" : `:${code}`} ${line} ${post}`;
}

/** @returns the behaviour with the one word that has this number, or null */
export function numberedBehaviour(number: number): Behaviour | null {
  const decline = DECLINES.find((one) => one.number === number);
  if (decline !== undefined) return { ...SMOOTH, fate: "declined", code: decline.code };
  for (const [fate, word] of Object.entries(FATES))
    if (word.number === number) return { ...SMOOTH, fate: fate as Fate };
  for (const [line, word] of Object.entries(LINES))
    if (word.number === number) return { ...SMOOTH, line: line as Line };
  for (const [post, word] of Object.entries(POSTS))
    if (word.number === number) return { ...SMOOTH, post: post as Post };
  return null;
}

export function isFate(word: string): word is Fate {
  return Object.hasOwn(FATES, word);
}

export function isLine(word: string): word is Line {
  return Object.hasOwn(LINES, word);
}

export function isPost(word: string): word is Post {
  return Object.hasOwn(POSTS, word);
}

export type Decline = {
  readonly number: number;
  readonly code: string;
  /** of the card scheme, as in ISO 8583 */
  readonly networkCode: string;
  /** whether and when to try again, as Mastercard numbers it; null where it says nothing */
  readonly adviceCode: string | null;
};

/** Why issuers decline, with the codes that the scheme has for it. */
export const DECLINES: readonly Decline[] = [
  { number: 2, code: "insufficient_funds", networkCode: "51", adviceCode: "02" },
  { number: 3, code: "expired_card", networkCode: "54", adviceCode: "01" },
  { number: 4, code: "issuer_unavailable", networkCode: "91", adviceCode: "02" },
  { number: 5, code: "lost_card", networkCode: "41", adviceCode: "03" },
  { number: 6, code: "stolen_card", networkCode: "43", adviceCode: "03" },
  { number: 7, code: "suspected_fraud", networkCode: "59", adviceCode: "03" },
  { number: 8, code: "incorrect_cvc", networkCode: "N7", adviceCode: null },
  { number: 9, code: "processing_error", networkCode: "96", adviceCode: "02" },
  { number: 1, code: "do_not_honor", networkCode: "05", adviceCode: null },
];
