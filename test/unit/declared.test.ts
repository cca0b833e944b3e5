import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readLocatedCsv } from "../../src/declared/csv.ts";
import { DeclaredFaults, loadDeclared, loadFlowText } from "../../src/declared/load.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import { type Located, printFault } from "../../src/domain/located.ts";
import { RETIRED_FLOWS, SHIPPED_FLOWS, SHIPPED_SCHEMAS, textOf } from "../support/faulty.ts";

/** A located tree without its places. */
function plain(node: Located | null): unknown {
  if (node === null || node.kind === "scalar") return node?.value;
  if (node.kind === "list") return node.items.map(plain);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
}

function yamlFaults(text: string): string[] {
  return readLocatedYaml("f", text).faults.map(printFault);
}

describe("YAML with places", () => {
  test("is read as YAML 1.2's core schema", () => {
    const text =
      'a: text\nb: 12\nc: true\nd: null\ne: ~\nf: "no"\ng: [1.5, x]\nh: {i: "0123"}\nj:\nk: |\n  two\n  lines\n';
    const { root, faults } = readLocatedYaml("f", text);
    expect(faults).toEqual([]);
    expect(plain(root)).toEqual({
      a: "text",
      b: 12,
      c: true,
      d: null,
      e: null,
      f: "no",
      g: [1.5, "x"],
      h: { i: "0123" },
      j: null,
      k: "two\nlines\n",
    });
  });

  test("knows the place of every key and value", () => {
    const { root } = readLocatedYaml("f.yaml", "a:\n  - x\n  - b: 'é'\n    c: [1, 2]\n");
    const entry = (root as Located & { kind: "map" }).entries[0];
    const list = entry?.value as Located & { kind: "list" };
    const map = list.items[1] as Located & { kind: "map" };
    expect(list.items[0]?.place).toEqual({ file: "f.yaml", line: 2, column: 5 });
    expect(map.entries[1]?.keyPlace).toEqual({ file: "f.yaml", line: 4, column: 5 });
    const inner = map.entries[1]?.value as Located & { kind: "list" };
    expect(inner.items[1]?.place.column).toBe(12);
  });

  test.each(["no", "NO", "y", "on", "Off", "yes", "0123", "0x1F", "0o17", "1:30", "1_000", "1e3", "2026-11-20"])(
    "refuses %s unquoted, which other tools read otherwise, and takes it quoted",
    (word) => {
      expect(yamlFaults(`a: x\nb: ${word}\n`)).toEqual([
        expect.stringMatching(`^f:2:4: some YAML tools read ${word} as`),
      ]);
      expect(yamlFaults(`${word}: x\n`)[0]).toMatch(`f:1:1: some YAML tools read ${word} as`);
      expect(plain(readLocatedYaml("f", `b: "${word}"`).root)).toEqual({ b: word });
      expect(yamlFaults(`"${word}": x`)).toEqual([]);
    },
  );

  test.each([
    ["a key twice", "a: 1\nb: 2\na: 3\n", 'f:3:1: key "a" is given twice, first in line 1'],
    ["an alias", "a: &x 1\nb: *x\n", "f:2:4: aliases"],
    ["a tag", "a: !!str 1\n", "f:1:10: tags"],
    ["a merge key", "a: {<<: 1}\n", "f:1:5: merge keys"],
    ["a key that is a number", "a: 1\n404: x\n", "f:2:1: a key must be text"],
    ["a key that is a list", "? [a]\n: 1\n", "f:1:3: a key must be text"],
    ["digits that a number cannot hold", "a: 9007199254740993\n", "f:1:4: 9007199254740993 has more digits"],
    ["YAML 1.1 by directive", "%YAML 1.1\n---\na: 1\n", "f:1:1: a %YAML directive"],
    ["broken syntax", "a: {b: 1\nc: 2\n", "f:2:1: "],
    [
      "lists within lists",
      `a: ${"[".repeat(101)}${"]".repeat(101)}\n`,
      "f:1:104: is nested more than 100 deep: write it",
    ],
    ["more of them than the stack has room for", `a: ${"[".repeat(20_000)}${"]".repeat(20_000)}\n`, "f:1:"],
    ["more of them that nothing closes", "- ".repeat(20_000), "f:1:"],
    ["UTF-16", Buffer.from("\ufeffa: 1\n", "utf16le").toString(), "f:1:4: found a NUL, which no text has"],
    ["UTF-16 of the other order", Buffer.from("a: 1\n", "utf16le").swap16().toString(), "f:1:1: found a NUL"],
    ["two documents", "a: 1\n---\nb: 2\n", "f:2:1: a file holds one document"],
  ])("refuses %s", (_what, text, says) => {
    const faults = yamlFaults(text);
    expect(faults[0]?.startsWith(says), faults.join("\n")).toBe(true);
    for (const fault of faults) expect(fault).not.toMatch(/[\n\0]|call stack/);
  });

  test("keeps what it can read beside a fault, and nothing when the syntax is broken", () => {
    expect(plain(readLocatedYaml("f", "a: 1\na: 2\nb: no\n").root)).toEqual({ a: 1, b: "no" });
    expect(readLocatedYaml("f", "a: [1\nb").root).toBeNull();
    expect(plain(readLocatedYaml("f", "# nothing\n").root)).toBeNull();
  });
});

