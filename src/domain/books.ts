// The working set of one block: the cases and balances it touches, carried from decision to decision, and everything
// that will be written. Deciding is pure in effect: books are made from what was read, changed only by `decide`, and
// either written as a whole or thrown away.

import { failed } from "./assert.ts";
import type { CompiledFlow } from "./flow/compile/compile.ts";
import type { Value } from "./flow/expression.ts";
import { NO_RATES, type RateBook } from "./fx/rates.ts";
import type { Intent } from "./intent.ts";
import { NO_PARAMETERS, type ParameterBook } from "./parameters/parameters.ts";
import type { Rules } from "./rules.ts";
import type { Sought } from "./seeking.ts";

export type AccountStatus = "open" | "frozen" | "closed";

/** An account of this lane. For a house account `debits` and `credits` are this block's additions alone: it has no
 *  floor, so nobody needs its balance. */
export type Account = {
  /** > 0 a holder's, < 0 the house's; 0n until its first block accepts it */
  id: bigint;
  readonly path: string;
  readonly currency: string;
  readonly holderId: string | null;
  readonly side: "debit" | "credit";
  floorMinor: bigint | null;
  status: AccountStatus;
  /** as read from the database */
  readonly debits: bigint;
  readonly credits: bigint;
  addedDebits: bigint;
  addedCredits: bigint;
  /** floor or status differ from what was read */
  changed: boolean;
};

/** As it is kept in the database, so that nothing has to be made of it for a case that makes no call. */
export type KeyUse = readonly [key: string, sinceMs: number];

/** Whole numbers as digits, and the words, truth values and unknown ones. A case keeps dozens and an event looks at a few, so
 *  each is made a number when it is looked at, once: an event looks at its amount three times. */
export type StoredValues = {
  readonly numbers: Readonly<Record<string, string>>;
  readonly others: Readonly<Record<string, string | boolean | null>>;
  /** by slot, those that were looked at; null: none yet */
  looked: (Value | undefined)[] | null;
};

/** The variables of a flow, each with its slot: the place of its value among those of a case. Found by name, they were a
 *  tenth of deciding a card payment: cases of many shapes go through the same few lines. */
export type Variables = {
  readonly names: readonly string[];
  readonly slots: ReadonlyMap<string, number>;
  /** by slot, whether it is kept among those that are no numbers: a look among the wrong ones costs several right ones */
  readonly areWords: readonly boolean[];
  /** of the two that choose among the overlays of the parameters; -1: there is none of that name */
  readonly tenant: number;
  readonly provider: number;
  /** as many as there are names, none bound */
  readonly unbound: readonly (Value | undefined)[];
};

/** @param words those whose type is no number and no time */
export function variablesOf(names: readonly string[], words: ReadonlySet<string>): Variables {
  return {
    names,
    slots: new Map(names.map((name, slot) => [name, slot])),
    areWords: names.map((name) => words.has(name)),
    tenant: names.indexOf("tenant"),
    provider: names.indexOf("provider"),
    unbound: names.map(() => undefined), // not frozen: the engine copies a frozen array element by element
  };
}

/** What a case keeps. An event makes it anew and changes nothing of it in place, so that to take the event back is to put
 *  back what was before. */
export type CaseData = {
  /** bound currency symbols: `{ S: "EUR" }` */
  readonly currencies: Readonly<Record<string, string>>;
  /** those of its flow */
  readonly variables: Variables;
  /** typed variables by slot; what each type is in memory, `ValueType` says. Of a case that was read those that have changed
   *  since: `valueOf` finds the others */
  readonly values: readonly (Value | undefined)[];
  /** variables as they were read; null: the case is new */
  readonly stored: StoredValues | null;
  /** armed timers by name, due in milliseconds since the epoch */
  readonly timers: Readonly<Record<string, number>>;
  /** how often each call was made, by its name, and how many children of each flow were opened, by `+<flow>` */
  readonly attempts: Readonly<Record<string, number>>;
  /** by call, the idempotency key that it was made under last, and when it was made under that for the first time */
  readonly keys: Readonly<Record<string, KeyUse>>;
  /** the case that opened this one, as its id is written; of the same holder */
  readonly parent: string | null;
  /** the one result that `end` gave it */
  readonly ended: string | null;
};

