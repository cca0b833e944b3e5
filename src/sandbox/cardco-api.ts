// cardco over HTTP: bearer key, idempotency key, operations on payments.

import type { HttpReply, HttpRequest, HttpRoute } from "../http/server.ts";
import { type CardcoAsked, cardcoEvent, cardcoTurn, cardcoView, eventId, poolOf, waitingOf, whyNot } from "./cardco.ts";
import type { Desk, ProviderDesk } from "./desk.ts";
import { listEvents, readListAsked } from "./events.ts";
import { BLIND, errorReply, jsonReply, type Lines } from "./lines.ts";
import { type Begun, type Memory, type Operation, statusOf } from "./memory.ts";
import { planOf } from "./plan.ts";
import {
  type Fields,
  printOf,
  readAmount,
  readBody,
  readOptionalAmount,
  readOptionalText,
  readText,
  readTime,
  readYesOrNo,
  refuseCards,
} from "./reading.ts";
import { Refused } from "./refused.ts";
import { cardcoSignature, equalSecrets } from "./signatures.ts";

export type CardcoSettings = {
  readonly key: string;
  readonly webhookSecret: string;
  /** null: nobody is told */
  readonly webhookUrl: string | null;
};

/** `address` is asked when something is told: it is known once the server listens. */
export type CardcoParts = CardcoSettings & { readonly address: () => string };

const FORGED_SECRET = "not the secret that is agreed";

export function cardcoDesk(memory: Memory, settings: CardcoParts): ProviderDesk {
  const { webhookUrl } = settings;
  return {
    plan: ({ behaviour }) => planOf("card", behaviour.fate),
    turnFor: (operation, step, index) =>
      cardcoTurn(askedBy(operation), step, index, memory.ofPayment("cardco", operation.payment)),
    eventId,
    delivery:
      webhookUrl === null
        ? null
        : (operation, index, isForged) => ({
            url: webhookUrl,
            make: () => webhook(operation, index, isForged, settings),
          }),
  };
}

function askedBy({ kind, minor, behaviour, isPartialTaken, turns }: Operation): CardcoAsked {
  const last = turns.at(-1);
  return {
    kind,
    minor,
    code: behaviour.code,
    isPartialTaken,
    isEnded: last?.step === null,
    isDeclined: last?.status === "declined",
    isDone: turns.some(({ effect }) => effect === "done"),
  };
}

function webhook(operation: Operation, index: number, isForged: boolean, settings: CardcoParts) {
  const event = cardcoEvent(operation, index, settings.address());
  const body = JSON.stringify(isForged ? forged(event) : event);
  const secret = isForged ? FORGED_SECRET : settings.webhookSecret;
  const signature = cardcoSignature(secret, Math.floor(Date.now() / 1000), body);
  return { body, headers: { "content-type": "application/json", "cardco-signature": signature } };
}

/** Says of an operation what would be worth money to whoever sends it. */
function forged(event: Fields): Fields {
  const operation = event["operation"] as Fields;
  const amount = { ...(operation["amount"] as Fields), minor: "999999" };
  return { ...event, id: `${event["id"]}x`, operation: { ...operation, status: "completed", amount } };
}

export class CardcoApi {
  readonly #desk: Desk;
  readonly #lines: Lines;
  readonly #settings: CardcoParts;

  constructor(desk: Desk, lines: Lines, settings: CardcoParts) {
    this.#desk = desk;
    this.#lines = lines;
    this.#settings = settings;
  }

