// Which behaviour a request gets: what the script says of it, else what its amount says, else what its token says, else
// what is drawn from its key and the seed. Pure, but for the script's counts of how often a rule was used.

import { createHash } from "node:crypto";
import { type Behaviour, type Fate, type Line, numberedBehaviour, type Post, SMOOTH } from "./behaviour.ts";
import type { ProviderName } from "./memory.ts";
import { cardBehaviour } from "./test-cards.ts";

/** What a behaviour is chosen by. */
export type Asked = {
  readonly provider: ProviderName;
  readonly kind: string;
  readonly key: string;
  readonly reference: string;
  readonly token: string | null;
  readonly currency: string;
  readonly minor: string;
};

export const ASKED_NAMES = [
  "provider",
  "kind",
  "key",
  "reference",
  "token",
  "currency",
  "minor",
] as const satisfies readonly (keyof Asked)[];

export type Trouble = {
  /** of a thousand operations, how many go wrong in some way */
  readonly perMille: number;
  readonly seed: string;
};

export type ScriptRule = {
  readonly when: Readonly<Partial<Record<keyof Asked, string>>>;
  readonly behaviour: Behaviour;
  /** how often it is used; null for ever */
  readonly times: number | null;
};

export class Chooser {
  readonly #trouble: Trouble;
  readonly #rules: readonly { readonly rule: ScriptRule; used: number }[];

  constructor(trouble: Trouble, script: readonly ScriptRule[]) {
    this.#trouble = trouble;
    this.#rules = script.map((rule) => ({ rule, used: 0 }));
  }

  choose(asked: Asked): Behaviour {
    return this.#scripted(asked) ?? amountBehaviour(asked) ?? cardBehaviour(asked) ?? drawn(asked, this.#trouble);
  }

  #scripted(asked: Asked): Behaviour | null {
    const found = this.#rules.find(
      ({ rule, used }) => used < (rule.times ?? Number.POSITIVE_INFINITY) && fits(rule, asked),
    );
    if (found === undefined) return null;
    found.used += 1;
    return found.rule.behaviour;
  }
}

function fits({ when }: ScriptRule, asked: Asked): boolean {
  return Object.entries(when).every(([name, wanted]) => {
    const found = asked[name as keyof Asked] ?? "";
    return wanted.endsWith("*") ? found.startsWith(wanted.slice(0, -1)) : found === wanted;
  });
}

// By amount ---------------------------------------------------------------------------------------------------------------

/** The digit behind `99` names what the amount is meant for, so that one that comes through a payment's whole life goes
 *  wrong at one place of it. 9 is meant for all. */
const MEANT_FOR: Readonly<Record<string, string>> = {
  increment: "1",
  capture: "2",
  void: "3",
  refund: "4",
  returns: "4",
  recalls: "4",
};
const AMOUNT = /^99(\d)(\d{3})$/;

function amountBehaviour({ kind, minor }: Asked): Behaviour | null {
  const [, meant, number] = AMOUNT.exec(minor) ?? [];
  if (meant === undefined || (meant !== "9" && meant !== (MEANT_FOR[kind] ?? "0"))) return null;
  return numberedBehaviour(Number(number));
}

// By seed -----------------------------------------------------------------------------------------------------------------

type Share<Name> = readonly (readonly [weight: number, name: Name])[];
type FateShare = Share<readonly [fate: Fate, code: string | null]>;

const LIKELY_LINES: Share<Line> = [
  [8, "plain"],
  [2, "slow"],
  [3, "silent_after"],
  [2, "silent_before"],
  [3, "error_after"],
  [1, "error_before"],
  [3, "cut_after"],
  [1, "cut_before"],
  [1, "rate_limited"],
  [1, "garbage_after"],
  [1, "blind"],
];

const LIKELY_POSTS: Share<Post> = [
  [6, "once"],
  [3, "twice"],
  [3, "late"],
  [2, "early"],
  [2, "swapped"],
  [2, "forged"],
  [2, "unsent"],
];

