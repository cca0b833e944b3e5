// Messages between lanes from end to end: each that was sent is taken once, byte for byte, and the money that it carries lies
// on clearing:transit until then. A conversation is a message that asks and its answer; it belongs to the case that asks.

import { createHash } from "node:crypto";
import type { ReportMessage } from "../../kafka/codec-messages.ts";
import type { CrossingRow, LineRow } from "../../store/audit.ts";
import type { Crossed } from "./crossing-trail.ts";
import type { Findings } from "./findings.ts";

export const TRANSIT = "clearing:transit";

/** What lies on transit for a case: credits less debits, by currency. */
type Net = Map<string, bigint>;

/** What blocks say of a conversation. */
type Step = "question sent" | "question taken" | "answer sent" | "answer taken";
const STEPS = 4;

type Conversation = {
  amount: bigint | null;
  currency: string | null;
  readonly steps: Set<Step>;
  isRefused: boolean;
};

/** Cases that have to do with each other by what they ask. */
type Group = {
  /** 32 hex digits each, with what lies on transit for it */
  readonly cases: Map<string, Net>;
  readonly conversations: Map<string, Conversation>;
};

export type CrossedBlock = {
  readonly lane: number;
  readonly block: bigint;
  readonly crossed: Crossed;
  readonly lines: readonly LineRow[];
  /** currencies by the lane's accounts of TRANSIT */
  readonly transit: ReadonlyMap<bigint, string>;
};

/** A message with what it says. */
export type SaidMessage = { readonly row: CrossingRow; readonly report: ReportMessage | null };

export class Crossings {
  #isWhole = true;
  readonly #upTo: "the cut" | "what is there";
  readonly #uuidOf: (caseId: string) => string;
  /** hashes of messages that were sent and not yet taken, and the other way round: lanes are gone through in turn */
  readonly #sent = new Map<string, string>();
  readonly #taken = new Map<string, string>();
  /** by each case that is in one */
  readonly #groups = new Map<string, Group>();
  /** what lies on transit for cases that ask nobody in another lane, by lane: questions within a lane leave nothing */
  readonly #others = new Map<number, Map<string, Net>>();

  /** by lane: the last block that was added */
  readonly #followedTo = new Map<number, bigint>();

  /** @param upTo   a cut is closed, so that what is left behind it can be judged; where blocks are added as they come, only
   *                conversations that are over are
   *  @param uuidOf 32 hex digits of a case id */
  constructor(upTo: "the cut" | "what is there", uuidOf: (caseId: string) => string) {
    this.#upTo = upTo;
    this.#uuidOf = uuidOf;
  }

