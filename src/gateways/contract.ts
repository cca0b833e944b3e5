// What a gateway to a payment provider is: commands of a lane go in, reports about them come out.
//
// Commands come at least once. So a provider executes each idempotency key once, whoever asks how often, and says the same
// of it for as long as it knows the key. That is the deadline of a command (`notAfter`), counted by its case from when the
// key was new: a command that waited is executed within it. Behind it, and for one that only asks, nothing is executed: it
// is asked about. A provider that cannot tell says `unknown`, which every call of a flow has among its results; an error or
// a time-out is `unknown` too, never a decline. `unavailable` is for what certainly was not begun: the case may then ask another
// provider.
//
// An answer's observation names the fact, not the message that told it: the same when a status query, a webhook and a
// repeat tell of it, another when the provider says something new. The case absorbs what it knows.

import { scryptSync } from "node:crypto";
import { holdsCardNumber, maskCardNumbers } from "../domain/cards/numbers.ts";
import type { CommandMessage, ReportMessage } from "../kafka/codec-messages.ts";

export type Answer = {
  /** one of the results that the call has in its flow */
  readonly result: string;
  readonly observation: string;
  /** amounts as digits of minor units, truth values as `true` and `false`; never card data */
  readonly payload: Readonly<Record<string, string>>;
  /** when it is told, counted from now: providers answer late as well */
  readonly afterMs: number;
  /** told without having been asked, such as by a webhook */
  readonly isUnasked: boolean;
};

export interface Provider {
  /** as the chart of accounts names it, and `data.provider` of a case */
  readonly name: string;
  /** how many of its calls may be on their way at once, in this process; left out where it answers in process */
  readonly callsMax?: number;
  /** Does it, unless its idempotency key is done already. */
  execute(command: CommandMessage): readonly Answer[] | Promise<readonly Answer[]>;
  /** Says what is known of it and sets nothing going. */
  ask(command: CommandMessage): readonly Answer[] | Promise<readonly Answer[]>;
}

export const UNKNOWN = "unknown";
export const UNAVAILABLE = "unavailable";

const PATIENCE_MS = 30_000;

/** For how long a provider is waited for. */
export function patienceMs({ timeoutMs }: Pick<CommandMessage, "timeoutMs">): number {
  return timeoutMs || PATIENCE_MS;
}

/** @returns whether a provider may do what the command says, or only be asked about it */
export function mayExecute(command: CommandMessage, nowMs: number): boolean {
  return !command.readOnly && BigInt(Math.trunc(nowMs)) * 1000n <= command.notAfter;
}

/** What is said of a command whose provider takes longer than the call's timeout is that it is not known: behind it the
 *  case's other commands wait. What the provider says later nobody listens to; the case asks again.
 *  @throws whatever the provider's adapter threw in time */
export async function inTime(
  command: CommandMessage,
  answering: Promise<readonly Answer[]>,
): Promise<readonly Answer[]> {
  let timer: NodeJS.Timeout | undefined;
  const impatience = new Promise<readonly Answer[]>((resolve) => {
    timer = setTimeout(() => resolve([unknownAnswer(command)]), patienceMs(command));
  });
  try {
    return await Promise.race([answering, impatience]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is said of a command whose provider cannot be asked. */
export function unknownAnswer(command: CommandMessage): Answer {
  const observation = `${command.call}/${command.attempt}/${UNKNOWN}`;
  return { result: UNKNOWN, observation, payload: {}, afterMs: 0, isUnasked: false };
}

/** What is said of a command of which nothing was sent. */
export function unavailableAnswer(command: CommandMessage): Answer {
  const { seq } = command.payload;
  const observation = `${command.call}/${command.attempt}/${UNAVAILABLE}`;
  return {
    result: UNAVAILABLE,
    observation,
    payload: seq === undefined ? {} : { seq },
    afterMs: 0,
    isUnasked: false,
  };
}

/** What a provider says in words may quote the card. Digits alone are an amount or a count, and are told as they are. */
function withoutCards(payload: Answer["payload"]): Record<string, string> {
  const mask = (text: string): string => (/^-?\d+$/.test(text) ? text : maskCardNumbers(text));
  return Object.fromEntries(Object.entries(payload).map(([name, text]) => [name, mask(text)]));
}

/** Ids of a provider that read as card numbers tell its facts apart, and masked two facts might be one. So a hash stands for
 *  such an observation; a slow one and of this case alone, since a number can be found by trying them all. */
function namedWithoutCards({ observation }: Answer, caseId: string): string {
  if (!holdsCardNumber(observation)) return observation;
  return `hash:${scryptSync(observation, caseId, HASH_BYTES, { N: HASH_COST }).toString("hex")}`;
}

const HASH_BYTES = 16;
/** Some three milliseconds, during which nothing else is answered. */
const HASH_COST = 1024;

/** What a report says of the command that it answers, or of the call that a provider tells of unasked. */
export type Told = Pick<CommandMessage, "holderId" | "caseId" | "call" | "attempt">;

export function reportOf(command: Told, answer: Answer, nowMs: number): ReportMessage {
  return {
    holderId: command.holderId,
    caseId: command.caseId,
    call: command.call,
    attempt: answer.isUnasked ? 0 : command.attempt,
    result: answer.result,
    observation: namedWithoutCards(answer, command.caseId),
    payload: withoutCards(answer.payload),
    occurredAt: BigInt(Math.trunc(nowMs)) * 1000n,
    from: null,
  };
}
