// Overlays of parameters as a version in the database has them: by flow, by whose, by who, by name.

import type { SecondCase } from "./case-book.ts";
import type { Value } from "./evaluate.ts";
import { at, entriesOf, type Tree, textOf } from "./tree.ts";
import type { AskOverlay } from "./world.ts";

/** @param stored null: nothing is laid over */
export function overlaysOf(stored: Tree | null): AskOverlay {
  return (one, name) => {
    // A holder's value goes before a tenant's, and that before a provider's.
    const said = { holder: one.holderId, tenant: labelOf(one, "tenant"), provider: labelOf(one, "provider") };
    for (const [whose, who] of Object.entries(said)) {
      const found = at(stored ?? undefined, one.flow.name, whose, who, name);
      if (found !== undefined) return valueOf(found);
    }
    return undefined;
  };
}

function labelOf({ values }: SecondCase, name: string): string {
  const value = values.get(name);
  return typeof value === "string" ? value : "";
}

/** `{"number":"10"}`, `{"table":{"EUR":"25"}}`, or a word or truth as it is. */
function valueOf(stored: Tree): Value {
  if (typeof stored === "string" || typeof stored === "boolean") return stored;
  const number = at(stored, "number");
  if (number !== undefined) return BigInt(textOf(number, "a number"));
  return new Map(entriesOf(at(stored, "table")).map(([word, digits]) => [word, BigInt(textOf(digits, word))]));
}