  /** Whether a block is still to be added. */
  follows(lane: number, block: bigint, cut: bigint): boolean {
    return block > (this.#followedTo.get(lane) ?? 0n) && (this.#upTo === "what is there" || block <= cut);
  }

  /** Blocks of one lane in order; lanes in any. */
  add(findings: Findings, given: CrossedBlock, sent: readonly SaidMessage[]): void {
    const { lane, block, crossed } = given;
    if (block !== (this.#followedTo.get(lane) ?? 0n) + 1n || !crossed.isWhole) this.#isWhole = false;
    this.#followedTo.set(lane, block);
    const touched = new Set<Group>();
    const match = (name: string, own: Map<string, string>, other: Map<string, string>, print: string): void => {
      const wrong = matched(name, own, other, print);
      findings.expect("lane_messages_once", wrong === null, () => `lane ${lane} block ${block}: ${wrong}`);
    };
    for (const { row, report } of sent) {
      const name = `${lane} ${row.toLane} ${row.sequence}`;
      match(name, this.#sent, this.#taken, printOf(row.key, row.value));
      if (report !== null) this.#note(touched, report, "sent");
    }
    for (const { from, record, report } of crossed.taken) {
      const name = `${from.lane} ${lane} ${from.sequence}`;
      const print = printOf(record.key?.toString("utf8") ?? "", record.value ?? Buffer.alloc(0));
      match(name, this.#taken, this.#sent, print);
      this.#note(touched, report, "taken");
    }
    this.#addLines(given);
    for (const group of touched) if (this.#isWhole && isOver(group)) this.#conclude(findings, group);
  }

  #addLines({ lane, lines, transit }: CrossedBlock): void {
    if (transit.size === 0) return;
    const nets = new Map<string, Net>();
    for (const line of lines) addLine(nets, line, transit);
    const others = [...nets].filter(([uuid]) => !this.#groups.has(uuid));
    for (const [uuid, net] of nets) addNet(this.#groups.get(uuid)?.cases, uuid, net);
    // What is asked within a lane is taken in the same block, so between them those cases leave nothing.
    if (sumOf(others.map(([, net]) => net)).size === 0) return;
    const kept = this.#others.get(lane) ?? new Map<string, Net>();
    for (const [uuid, net] of others) addNet(kept, uuid, net);
    this.#others.set(lane, kept);
  }

  // Conversations -------------------------------------------------------------------------------------------------------

  /** What is said by a message; both its cases are in one group from now on. */
  #note(
    touched: Set<Group>,
    { caseId, call, attempt, from, payload, result }: ReportMessage,
    what: "sent" | "taken",
  ): void {
    if (from === null) return;
    const isQuestion = result === "asked";
    const [asker, asked] = isQuestion ? [from.caseId, caseId] : [caseId, from.caseId];
    const group = this.#groupOf(this.#uuidOf(asker), this.#uuidOf(asked));
    touched.add(group);
    const name = `${asker} ${isQuestion ? from.call : call} ${attempt}`;
    const conversation = group.conversations.get(name) ?? {
      amount: null,
      currency: null,
      steps: new Set(),
      isRefused: false,
    };
    group.conversations.set(name, conversation);
    conversation.steps.add(`${isQuestion ? "question" : "answer"} ${what}`);
    if (isQuestion) {
      conversation.amount = amountOf(payload["amount"]);
      conversation.currency = payload["currency"] ?? null;
    } else conversation.isRefused = result === "refused";
  }

  #groupOf(one: string, other: string): Group {
    const [group = { cases: new Map(), conversations: new Map() }, second] = [
      this.#groups.get(one),
      this.#groups.get(other),
    ];
    for (const uuid of [one, other, ...(second?.cases.keys() ?? [])]) {
      if (!group.cases.has(uuid)) group.cases.set(uuid, second?.cases.get(uuid) ?? new Map());
      this.#groups.set(uuid, group);
      this.#adopt(group, uuid);
    }
    for (const [name, conversation] of second?.conversations ?? []) group.conversations.set(name, conversation);
    return group;
  }

  /** What was booked for a case before it asked anybody. */
  #adopt(group: Group, uuid: string): void {
    for (const kept of this.#others.values()) {
      const net = kept.get(uuid);
      if (net === undefined) continue;
      kept.delete(uuid);
      addNet(group.cases, uuid, net);
    }
  }

  /** What is over is judged and forgotten: its money has left transit. */
  #conclude(findings: Findings, group: Group): void {
    judge(findings, group);
    for (const uuid of group.cases.keys()) this.#groups.delete(uuid);
  }

  /** Something of what lanes sent or took is gone: then nothing is concluded from what is missing. */
  lacks(): void {
    this.#isWhole = false;
  }

  /** At a closed cut: what is left is on its way, and nothing else lies on transit.
   *  @param seen the last message that a lane has taken of another, by `<from> <to>` */
  end(findings: Findings, seen: ReadonlyMap<string, bigint>): void {
    if (!this.#isWhole) return;
    findings.checked("transit_equals_messages");
    for (const name of this.#sent.keys()) {
      const [fromLane = "", toLane = "", sequence = ""] = name.split(" ");
      const isOnItsWay = BigInt(sequence) > (seen.get(`${fromLane} ${toLane}`) ?? -1n);
      findings.expect("lane_messages_once", isOnItsWay, () => {
        return `message ${sequence} of lane ${fromLane} to lane ${toLane} counts as taken, and no block took it`;
      });
    }
    for (const name of this.#taken.keys()) {
      const [fromLane, toLane, sequence] = name.split(" ");
      const text = `lane ${toLane} took message ${sequence} of lane ${fromLane}, which no block sent`;
      findings.problem("lane_messages_once", text);
    }
    for (const group of new Set(this.#groups.values())) judge(findings, group);
    for (const [lane, kept] of this.#others) {
      for (const [code, minor] of sumOf([...kept.values()])) {
        const text = `lane ${lane} has ${minor} ${code} on ${TRANSIT}, which no message carries: of case ${[...kept.keys()][0]}`;
        findings.problem("transit_equals_messages", text);
      }
    }
  }
}

function judge(findings: Findings, { cases, conversations }: Group): void {
  const carried = [...conversations.values()].filter(isOnItsWay);
  const expected = sumOf(carried.map(({ amount, currency }) => new Map([[currency ?? "", amount ?? 0n]])));
  const found = sumOf([...cases.values()]);
  findings.checked("transit_equals_messages");
  for (const code of new Set([...expected.keys(), ...found.keys()])) {
    const [is, shouldBe] = [found.get(code) ?? 0n, expected.get(code) ?? 0n];
    findings.expect("transit_equals_messages", is === shouldBe, () => {
      const which = [...cases.keys()].slice(0, 4).join(" and ");
      return `cases ${which} have ${is} ${code} on ${TRANSIT}, and their messages on the way carry ${shouldBe}`;
    });
  }
}

function isOver({ conversations }: Group): boolean {
  return [...conversations.values()].every(({ steps }) => steps.size === STEPS);
}

/** What one side says of a message against what the other said before; kept when it has said nothing yet. */
function matched(name: string, own: Map<string, string>, other: Map<string, string>, print: string): string | null {
  const theirs = other.get(name);
  if (theirs === undefined) {
    own.set(name, print);
    return null;
  }
  other.delete(name);
  const [fromLane, toLane, sequence] = name.split(" ");
  if (theirs === print) return null;
  return `message ${sequence} of lane ${fromLane} to lane ${toLane} was taken with other contents than it was sent with`;
}

/** An accepted question's money has arrived; a refused one's is on its way back until the answer is taken. */
function isOnItsWay({ steps, isRefused }: Conversation): boolean {
  return !steps.has("question taken") || (isRefused && !steps.has("answer taken"));
}

function amountOf(text: string | undefined): bigint | null {
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : null;
}

function addLine(
  nets: Map<string, Net>,
  { debit, credit, amount, caseId }: LineRow,
  transit: ReadonlyMap<bigint, string>,
): void {
  for (const [account, minor] of [
    [debit, -amount],
    [credit, amount],
  ] as const) {
    const currency = transit.get(account);
    if (currency !== undefined) addNet(nets, caseId, new Map([[currency, minor]]));
  }
}

function addNet(nets: Map<string, Net> | undefined, uuid: string, more: ReadonlyMap<string, bigint>): void {
  const net = nets?.get(uuid) ?? new Map<string, bigint>();
  for (const [code, minor] of more) net.set(code, (net.get(code) ?? 0n) + minor);
  nets?.set(uuid, net);
}

/** By currency; those that come to nothing are left out. */
function sumOf(nets: readonly ReadonlyMap<string, bigint>[]): Net {
  const sum: Net = new Map();
  for (const net of nets) for (const [code, minor] of net) sum.set(code, (sum.get(code) ?? 0n) + minor);
  for (const [code, minor] of sum) if (minor === 0n) sum.delete(code);
  return sum;
}

function printOf(key: string, value: Buffer): string {
  return createHash("sha256").update(`${key}\n`).update(value).digest("base64url").slice(0, 22);
}