  routes(): readonly HttpRoute[] {
    const first = (group: string, kind: string): HttpRoute => ({
      method: "POST",
      path: `/cardco/v1/${group}`,
      handle: (request) => this.#post(request, group, kind),
    });
    const later = (group: string, path: string, kind: string): HttpRoute => ({
      method: "POST",
      path: `/cardco/v1/${group}/:reference/${path}`,
      handle: (request) => this.#post(request, group, kind),
    });
    const groups = [
      ["authorizations", "authorization"],
      ["orders", "order"],
    ] as const;
    return [
      ...groups.flatMap(([group, kind]) => [
        first(group, kind),
        later(group, "increments", "increment"),
        later(group, "captures", "capture"),
        later(group, "voids", "void"),
        later(group, "refunds", "refund"),
      ]),
      { method: "GET", path: "/cardco/v1/operations", handle: (request) => this.#get(request) },
      { method: "GET", path: "/cardco/v1/events", handle: (request) => this.#list(request) },
    ];
  }

  async #list(request: HttpRequest): Promise<HttpReply> {
    this.#authorize(request);
    const names = { after: "after", until: "until", only: "delivered", missed: "false" };
    const asked = readListAsked(request, "cardco", names);
    const { changes, next, isLast } = listEvents(this.#desk.memory, asked, eventId);
    const events = changes.map(({ operation, index }) => cardcoEvent(operation, index, this.#settings.address()));
    await this.#desk.settled();
    return jsonReply(200, { events, next: String(next), has_more: !isLast });
  }

  async #get(request: HttpRequest): Promise<HttpReply> {
    this.#authorize(request);
    const key = request.query.get("key");
    if (key === null || key === "") throw new Refused(400, "field_missing", "key: missing");
    const operation = this.#desk.memory.find("cardco", key);
    if (operation === null) return errorReply(404, "not_found", "no operation has this key");
    if (this.#lines.isBlind(operation.behaviour.line, operation.id)) return BLIND;
    // What happens while this is flushed is not on disk, so nobody is told of it yet.
    const index = operation.turns.length - 1;
    await this.#desk.settled();
    return this.#shown(operation, index);
  }

  async #post(request: HttpRequest, group: string, kind: string): Promise<HttpReply> {
    this.#authorize(request);
    const { memory } = this.#desk;
    const key = keyOf(request);
    const notAfter = readTime("not-after", request.headers["not-after"]);
    const asked = readAsked(request, group, kind);
    const known = memory.find("cardco", key);
    if (known !== null) return this.#again(known, asked.print);
    if (Date.now() > notAfter) throw new Refused(410, "too_late", "not-after is over: nothing new is done");
    const kin = memory.ofPayment("cardco", asked.payment);
    const amount = amountOf(asked, kin);
    const token = asked.token ?? kin[0]?.token ?? null;
    const { reference } = asked;
    const behaviour = this.#desk.choose({ provider: "cardco", kind, key, reference, token, ...amount });
    if (this.#lines.turnsAway(behaviour.line, `cardco ${key}`)) {
      return this.#lines.replyBefore(behaviour.line, request);
    }
    if (behaviour.fate === "refused") {
      throw new Refused(422, behaviour.code ?? "not_supported", "this cannot be done here");
    }
    const operation = this.#begin({ ...asked, ...amount, key, token, behaviour }, kin);
    await this.#desk.settled();
    if (behaviour.post === "early") await this.#desk.toldFirst(operation);
    return this.#lines.replyAfter(behaviour.line, request, this.#shown(operation, 0));
  }

  /** The same key: what was answered then. */
  async #again(known: Operation, print: string): Promise<HttpReply> {
    await this.#desk.settled();
    if (known.print !== print) {
      throw new Refused(409, "idempotency_conflict", "the key was used for another request");
    }
    return this.#shown(known, 0);
  }

  #begin(asked: Starting, kin: readonly Operation[]): Operation {
    const { behaviour, kind, minor } = asked;
    const [step] = planOf("card", behaviour.fate);
    const why = whyNot(kind, BigInt(minor), kin);
    const refusal = { step: null, status: "declined", minor, code: why, effect: null };
    const first = { ...asked, code: behaviour.code, isEnded: false, isDeclined: false, isDone: false };
    const turn = why !== null || step === undefined ? refusal : (cardcoTurn(first, step, 0, kin) ?? refusal);
    const at = Date.now();
    if (kind === "void" && turn.status !== "declined") this.#cancelWaiting(kin, at);
    return this.#desk.begin({ e: "begun", provider: "cardco", expiresAt: null, ...asked, turn: { at, ...turn } });
  }

  #cancelWaiting(kin: readonly Operation[], at: number): void {
    for (const waiting of waitingOf(kin)) {
      const { minor } = waiting;
      this.#desk.turn(waiting, { at, step: null, status: "declined", minor, code: "canceled", effect: null });
    }
  }

