// Cardco's words and ours. Pure: a command becomes a request, an answer becomes what is told to the case, a webhook becomes
// the name of the operation that it is about. A new operation is a row of CARD_OPS.

import type { CommandMessage } from "../../../kafka/codec-messages.ts";
import { type Answer, UNKNOWN } from "../../contract.ts";
import type { Answered } from "../../http/caller.ts";
import { asObject, asText, asWord, type Json, readJson } from "../../http/json.ts";
import { type Descriptor, fromWire, toWire } from "../descriptor.ts";
import { type EventPage, isKeyOf, keyOf, type ProviderEvent, tailOf, tell } from "../http-provider.ts";
import { reasonFor } from "../reasons.ts";
import type { Posted } from "./client.ts";

const STATUSES = ["approved", "action_required", "declined", "completed", "failed", "pending"] as const;
type Status = (typeof STATUSES)[number];

type Row = {
  /** the operation that does it, and the one that asks about it */
  readonly ops: readonly [does: string, asks: string];
  /** what flows put behind `{case}/` in its key */
  readonly key: string;
  /** what the reference is of */
  readonly at: "authorizations" | "orders";
  /** behind the reference; null for what bears it itself */
  readonly under: string | null;
  /** result of the call by what cardco says of the operation */
  readonly says: Readonly<Record<Status, string>>;
  /** the same for a query, where it has other results */
  readonly asked?: Readonly<Partial<Record<Status, string>>>;
  /** result of a query when cardco has no such operation */
  readonly absent: string;
  /** result when cardco, or this adapter, will not do it: nothing was done */
  readonly refused: string;
  /** how the result calls the amount */
  readonly amountAs: "approved" | "amount";
};

const approves = { approved: "approved", completed: "approved", pending: UNKNOWN } as const;
const does = { approved: "ok", completed: "ok", pending: UNKNOWN, action_required: UNKNOWN } as const;

const CARD_OPS: readonly Row[] = [
  {
    ops: ["card.authorize", "card.auth_status"],
    key: "auth/{seq}",
    at: "authorizations",
    under: null,
    says: { ...approves, action_required: "action", declined: "declined", failed: "declined" },
    asked: { action_required: UNKNOWN },
    absent: "not_found",
    refused: "declined",
    amountAs: "approved",
  },
  {
    ops: ["card.increment", "card.increment_status"],
    key: "inc/{seq}",
    at: "authorizations",
    under: "increments",
    says: { ...approves, action_required: UNKNOWN, declined: "declined", failed: "declined" },
    absent: "not_found",
    refused: "declined",
    amountAs: "approved",
  },
  {
    ops: ["card.capture", "card.capture_status"],
    key: "cap/{seq}",
    at: "authorizations",
    under: "captures",
    says: { ...does, declined: "rejected", failed: "rejected" },
    absent: "not_found",
    refused: "rejected",
    amountAs: "amount",
  },
  {
    ops: ["card.void", "card.void_status"],
    key: "void/{seq}",
    at: "authorizations",
    under: "voids",
    says: { ...does, declined: "rejected", failed: "rejected" },
    absent: "not_found",
    refused: "rejected",
    amountAs: "amount",
  },
  {
    ops: ["card.refund", "card.refund_status"],
    key: "refund/{seq}",
    at: "authorizations",
    under: "refunds",
    says: {
      approved: "accepted",
      pending: "accepted",
      action_required: UNKNOWN,
      completed: "completed",
      declined: "rejected",
      failed: "failed",
    },
    absent: "not_found",
    refused: "rejected",
    amountAs: "amount",
  },
];

/** Orders that are paid later: they are approved, captured, given back and refunded as authorizations are, under keys of their
 *  own, by which a webhook is known. */
const ORDER_KEYS: Readonly<Record<string, readonly [does: string, asks: string, key: string]>> = {
  "card.authorize": ["order.approve", "order.status", "order"],
  "card.capture": ["order.capture", "order.capture_status", "order_cap/{seq}"],
  "card.void": ["order.cancel", "order.cancel_status", "order_cancel/{seq}"],
  "card.refund": ["order.refund", "order.refund_status", "order_refund/{seq}"],
};

