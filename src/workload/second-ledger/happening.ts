// One event with everything that it sets off in its holder's lane: cases that are opened, told and asked, each an event of
// its own for the case that takes it. It is done as a whole or not at all.

import { createHash } from "node:crypto";
import { Bookings } from "./bookings.ts";
import { freshCase, type SecondCase } from "./case-book.ts";
import { readCaseId, writeCaseId } from "./case-ids.ts";
import { factAnswers, initialState } from "./flows.ts";
import type { LaneLedger } from "./ledger.ts";
import { firstOf } from "./refusals.ts";
import { type Tree, Unreadable } from "./tree.ts";
import { type Asked, type Draft, type Emitted, type Given, type GivenValue, Trial } from "./trial.ts";
import type { World } from "./world.ts";

/** What a case is to remember of an event, but for what is known only when all is done. */
export type Remembering = {
  readonly event: string;
  readonly source: "i" | "r" | "m" | "t" | "k";
  readonly offset: bigint;
  readonly print: string;
  readonly key: string;
};

/** An event for one case. */
export type Turn = {
  readonly uuid: string;
  readonly given: Given;
  readonly remembering: Remembering;
  /** what may become of it, in order; null: the case opens with it; else what its state says when the turn comes */
  readonly alternatives: readonly Tree[] | "as it stands" | null;
};

/** An outcome of one of the turns, with the case as that turn left it. */
export type Told = Emitted & { readonly one: SecondCase; readonly turn: number; readonly lines: number };

/** What a case asks of a gateway or of another holder, as that turn left it. */
export type Called = Extract<Asked, { what: "call" | "message" }> & {
  readonly one: SecondCase;
  readonly attempt: number;
  /** since when it is made under its key, in milliseconds; else now */
  readonly sinceMs: number;
};

/** Whose event it is, and when it happened. */
export type HappeningOf = {
  readonly holderId: string;
  /** somebody asks for it: it is no fact */
  readonly isWish: boolean;
  readonly atMicros: bigint;
};

export class Happening {
  readonly bookings: Bookings;
  readonly told: Told[] = [];
  readonly calls: Called[] = [];
  readonly turns: (Turn & { readonly state: string })[] = [];
  readonly drafts = new Map<string, Draft>();
  readonly #world: World;
  readonly #ledger: LaneLedger;
  readonly #queue: Turn[] = [];
  readonly #atMicros: bigint;

  constructor(world: World, ledger: LaneLedger, { holderId, isWish, atMicros }: HappeningOf) {
    this.#world = world;
    this.#ledger = ledger;
    this.#atMicros = atMicros;
    this.bookings = new Bookings(world.rules, ledger, holderId, isWish);
  }

  /** Takes an event, and then what it sets off, in order.
   *  @returns the refusal that ranks first of the first turn that has any; null: it may be */
  run(first: Turn): string | null {
    this.#queue.push(first);
    for (let turn = this.#queue.shift(); turn !== undefined; turn = this.#queue.shift()) {
      this.#take(turn);
      if (this.bookings.refusals.size > 0) return firstOf(this.bookings.refusals);
    }
    return null;
  }

  /** The case as this event leaves it so far. */
  draftOf(uuid: string): Draft {
    const known = this.drafts.get(uuid) ?? this.#ledger.cases.look(uuid);
    if (known === undefined) throw new Unreadable(`case ${uuid} is not there`);
    const draft = this.drafts.get(uuid) ?? { ...known };
    this.drafts.set(uuid, draft);
    return draft;
  }