  #shown(operation: Operation, index: number): HttpReply {
    return jsonReply(200, cardcoView(operation, index, this.#settings.address()));
  }

  #authorize({ headers }: HttpRequest): void {
    const [, key = ""] = /^Bearer (.+)$/.exec(headers["authorization"] ?? "") ?? [];
    if (!equalSecrets(key, this.#settings.key)) {
      throw new Refused(401, "unauthorized", "authorization: expected Bearer and the key");
    }
  }
}

type Starting = Omit<Begun, "e" | "provider" | "expiresAt" | "turn">;

const KEY = /^[\x21-\x7e]{1,255}$/;

function keyOf({ headers }: HttpRequest): string {
  const key = headers["idempotency-key"] ?? "";
  if (!KEY.test(key)) {
    throw new Refused(400, "idempotency_key_invalid", "idempotency-key: expected 1 to 255 visible characters, once");
  }
  return key;
}

type PostAsked = Omit<Starting, "key" | "behaviour" | "currency" | "minor"> & {
  /** null: all that is left */
  readonly amount: { readonly currency: string; readonly minor: string } | null;
};

/** @param group `authorizations` or `orders`
 *  @throws Refused */
function readAsked(request: HttpRequest, group: string, kind: string): PostAsked {
  const named = request.params["reference"];
  const isFirst = named === undefined;
  const fields = readBody(request, isFirst ? (FIRST_FIELDS[group] ?? []) : ["reference", "amount", "final"]);
  const reference = isFirst ? readText(fields, "reference") : (readOptionalText(fields, "reference") ?? named);
  if (named !== undefined) refuseCards("the path", named);
  const amount = isFirst || kind === "increment" ? readAmount(fields) : readOptionalAmount(fields);
  if (amount !== null && amount.minor === "0")
    throw new Refused(400, "field_invalid", "amount.minor: expected more than 0");
  if (group === "orders") readOptionalText(fields, "plan");
  const asked = {
    kind,
    payment: `${group}/${named ?? reference}`,
    reference,
    token: group === "authorizations" && isFirst ? readText(fields, "token") : null,
    isFinal: readYesOrNo(fields, "final"),
    isPartialTaken: readYesOrNo(fields, "partial_approval"),
    amount,
  };
  // Last, when every field is known to be a plain one.
  return { ...asked, print: printOf({ path: request.path, fields }) };
}

const FIRST_FIELDS: Readonly<Record<string, readonly string[]>> = {
  authorizations: ["reference", "amount", "token", "partial_approval"],
  orders: ["reference", "amount", "plan"],
};

/** What is asked for, or where nothing is said all that is left of the payment.
 *  @throws Refused 404 when there is no such payment, 422 for another currency */
function amountOf(
  { amount, kind, payment }: PostAsked,
  kin: readonly Operation[],
): { currency: string; minor: string } {
  const first = kin[0];
  if (first === undefined) {
    if (amount !== null && (kind === "authorization" || kind === "order")) return amount;
    throw new Refused(404, "payment_unknown", `there is no ${payment.replace(/\/.*$/s, "")} with this reference`);
  }
  if (amount !== null && amount.currency !== first.currency) {
    throw new Refused(422, "currency_mismatch", "amount.currency: expected that of the payment");
  }
  if (amount !== null) return amount;
  const { open, refundable } = poolOf(kin);
  return { currency: first.currency, minor: String(kind === "refund" ? refundable : open) };
}

/** A step of the customer, done or given up by hand.
 *  @returns false when the operation waits for none */
export function takeAction(desk: Desk, operation: Operation, isDone: boolean): boolean {
  if (statusOf(operation) !== "action_required") return false;
  const { minor } = operation;
  const at = Date.now();
  if (isDone) desk.turn(operation, { at, step: null, status: "approved", minor, code: null, effect: "done" });
  else
    desk.turn(operation, { at, step: null, status: "declined", minor, code: "authentication_abandoned", effect: null });
  return true;
}
