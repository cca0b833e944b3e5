// Blocks prepared beforehand for the floor: decided by the same core as the service's, with positions and digests of
// their own making, because no topic is behind them.

import { createHash } from "node:crypto";
import { type Account, type Books, type CaseRecord, type IntentInput, openBooks } from "../../domain/books.ts";
import { decideIntent } from "../../domain/decide/decide.ts";
import type { Head } from "../../domain/head.ts";
import { parseCaseId } from "../../domain/ids.ts";
import type { Rules } from "../../domain/rules.ts";
import type { Concerned } from "../../domain/seeking.ts";
import { type Codec, MessageBuffer } from "../../kafka/codec.ts";
import { type BlockRows, NO_CROSSING_MESSAGES, type OutgoingMessages } from "../../store/blocks.ts";
import type { Outbound } from "../load/pump.ts";
import { intentOf } from "./naive-consumer.ts";

export type PreparedBlock = { readonly concerned: Concerned; readonly rows: BlockRows };

/** One lane's blocks, each on top of the one before it. */
export class LaneBlocks {
  readonly #rules: Rules;
  readonly #codec: Codec;
  readonly #lane: number;
  #head: Head;
  readonly #house = new Map<string, bigint>();
  readonly #accounts = new Map<string, Account>();

  constructor({ rules, codec }: { readonly rules: Rules; readonly codec: Codec }, lane: number, head: Head) {
    this.#rules = rules;
    this.#codec = codec;
    this.#lane = lane;
    this.#head = head;
  }

  /** @param outbound generated intents of this lane */
  next(outbound: readonly Outbound[]): PreparedBlock {
    const nowMs = Math.max(Date.now(), this.#head.nowMs);
    const intents = outbound.map(({ record }) => this.#inputOf(record.value, nowMs));
    const books = this.#open(nowMs, intents);
    for (const intent of intents) decideIntent(books, intent);
    const rows = this.#rowsOf(books, intents.length, nowMs);
    this.#head = rows.after;
    this.#remember(books);
    const caseIds = [...books.cases.keys()];
    return { concerned: { caseIds, paths: [...books.holderAccounts.keys()] }, rows };
  }

  #inputOf(value: Buffer, nowMs: number): IntentInput {
    const intent = intentOf(this.#codec.decoders.intent.decode(value));
    return { kind: "intent", offset: 0n, appendedAtMs: nowMs, intent, caseId: parseCaseId(intent.caseId) };
  }

  #open(nowMs: number, intents: readonly IntentInput[]): Books {
    const touched = new Map<string, Account>();
    for (const { intent } of intents) {
      for (const path of [intent.account, intent.from, intent.to]) {
        const known = path === null ? undefined : this.#accounts.get(path);
        if (path !== null && known !== undefined) touched.set(path, { ...known });
      }
    }
    const { block, outcomesNext, accounts } = this.#head;
    return openBooks({
      rules: this.#rules,
      lane: this.#lane,
      block: block + 1n,
      nowMs,
      outcomesNext,
      accounts,
      cases: new Map<string, CaseRecord>(),
      holderAccounts: touched,
      house: this.#house,
    });
  }

  #rowsOf(books: Books, inputs: number, nowMs: number): BlockRows {
    const before = this.#head;
    const known = new Set([...this.#accounts.values()].map((one) => one.id).concat([...this.#house.values()]));
    const touched = [...books.holderAccounts.values(), ...books.houseAccounts.values()].filter((one) => one.id !== 0n);
    const hash = createHash("sha256")
      .update(`${this.#lane} ${before.block + 1n}`)
      .digest();
    const next = before.intents.next + BigInt(inputs);
    return {
      lane: this.#lane,
      process: 0n,
      before,
      after: {
        ...before,
        block: before.block + 1n,
        digest: hash,
        nowMs,
        intents: { next, last: next - 1n, lastAtMs: nowMs, lastHash: hash.subarray(0, 16) },
        outcomesNext: books.outcomesNext,
        accounts: books.accounts,
      },
      linesHash: hash,
      messagesHash: hash,
      timersFired: 0,
      cases: [...books.cases.values()],
      accounts: touched,
      opened: new Set(touched.filter((one) => !known.has(one.id)).map((one) => one.id)),
      lines: books.lines,
      timersArmed: [],
      timersGone: [],
      attention: { begun: [], over: [] },
      messages: this.#encode(books),
      quarantine: [],
      crossing: null,
      halt: null,
      ratesVersion: 0n,
      parametersVersion: 0n,
    };
  }

  #encode({ outcomes }: Books): OutgoingMessages {
    const buffer = new MessageBuffer();
    for (const outcome of outcomes) this.#codec.encoders.outcome.encodeInto(buffer, outcome);
    const starts = buffer.ends.map((_end, index) => buffer.start(index));
    return {
      bytes: Buffer.from(buffer.bytes()),
      topics: outcomes.map(() => "outcomes" as const),
      sequences: outcomes.map((outcome) => outcome.sequence),
      keys: outcomes.map((outcome) => outcome.holderId),
      crossing: NO_CROSSING_MESSAGES,
      starts,
      sizes: buffer.ends.map((end, index) => end - (starts[index] ?? 0)),
    };
  }

  /** Balances as the database will have them when the next block reads them. */
  #remember(books: Books): void {
    for (const [path, account] of books.holderAccounts) {
      const debits = account.debits + account.addedDebits;
      const credits = account.credits + account.addedCredits;
      this.#accounts.set(path, { ...account, debits, credits, addedDebits: 0n, addedCredits: 0n, changed: false });
    }
    for (const [name, account] of books.houseAccounts) this.#house.set(name, account.id);
  }
}