/** Of a case that no event was taken in of yet.
 *  @param parent of one that another case opens, as its id is written */
export function noData(variables: Variables, parent: string | null = null): CaseData {
  return {
    currencies: NONE,
    variables,
    values: variables.unbound,
    stored: null,
    timers: NONE,
    attempts: NONE,
    keys: NONE,
    parent,
    ended: null,
  };
}

/** Field by field, as in `noData`: a copy by spreading would be of a shape of its own. */
export function withTimers(data: CaseData, timers: CaseData["timers"]): CaseData {
  return {
    currencies: data.currencies,
    variables: data.variables,
    values: data.values,
    stored: data.stored,
    timers,
    attempts: data.attempts,
    keys: data.keys,
    parent: data.parent,
    ended: data.ended,
  };
}

/** Nothing of whatever is kept by name. */
export const NONE: Readonly<Record<string, never>> = Object.freeze({});

/** What the variables of a case are read from. */
export type Kept = Pick<CaseData, "variables" | "values" | "stored">;

/** A variable of a case; undefined: it has none of that name. */
export function valueOf(kept: Kept, name: string): Value | undefined {
  const slot = kept.variables.slots.get(name);
  if (slot === undefined) return undefined;
  const changed = kept.values[slot];
  return changed === undefined ? storedValue(kept, slot) : changed;
}

/** As it was read; undefined: it was not there. */
export function storedValue({ stored, variables }: Omit<Kept, "values">, slot: number): Value | undefined {
  if (stored === null) return undefined;
  stored.looked ??= variables.unbound.slice();
  const known = stored.looked[slot];
  if (known !== undefined) return known;
  const name = variables.names[slot] as string;
  const value = variables.areWords[slot] === true ? stored.others[name] : storedNumber(stored, name);
  stored.looked[slot] = value;
  return value;
}

function storedNumber({ numbers, others }: StoredValues, name: string): Value | undefined {
  const digits = numbers[name];
  if (digits === undefined) return others[name];
  // Most are counters and amounts that are nothing yet: a third of the time that taking a text apart takes.
  return digits === "0" ? 0n : digits === "1" ? 1n : BigInt(digits);
}

export type CaseRecord = {
  /** 32 hex digits */
  readonly id: string;
  /** prefix of the id as its producer wrote it; "" for a plain UUID */
  readonly kind: string;
  readonly flow: CompiledFlow;
  readonly holderId: string;
  state: string;
  data: CaseData;
  history: string;
  readonly occurredAtMicros: bigint;
  readonly isNew: boolean;
  changed: boolean;
};

export type OutcomeAmount = { readonly currency: string; readonly scale: number; readonly minor: string };

/** As it goes out: amounts as digits, times in microseconds since the epoch. */
export type Outcome = {
  readonly lane: number;
  readonly sequence: bigint;
  readonly block: bigint;
  readonly outcomeId: string;
  readonly type: string;
  readonly caseId: string | null;
  readonly sourceId: string | null;
  readonly holderId: string;
  readonly intentType: string | null;
  readonly idempotencyKey: string | null;
  readonly status: string;
  readonly reason: { readonly category: string; readonly code: string } | null;
  readonly repeatOf: { readonly lane: number; readonly sequence: bigint } | null;
  readonly amounts: Readonly<Record<string, OutcomeAmount>>;
  readonly lines: number;
  readonly flow: string | null;
  readonly occurredAt: bigint;
  readonly recordedAt: bigint;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly traceparent: string | null;
  /** the case that opened this one, as its id is written */
  readonly parentId: string | null;
};

export type Line = {
  readonly debit: Account;
  readonly credit: Account;
  readonly currency: string;
  readonly minor: bigint;
  readonly caseId: string;
  readonly posting: string;
};

export type TimerKey = { readonly dueMs: number; readonly caseId: string; readonly name: string };