  #take(turn: Turn): void {
    const { refusals, lines } = this.bookings;
    const one = this.draftOf(turn.uuid);
    const look = (uuid: string): SecondCase | undefined => this.drafts.get(uuid) ?? this.#ledger.cases.look(uuid);
    const trial = new Trial(this.#world, { bookings: this.bookings, look }, one, turn.given);
    if (turn.alternatives === null) trial.bind();
    if (refusals.size > 0) return;
    const judged = lines.length;
    const alternatives =
      turn.alternatives === "as it stands" ? factAnswers(one, turn.given.event.name) : turn.alternatives;
    const to = trial.walk(alternatives, initialState(one.flow));
    if (refusals.size === 0) this.bookings.judgeFunds(judged);
    if (refusals.size > 0) return;
    if (to !== null) {
      one.state = to;
      one.timers = trial.timersOf(to, this.#ledger.nowMs);
    }
    const isAnswered = turn.given.intent === null || trial.emitted.length > 0;
    if (!isAnswered) trial.emitted.push({ type: "intent.accepted", code: null, amounts: [] });
    for (const asked of trial.asks) this.#ask(one, asked);
    const left = { one: { ...one }, turn: this.turns.length, lines: lines.length - judged };
    for (const emitted of trial.emitted) this.told.push({ ...emitted, ...left });
    this.turns.push({ ...turn, state: one.state });
  }

  // Others --------------------------------------------------------------------------------------------------------------

  #ask(one: Draft, asked: Asked): void {
    switch (asked.what) {
      case "call":
      case "message": {
        const { nowMs } = this.#ledger;
        const isTimed = asked.what === "call" && asked.lifetimeMs !== null;
        const sinceMs = isTimed ? keySince(one, asked, nowMs) : nowMs;
        this.calls.push({ ...asked, one, attempt: counted(one, asked.name), sinceMs });
        break;
      }
      case "spawn":
        this.#spawn(one, asked.flow, asked.values);
        break;
      case "tell":
        this.#tell(one, asked.word, asked.values);
        break;
      case "consume": {
        const given = { amount: { value: asked.minor, currency: null }, by: { value: one.uuid, currency: null } };
        this.#pass(one, asked.quote, "quote.consume", new Map(Object.entries(given)));
      }
    }
  }

  #spawn(one: Draft, name: string, values: ReadonlyMap<string, GivenValue>): void {
    const flow = this.#world.versionOf((known) => known.name === name);
    if (flow === undefined) throw new Unreadable(`there is no flow ${name}`);
    const number = counted(one, `+${name}`) - 1;
    const uuid = this.#freeId(one.uuid, [name, String(number)]);
    const parent = writeCaseId(one.kind, one.uuid);
    const of = { occurredAt: this.#atMicros, parent };
    this.drafts.set(uuid, { ...freshCase({ uuid, kind: flow.caseKind }, flow, one.holderId, of) });
    const remembering = becauseOf(one, "spawn");
    this.#queue.push({ uuid, given: this.#givenBy("spawn", values), remembering, alternatives: null });
  }

  /** Somebody may have opened a case under the id that follows: then the next is taken. */
  #freeId(parentUuid: string, words: readonly string[]): string {
    let uuid = derivedId(parentUuid, words);
    for (let again = 1; this.#ledger.cases.has(uuid) || this.drafts.has(uuid); again++)
      uuid = derivedId(parentUuid, [...words, String(again)]);
    return uuid;
  }

  #tell(one: Draft, word: string, values: ReadonlyMap<string, GivenValue>): void {
    const parent = readCaseId(one.parent);
    if (parent === null) throw new Unreadable(`${one.flow.ref} tells a parent, and case ${one.uuid} has none`);
    this.#pass(one, parent.uuid, `child.${one.flow.name}.${word}`, values);
  }

  /** Gives another case of the holder an event, which is answered when its turn comes. */
  #pass(one: Draft, uuid: string, event: string, values: ReadonlyMap<string, GivenValue>): void {
    const given = this.#givenBy(event, values);
    this.#queue.push({ uuid, given, remembering: becauseOf(one, event), alternatives: "as it stands" });
  }

  #givenBy(name: string, values: ReadonlyMap<string, GivenValue>): Given {
    const fields = new Map([...values].map(([field, { value }]) => [field, value]));
    const amounts = [...values].filter(([, { currency }]) => currency !== null);
    const currencies = new Map(amounts.map(([field, { currency }]) => [field, currency as string]));
    return { intent: null, event: { name, fields, currencies, atMs: this.#atMicros / 1_000n } };
  }
}

function becauseOf(one: Draft, event: string): Remembering {
  return { event, source: "k", offset: 0n, print: "", key: writeCaseId(one.kind, one.uuid) };
}

/** Counts one more.
 *  @returns the count */
function counted(one: Draft, name: string): number {
  const count = (one.attempts.get(name) ?? 0) + 1;
  one.attempts = new Map([...one.attempts, [name, count]]);
  return count;
}

/** A key that stays is as old as the first call with it.
 *  @returns since when the call is made under its key */
function keySince(one: Draft, { name, key }: Extract<Asked, { what: "call" }>, nowMs: number): number {
  const last = one.keys.get(name);
  const sinceMs = last?.[0] === key ? last[1] : nowMs;
  one.keys = new Map([...one.keys, [name, [key, sinceMs]]]);
  return sinceMs;
}

/** The time of the case that asks, and the first 80 bits of a hash over its id and words, each led by its length. */
export function derivedId(uuid: string, words: readonly string[]): string {
  const hash = createHash("sha256");
  for (const word of [uuid, ...words]) {
    const bytes = Buffer.from(word, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return uuid.slice(0, 12) + hash.digest("hex").slice(0, 20);
}
