// The part of a gateway over HTTP that is the same for every provider: what is done when, within which limits, and what an
// answer that says nothing becomes. What differs is a provider's tongue.

import type { CommandMessage } from "../../kafka/codec-messages.ts";
import { type Answer, unavailableAnswer } from "../contract.ts";
import { type Answered, type Called, Caller, type CircuitSettings } from "../http/caller.ts";
import type { CircuitWord } from "../http/circuit.ts";
import { type Door, openDoor } from "../http/exchange.ts";
import { judgeSignature, readSigned } from "../http/signature.ts";
import {
  type EventPage,
  type Heard,
  type HttpProvider,
  type HttpProviderParts,
  limitsOf,
  limitsOfAsking,
  type Operation,
  type ProviderEvent,
  unknown,
} from "./http-provider.ts";

/** How one provider is spoken to: its client and its translation. */
export interface Tongue {
  /** Puts the command.
   *  @returns answers where nothing has to be sent for them; null for what the provider does not have */
  tell(command: CommandMessage, limits: ReturnType<typeof limitsOf>): Promise<Called> | readonly Answer[] | null;
  /** Asks how the command's operation stands.
   *  @returns null for what the provider does not have */
  ask(command: CommandMessage, limits: ReturnType<typeof limitsOf>): Promise<Called> | null;
  /** @returns null when it cannot be read, or is about something else */
  read(command: CommandMessage, answered: Answered): readonly Answer[] | null;
  /** Which operation a webhook is about, whose signature is right; null: none of ours. */
  hear(body: Buffer): ProviderEvent | null;
  /** left out where the provider keeps no list of its events */
  readonly list?: EventList;
}

/** A provider's list of events that no webhook has told of. */
export interface EventList {
  ask(after: string, untilMs: number, limits: ReturnType<typeof limitsOf>): Promise<Called>;
  /** @returns null when it cannot be read */
  read(answered: Answered): EventPage | null;
}

/** Answers are some hundred bytes; the longest is a charge with many payments. */
const ANSWER_BYTES_MAX = 256 * 1024;

/** Ten calls in a row that fail are no chance, and a few seconds are enough for a restart on the other side. */
const CIRCUIT: CircuitSettings = { failuresMax: 10, openMs: 5_000 };

/** The provider does nothing new under this key any more, and may have done it before. */
const TOO_LATE = 410;
const REFUSED_FROM = 400;

/** For a page of the list of events, which is small. */
const LIST_MS = 5_000;

export class HttpGateway implements HttpProvider {
  readonly name: string;
  readonly callsMax: number;
  readonly #parts: HttpProviderParts;
  readonly #door: Door;
  readonly #caller: Caller;
  readonly #tongue: Tongue;
  /** for its list of events, whose failures neither open the circuit of payments nor use up their repeats */
  readonly #aside: Tongue;

  constructor(parts: HttpProviderParts, speak: (caller: Caller, door: Door) => Tongue) {
    const { name, callsMax, baseUrl, descriptor, nowMs, random, events } = parts;
    this.name = name;
    this.callsMax = callsMax;
    this.#parts = parts;
    this.#door = openDoor({ baseUrl, connectionsMax: callsMax, answerBytesMax: ANSWER_BYTES_MAX });
    const mayRepeat = descriptor.statusByOurRef && descriptor.idempotency.onError === "same";
    this.#caller = new Caller(this.#door, { ...CIRCUIT, ...parts.circuit, random, nowMs, mayRepeat }, events);
    this.#tongue = speak(this.#caller, this.#door);
    const alone = { ...CIRCUIT, random, nowMs, mayRepeat: false };
    this.#aside = speak(new Caller(this.#door, alone, events), this.#door);
  }

  get circuit(): CircuitWord {
    return this.#caller.circuit;
  }

  async execute(command: CommandMessage): Promise<readonly Answer[]> {
    const told = this.#tongue.tell(command, limitsOf(command, this.#parts.nowMs()));
    if (told === null) return [unknown(command)];
    if (!(told instanceof Promise)) return told;
    const called = await told;
    if (called.kind === "answered" && called.status === TOO_LATE) return this.ask(command);
    if (called.kind === "unknown" && !called.isSent) return [unavailableAnswer(command)];
    return this.#read(command, called) ?? [unknown(command)];
  }

  async ask(command: CommandMessage): Promise<readonly Answer[]> {
    const called = await this.#ask(command);
    return (called === null ? null : this.#readAsked(command, called)) ?? [unknown(command)];
  }

  async look(command: CommandMessage, { isBehind }: Operation): Promise<readonly Answer[] | "unreached" | "not_shown"> {
    const called = await this.#ask(command);
    if (called?.kind === "unknown") return "unreached";
    if (called === null) return "not_shown";
    if (called.status >= REFUSED_FROM || isBehind(called.body)) return "not_shown";
    return this.#readAsked(command, called) ?? "not_shown";
  }

  hear(headers: Readonly<Record<string, string>>, body: Buffer): Heard {
    const { descriptor, secret, nowMs } = this.#parts;
    const { header, signature } = descriptor.webhook;
    const why = judgeSignature(readSigned(headers[header], signature), body, [secret("webhook")], nowMs());
    if (why !== null) return { kind: "refused", why };
    const told = this.#tongue.hear(body);
    return told === null ? { kind: "not_ours" } : { kind: "ours", ...told };
  }

  get listsEvents(): boolean {
    return this.#tongue.list !== undefined;
  }

  async missed(after: string, untilMs: number): Promise<EventPage | null> {
    const limits = { untilMs: this.#parts.nowMs() + LIST_MS, notAfterMs: Number.POSITIVE_INFINITY };
    const { list } = this.#aside;
    const called = await list?.ask(after, untilMs, limits);
    if (list === undefined || called === undefined || called.kind === "unknown") return null;
    const page = called.status >= REFUSED_FROM ? null : list.read(called);
    if (page === null) this.#parts.events.unreadable("events", `status ${called.status}`);
    return page;
  }

  close(): void {
    this.#door.close();
  }

  async #ask(command: CommandMessage): Promise<Called | null> {
    return await this.#tongue.ask(command, limitsOfAsking(command, this.#parts.nowMs()));
  }

  /** What is said of a question is never said of what the command does: a question that is refused refuses no payment. */
  #readAsked(command: CommandMessage, called: Called): readonly Answer[] | null {
    return this.#read({ ...command, readOnly: true }, called);
  }

  #read(command: CommandMessage, called: Called): readonly Answer[] | null {
    if (called.kind === "unknown") return null;
    const answers = this.#tongue.read(command, called);
    if (answers === null) this.#parts.events.unreadable(command.op, `status ${called.status}`);
    return answers;
  }
}
