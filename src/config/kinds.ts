// The kinds of settings: what each accepts from a file (typed values) and from the environment or a flag (text). The
// only file that knows zod.

import { z } from "zod";

/** The part of JSON Schema that one value needs. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One setting as declared. `T` is the type of its value in `Config`. */
export type Setting<T> = {
  readonly default: T;
  /** how the value is counted: `ms`, `bytes`, `records` …; empty for names and addresses */
  readonly unit: string;
  /** completes "expected …" */
  readonly expected: string;
  /** why it exists, and what speaks for the default */
  readonly reason: string;
  /** passwords are never printed: `whole` is one, a URL may have one `in_url` */
  readonly secret: "no" | "in_url" | "whole";
  /** a path is resolved against the folder of the file that names it, else against the working directory */
  readonly isPath: boolean;
  /** the path of a file that has to be there and readable */
  readonly isFile: boolean;
  /** what the default is where it depends on the machine; else null */
  readonly defaultTold: string | null;
  /** what a file may hold, as JSON Schema: for editors */
  readonly json: JsonSchema;
  readonly check: z.ZodType<T>;
  /** Text of the environment or of a flag as the value a file would hold. What cannot be read stays text, so that
   *  `check` refuses it. */
  readonly fromText: (text: string) => unknown;
};

type About = { readonly reason: string };
type Plain<T> = Pick<Setting<T>, "default" | "expected" | "check" | "json"> &
  About & { readonly fromText?: Setting<T>["fromText"] };

function setting<T>(plain: Plain<T>): Setting<T> {
  const usual = { unit: "", secret: "no" as const, isPath: false, isFile: false, defaultTold: null };
  return { ...usual, fromText: (text) => text, ...plain };
}

type Range = { readonly default: number; readonly min: number; readonly max: number; readonly unit: string };

const UNIT_WORDS: Readonly<Record<string, string>> = { ms: "milliseconds" };

/** A whole number between `min` and `max`, both included. */
export function wholeNumber(range: Range & About): Setting<number> {
  const counted = range.unit === "" ? "" : ` of ${UNIT_WORDS[range.unit] ?? range.unit}`;
  return {
    ...setting<number>({
      default: range.default,
      expected: `a whole number${counted} from ${range.min} to ${range.max}`,
      reason: range.reason,
      check: z.int().min(range.min).max(range.max),
      json: { type: "integer", minimum: range.min, maximum: range.max },
      fromText: (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : text),
    }),
    unit: range.unit,
  };
}

export function yesOrNo(about: About & { readonly default: boolean }): Setting<boolean> {
  const words = new Map([
    ["true", true],
    ["1", true],
    ["false", false],
    ["0", false],
  ]);
  return setting<boolean>({
    ...about,
    expected: "true or false",
    check: z.boolean(),
    json: { type: "boolean" },
    fromText: (text) => words.get(text.toLowerCase()) ?? text,
  });
}

type Wording = { readonly expected: string; readonly pattern: RegExp };

/** Text that the whole of `pattern` matches.
 *  @param about `defaultTold` says what the default is where it depends on the machine */
export function text(
  about: About & Wording & { readonly default: string; readonly defaultTold?: string },
): Setting<string> {
  const { defaultTold = null, pattern, ...rest } = about;
  const plain = { ...rest, check: z.string().regex(pattern), json: { type: "string", pattern: pattern.source } };
  return { ...setting<string>(plain), defaultTold };
}

/** A password or the like: never printed. The default is none. */
export function secret(about: About): Setting<string> {
  const plain = { ...about, default: "", expected: "a text of 1 to 4096 characters" };
  return {
    ...setting<string>({
      ...plain,
      check: z.string().min(1).max(4096),
      json: { type: "string", minLength: 1, maxLength: 4096 },
    }),
    secret: "whole",
  };
}

/** A URL with one of the schemes (`http:`), or null when nobody names one. It may hold a password. */
export function url(
  about: About & { readonly schemes: readonly string[]; readonly expected: string },
): Setting<string | null> {
  const isUrl = (value: string) => URL.canParse(value) && about.schemes.includes(new URL(value).protocol);
  return {
    ...setting<string | null>({
      default: null,
      expected: about.expected,
      reason: about.reason,
      check: z.string().refine(isUrl),
      json: { type: "string", pattern: `^(${about.schemes.join("|")})//` },
    }),
    secret: "in_url",
  };
}

/** A folder; the default is empty when it depends on other settings. */
export function folder(about: About): Setting<string> {
  return { ...path(about, "the path of a folder"), isPath: true };
}

/** A file that has to be there and readable; the default is none. */
export function file(about: About): Setting<string> {
  return { ...path(about, "the path of a readable file"), isPath: true, isFile: true };
}

function path(about: About, expected: string): Setting<string> {
  const json = { type: "string", minLength: 1 };
  return setting<string>({ ...about, default: "", expected, check: z.string().min(1), json });
}

const splitAtCommas = (text: string) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

/** One or more items that match; one text with commas is as good as a list. */
export function list(about: About & Wording & { readonly default: readonly string[] }): Setting<readonly string[]> {
  const { pattern, ...rest } = about;
  const items = z.array(z.string().regex(pattern)).min(1).readonly();
  return setting<readonly string[]>({
    ...rest,
    json: listOrText({ type: "string", pattern: pattern.source }),
    check: z.preprocess((raw) => (typeof raw === "string" ? splitAtCommas(raw) : raw), items),
    fromText: splitAtCommas,
  });
}

/** One of a few names. */
export function oneOf<Name extends string>(
  about: About & { readonly names: readonly Name[]; readonly default: Name },
): Setting<Name> {
  return setting<Name>({
    default: about.default,
    expected: `one of ${about.names.join(", ")}`,
    reason: about.reason,
    check: z.enum(about.names) as unknown as z.ZodType<Name>,
    json: { enum: about.names },
  });
}

/** One or more of a few names. */
export function someOf<Name extends string>(
  about: About & { readonly names: readonly Name[]; readonly default: readonly Name[] },
): Setting<readonly Name[]> {
  const items = z.array(z.enum(about.names)).min(1).readonly() as unknown as z.ZodType<readonly Name[]>;
  return setting<readonly Name[]>({
    default: about.default,
    expected: `one or more of ${about.names.join(", ")}`,
    reason: about.reason,
    check: z.preprocess((raw) => (typeof raw === "string" ? splitAtCommas(raw) : raw), items),
    json: listOrText({ enum: about.names }),
    fromText: splitAtCommas,
  });
}

/** A list, or one text with commas. */
function listOrText(items: JsonSchema): JsonSchema {
  return {
    anyOf: [
      { type: "array", items, minItems: 1 },
      { type: "string", minLength: 1 },
    ],
  };
}
