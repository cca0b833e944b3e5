// What is done with an event of a provider, whoever tells of it, a webhook or the provider's own list: its case is found by
// what the provider gives back of our names, the provider is asked how the operation stands, and that is among the reports of
// the holder's lane. Nothing is remembered that has to survive: the case absorbs what it knows.
//
//   name of the operation ──► case and holder ──► provider is asked ──► reports
//                              no_case             not_shown, failed     failed
//
// An event is a hint, so its order, its age and its amounts do not matter. What the provider does not find itself yet, or
// shows as it was before, is `not_shown`: a query may lag behind the event, and no other event comes. `failed` says nothing of
// the event: the provider, the database or Kafka could not be reached. Both have to be told again.

import { homeLane } from "../domain/holder.ts";
import { parseCaseId } from "../domain/ids.ts";
import type { CommandMessage } from "../kafka/codec-messages.ts";
import type { Answer, Told } from "./contract.ts";
import { UNKNOWN } from "./contract.ts";
import type { Asked } from "./fitting.ts";
import type { HttpProvider, Operation, ProviderEvent } from "./providers/http-provider.ts";
import { Slots } from "./slots.ts";

/** What became of an event, for metrics. */
export const EVENT_RESULTS = [
  "taken",
  "repeated",
  "nothing_new",
  "no_case",
  "not_expected",
  "not_shown",
  "failed",
] as const;
export type EventResult = (typeof EVENT_RESULTS)[number];

/** Whose case it is; `flow` is `name@version`, `currencies` are those of its amounts. */
export type CaseOwner = { readonly holderId: string; readonly flow: string; readonly currencies: readonly string[] };

export type EventDeskParts = {
  readonly lanes: number;
  /** @param uuid 32 hex digits
   *  @returns one for each holder that has a case of this id */
  readonly ownersOf: (uuid: string) => Promise<readonly CaseOwner[]>;
  /** the call of a flow that such an operation answers; throws where the version of the flow is not known here */
  readonly callFor: (flow: string, op: string) => string | null;
  /** whether a case of that flow can take it */
  readonly fits: (flow: string, asked: Omit<Asked, "caseId">, answer: Answer) => boolean;
  /** resolves when it is among the lane's reports */
  readonly report: (lane: number, told: Told, answer: Answer) => Promise<void>;
  readonly failed: (provider: string, error: unknown) => void;
};

/** How long asking the provider may take: whoever sent a webhook waits for our answer meanwhile. */
const ASK_MS = 5_000;
/** Events of one provider that are looked into at once, and that wait for that. */
const AT_ONCE = 16;
const WAITING_MAX = 500;
const REMEMBERED_MAX = 10_000;

/** The events of one provider. */
export class EventDesk {
  readonly provider: HttpProvider;
  readonly #parts: EventDeskParts;
  readonly #slots = new Slots(AT_ONCE);
  /** by id: an event that is told again meanwhile is looked into once */
  readonly #underWay = new Map<string, Promise<EventResult>>();
  /** ids of events that are told of: what comes again costs no question */
  readonly #told = new Set<string>();

  constructor(provider: HttpProvider, parts: EventDeskParts) {
    this.provider = provider;
    this.#parts = parts;
  }

  async take(event: ProviderEvent): Promise<EventResult> {
    const { eventId } = event;
    if (this.#told.has(eventId)) return "repeated";
    const underWay = this.#underWay.get(eventId);
    if (underWay !== undefined) return underWay;
    if (this.#underWay.size >= WAITING_MAX) return "failed";
    const taking = this.#take(event).finally(() => this.#underWay.delete(eventId));
    this.#underWay.set(eventId, taking);
    return taking;
  }

  async #take({ eventId, about }: ProviderEvent): Promise<EventResult> {
    try {
      const result = await this.#slots.hold(() => this.#lookInto(about));
      if (result === "taken") this.#remember(eventId);
      return result;
    } catch (error) {
      this.#parts.failed(this.provider.name, error);
      return "failed";
    }
  }

  async #lookInto(about: Operation): Promise<EventResult> {
    const { ownersOf, callFor, fits, report, lanes } = this.#parts;
    const id = parseCaseId(about.caseId);
    const owners = id === null ? [] : await ownersOf(id.uuid);
    const owner = owners.find(({ holderId }) => about.isOf(holderId));
    if (owner === undefined) return "no_case";
    const call = callFor(owner.flow, about.op);
    if (call === null) return "not_expected";
    const told = { holderId: owner.holderId, caseId: about.caseId, call, attempt: 0 };
    const answers = await this.provider.look(commandAbout(about, told), about);
    if (answers === "not_shown") return "not_shown";
    if (answers === "unreached") return "failed";
    const news = answers.filter(({ result }) => result !== UNKNOWN);
    const isRight = (answer: Answer): boolean =>
      fits(owner.flow, { call, op: about.op }, answer) && isInOneOf(owner.currencies, answer.payload["currency"]);
    if (!news.every(isRight)) return "not_expected";
    const lane = homeLane(owner.holderId, lanes);
    for (const answer of news) await report(lane, told, { ...answer, isUnasked: true });
    return news.length === 0 ? "nothing_new" : "taken";
  }

  #remember(eventId: string): void {
    this.#told.add(eventId);
    const [oldest] = this.#told;
    if (this.#told.size > REMEMBERED_MAX && oldest !== undefined) this.#told.delete(oldest);
  }
}

function isInOneOf(currencies: readonly string[], currency: string | undefined): boolean {
  return currency === undefined || currencies.includes(currency);
}

/** The command that did it, as far as it follows from its key: enough to ask about it. */
function commandAbout({ op, idempotencyKey }: Operation, told: Told): CommandMessage {
  const seq = /\/(\d{1,9})$/.exec(idempotencyKey)?.[1];
  return {
    ...told,
    op,
    idempotencyKey,
    lane: 0,
    sequence: 0n,
    block: 0n,
    commandId: "",
    notAfter: 0n,
    payload: seq === undefined ? {} : { seq },
    traceparent: null,
    readOnly: false,
    timeoutMs: ASK_MS,
  };
}
