// instanet over HTTP: tokens for a client's secret, and operations under ids that the client chooses.

import type { HttpReply, HttpRequest, HttpRoute } from "../http/server.ts";
import type { TurnBody } from "./cardco.ts";
import { closedTurn, type Desk, type ProviderDesk } from "./desk.ts";
import { listEvents, readListAsked } from "./events.ts";
import {
  INSTANET_KINDS,
  type InstanetKind,
  instanetEvent,
  instanetTurn,
  instanetView,
  isClaim,
  isClosable,
  isInstanetKind,
  notificationId,
  returnableOf,
  SORTS,
} from "./instanet.ts";
import { BLIND, errorReply, jsonReply, type Lines } from "./lines.ts";
import { type Begun, firstPaidId, lastTurn, type Memory, type Operation, statusOf } from "./memory.ts";
import { planOf } from "./plan.ts";
import { type Fields, printOf, readAmount, readBody, readDetails, readTime, refuseCards } from "./reading.ts";
import { Refused } from "./refused.ts";
import { equalSecrets, instanetSignature, isToken, makeToken } from "./signatures.ts";

export type InstanetSettings = {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly keyId: string;
  readonly callbackSecret: string;
  /** null: nobody is told */
  readonly callbackUrl: string | null;
  /** for how long an access token is good */
  readonly tokenSeconds: number;
};

/** `address` is asked when something is told: it is known once the server listens. */
export type InstanetParts = InstanetSettings & { readonly address: () => string };

const FORGED_SECRET = "not the secret that is agreed";

export function instanetDesk(memory: Memory, settings: InstanetParts): ProviderDesk {
  const { callbackUrl } = settings;
  return {
    plan: ({ kind, behaviour }) => planOf(SORTS[kind as InstanetKind], behaviour.fate),
    turnFor: (operation, step, index) => {
      const { kind, minor, behaviour } = operation;
      const turn = instanetTurn({ kind: kind as InstanetKind, minor, code: behaviour.code }, step, index, operation);
      return turn !== null && isClaim(turn) ? claimOfRest(memory, operation, turn) : turn;
    },
    eventId: notificationId,
    delivery:
      callbackUrl === null
        ? null
        : (operation, index, isForged) => ({
            url: callbackUrl,
            make: () => callback(operation, index, isForged, settings),
          }),
  };
}

/** No more is claimed of a payment than has not gone back.
 *  @returns null when all of it has */
function claimOfRest(memory: Memory, operation: Operation, turn: TurnBody): TurnBody | null {
  const id = firstPaidId(operation) ?? "";
  const paid = memory.findPaid(id);
  const left = paid === null ? 0n : returnableOf(paid, memory.ofPayment("instanet", id));
  const minor = left < BigInt(turn.minor) ? left : BigInt(turn.minor);
  return minor === 0n ? null : { ...turn, minor: String(minor) };
}

function callback(operation: Operation, index: number, isForged: boolean, settings: InstanetParts) {
  const event = instanetEvent(operation, index);
  const body = JSON.stringify(isForged ? forged(event) : event);
  const secret = isForged ? FORGED_SECRET : settings.callbackSecret;
  const signature = instanetSignature(settings.keyId, secret, Math.floor(Date.now() / 1000), body);
  return { body, headers: { "content-type": "application/json", "instanet-signature": signature } };
}

/** Says of an operation what would be worth money to whoever sends it. */
function forged(event: Fields): Fields {
  return { ...event, notification_id: `${event["notification_id"]}x`, status: "completed", version: 99 };
}

export class InstanetApi {
  readonly #desk: Desk;
  readonly #lines: Lines;
  readonly #settings: InstanetParts;

  constructor(desk: Desk, lines: Lines, settings: InstanetParts) {
    this.#desk = desk;
    this.#lines = lines;
    this.#settings = settings;
  }

