// Making folders where they may be made, and where the system says of one that it is not there although nothing lacks.
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeFolder } from "../../src/folders.ts";
import { runHere } from "../support/cli.ts";

const dir = mkdtempSync(join(tmpdir(), "millrace-folders-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function codeOf(path: string): unknown {
  try {
    makeFolder(path);
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

test("makes what lacks, and leaves what is there", () => {
  const deep = join(dir, "a", "b", "c");
  for (let round = 0; round < 2; round++) {
    makeFolder(deep);
    expect(statSync(deep).isDirectory()).toBe(true);
  }
  symlinkSync(join(dir, "a"), join(dir, "link"));
  makeFolder(join(dir, "link", "d"));
  expect(statSync(join(dir, "a", "d")).isDirectory()).toBe(true);
});

test("says why not: a file in its place or above it, a link that leads nowhere", () => {
  const file = join(dir, "file");
  writeFileSync(file, "");
  symlinkSync(join(dir, "nothing"), join(dir, "nowhere"));
  expect([file, join(file, "x"), join(file, "x", "y")].map(codeOf)).toEqual(["EEXIST", "ENOTDIR", "ENOTDIR"]);
  expect([join(dir, "nowhere"), join(dir, "nowhere", "x")].map(codeOf)).toEqual(["EEXIST", "EEXIST"]);
});

test.runIf(existsSync("/proc/self"))("ends where the system makes none, in every verb that makes folders", async () => {
  expect(["/proc/millrace", "/proc/millrace/x/y"].map(codeOf)).toEqual(["ENOENT", "ENOENT"]);
  const made = "/proc/millrace";
  const [unusable, unreachable] = [2, 3];
  const told = [
    [["sandbox", "--dir", made], unusable, `${made}: cannot be made (ENOENT)`],
    [["flows", "diagram", "--out-dir", made], unusable, `${made}: cannot be made (ENOENT)`],
    [["bench", "decide", "--report", made], unusable, `${made} cannot be made (ENOENT)`],
    [["stack", "up", "--dir", made], unreachable, `the folder ${made} cannot be made (ENOENT)`],
  ] as const;
  for (const [argv, code, line] of told) {
    const ended = await runHere(argv, {});
    expect([argv, ended.code, ended.stderr]).toEqual([argv, code, expect.stringContaining(line)]);
  }
});
