// What providers tell unasked, over HTTP: each webhook is verified, its case is found by what the provider gives back of our
// names, the provider is asked how the operation stands, and that is among the reports of the holder's lane before the
// webhook is answered 2xx. Nothing is remembered that has to survive: the case absorbs what it knows.
//
//   webhook ──► signature ──► name of the operation ──► case and holder ──► provider is asked ──► reports ──► 200
//               401             200, not ours            200, no case         503                  503
//
// A webhook is a hint, so its order, its age and its amounts do not matter. What is answered 503 the provider sends again;
// so is what it does not find itself yet, or shows as it was before: a query may lag behind the webhook, and no other comes.

import { homeLane } from "../domain/holder.ts";
import { parseCaseId } from "../domain/ids.ts";
import type { HttpReply, HttpRequest, HttpRoute } from "../http/server.ts";
import type { CommandMessage } from "../kafka/codec-messages.ts";
import type { Answer, Told } from "./contract.ts";
import { UNKNOWN } from "./contract.ts";
import type { Asked } from "./fitting.ts";
import type { HttpProvider, Operation } from "./providers/http-provider.ts";
import { Slots } from "./slots.ts";

/** What became of a webhook, for metrics. */
export const WEBHOOK_RESULTS = [
  "taken",
  "repeated",
  "nothing_new",
  "not_ours",
  "no_case",
  "not_expected",
  "refused",
  "failed",
] as const;
export type WebhookResult = (typeof WEBHOOK_RESULTS)[number];

export interface WebhookEvents {
  webhook(provider: string, result: WebhookResult): void;
  /** a signature is missing, wrong or too old: a security event */
  webhookRefused(provider: string, why: string): void;
  webhookFailed(provider: string, error: unknown): void;
}

/** Whose case it is; `flow` is `name@version`, `currencies` are those of its amounts. */
export type CaseOwner = { readonly holderId: string; readonly flow: string; readonly currencies: readonly string[] };

export type WebhookParts = {
  readonly providers: readonly HttpProvider[];
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
  readonly events: WebhookEvents;
};

/** How long asking the provider may take: it waits for our answer meanwhile. */
const ASK_MS = 5_000;
/** Webhooks of one provider that are looked into at once, and that wait for that. */
const AT_ONCE = 16;
const WAITING_MAX = 500;
const REMEMBERED_MAX = 10_000;

const STATUS: Readonly<Record<WebhookResult, number>> = {
  taken: 200,
  repeated: 200,
  nothing_new: 200,
  not_ours: 200,
  no_case: 200,
  not_expected: 200,
  refused: 401,
  failed: 503,
};

export class Webhooks {
  readonly #parts: WebhookParts;
  readonly #desks: ReadonlyMap<string, Desk>;

  constructor(parts: WebhookParts) {
    this.#parts = parts;
    this.#desks = new Map(parts.providers.map((provider) => [provider.name, new Desk(provider, parts)]));
  }

  routes(): readonly HttpRoute[] {
    return [{ method: "POST", path: "/webhooks/:provider", handle: (request) => this.#take(request) }];
  }

  async #take(request: HttpRequest): Promise<HttpReply> {
    const desk = this.#desks.get(request.params["provider"] ?? "");
    if (desk === undefined) return reply(404);
    const result = await desk.take(request);
    this.#parts.events.webhook(desk.name, result);
    return reply(STATUS[result]);
  }
}

/** It says nothing of why: whoever forges one learns nothing from it. */
function reply(status: number): HttpReply {
  return { status, headers: { "content-type": "application/json" }, body: "{}" };
}

/** The webhooks of one provider. */
class Desk {
  readonly #provider: HttpProvider;
  readonly #parts: WebhookParts;
  readonly #slots = new Slots(AT_ONCE);
  #waiting = 0;
  /** ids of events that are told of: what comes again costs no question */
  readonly #told = new Set<string>();

  constructor(provider: HttpProvider, parts: WebhookParts) {
    this.#provider = provider;
    this.#parts = parts;
  }

  get name(): string {
    return this.#provider.name;
  }

  async take({ headers, body }: HttpRequest): Promise<WebhookResult> {
    const heard = this.#provider.hear(headers, body);
    if (heard.kind === "refused") {
      this.#parts.events.webhookRefused(this.name, heard.why);
      return "refused";
    }
    if (heard.kind === "not_ours") return "not_ours";
    if (this.#told.has(heard.eventId)) return "repeated";
    if (this.#waiting >= WAITING_MAX) return "failed";
    this.#waiting += 1;
    try {
      const result = await this.#slots.hold(() => this.#lookInto(heard.about));
      if (result === "taken") this.#remember(heard.eventId);
      return result;
    } catch (error) {
      this.#parts.events.webhookFailed(this.name, error);
      return "failed";
    } finally {
      this.#waiting -= 1;
    }
  }

  async #lookInto(about: Operation): Promise<WebhookResult> {
    const { ownersOf, callFor, fits, report, lanes } = this.#parts;
    const id = parseCaseId(about.caseId);
    const owners = id === null ? [] : await ownersOf(id.uuid);
    const owner = owners.find(({ holderId }) => about.isOf(holderId));
    if (owner === undefined) return "no_case";
    const call = callFor(owner.flow, about.op);
    if (call === null) return "not_expected";
    const told = { holderId: owner.holderId, caseId: about.caseId, call, attempt: 0 };
    const answers = await this.#provider.look(commandAbout(about, told), about);
    if (answers === null) return "failed";
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
