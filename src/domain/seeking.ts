// What a block asks the database for. It grows while inputs, what was read for them and what deciding turned out to need are
// looked through; what is asked for once is not asked for again.

import type { Missing } from "./books.ts";

/** Case ids (32 hex digits) and paths of holders' accounts that are to be read. */
export type Concerned = { readonly caseIds: readonly string[]; readonly paths: readonly string[] };

/** Tells what is not there from what was not looked for. */
export interface Sought {
  hasCase(id: string): boolean;
  hasPath(path: string): boolean;
}

export class Seeking implements Sought {
  readonly #caseIds = new Set<string>();
  /** those that are named as a whole */
  readonly #paths = new Set<string>();
  /** By holder, the templates of the accounts. A block finds most of them here again: their paths are put together once, and
   *  in no table, where each would be hashed. Both were a thirtieth of deciding a card payment. */
  readonly #own = new Map<string, string[]>();
  #freshIds: string[] = [];
  #freshPaths: string[] = [];

  hasCase(id: string): boolean {
    return this.#caseIds.has(id);
  }

  hasPath(path: string): boolean {
    if (this.#paths.has(path)) return true;
    for (const [template, { before, after }] of HALVES) {
      if (!path.startsWith(before) || !path.endsWith(after)) continue;
      const holderId = path.slice(before.length, path.length - after.length);
      if (this.#own.get(holderId)?.includes(template) === true) return true;
    }
    return false;
  }

  addCase(id: string): void {
    const { size } = this.#caseIds;
    this.#caseIds.add(id);
    if (this.#caseIds.size > size) this.#freshIds.push(id);
  }

  addPath(path: string): void {
    if (this.hasPath(path)) return;
    this.#paths.add(path);
    this.#freshPaths.push(path);
  }

  /** A holder's accounts.
   *  @param templates with one `{holder}` each */
  addOwn(templates: readonly string[], holderId: string): void {
    if (templates.length === 0) return;
    let known = this.#own.get(holderId);
    if (known === undefined) {
      known = [];
      this.#own.set(holderId, known);
    }
    for (const template of templates) {
      if (known.includes(template)) continue;
      known.push(template);
      const path = pathOf(template, holderId);
      if (!this.#paths.has(path)) this.#freshPaths.push(path);
    }
  }

  addMissing({ caseIds, paths }: Missing): void {
    for (const id of caseIds) this.addCase(id);
    for (const path of paths) this.addPath(path);
  }

  /** What was added since this was asked last. */
  next(): Concerned {
    const fresh = { caseIds: this.#freshIds, paths: this.#freshPaths };
    this.#freshIds = [];
    this.#freshPaths = [];
    return fresh;
  }
}

/** Around the holder, by template: there are as many as flows declare. */
const HALVES = new Map<string, { readonly before: string; readonly after: string }>();

function pathOf(template: string, holderId: string): string {
  let halves = HALVES.get(template);
  if (halves === undefined) {
    const [before = "", after = ""] = template.split("{holder}");
    halves = { before, after };
    HALVES.set(template, halves);
  }
  return halves.before + holderId + halves.after;
}