export type Opening = {
  readonly rules: Rules;
  readonly lane: number;
  readonly block: bigint;
  readonly nowMs: number;
  readonly outcomesNext: bigint;
  /** accounts of the lane so far; the low bits of the next id */
  readonly accounts: bigint;
  readonly cases: Map<string, CaseRecord>;
  readonly holderAccounts: Map<string, Account>;
  /** an account that was read, made of its row; without it, all of them are in `holderAccounts` */
  readonly readAccount?: ReadAccount;
  /** ids of house accounts that the lane has touched, by `<path> <currency>` */
  readonly house: ReadonlyMap<string, bigint>;
  readonly commandsNext?: bigint;
  readonly rates?: RateBook;
  readonly parameters?: ParameterBook;
  /** what was looked for when cases and accounts were read; without it, what is not there does not exist */
  readonly sought?: Sought;
};

/** @returns null: it was not there */
export type ReadAccount = (path: string) => Account | null;

/** Case ids and paths of holders' accounts that an event turned out to need and that were not read. */
export type Missing = { readonly caseIds: Set<string>; readonly paths: Set<string> };

/** Account ids carry their lane in the bits from 40 up. */
export const ACCOUNT_LANE_SHIFT = 40n;

export type Books = {
  readonly rules: Rules;
  readonly lane: number;
  readonly block: bigint;
  /** its digits: they stand in every line of history */
  readonly blockText: string;
  readonly nowMs: number;
  readonly recordedAt: bigint;
  outcomesNext: bigint;
  accounts: bigint;
  readonly cases: Map<string, CaseRecord>;
  /** those that an event has looked at: a block reads three for one that it needs */
  readonly holderAccounts: Map<string, Account>;
  readonly readAccount: ReadAccount;
  readonly house: ReadonlyMap<string, bigint>;
  readonly houseAccounts: Map<string, Account>;
  /** the same by path, one for each currency: every line finds its accounts here, and there are few of a path */
  readonly houseByPath: Map<string, Account[]>;
  readonly lines: Line[];
  readonly outcomes: Outcome[];
  readonly timersArmed: TimerKey[];
  readonly timersGone: TimerKey[];
  readonly rates: RateBook;
  readonly parameters: ParameterBook;
  readonly commands: Command[];
  commandsNext: bigint;
  /** in the order in which they were sent; to the own lane too */
  readonly messages: LaneMessage[];
  readonly sought: Sought | null;
  /** what an event turned out to need and was not read: then the block is decided again, with it */
  readonly missing: Missing;
};

/** Field by field: a copy by spreading has a shape of its own for each block, and whoever reads the books would meet as many
 *  shapes as there were blocks. */
export function openBooks(opening: Opening): Books {
  return {
    rules: opening.rules,
    lane: opening.lane,
    block: opening.block,
    blockText: opening.block.toString(),
    nowMs: opening.nowMs,
    recordedAt: BigInt(opening.nowMs) * 1000n,
    outcomesNext: opening.outcomesNext,
    accounts: opening.accounts,
    cases: opening.cases,
    holderAccounts: opening.holderAccounts,
    readAccount: opening.readAccount ?? (() => null),
    house: opening.house,
    houseAccounts: new Map(),
    houseByPath: new Map(),
    lines: [],
    outcomes: [],
    timersArmed: [],
    timersGone: [],
    rates: opening.rates ?? NO_RATES,
    parameters: opening.parameters ?? NO_PARAMETERS,
    commands: [],
    commandsNext: opening.commandsNext ?? 0n,
    messages: [],
    sought: opening.sought ?? null,
    missing: { caseIds: new Set(), paths: new Set() },
  };
}

export type IntentInput = {
  readonly kind: "intent";
  readonly offset: bigint;
  readonly appendedAtMs: number;
  readonly intent: Intent;
  /** null: malformed */
  readonly caseId: { readonly kind: string; readonly uuid: string; readonly timeMs: number } | null;
};

