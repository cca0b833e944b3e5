// What hangs on a flow file alone is looked up once: an audit asks it for every record.

/** Remembers what `make` gives for an object and a word. */
export function once<Of extends object, Made>(make: (of: Of, word: string) => Made): (of: Of, word?: string) => Made {
  const made = new WeakMap<Of, Map<string, { readonly value: Made }>>();
  return (of, word = "") => {
    const known = made.get(of) ?? new Map<string, { readonly value: Made }>();
    made.set(of, known);
    const value = known.get(word) ?? { value: make(of, word) };
    known.set(word, value);
    return value.value;
  };
}
