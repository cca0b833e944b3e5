// The sandbox's memory on disk: a file of JSON lines that only grows. What is appended is written and flushed in groups,
// and nobody is answered before what he was told of is flushed (`settled`). So SIGKILL loses nothing that was answered;
// what it cuts in the middle of a line was answered to nobody, and is cut off at the next start.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { assert } from "../domain/assert.ts";
import { makeFolder } from "../folders.ts";

/** The first line, so that another file or another version's is not taken for a journal of ours. */
const HEAD = '{"journal":"millrace sandbox","version":1}';
const LINE_FEED = 10;

/** A whole line that nobody could have written: the file was changed, or its disk is failing. */
export class JournalDamaged extends Error {
  override name = "JournalDamaged";
}

export type OpenJournal = { readonly journal: Journal; readonly entries: readonly unknown[] };

/** Opens the file, or makes it.
 *  @param onFailed   told once when writing fails: nothing that was appended since may be answered any more
 *  @returns the entries that it holds, oldest first
 *  @throws JournalDamaged with the line's number */
export async function openJournal(path: string, onFailed: (error: Error) => void): Promise<OpenJournal> {
  if (!existsSync(path)) createFile(path);
  const entries = readEntries(path);
  return { journal: new Journal(await open(path, "a"), onFailed), entries };
}

function createFile(path: string): void {
  makeFolder(dirname(path));
  const file = openSync(path, "wx");
  writeSync(file, `${HEAD}\n`);
  fsyncSync(file);
  closeSync(file);
  // The name is an entry of its folder, which is flushed on its own.
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
}

function readEntries(path: string): unknown[] {
  const bytes = readFileSync(path);
  const end = bytes.lastIndexOf(LINE_FEED) + 1;
  if (end < bytes.length) truncateSync(path, end);
  // A kill between making the file and its first line leaves an empty one.
  if (end === 0) {
    const file = openSync(path, "a");
    writeSync(file, `${HEAD}\n`);
    fsyncSync(file);
    closeSync(file);
    return [];
  }
  const entries: unknown[] = [];
  for (let from = 0, line = 1; from < end; line++) {
    const to = bytes.indexOf(LINE_FEED, from);
    const text = bytes.toString("utf8", from, to);
    from = to + 1;
    if (line === 1 && text !== HEAD) throw new JournalDamaged(`${path}: the first line is not ${HEAD}`);
    if (line > 1) entries.push(parseLine(path, line, text));
  }
  return entries;
}

function parseLine(path: string, line: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new JournalDamaged(`${path}:${line}: not a line of JSON; put the file back, or begin in another folder`);
  }
}

type Waiter = { readonly until: number; readonly resolve: () => void; readonly reject: (error: Error) => void };

export class Journal {
  readonly #file: FileHandle;
  readonly #onFailed: (error: Error) => void;
  #lines: string[] = [];
  #appended = 0;
  #flushed = 0;
  #waiters: Waiter[] = [];
  #flushing: Promise<void> | null = null;
  #failure: Error | null = null;

  constructor(file: FileHandle, onFailed: (error: Error) => void) {
    this.#file = file;
    this.#onFailed = onFailed;
  }

  /** Takes the entry in; it is on disk when `settled` says so. */
  append(entry: object): void {
    this.#lines.push(`${JSON.stringify(entry)}\n`);
    this.#appended += 1;
    this.#flushing ??= this.#flush();
  }

  /** Resolves when everything that was appended so far is flushed.
   *  @throws the error of the disk */
  settled(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#flushed === this.#appended) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ until: this.#appended, resolve, reject });
    });
  }

  /** Flushes what is left and closes the file. */
  async close(): Promise<void> {
    await this.settled();
    await this.#flushing;
    await this.#file.close();
  }

  /** One write and one flush at a time; what comes meanwhile shares the next. */
  async #flush(): Promise<void> {
    await Promise.resolve(); // Everything of this turn of the event loop goes together.
    try {
      while (this.#lines.length > 0 && this.#failure === null) {
        const lines = this.#lines;
        this.#lines = [];
        await this.#file.appendFile(lines.join(""));
        await this.#file.datasync();
        this.#flushed += lines.length;
        this.#release();
      }
    } catch (error) {
      this.#fail(error as Error);
    }
    assert(this.#flushed === this.#appended || this.#failure !== null, "the journal stops with lines left");
    this.#flushing = null;
  }

  #release(): void {
    const due = this.#waiters.filter(({ until }) => until <= this.#flushed);
    this.#waiters = this.#waiters.filter(({ until }) => until > this.#flushed);
    for (const { resolve } of due) resolve();
  }

  #fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#waiters.splice(0)) reject(error);
    this.#onFailed(error);
  }
}
