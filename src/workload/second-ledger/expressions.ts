// Expressions of flow files, read letter by letter: what the page of the flow language says of CEL and no more. What binds
// stronger is read first: `!` and `-`, then `* / %`, `+ -`, comparisons and `in`, `&&`, `||`, and last `? :`.

import { Unreadable } from "./tree.ts";

export type Node =
  | { readonly is: "value"; readonly value: bigint | boolean | string | null }
  /** `data.held` as `["data", "held"]` */
  | { readonly is: "name"; readonly path: readonly string[] }
  | { readonly is: "call"; readonly name: string; readonly given: readonly Node[] }
  | { readonly is: "sign"; readonly sign: "!" | "-"; readonly of: Node }
  | { readonly is: "pair"; readonly sign: string; readonly left: Node; readonly right: Node }
  | { readonly is: "either"; readonly test: Node; readonly whenTrue: Node; readonly otherwise: Node }
  | { readonly is: "list"; readonly items: readonly Node[] };

const TOKEN =
  /\s*(?:([0-9]+)|([A-Za-z_][A-Za-z0-9_]*)|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(&&|\|\||[=!<>]=|[-+*/%<>!?:,.()[\]]))/y;

/** Signs of two sides, from what binds weakest to what binds strongest. */
const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["==", "!=", "<", "<=", ">", ">=", "in"],
  ["+", "-"],
  ["*", "/", "%"],
];

const known = new Map<string, Node>();

/** @throws Unreadable */
export function readExpression(text: string): Node {
  const before = known.get(text);
  if (before !== undefined) return before;
  const reader = new Reader(text, tokensOf(text));
  const node = reader.whole();
  known.set(text, node);
  return node;
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  const end = text.trimEnd().length;
  for (let at = 0; at < end; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) throw new Unreadable(`expression ${JSON.stringify(text)} cannot be read from ${at} on`);
    tokens.push(match[0].trim());
  }
  return tokens;
}

class Reader {
  readonly #text: string;
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string, tokens: readonly string[]) {
    this.#text = text;
    this.#tokens = tokens;
  }

  whole(): Node {
    const node = this.#either();
    if (this.#at < this.#tokens.length) this.#refuse();
    return node;
  }

  #either(): Node {
    const test = this.#level(0);
    if (!this.#skips("?")) return test;
    const whenTrue = this.#either();
    this.#expect(":");
    return { is: "either", test, whenTrue, otherwise: this.#either() };
  }

  #level(level: number): Node {
    const signs = LEVELS[level];
    if (signs === undefined) return this.#signed();
    let left = this.#level(level + 1);
    for (let sign = this.#next(); sign !== undefined && signs.includes(sign); sign = this.#next()) {
      this.#at += 1;
      left = { is: "pair", sign, left, right: this.#level(level + 1) };
    }
    return left;
  }

  #signed(): Node {
    for (const sign of ["!", "-"] as const) if (this.#skips(sign)) return { is: "sign", sign, of: this.#signed() };
    return this.#single();
  }

  #single(): Node {
    if (this.#skips("(")) {
      const inner = this.#either();
      this.#expect(")");
      return inner;
    }
    if (this.#skips("[")) return { is: "list", items: this.#items("]") };
    const token = this.#next() ?? this.#refuse();
    this.#at += 1;
    if (/^[0-9]/.test(token)) return { is: "value", value: BigInt(token) };
    if (/^['"]/.test(token)) return { is: "value", value: unescaped(token.slice(1, -1)) };
    if (!/^[A-Za-z_]/.test(token)) return this.#refuse();
    if (token === "true" || token === "false") return { is: "value", value: token === "true" };
    return token === "null" ? { is: "value", value: null } : this.#named(token);
  }

  #named(first: string): Node {
    const path = [first];
    while (this.#skips(".")) {
      path.push(this.#next() ?? this.#refuse());
      this.#at += 1;
    }
    if (!this.#skips("(")) return { is: "name", path };
    return { is: "call", name: path.join("."), given: this.#items(")") };
  }

  #items(end: string): Node[] {
    const items: Node[] = [];
    if (this.#skips(end)) return items;
    do items.push(this.#either());
    while (this.#skips(","));
    this.#expect(end);
    return items;
  }

  #next(): string | undefined {
    return this.#tokens[this.#at];
  }

  #skips(token: string): boolean {
    if (this.#next() !== token) return false;
    this.#at += 1;
    return true;
  }

  #expect(token: string): void {
    if (!this.#skips(token)) this.#refuse();
  }

  #refuse(): never {
    const what = this.#next() === undefined ? "ends too early" : `cannot go on with ${this.#next()}`;
    throw new Unreadable(`expression ${JSON.stringify(this.#text)} ${what}`);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter);
}
