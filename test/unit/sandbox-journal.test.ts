import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { JournalDamaged, openJournal } from "../../src/sandbox/journal.ts";

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "millrace-journal-"));
  path = join(dir, "below", "journal.jsonl");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const fail = (error: Error): void => {
  throw error;
};

async function write(...entries: readonly object[]): Promise<void> {
  const { journal } = await openJournal(path, fail);
  for (const entry of entries) journal.append(entry);
  await journal.close();
}

async function read(): Promise<readonly unknown[]> {
  const { journal, entries } = await openJournal(path, fail);
  await journal.close();
  return entries;
}

describe("the journal", () => {
  test("holds what was appended, in order, over several openings", async () => {
    await write({ n: 1 }, { n: 2 });
    await write({ n: 3 });
    expect(await read()).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  test("is settled when, and not before, what was appended is in the file", async () => {
    const { journal } = await openJournal(path, fail);
    journal.append({ n: 1 });
    const early = readFileSync(path, "utf8");
    journal.append({ n: 2 });
    await journal.settled();
    const late = readFileSync(path, "utf8");
    await journal.close();
    expect([early.includes('{"n":1}'), late.endsWith('{"n":1}\n{"n":2}\n')]).toEqual([false, true]);
  });

  test("cuts off a last line that a kill has torn, wherever it was torn, and goes on behind the one before", async () => {
    await write({ n: 1 }, { text: "äöü" });
    const whole = readFileSync(path);
    const before = whole.indexOf("\n", whole.indexOf('{"n":1}')) + 1;
    for (let bytes = before; bytes < whole.length; bytes++) {
      writeFileSync(path, whole);
      truncateSync(path, bytes);
      expect(await read()).toEqual([{ n: 1 }]);
      await write({ n: 3 });
      expect(await read()).toEqual([{ n: 1 }, { n: 3 }]);
    }
  });

  test("that was killed before its first line was whole is begun anew", async () => {
    await write();
    truncateSync(path, 7);
    expect(await read()).toEqual([]);
    await write({ n: 1 });
    expect(await read()).toEqual([{ n: 1 }]);
  });

  test("is not read when a whole line is damaged, since somebody may have been answered for it", async () => {
    await write({ n: 1 });
    appendFileSync(path, '{"n":2\n{"n":3}\n');
    await expect(read()).rejects.toThrow(
      new JournalDamaged(`${path}:3: not a line of JSON; put the file back, or begin in another folder`),
    );
  });

  test("is not made of another file", async () => {
    await write();
    writeFileSync(path, '{"n":1}\n');
    await expect(read()).rejects.toThrow(JournalDamaged);
  });

  test("tells once that writing failed, and settles nothing any more", async () => {
    const failures: Error[] = [];
    const { journal } = await openJournal(path, (error) => failures.push(error));
    await journal.close();
    journal.append({ n: 1 });
    await expect(journal.settled()).rejects.toThrow();
    journal.append({ n: 2 });
    await expect(journal.settled()).rejects.toThrow();
    expect(failures).toHaveLength(1);
  });
});
