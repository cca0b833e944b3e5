// A block of one lane decided as the service does it between reading and putting the block together: what the inputs concern,
// cases and accounts out of the rows that were read, the events.

import { type Books, openBooks } from "../../domain/books.ts";
import { concerned, type Inputs } from "../../domain/concerned.ts";
import { decideIntent, decideReport, decideTimer } from "../../domain/decide/decide.ts";
import type { RateBook } from "../../domain/fx/rates.ts";
import type { Rules } from "../../domain/rules.ts";
import type { Concerned } from "../../domain/seeking.ts";
import { accountsIn, casesOf, type Rows, readAlso, seekNamed } from "../../store/situation.ts";

/** A block's inputs, and what its lane knows before it. */
export type LaneBlock = {
  readonly inputs: Inputs;
  readonly nowMs: number;
  readonly head: Pick<Books, "block" | "outcomesNext" | "commandsNext" | "accounts">;
  readonly house: ReadonlyMap<string, bigint>;
};

/** What there is of cases and accounts that are asked for. */
export type Read = (asked: Concerned) => Rows;

/** So often the service reads for one block, at most. */
const READS_MAX = 8;
export const LANE = 0;

/** How long the events themselves took, without finding out what they concern and taking it out of rows. */
export type Meter = { eventsMs: number };

/** @throws Error when the block needs ever more; as `decideTimer` and `decideReport` */
export function decideBlock(rules: Rules, rates: RateBook, block: LaneBlock, read: Read, meter?: Meter): Books {
  const { inputs, nowMs, head, house } = block;
  const sought = concerned(rules, LANE, inputs);
  let rows = read(sought.next());
  seekNamed(sought, rules, inputs, rows.cases);
  for (let decided = 0; decided < READS_MAX; decided++) {
    const further = sought.next();
    if (further.caseIds.length + further.paths.length > 0) rows = readAlso(rows, read(further));
    const books = openBooks({
      rules,
      lane: LANE,
      nowMs,
      ...head,
      house,
      rates,
      cases: casesOf(rules, rows.cases),
      holderAccounts: new Map(),
      readAccount: accountsIn(rules, rows.balances),
      sought,
    });
    const beganMs = performance.now();
    decideAll(books, inputs);
    if (meter !== undefined) meter.eventsMs += performance.now() - beganMs;
    const { missing } = books;
    if (missing.caseIds.size + missing.paths.size === 0) return books;
    sought.addMissing(missing);
  }
  throw new Error(`block ${head.block} still needs more than was read`);
}

function decideAll(books: Books, { timers, reports, intents }: Inputs): void {
  for (const timer of timers) decideTimer(books, timer);
  for (const report of reports) decideReport(books, report);
  for (const intent of intents) if (intent.kind === "intent") decideIntent(books, intent);
}