const OPS: readonly Row[] = CARD_OPS.flatMap((row) => {
  const own = ORDER_KEYS[row.ops[0]];
  if (own === undefined) return [row];
  const [does, asks, key] = own;
  return [row, { ...row, ops: [does, asks], key, at: "orders" }];
});

const BY_OP: ReadonlyMap<string, Row> = new Map(OPS.flatMap((row) => row.ops.map((op) => [op, row] as const)));

export const CARDCO_OPS: readonly string[] = [...BY_OP.keys()];

/** @returns null for an operation that cardco does not have */
export function keyOfOperation(command: CommandMessage): string | null {
  const row = BY_OP.get(command.op);
  return row === undefined ? null : keyOf(command, row.key);
}

/** @returns the request, or what is said of the command where cardco takes no such amount: nothing is sent then; null for
 *  an operation that cardco does not have */
export function requestOf(command: CommandMessage, descriptor: Descriptor): Posted | readonly Answer[] | null {
  const row = BY_OP.get(command.op);
  if (row === undefined || command.op !== row.ops[0]) return null;
  const { payload, idempotencyKey } = command;
  const reference = referenceOf(command);
  const { amount: minor, currency = "" } = payload;
  const wire = minor === undefined ? null : toWire(descriptor, currency, minor);
  if (minor !== undefined && wire === null) return [refusal(command, row, "currency_unsupported", false)];
  const amount = wire === null ? {} : { amount: { currency, minor: wire } };
  const final = payload["final"] === undefined ? {} : { final: payload["final"] === "true" };
  const token = { token: payload["token"] ?? "", partial_approval: payload["partial"] === "true" };
  const first = row.at === "orders" ? { plan: payload["plan"] ?? "" } : token;
  const own = row.under === null ? first : final;
  const path = `/cardco/v1/${row.at}`;
  return {
    path: row.under === null ? path : `${path}/${encodeURIComponent(reference)}/${row.under}`,
    body: JSON.stringify({ reference, ...amount, ...own }),
    idempotencyKey,
  };
}

/** An authorization bears its payment's name, and a refund, which is a case of its own, that of its parent. The holder is part
 *  of it: two may have a case of one id, whose keys are the same, and what cardco did for one is nothing to the other. */
function referenceOf({ holderId, caseId, payload }: CommandMessage): string {
  return `${holderId}.${payload["parent"] ?? caseId}`;
}

/** @returns null when it cannot be read, or is not about this command's operation: then nothing is known */
export function answersOf(
  command: CommandMessage,
  { status, contentType, body }: Answered,
  descriptor: Descriptor,
): readonly Answer[] | null {
  const row = BY_OP.get(command.op);
  const json = contentType === "application/json" ? readJson(body) : null;
  if (row === undefined || json === null) return null;
  if (status !== 200 && status !== 201) return refusedOf(command, row, status, json);
  const operation = operationOf(json, keyOf(command, row.key), descriptor);
  if (!isHolders(json["reference"], command.holderId)) return null;
  if (operation === null || contradicts(command, operation)) return null;
  return [answerOf(command, row, operation)];
}

/** What the provider said of a request that it did not carry out. A query that finds nothing is one too. */
function refusedOf(command: CommandMessage, row: Row, status: number, json: Json): readonly Answer[] | null {
  const code = asText(asObject(json["error"])?.["code"]);
  if (code === null) return null;
  const isQuery = command.readOnly || status === 404;
  if (isQuery) {
    const isAbsent = status === 404 && code === "not_found" && command.op === row.ops[1];
    return [tell(command, isAbsent ? row.absent : UNKNOWN, null)];
  }
  if (!REFUSING.has(status)) return null;
  const reason = reasonFor({ code, networkCode: null, adviceCode: null });
  return [refusal(command, row, reason.code, reason.isRetriable)];
}

/** With these cardco says that it has done nothing and will not: the request cannot be carried out as it is. */
const REFUSING: ReadonlySet<number> = new Set([400, 402, 422]);

function refusal(command: CommandMessage, row: Row, code: string, isRetriable: boolean): Answer {
  const tail = tailOf(keyOf(command, row.key), command.caseId);
  return tell(command, row.refused, `${tail}/${row.refused}:${code}`, { code, retriable: String(isRetriable) });
}

