// The catalogue of outcomes: which types there are, and what each must carry, so that whoever consumes them can rely on
// it whichever flow they come from. The checker holds every flow against it.

import type { StateKind } from "./flow/flow.ts";
import type { Fault, Located } from "./located.ts";
import { Reading } from "./reading.ts";

export type OutcomeType = {
  /** `payment.captured` */
  readonly type: string;
  /** names of amounts that it always has, and those that it may have */
  readonly amounts: readonly string[];
  readonly optional: readonly string[];
  readonly reason: "always" | "sometimes" | "never";
  /** kinds of state in which its case then rests; null for any */
  readonly rests: readonly StateKind[] | null;
  /** the case has reached what it was opened for: it neither fails nor ends any other way behind this */
  readonly isSuccess: boolean;
};

export class OutcomeCatalogue {
  readonly types: readonly OutcomeType[];
  readonly #byType: ReadonlyMap<string, OutcomeType>;

  constructor(types: readonly OutcomeType[]) {
    this.types = types;
    this.#byType = new Map(types.map((one) => [one.type, one]));
  }

  find(type: string): OutcomeType | null {
    return this.#byType.get(type) ?? null;
  }

  /** Whether it lists any type of a family, such as `payment`. */
  knows(family: string): boolean {
    return this.types.some(({ type }) => type.startsWith(`${family}.`));
  }

  get successes(): ReadonlySet<string> {
    return new Set(this.types.filter(({ isSuccess }) => isSuccess).map(({ type }) => type));
  }
}

/** Whether a type is named as outcomes are: `<subject>.<past tense>`. */
export function isOutcomeName(type: string): boolean {
  return FORM.test(type) && PAST_TENSE.test(type);
}

const FORM = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/;
/** `completed`, `action_required`, `in_transit`, and the irregular verbs of this trade. */
const PAST_TENSE = /(ed|paid|sent|held|won|lost|withdrawn|written_off|in_transit|attention|notice)$/;
const KINDS: readonly StateKind[] = ["initial", "active", "quiescent", "final"];

/** Reads the catalogue's file: `apiVersion: outcomes/v1`, `kind: Outcomes`, and `types`. */
export function parseOutcomes(root: Located): { catalogue: OutcomeCatalogue; faults: readonly Fault[] } {
  const reading = new Reading();
  const file = reading.fields(root, "the catalogue of outcomes", { required: ["apiVersion", "kind", "types"] });
  reading.word(file?.get("apiVersion"), "apiVersion", ["outcomes/v1"]);
  reading.word(file?.get("kind"), "kind", ["Outcomes"]);
  const types = file?.get("types");
  const entries = (types && reading.entries(types, "types")) ?? [];
  const read = entries.map(({ key, keyPlace, value }) => {
    if (!isOutcomeName(key)) {
      reading.fault(keyPlace, `"${key}" is not <subject>.<past tense>, such as transfer.completed`);
    }
    return readType(reading, key, value);
  });
  return { catalogue: new OutcomeCatalogue(read), faults: reading.faults };
}

function readType(reading: Reading, type: string, node: Located): OutcomeType {
  const keys = { required: ["meaning"], optional: ["amounts", "optional", "reason", "rests", "success"] };
  const row = reading.fields(node, type, keys);
  reading.text(row?.get("meaning"), "meaning");
  const names = (key: string): string[] =>
    (reading.items(row?.get(key), key) ?? []).flatMap((item) => reading.text(item, `a name of ${key}`) ?? []);
  const rests = reading.items(row?.get("rests"), "rests");
  return {
    type,
    amounts: names("amounts"),
    optional: names("optional"),
    reason: reading.word(row?.get("reason"), "reason", ["always", "sometimes", "never"]) ?? "never",
    rests: rests?.flatMap((item) => reading.word(item, "a kind of state", KINDS) ?? []) ?? null,
    isSuccess: reading.flag(row?.get("success"), "success"),
  };
}