  routes(): readonly HttpRoute[] {
    const path = "/instanet/v1/:kind/:txid";
    return [
      { method: "POST", path: "/instanet/oauth/token", handle: (request) => this.#token(request) },
      { method: "PUT", path, handle: (request) => this.#put(request) },
      { method: "GET", path, handle: (request) => this.#get(request) },
      { method: "POST", path: `${path}/close`, handle: (request) => this.#close(request) },
      { method: "GET", path: "/instanet/v1/notifications", handle: (request) => this.#list(request) },
    ];
  }

  async #list(request: HttpRequest): Promise<HttpReply> {
    this.#authorize(request);
    const names = { after: "cursor", until: "before", only: "status", missed: "undelivered" };
    const asked = readListAsked(request, "instanet", names);
    const { changes, next, isLast } = listEvents(this.#desk.memory, asked, notificationId);
    const notifications = changes.map(({ operation, index }) => instanetEvent(operation, index));
    await this.#desk.settled();
    return jsonReply(200, { notifications, page: { cursor: String(next), end: isLast } });
  }

  #token({ headers, body }: HttpRequest): HttpReply {
    const form = new URLSearchParams(body.toString("utf8"));
    const isForm = /^application\/x-www-form-urlencoded *(;|$)/.test(headers["content-type"] ?? "");
    if (!isForm || form.get("grant_type") !== "client_credentials") {
      return jsonReply(400, { error: isForm ? "unsupported_grant_type" : "invalid_request" });
    }
    const { clientId, clientSecret, tokenSeconds } = this.#settings;
    const isClient = equalSecrets(form.get("client_id") ?? "", clientId);
    if (!isClient || !equalSecrets(form.get("client_secret") ?? "", clientSecret)) {
      return jsonReply(401, { error: "invalid_client" });
    }
    const token = makeToken(clientSecret, Date.now() + tokenSeconds * 1000);
    return jsonReply(200, { access_token: token, token_type: "Bearer", expires_in: tokenSeconds });
  }

  async #get(request: HttpRequest): Promise<HttpReply> {
    this.#authorize(request);
    const { key } = placeOf(request);
    const operation = this.#desk.memory.find("instanet", key);
    if (operation === null) return errorReply(404, "not_found", "there is nothing with this kind and id");
    if (this.#lines.isBlind(operation.behaviour.line, operation.id)) return BLIND;
    return this.#shown(operation);
  }

  async #put(request: HttpRequest): Promise<HttpReply> {
    this.#authorize(request);
    const { memory } = this.#desk;
    const place = placeOf(request);
    const { notAfter, ...asked } = readAsked(request, place.kind);
    const known = memory.find("instanet", place.key);
    if (known !== null) return this.#again(known, asked.print);
    if (Date.now() > notAfter) throw new Refused(410, "too_late", "not_after is over: nothing new is done");
    const { reference, currency, minor } = asked;
    const payment = paidIdOf(memory, asked.payment);
    const named = { kind: place.kind, key: place.key, reference, token: null, currency, minor };
    const behaviour = this.#desk.choose({ provider: "instanet", ...named });
    if (this.#lines.turnsAway(behaviour.line, `instanet ${place.key}`)) {
      return this.#lines.replyBefore(behaviour.line, request);
    }
    if (behaviour.fate === "refused") {
      throw new Refused(422, behaviour.code ?? "not_supported", "this cannot be done here");
    }
    const operation = this.#begin({ ...asked, ...named, payment, behaviour });
    const answer = await this.#shown(operation);
    if (behaviour.post === "early") await this.#desk.toldFirst(operation);
    return this.#lines.replyAfter(behaviour.line, request, answer);
  }

  /** The same id: how it stands. */
  async #again(known: Operation, print: string): Promise<HttpReply> {
    if (known.print !== print) throw new Refused(409, "conflict", "the id was used for another request");
    return this.#shown(known);
  }

  #begin(asked: PutAsked & Named): Operation {
    const kind = asked.kind as InstanetKind;
    const { behaviour, minor } = asked;
    const [step] = planOf(SORTS[kind], behaviour.fate);
    const why = whyNot(this.#desk.memory, kind, asked);
    const refusal = { step: null, status: "failed", minor: "0", code: why, effect: null };
    const isPossible = why === null && step !== undefined;
    const turn = isPossible ? (instanetTurn({ kind, minor, code: behaviour.code }, step, 0, null) ?? refusal) : refusal;
    const fixed = { e: "begun", provider: "instanet", isFinal: false, isPartialTaken: false } as const;
    return this.#desk.begin({ ...fixed, ...asked, turn: { at: Date.now(), ...turn } });
  }

  async #close(request: HttpRequest): Promise<HttpReply> {
    this.#authorize(request);
    const operation = this.#desk.memory.find("instanet", placeOf(request).key);
    if (operation === null) throw new Refused(404, "not_found", "there is nothing with this kind and id");
    if (isClosable(operation)) this.#desk.turn(operation, closedTurn(Date.now(), null));
    return this.#shown(operation);
  }

  /** How it stands now: what happens while that is flushed is not on disk, so nobody is told of it yet. */
  async #shown(operation: Operation): Promise<HttpReply> {
    const index = operation.turns.length - 1;
    await this.#desk.settled();
    return jsonReply(200, instanetView(operation, index, this.#settings.address()));
  }

  #authorize({ headers }: HttpRequest): void {
    const [, token = ""] = /^Bearer (.+)$/.exec(headers["authorization"] ?? "") ?? [];
    if (!isToken(this.#settings.clientSecret, token, Date.now())) {
      throw new Refused(401, "invalid_token", "authorization: expected Bearer and a token that is not over");
    }
  }
}

type Place = { readonly kind: InstanetKind; readonly key: string };

const TXID = /^[A-Za-z0-9_-]{1,64}$/;

function placeOf({ params }: HttpRequest): Place {
  const { kind = "", txid = "" } = params;
  if (!isInstanetKind(kind)) throw new Refused(404, "not_found", `kind: expected one of ${INSTANET_KINDS.join(", ")}`);
  if (!TXID.test(txid)) throw new Refused(400, "field_invalid", "txid: expected 1 to 64 of A-Z a-z 0-9 _ -");
  refuseCards("txid", txid);
  return { kind, key: `${kind}/${txid}` };
}

type Named = Pick<Begun, "kind" | "key" | "token" | "behaviour">;
type PutAsked = Pick<Begun, "print" | "payment" | "reference" | "currency" | "minor" | "expiresAt" | "details">;

/** @throws Refused */
function readAsked(request: HttpRequest, kind: InstanetKind): PutAsked & { readonly notAfter: number } {
  const fields = readBody(request, ["amount", "not_after", "expires_at", "details"]);
  const { currency, minor } = readAmount(fields);
  const details = readDetails(fields);
  const isRefusal = kind === "recalls" && details["why"] !== undefined;
  if ((minor === "0") !== isRefusal && kind !== "mandates") {
    throw new Refused(
      400,
      "field_invalid",
      `amount.minor: expected ${isRefusal ? "0 where why is given" : "more than 0"}`,
    );
  }
  const { not_after: notAfter, ...print } = fields;
  const expires = fields["expires_at"] ?? null;
  const asked = {
    payment: kind === "returns" || kind === "recalls" ? (details["e2e"] ?? "") : "",
    details,
    reference: details["reference"] ?? "",
    currency,
    minor,
    expiresAt: expires === null ? null : readTime("expires_at", expires),
    notAfter: readTime("not_after", notAfter),
  };
  // Last, when every field is known to be a plain one. Until when it may be done is no part of what is done.
  return { ...asked, print: printOf({ kind, print }) };
}

/** What is given back goes by the id of the payment, whichever of its names a return says: a debit has also the client's. */
function paidIdOf(memory: Memory, name: string): string {
  const debit = memory.find("instanet", `debits/${name}`);
  return (debit === null ? null : firstPaidId(debit)) ?? name;
}

/** Why a return cannot be, or null: it names the payment that it gives back, or names none and is not judged. So does what
 *  answers a request of the payer's bank, which is answered once. */
function whyNot(memory: Memory, kind: InstanetKind, asked: PutAsked): string | null {
  const { payment, minor, currency } = asked;
  if (kind === "recalls") {
    const no = whyNotAnswered(memory, asked);
    if (no !== null || minor === "0") return no;
  } else if (kind !== "returns" || payment === "") return null;
  const paid = memory.findPaid(payment);
  if (paid === null || paid.operation.currency !== currency) return "original_unknown";
  return BigInt(minor) > returnableOf(paid, memory.ofPayment("instanet", payment)) ? "amount_exceeds_original" : null;
}

function whyNotAnswered(memory: Memory, { payment, minor, currency, details }: PutAsked): string | null {
  const recall = details?.["recall"] ?? "";
  const recalled = memory.findRecalled(recall);
  if (recalled === null || firstPaidId(recalled.operation) !== payment || recalled.operation.currency !== currency)
    return "recall_unknown";
  const others = memory.ofPayment("instanet", payment).filter((one) => one.details?.["recall"] === recall);
  if (others.some((one) => statusOf(one) !== "failed")) return "recall_answered";
  return BigInt(minor) > BigInt(recalled.turn.minor) ? "amount_exceeds_original" : null;
}

/** A step of the payer, done or given up by hand.
 *  @returns false when the operation waits for none */
export function takePayersAction(desk: Desk, operation: Operation, isDone: boolean): boolean {
  if (!isClosable(operation) || (operation.kind === "mandates" && statusOf(operation) === "active")) return false;
  const at = Date.now();
  const to = operation.kind === "mandates" ? "active" : "completed";
  if (isDone) desk.turn(operation, { at, step: null, status: to, minor: operation.minor, code: null, effect: "done" });
  else desk.turn(operation, { at, step: null, status: "failed", minor: "0", code: "abandoned_or_lost", effect: null });
  return lastTurn(operation).at === at;
}