type Said = {
  readonly status: Status;
  readonly currency: string;
  /** of the ledger */
  readonly minor: string;
  readonly reason: Json | null;
  readonly url: string | null;
};

function operationOf(json: Json, key: string, descriptor: Descriptor): Said | null {
  const status = asWord(json["status"], STATUSES);
  const amount = asObject(json["amount"]);
  const currency = asText(amount?.["currency"], 32);
  const digits = asText(amount?.["minor"], 40);
  if (status === null || json["key"] !== key || currency === null || digits === null) return null;
  const minor = fromWire(descriptor, currency, digits);
  if (minor === null) return null;
  const reason = asObject(json["reason"]);
  return { status, currency, minor, reason, url: asText(asObject(json["action"])?.["url"], URL_CHARS_MAX) };
}

const URL_CHARS_MAX = 2_048;

/** An answer in another currency than was asked for, or of more than was to be approved, is about something else. */
function contradicts({ payload, op }: CommandMessage, { currency, minor, status }: Said): boolean {
  const { currency: asked = currency, amount = minor } = payload;
  const isApproval = BY_OP.get(op)?.amountAs === "approved" && (status === "approved" || status === "completed");
  return currency !== asked || (isApproval && BigInt(minor) > BigInt(amount));
}

function answerOf(command: CommandMessage, row: Row, said: Said): Answer {
  const isQuery = command.op === row.ops[1];
  const result = (isQuery ? row.asked?.[said.status] : undefined) ?? row.says[said.status];
  if (result === UNKNOWN) return tell(command, UNKNOWN, null);
  const tail = tailOf(keyOf(command, row.key), command.caseId);
  if (said.status === "declined" || said.status === "failed") {
    const text = (name: string): string | null => asText(said.reason?.[name]);
    const given = { code: text("code"), networkCode: text("network_code"), adviceCode: text("advice_code") };
    const { code, isRetriable } = reasonFor(given);
    return tell(command, result, `${tail}/${result}:${code}`, { code, retriable: String(isRetriable) });
  }
  const { currency, minor } = said;
  if (said.status === "action_required") {
    return tell(command, result, `${tail}/${result}`, said.url === null ? {} : { url: said.url });
  }
  return tell(command, result, `${tail}/${result}:${minor}`, { [row.amountAs]: minor, currency });
}

function isHolders(reference: unknown, holderId: string): boolean {
  const text = asText(reference);
  // No case id has a dot.
  return text !== null && text.slice(0, text.lastIndexOf(".")) === holderId;
}

/** @param json a webhook's, or an entry of the list of events
 *  @returns null when it is about none of ours */
export function eventOf(json: Json | null): ProviderEvent | null {
  const eventId = asText(json?.["id"]);
  const key = asText(asObject(json?.["operation"])?.["key"]);
  const [caseId = ""] = key?.split("/") ?? [];
  const row = OPS.find((one) => key !== null && isKeyOf(one.key, key));
  if (eventId === null || key === null || row === undefined) return null;
  const isOf = (holderId: string): boolean => isHolders(asObject(json?.["operation"])?.["reference"], holderId);
  const toldMs = momentOf(asObject(json?.["operation"]));
  const isBehind = (shown: Buffer): boolean => momentOf(readJson(shown)) < toldMs;
  return { eventId, about: { caseId, op: row.ops[0], idempotencyKey: key, isOf, isBehind } };
}

/** When it came to be as it is, in milliseconds since the epoch; what is no moment is before and behind nothing. */
function momentOf(operation: Json | null): number {
  return Date.parse(asText(operation?.["occurred_at"]) ?? "");
}

/** @returns null when it is no list of events */
export function eventsOf({ contentType, body }: Answered): EventPage | null {
  const json = contentType === "application/json" ? readJson(body) : null;
  const [events, next, isMore] = [json?.["events"], asText(json?.["next"]), json?.["has_more"]];
  if (!Array.isArray(events) || next === null || typeof isMore !== "boolean") return null;
  return { events: events.map((one) => eventOf(asObject(one))), next, isLast: !isMore };
}
