// Linear forms over named whole numbers: `data.held - rel + 3`. What the checker reasons with; a part of an expression
// that is not linear becomes a name of its own.

export type Linear = {
  readonly constant: bigint;
  /** factor by name; never 0n */
  readonly terms: ReadonlyMap<string, bigint>;
};

const NO_TERMS: ReadonlyMap<string, bigint> = new Map();

export function constant(value: bigint): Linear {
  return { constant: value, terms: NO_TERMS };
}

export const ZERO: Linear = constant(0n);

export function atom(name: string): Linear {
  return { constant: 0n, terms: new Map([[name, 1n]]) };
}

/** `one + other * factor` */
export function addTimes(one: Linear, other: Linear, factor: bigint): Linear {
  if (factor === 0n) return one;
  const rest = one.constant + other.constant * factor;
  // The same terms as before where nothing is added to them: what is remembered of them stays.
  if (other.terms.size === 0) return { constant: rest, terms: one.terms };
  if (one.terms.size === 0 && factor === 1n) return { constant: rest, terms: other.terms };
  const terms = new Map(one.terms);
  for (const [name, by] of other.terms) addTerm(terms, name, by * factor);
  return { constant: rest, terms };
}

function addTerm(terms: Map<string, bigint>, name: string, by: bigint): void {
  const sum = (terms.get(name) ?? 0n) + by;
  if (sum === 0n) terms.delete(name);
  else terms.set(name, sum);
}

export function plus(one: Linear, other: Linear): Linear {
  return addTimes(one, other, 1n);
}

export function minus(one: Linear, other: Linear): Linear {
  return addTimes(one, other, -1n);
}

export function times(linear: Linear, factor: bigint): Linear {
  return addTimes(ZERO, linear, factor);
}

/** Each name replaced by what `of` gives for it; null keeps the name.
 *  @returns `linear` itself where every name is kept: what is remembered of its terms stays */
export function substitute(linear: Linear, of: (name: string) => Linear | null): Linear {
  let rest = linear.constant;
  let terms: Map<string, bigint> | null = null;
  for (const [name, factor] of linear.terms) {
    const value = of(name);
    if (value === null) continue;
    terms ??= new Map(linear.terms);
    addTerm(terms, name, -factor);
    for (const [other, by] of value.terms) addTerm(terms, other, by * factor);
    rest += value.constant * factor;
  }
  return terms === null ? linear : { constant: rest, terms };
}

export function isConstant(linear: Linear): boolean {
  return linear.terms.size === 0;
}

/** Whether a form is a name and nothing else. */
export function isAtom({ constant: rest, terms }: Linear, name: string): boolean {
  return rest === 0n && terms.size === 1 && terms.get(name) === 1n;
}

/** What is remembered of terms stands with them: a WeakMap of millions of them is walked through at each collection. */
type Remembered = ReadonlyMap<string, bigint> & { key?: string; opposite?: string };

/** The same text for forms that differ by their constant alone. Remembered: proofs ask for it all the time. */
export function termsKey(linear: Linear): string {
  const terms: Remembered = linear.terms;
  terms.key ??= keyOf(terms);
  return terms.key;
}

function keyOf(terms: ReadonlyMap<string, bigint>): string {
  const parts: string[] = [];
  for (const [name, factor] of terms) parts.push(`${factor}*${name}`);
  return parts.length === 1 ? (parts[0] as string) : parts.sort().join("+");
}

/** The key of the same form with every sign turned. */
export function oppositeKey(linear: Linear): string {
  const terms: Remembered = linear.terms;
  terms.opposite ??= termsKey(times(linear, -1n));
  return terms.opposite;
}

/** As a person would write it, and the same text for equal forms: `data.held - event.amount`. */
export function printLinear({ constant: rest, terms }: Linear): string {
  const sorted = [...terms].sort(([one], [other]) => (one < other ? -1 : 1));
  const parts = sorted.map(([name, factor]) => {
    const size = factor < 0n ? -factor : factor;
    return { isNegative: factor < 0n, text: size === 1n ? name : `${size} * ${name}` };
  });
  if (rest !== 0n || parts.length === 0) parts.push({ isNegative: rest < 0n, text: String(rest < 0n ? -rest : rest) });
  return parts.reduce((text, part, index) => {
    if (index === 0) return (part.isNegative ? "-" : "") + part.text;
    return `${text} ${part.isNegative ? "-" : "+"} ${part.text}`;
  }, "");
}