describe("CSV with places", () => {
  test("takes quotes, commas and line ends within quotes, and both kinds of line end", () => {
    const { root, faults } = readLocatedCsv("f", 'a,b\r\n1,"x, ""y"""\r\n\r\n"two\nlines",\n3,4');
    expect(faults).toEqual([]);
    expect(plain(root)).toEqual([
      { a: "1", b: 'x, "y"' },
      { a: "two\nlines", b: "" },
      { a: "3", b: "4" },
    ]);
    const last = (root as Located & { kind: "list" }).items[2] as Located & { kind: "map" };
    expect(last.entries[1]?.value.place).toEqual({ file: "f", line: 6, column: 3 });
  });

  test("refuses a row of another length and a quote that is not closed", () => {
    expect(readLocatedCsv("f", "a,b\n1\n1,2,3\n").faults.map(printFault)).toEqual([
      "f:2:1: this row has 1 values, the heading 2",
      "f:3:1: this row has 3 values, the heading 2",
    ]);
    expect(readLocatedCsv("f", 'a,b\n1,"x\n').faults.map(printFault)).toEqual([
      "f:2:3: a quote is not closed, or stands inside a value",
    ]);
  });

  test("of nothing is nothing", () => {
    expect(plain(readLocatedCsv("f", "").root)).toEqual([]);
  });
});

describe("what is declared under schemas", () => {
  const dir = mkdtempSync(join(tmpdir(), "declared-"));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  function faultsOf(change: () => void): string[] {
    cpSync(SHIPPED_SCHEMAS, dir, { recursive: true });
    change();
    try {
      loadDeclared(dir);
    } catch (error) {
      expect(error).toBeInstanceOf(DeclaredFaults);
      return (error as DeclaredFaults).faults.map((fault) => printFault(fault).slice(dir.length + 1));
    }
    return [];
  }

  test("is loaded whole", () => {
    const { flows, chart, currencies, messageSchemas } = loadDeclared(SHIPPED_SCHEMAS);
    expect(flows.map(({ name }) => name)).toEqual(SHIPPED_FLOWS);
    expect(chart.resolve("asset:bank:main")?.kind).toBe("house");
    expect(currencies.scaleOf("CZK")).toBe(2);
    for (const [name, text] of Object.entries(messageSchemas)) {
      expect(JSON.parse(text), name).toMatchObject({ type: "record" });
    }
  });

  test("is refused with all faults of all files at once", () => {
    const faults = faultsOf(() => {
      writeFileSync(join(dir, "currencies", "crypto.yaml"), "apiVersion: currencies/v1\nkind: Currencies\n");
      writeFileSync(join(dir, "currencies", "iso4217.csv"), "code,name,scale\nEUR,Euro\n");
      writeFileSync(join(dir, "flows", "a.flow.yaml"), "on: 1\n");
      writeFileSync(join(dir, "flows", "b.flow.yaml"), "a: [\n");
    });
    expect(faults.map((fault) => fault.split(": ", 1)[0])).toEqual(
      expect.arrayContaining([
        "currencies/crypto.yaml:1:1",
        "currencies/iso4217.csv:2:1",
        "flows/a.flow.yaml:1:1",
        "flows/b.flow.yaml:2:1",
      ]),
    );
  });

  test("names a file or folder that cannot be read", () => {
    expect(faultsOf(() => rmSync(join(dir, "currencies"), { recursive: true }))).toEqual([
      "currencies/iso4217.csv:1:1: cannot be read: ENOENT",
      "currencies/crypto.yaml:1:1: cannot be read: ENOENT",
    ]);
    expect(faultsOf(() => rmSync(join(dir, "flows"), { recursive: true }))).toEqual([
      "flows:1:1: cannot be read: ENOENT",
    ]);
  });

  test("may be a flow's text alone, such as an older version of it", () => {
    const { chart } = loadDeclared(SHIPPED_SCHEMAS);
    const text = textOf(join(RETIRED_FLOWS, "transfer-1.0.0.flow.yaml"));
    expect(loadFlowText("transfer@1.0.0", text, chart).start).toMatchObject({ type: "transfer_create" });
    expect(() => loadFlowText("transfer@1.0.0", text.replace("P17,", "P18,"), chart)).toThrow(
      /^transfer@1\.0\.0:\d+:\d+: references: posting "P18"/m,
    );
  });

  test("may have its flows elsewhere", () => {
    expect(() => loadDeclared(SHIPPED_SCHEMAS, join(SHIPPED_SCHEMAS, "nowhere"))).toThrow(
      /nowhere:1:1: cannot be read/,
    );
  });
});