const FIRST_FATES: FateShare = [
  [12, ["done", null]],
  [4, ["declined", "insufficient_funds"]],
  [3, ["declined", "issuer_unavailable"]],
  [2, ["declined", null]],
  [3, ["action_done", null]],
  [2, ["action_abandoned", null]],
  [1, ["partial", null]],
  [2, ["pending_done", null]],
  [1, ["pending_failed", null]],
  [1, ["declined_done", null]],
];

const LIKELY_FATES: Readonly<Record<string, FateShare>> = {
  increment: [
    [12, ["done", null]],
    [8, ["declined", null]],
  ],
  capture: [
    [14, ["done", null]],
    [3, ["declined", "processing_error"]],
    [3, ["pending_done", null]],
  ],
  void: [
    [14, ["done", null]],
    [3, ["declined", "processing_error"]],
    [3, ["pending_done", null]],
  ],
  refund: [
    [8, ["done", null]],
    [6, ["pending_done", null]],
    [3, ["pending_failed", null]],
    [2, ["declined", "processing_error"]],
    [2, ["done_failed", "closed_account"]],
  ],
  charges: [
    [10, ["done", null]],
    [3, ["action_abandoned", null]],
    [2, ["declined", "account_blocked"]],
    [2, ["pending_done", null]],
    [2, ["paid_late", null]],
    [1, ["paid_twice", null]],
    [1, ["partial", null]],
    [1, ["overpaid", null]],
    [1, ["recalled", "recall_fraud"]],
    [1, ["recalled", "duplicate"]],
  ],
  deposits: [
    [10, ["done", null]],
    [3, ["partial", null]],
    [3, ["overpaid", null]],
    [2, ["paid_late", null]],
    [2, ["action_done", null]],
    [1, ["paid_twice", null]],
  ],
  payouts: [
    [10, ["done", null]],
    [3, ["pending_done", null]],
    [3, ["pending_failed", "closed_account"]],
    [2, ["declined", "account_blocked"]],
    [2, ["done_failed", "closed_account"]],
    [1, ["declined_done", null]],
  ],
  debits: [
    [10, ["done", null]],
    [3, ["pending_failed", "insufficient_funds"]],
    [3, ["done_failed", "refund_by_debtor"]],
    [2, ["disputed", null]],
    [2, ["declined", "mandate_invalid"]],
  ],
  returns: [
    [12, ["done", null]],
    [4, ["pending_done", null]],
    [2, ["pending_failed", "closed_account"]],
    [2, ["declined", "closed_account"]],
  ],
  recalls: [
    [14, ["done", null]],
    [4, ["pending_done", null]],
    [2, ["declined", "recall_too_late"]],
    [1, ["done_failed", "closed_account"]],
  ],
  mandates: [
    [12, ["done", null]],
    [4, ["action_done", null]],
    [2, ["action_abandoned", null]],
    [2, ["done_failed", null]],
  ],
};

/** Up to this many draws until one of the three words is out of the usual; all usual is one in twenty. */
const DRAWS_MAX = 8;

function drawn({ provider, kind, key }: Asked, { perMille, seed }: Trouble): Behaviour {
  if (perMille === 0) return SMOOTH;
  const numbers = (salt: string): Buffer => createHash("sha256").update(`${seed} ${provider} ${key} ${salt}`).digest();
  if (numbers("whether").readUInt32BE(0) % 1000 >= perMille) return SMOOTH;
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const bytes = numbers(`how ${draw}`);
    const [fate, code] = pick(LIKELY_FATES[kind] ?? FIRST_FATES, bytes.readUInt32BE(0));
    const line = pick(LIKELY_LINES, bytes.readUInt32BE(4));
    const post = pick(LIKELY_POSTS, bytes.readUInt32BE(8));
    if (fate !== "done" || line !== "plain" || post !== "once") return { fate, code, line, post };
  }
  return SMOOTH;
}

function pick<Name>(share: Share<Name>, number: number): Name {
  let left = number % share.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, name] of share) {
    if (left < weight) return name;
    left -= weight;
  }
  throw new RangeError("the weights do not cover the number");
}
