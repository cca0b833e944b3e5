// What stands for a value whose numbers are not known.

import type { Formula } from "./formula.ts";
import { atom, type Linear, printLinear, substitute } from "./linear.ts";

export type Symbolic =
  | { readonly kind: "number"; readonly linear: Linear }
  /** a time, which may not be known yet: `knowledge` is `known` or `null` */
  | { readonly kind: "time"; readonly linear: Linear; readonly knowledge: string }
  /** words and texts; what they may be is a choice of the situation */
  | { readonly kind: "word"; readonly subject: string }
  | { readonly kind: "truth"; readonly formula: Formula }
  | { readonly kind: "record"; readonly fields: ReadonlyMap<string, Symbolic> };

export function number(linear: Linear): Symbolic {
  return { kind: "number", linear };
}

/** A number; what is none is an unknown one. */
export function linearOf(value: Symbolic): Linear {
  if (value.kind === "number" || value.kind === "time") return value.linear;
  return atom(`value(${printed(value)})`);
}

/** The same text for the same value. */
export function printed(value: Symbolic): string {
  switch (value.kind) {
    case "number":
    case "time":
      return printLinear(value.linear);
    case "word":
      return value.subject;
    case "truth":
      return printedFormula(value.formula);
    case "record":
      return [...value.fields.values()].map(printed).join(" ");
  }
}

export function printedFormula(formula: Formula): string {
  switch (formula.kind) {
    case "not":
      return `!(${printedFormula(formula.part)})`;
    case "and":
    case "or":
      return `${formula.kind}(${formula.parts.map(printedFormula).join(", ")})`;
    case "fact": {
      const { fact } = formula;
      if (fact.kind === "one_of") return `${fact.subject} ${fact.but ? "but" : "of"} ${[...fact.words].join("|")}`;
      return `${fact.kind}(${printLinear(fact.linear)})`;
    }
  }
}

/** `linear` with the unknowns of a case's data replaced by their values. */
export function withData(linear: Linear, data: ReadonlyMap<string, Symbolic>): Linear {
  return substitute(linear, (name) => {
    const value = name.startsWith("data.") ? data.get(name.slice("data.".length)) : undefined;
    return value?.kind === "number" || value?.kind === "time" ? value.linear : null;
  });
}
