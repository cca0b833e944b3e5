// Reads the sources as syntax trees, for the rules of test/tidy.test.ts. The parser is the one that runs the tests.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAst } from "vitest/node";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export type Import = { readonly from: string; readonly line: number; readonly isTypeOnly: boolean };
export type Extent = { readonly name: string; readonly line: number; readonly lines: number };
export type Finding = { readonly word: string; readonly line: number };

export type SourceFile = {
  /** below the repository, with slashes: `src/domain/money.ts` */
  readonly path: string;
  /** folder below `src`; `main` for src/main.ts */
  readonly area: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  readonly functions: readonly Extent[];
  /** identifiers and syntax that this code does without */
  readonly banned: readonly Finding[];
};

type Node = { readonly type: string; readonly start: number; readonly end: number } & Record<string, unknown>;

/** Every TypeScript file below `src`. */
export function readSources(): SourceFile[] {
  const names = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => name.endsWith(".ts")).sort();
  return files.map((name) =>
    readSource(`src/${name.replaceAll("\\", "/")}`, readFileSync(join(ROOT, "src", name), "utf8")),
  );
}

export function readSource(path: string, text: string): SourceFile {
  const lineAt = lineCounter(text);
  const imports: Import[] = [];
  const functions: Extent[] = [];
  const banned: Finding[] = [...bannedText(text, lineAt)];
  visit(parseAst(text, { lang: "ts" }) as unknown as Node, null, (node, parent) => {
    const line = lineAt(node.start);
    const from = importedFrom(node);
    if (from !== null) imports.push({ from, line, isTypeOnly: isTypeOnly(node) });
    if (FUNCTIONS.includes(node.type)) {
      functions.push({ name: nameOf(parent, node) ?? `line ${line}`, line, lines: lineAt(node.end) - line + 1 });
    }
    const word = bannedSyntax(node);
    if (word !== null) banned.push({ word, line });
  });
  return { path, area: areaOf(path), lines: text.split("\n").length - 1, imports, functions, banned };
}

/** The file that a relative import leads to, as a path of `SourceFile`; null for a library. */
export function resolveImport(file: SourceFile, from: string): string | null {
  return from.startsWith(".") ? normalize(join(dirname(file.path), from)).replaceAll("\\", "/") : null;
}

/** `pg` of `pg/lib/x`, `@scope/name` of `@scope/name/x`; null for Node's own modules and for relative imports. */
export function packageOf(from: string): string | null {
  if (from.startsWith(".") || from.startsWith("node:")) return null;
  return from
    .split("/")
    .slice(0, from.startsWith("@") ? 2 : 1)
    .join("/");
}

function areaOf(path: string): string {
  const [, first = "", second] = path.split("/");
  return second === undefined ? first.replace(/\.ts$/, "") : first;
}

function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    for (let high = starts.length; high - low > 1; ) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

function visit(node: Node, parent: Node | null, see: (node: Node, parent: Node | null) => void): void {
  see(node, parent);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, node, see);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

// What a file takes from elsewhere ------------------------------------------------------------------------------------

const IMPORTS = ["ImportDeclaration", "ExportNamedDeclaration", "ExportAllDeclaration", "ImportExpression"];

function importedFrom(node: Node): string | null {
  if (IMPORTS.includes(node.type)) return literal(node.source);
  if (node.type === "TSImportType")
    return literal(node.source) ?? literal((node.argument as Node | undefined)?.literal);
  // The few places that reach below a library's public interface do it by `require`.
  if (node.type !== "CallExpression" || !identifier(node.callee)?.startsWith("require")) return null;
  return literal((node.arguments as unknown[])[0]);
}

function isTypeOnly(node: Node): boolean {
  if (node.type === "TSImportType" || node.importKind === "type" || node.exportKind === "type") return true;
  const specifiers = (node.specifiers as Node[] | undefined) ?? [];
  return (
    specifiers.length > 0 &&
    specifiers.every(({ importKind, exportKind }) => importKind === "type" || exportKind === "type")
  );
}

function literal(node: unknown): string | null {
  return isNode(node) && node.type === "Literal" && typeof node.value === "string" ? node.value : null;
}

function identifier(node: unknown): string | null {
  if (!isNode(node) || !/^(Private)?Identifier$/.test(node.type)) return null;
  return node.name as string;
}

// How long its functions are ------------------------------------------------------------------------------------------

const FUNCTIONS = ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"];

function nameOf(parent: Node | null, node: Node): string | null {
  return identifier(node.id) ?? identifier(parent?.key) ?? identifier(parent?.id);
}

// What it does without ------------------------------------------------------------------------------------------------

const BANNED_SYNTAX: Readonly<Record<string, string>> = {
  TSAnyKeyword: "any",
  TSEnumDeclaration: "enum",
  TSModuleDeclaration: "namespace",
  TSConditionalType: "conditional type",
  TSParameterProperty: "parameter property",
};

function bannedSyntax(node: Node): string | null {
  const params = node.type === "TSTypeParameterDeclaration" ? (node.params as unknown[]).length : 0;
  if (params > 2) return "more than two type parameters";
  if (/^transactions?$/i.test(identifier(node) ?? ""))
    return "transaction (say transfer, dbTransaction or kafkaTransaction)";
  return BANNED_SYNTAX[node.type] ?? null;
}

function bannedText(text: string, lineAt: (offset: number) => number): Finding[] {
  const found = text.matchAll(/\b(TODO|FIXME)\b|@ts-(ignore|nocheck)/g);
  return [...found].map((match) => ({ word: match[0], line: lineAt(match.index) }));
}
