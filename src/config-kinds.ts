// The kinds of settings: what each accepts from a file (typed values) and from the environment or a flag (text). The
// only file that knows zod.

import { z } from "zod";

/** One setting as declared. `T` is the type of its value in `Config`. */
export type Setting<T> = {
  readonly default: T;
  /** how the value is counted: `ms`, `bytes`, `records` …; empty for names and addresses */
  readonly unit: string;
  /** completes "expected …" */
  readonly expected: string;
  /** why it exists, and what speaks for the default */
  readonly reason: string;
  /** values that may hold a password are never printed */
  readonly secret: boolean;
  /** a path is resolved against the folder of the file that names it, else against the working directory */
  readonly isPath: boolean;
  readonly check: z.ZodType<T>;
  /** Text of the environment or of a flag as the value a file would hold. What cannot be read stays text, so that
   *  `check` refuses it. */
  readonly fromText: (text: string) => unknown;
};

type About = { readonly reason: string };
type Plain<T> = Pick<Setting<T>, "default" | "expected" | "check"> &
  About & { readonly fromText?: Setting<T>["fromText"] };

function setting<T>(plain: Plain<T>): Setting<T> {
  return { unit: "", secret: false, isPath: false, fromText: (text) => text, ...plain };
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
      fromText: (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : text),
    }),
    unit: range.unit,
  };
}

export function yesOrNo(about: About & { readonly default: boolean }): Setting<boolean> {
  const words: Readonly<Record<string, boolean>> = { true: true, "1": true, false: false, "0": false };
  return setting<boolean>({
    ...about,
    expected: "true or false",
    check: z.boolean(),
    fromText: (text) => words[text.toLowerCase()] ?? text,
  });
}

type Wording = { readonly expected: string; readonly pattern: RegExp };

/** Text that the whole of `pattern` matches. */
export function text(about: About & Wording & { readonly default: string }): Setting<string> {
  return setting<string>({ ...about, check: z.string().regex(about.pattern) });
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
    }),
    secret: true,
  };
}

/** A folder; the default is null when it depends on other settings. */
export function folder(about: About): Setting<string> {
  return {
    ...setting<string>({ ...about, default: "", expected: "the path of a folder", check: z.string().min(1) }),
    isPath: true,
  };
}

const splitAtCommas = (text: string) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

/** One or more items that match; one text with commas is as good as a list. */
export function list(about: About & Wording & { readonly default: readonly string[] }): Setting<readonly string[]> {
  const items = z.array(z.string().regex(about.pattern)).min(1).readonly();
  return setting<readonly string[]>({
    ...about,
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
  });
}

/** One or more of a few names; the default is all of them. */
export function someOf<Name extends string>(
  about: About & { readonly names: readonly Name[] },
): Setting<readonly Name[]> {
  const items = z.array(z.enum(about.names)).min(1).readonly() as unknown as z.ZodType<readonly Name[]>;
  return setting<readonly Name[]>({
    default: about.names,
    expected: `one or more of ${about.names.join(", ")}`,
    reason: about.reason,
    check: z.preprocess((raw) => (typeof raw === "string" ? splitAtCommas(raw) : raw), items),
    fromText: splitAtCommas,
  });
}