/** What a gateway or another lane reports, decoded. `from` is set for messages between lanes. */
export type Report = {
  readonly holderId: string;
  readonly caseId: { readonly kind: string; readonly uuid: string; readonly timeMs: number };
  /** a call of the case's flow; for a message that asks, its type: `transfer_credit` */
  readonly call: string;
  /** which try of the call it speaks of; 0: the provider spoke unasked */
  readonly attempt: number;
  /** one of the call's results; between lanes `asked`, `accepted` or `refused` */
  readonly result: string;
  /** what the case remembers it by */
  readonly observation: string;
  readonly payload: Readonly<Record<string, string>>;
  readonly occurredAtMicros: bigint;
  readonly from: MessageOrigin | null;
};

/** Who sent a message between lanes: the case that asked, or the one that answers. `call` and `attempt` are the asker's
 *  both ways. */
export type MessageOrigin = {
  readonly lane: number;
  readonly sequence: bigint;
  readonly block: bigint;
  readonly holderId: string;
  readonly caseId: string;
  readonly call: string;
  readonly attempt: number;
};

export type ReportInput = {
  readonly kind: "report";
  /** `r-<lane>-<offset>`, or `m-<lane>-<sequence>` for one taken in its own lane's block: the stem of outcome ids */
  readonly id: string;
  readonly source: "r" | "m";
  readonly offset: bigint;
  readonly report: Report;
};

/** Asks a gateway for something. */
export type Command = {
  readonly commandId: string;
  readonly caseId: string;
  readonly holderId: string;
  readonly call: string;
  /** `card.authorize` */
  readonly op: string;
  readonly attempt: number;
  /** "" for a call that only asks */
  readonly idempotencyKey: string;
  readonly readOnly: boolean;
  /** later than that it is only asked about, never executed */
  readonly notAfterMicros: bigint;
  /** how long the provider may take before what it says counts as unknown */
  readonly timeoutMs: number;
  /** amounts as digits of minor units */
  readonly payload: Readonly<Record<string, string>>;
  readonly sequence: bigint;
  readonly traceparent: string | null;
};

/** To another holder: opens a case there (`asked`) or answers the case that asked. The block gives it its sequence. */
export type LaneMessage = {
  readonly toLane: number;
  readonly report: Omit<Report, "from"> & { readonly from: Omit<MessageOrigin, "lane" | "sequence" | "block"> };
};

export type TimerInput = { readonly kind: "timer"; readonly timer: TimerKey };

/** A case, if it is there. What was not looked for yet is noted: the block is read for and decided once more. */
export function caseOf(books: Books, uuid: string): CaseRecord | null {
  const known = books.cases.get(uuid);
  if (known !== undefined) return known;
  if (books.sought !== null && !books.sought.hasCase(uuid)) books.missing.caseIds.add(uuid);
  return null;
}

/** A holder's account, if it was opened; as `caseOf`. */
export function holderAccountOf(books: Books, path: string): Account | null {
  return books.holderAccounts.get(path) ?? firstLookAt(books, path);
}

/** Of a path that is not among `holderAccounts`. */
export function firstLookAt(books: Books, path: string): Account | null {
  const read = books.readAccount(path);
  if (read !== null) books.holderAccounts.set(path, read);
  else if (books.sought !== null && !books.sought.hasPath(path)) books.missing.paths.add(path);
  return read;
}

/** Balance in the account's normal sign, this block's additions included. */
export function naturalBalance(account: Account): bigint {
  const debits = account.debits + account.addedDebits;
  const credits = account.credits + account.addedCredits;
  return account.side === "debit" ? debits - credits : credits - debits;
}

export function isNewAccount(account: Account): boolean {
  return account.id === 0n;
}

/** Gives an accepted account its id; until then a refusal can forget it without leaving a gap. */
export function assignId(books: Books, account: Account): void {
  if (account.id !== 0n) failed(`account ${account.path} has an id already`);
  books.accounts += 1n;
  const id = (BigInt(books.lane) << ACCOUNT_LANE_SHIFT) + books.accounts;
  account.id = account.holderId === null ? -id : id;
}
