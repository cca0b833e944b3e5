// What a provider over HTTP is beside `Provider`: it is looked at for what it says of an operation, its webhooks are heard,
// and it has a circuit. And what all such providers are made of.

import type { CommandMessage } from "../../kafka/codec-messages.ts";
import { type Answer, type Provider, patienceMs, UNKNOWN } from "../contract.ts";
import type { CallEvents, CircuitSettings, Limits } from "../http/caller.ts";
import type { CircuitWord } from "../http/circuit.ts";
import type { SignatureFault } from "../http/signature.ts";
import type { Descriptor } from "./descriptor.ts";

/** What a webhook turned out to be. It is a hint: what it says of amounts is not used, the provider is asked. */
export type Heard =
  | { readonly kind: "refused"; readonly why: SignatureFault }
  /** it is the provider's, and about nothing that we know */
  | { readonly kind: "not_ours" }
  | ({ readonly kind: "ours" } & ProviderEvent);

/** Something that happened to an operation of ours. */
export type ProviderEvent = { readonly eventId: string; readonly about: Operation };

/** A part of a provider's list of events that no webhook has told of; null stands for one that is none of ours. */
export type EventPage = {
  readonly events: readonly (ProviderEvent | null)[];
  /** where the list goes on, in the provider's words */
  readonly next: string;
  /** whether nothing stands behind it for now */
  readonly isLast: boolean;
};

/** An operation of ours at a provider, by what the provider gives back of our names. */
export type Operation = {
  readonly caseId: string;
  readonly op: string;
  readonly idempotencyKey: string;
  /** whether the holder is whose operation it is: two holders may have cases of one id, and so the same keys */
  readonly isOf: (holderId: string) => boolean;
  /** whether an answer to a question shows it as it was before what the webhook tells of */
  readonly isBehind: (body: Buffer) => boolean;
};

export interface HttpProvider extends Provider {
  readonly callsMax: number;
  readonly circuit: CircuitWord;
  /** Asks about the operation of an event, by the command that did it.
   *  @returns `unreached` when the provider cannot be asked; `not_shown` when it does not know yet what it told of, or what it
   *           says cannot be read */
  look(command: CommandMessage, about: Operation): Promise<readonly Answer[] | "unreached" | "not_shown">;
  /** @param headers by name, in small letters */
  hear(headers: Readonly<Record<string, string>>, body: Buffer): Heard;
  /** whether it keeps a list of its events that can be asked for */
  readonly listsEvents: boolean;
  /** Reads on in the list of events that no webhook has told of.
   *  @param after   where to go on; empty at the beginning
   *  @param untilMs since the epoch: what came about later is left out, for its webhook may be on its way
   *  @returns       null when the provider cannot be asked, what it says cannot be read, or it keeps no list */
  missed(after: string, untilMs: number): Promise<EventPage | null>;
  close(): void;
}

export interface HttpProviderEvents extends CallEvents {
  /** what it says of this operation fits neither its own form nor what it was asked */
  unreadable(op: string, what: string): void;
}

export type HttpProviderParts = {
  readonly name: string;
  readonly baseUrl: string;
  readonly callsMax: number;
  readonly descriptor: Descriptor;
  /** by what they are for, such as `key` and `webhook` */
  readonly secret: (name: string) => string;
  readonly events: HttpProviderEvents;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** other than the usual, for tests */
  readonly circuit?: CircuitSettings;
};

/** Before the case stops waiting, so that what is known by then is what is told. */
const MARGIN_MS = 100;

export function limitsOf(command: CommandMessage, nowMs: number): Limits {
  return { untilMs: nowMs + patienceMs(command) - MARGIN_MS, notAfterMs: Number(command.notAfter / 1000n) };
}

/** A query does nothing, so it may be made at any time. */
export function limitsOfAsking(command: CommandMessage, nowMs: number): Limits {
  return { ...limitsOf(command, nowMs), notAfterMs: Number.POSITIVE_INFINITY };
}

/** An answer at once. `fact` names it among all that are said of the case; a result that is no fact is another one each
 *  time that it is said. */
export function tell(
  command: CommandMessage,
  result: string,
  fact: string | null,
  payload: Readonly<Record<string, string>> = {},
): Answer {
  const { seq } = command.payload;
  return {
    result,
    observation: fact ?? `${command.call}/${command.attempt}/${result}`,
    payload: { ...(seq === undefined ? {} : { seq }), ...payload },
    afterMs: 0,
    isUnasked: false,
  };
}

export function unknown(command: CommandMessage): Answer {
  return tell(command, UNKNOWN, null);
}

/** The key of an operation. A command that only asks has none: it is that of the call which it asks about, whose key flows
 *  write as `{case}/` with this behind it.
 *  @param tail `charge`, or `auth/{seq}` where the case counts them */
export function keyOf({ caseId, idempotencyKey, payload }: CommandMessage, tail: string): string {
  return idempotencyKey === "" ? `${caseId}/${tail.replace("{seq}", payload["seq"] ?? "")}` : idempotencyKey;
}

/** @returns whether the key may be one of these */
export function isKeyOf(tail: string, key: string): boolean {
  const [, word, count, ...more] = key.split("/");
  const [ownWord, ownCount] = tail.split("/");
  const isCounted = ownCount === undefined ? count === undefined : /^\d{1,9}$/.test(count ?? "");
  return word === ownWord && isCounted && more.length === 0;
}

/** What of a key tells the case's operations apart. */
export function tailOf(key: string, caseId: string): string {
  return key.startsWith(`${caseId}/`) ? key.slice(caseId.length + 1) : key;
}
