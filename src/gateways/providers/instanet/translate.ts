// Instanet's words and ours. Pure: a command becomes a request, a transaction becomes what is told to the case, a callback
// becomes the name of the transaction that it is about. A new operation is a row of OPS.

import type { CommandMessage } from "../../../kafka/codec-messages.ts";
import { type Answer, UNKNOWN } from "../../contract.ts";
import type { Answered } from "../../http/caller.ts";
import { asObject, asText, asWord, type Json, readJson } from "../../http/json.ts";
import { type Descriptor, fromWire, toWire } from "../descriptor.ts";
import { type EventPage, isKeyOf, keyOf, type ProviderEvent, tailOf, tell } from "../http-provider.ts";
import { reasonFor } from "../reasons.ts";
import type { InstanetRequest } from "./client.ts";
import { keyOfTxid, txidOf } from "./txid.ts";

const KINDS = ["charges", "payouts", "debits", "returns", "recalls", "mandates", "deposits"] as const;
const STATUSES = ["active", "processing", "completed", "failed", "closed", "returned"] as const;
type Status = (typeof STATUSES)[number];
type Says = Readonly<Record<Status, string>>;

export type Row = {
  readonly op: string;
  readonly kind: (typeof KINDS)[number];
  /** what flows put behind `{case}/` in the key under which it was made */
  readonly key: string;
  readonly does: "make" | "close" | "ask";
  /** result of the call by what instanet says of the transaction */
  readonly says: Says;
  /** result of a query when there is no such transaction */
  readonly absent?: string;
  /** result when instanet, or this adapter, will not do it: nothing was done */
  readonly refused?: string;
  /** what comes in is told payment by payment, each once, under this result */
  readonly paid?: string;
  /** what a payer's bank claims back of it for fraud, each claim once, is told under this result */
  readonly claimed?: string;
};

const COLLECTED: Says = {
  active: "open",
  processing: "open",
  completed: UNKNOWN, // told by its payments
  failed: "rejected",
  closed: "closed",
  returned: "returned",
};
/** On a chain: seen before it is final, and dropped when the chain goes another way before that. */
const CONFIRMED: Says = { ...COLLECTED, processing: "seen", returned: "dropped" };
const SENT: Says = {
  active: "accepted",
  processing: "accepted",
  completed: "completed",
  failed: "failed",
  closed: "failed",
  returned: "returned",
};
const PULLED: Says = {
  active: "accepted",
  processing: "accepted",
  completed: "settled",
  failed: "rejected",
  closed: "rejected",
  returned: "returned",
};
const GIVEN_BACK: Says = {
  active: UNKNOWN,
  processing: UNKNOWN,
  completed: "ok",
  failed: "rejected",
  closed: "rejected",
  returned: "rejected",
};
const SIGNED: Says = {
  active: "active",
  processing: "action",
  completed: "active",
  failed: "rejected",
  closed: "rejected",
  returned: "rejected",
};
const ENDED: Says = {
  active: UNKNOWN,
  processing: UNKNOWN,
  completed: "already_paid",
  failed: "closed",
  closed: "closed",
  returned: "already_paid",
};

const DEBIT_KEY = "debit";

export const OPS: readonly Row[] = [
  {
    op: "charge.create",
    kind: "charges",
    key: "charge",
    does: "make",
    says: { ...COLLECTED, active: "ok", processing: "ok" },
    refused: "rejected",
    paid: "paid",
    claimed: "claimed",
  },
  { op: "charge.close", kind: "charges", key: "charge", does: "close", says: ENDED },
  {
    op: "charge.status",
    kind: "charges",
    key: "charge",
    does: "ask",
    says: COLLECTED,
    absent: "not_found",
    paid: "paid",
    claimed: "claimed",
  },
  { op: "payment.return", kind: "returns", key: "return/{seq}", does: "make", says: GIVEN_BACK, refused: "rejected" },
  { op: "return.status", kind: "returns", key: "return/{seq}", does: "ask", says: GIVEN_BACK, absent: "not_found" },
  { op: "recall.answer", kind: "recalls", key: "answer", does: "make", says: GIVEN_BACK, refused: "rejected" },
  { op: "recall.answer_status", kind: "recalls", key: "answer", does: "ask", says: GIVEN_BACK, absent: "not_found" },
  {
    op: "payout.create",
    kind: "payouts",
    key: "payout",
    does: "make",
    says: { ...SENT, failed: "rejected" },
    refused: "rejected",
  },
  { op: "payout.status", kind: "payouts", key: "payout", does: "ask", says: SENT, absent: "not_found" },
  {
    op: "debit.create",
    kind: "debits",
    key: DEBIT_KEY,
    does: "make",
    says: PULLED,
    refused: "rejected",
  },
  { op: "debit.status", kind: "debits", key: DEBIT_KEY, does: "ask", says: PULLED, absent: "not_found" },
  { op: "mandate.create", kind: "mandates", key: "mandate", does: "make", says: SIGNED, refused: "rejected" },
  { op: "mandate.close", kind: "mandates", key: "mandate", does: "close", says: { ...ENDED, completed: UNKNOWN } },
  { op: "mandate.status", kind: "mandates", key: "mandate", does: "ask", says: SIGNED, absent: "not_found" },
  {
    op: "deposit.create",
    kind: "deposits",
    key: "deposit",
    does: "make",
    says: { ...CONFIRMED, active: "ok" },
    refused: "rejected",
    paid: "paid",
  },
  { op: "deposit.close", kind: "deposits", key: "deposit", does: "close", says: ENDED },
  {
    op: "deposit.status",
    kind: "deposits",
    key: "deposit",
    does: "ask",
    says: CONFIRMED,
    absent: "not_found",
    paid: "paid",
  },
];

const BY_OP: ReadonlyMap<string, Row> = new Map(OPS.map((row) => [row.op, row]));

/** What is said to whom is told by other fields; the rest of what a call gives along is the transaction's details. */
const OWN_FIELDS: ReadonlySet<string> = new Set(["amount", "currency", "provider", "seq"]);

/** A closing bears a key of its own and is about the transaction that the other one made. */
function keyAt(command: CommandMessage, { key, does }: Row): string {
  return keyOf(does === "close" ? { ...command, idempotencyKey: "" } : command, key);
}

function placeOf(command: CommandMessage, row: Row): string | null {
  const txid = txidOf(keyAt(command, row), command.holderId);
  return txid === null ? null : `/instanet/v1/${row.kind}/${txid}`;
}

/** @returns the request; what is said of the command when nothing is sent, because instanet takes no such amount; null for
 *  an operation that it does not have, or a key that makes no id */
export function requestOf(command: CommandMessage, descriptor: Descriptor): InstanetRequest | readonly Answer[] | null {
  const row = BY_OP.get(command.op);
  const path = row === undefined ? null : placeOf(command, row);
  if (row === undefined || path === null || row.does === "ask") return null;
  if (row.does === "close") return { method: "POST", path: `${path}/close`, body: null };
  const { amount: minor = "0", currency = "" } = command.payload;
  const wire = toWire(descriptor, currency, minor);
  if (wire === null) return [refusal(command, row, "currency_unsupported")];
  const body = {
    amount: { currency, minor: wire },
    not_after: new Date(Number(command.notAfter / 1000n)).toISOString(),
    details: Object.fromEntries(detailsOf(command)),
  };
  return { method: "PUT", path, body: JSON.stringify(body) };
}

/** What is given back is named by the scheme's own id of the payment; a debit, which the flow names by its case, by the id
 *  that we gave it. */
function detailsOf({ holderId, payload }: CommandMessage): readonly (readonly [name: string, text: string])[] {
  const details = Object.entries(payload).filter(([name, text]) => !OWN_FIELDS.has(name) && text !== "");
  const { e2e, parent } = payload;
  const debit = e2e === undefined || e2e !== parent ? null : txidOf(`${parent}/${DEBIT_KEY}`, holderId);
  return debit === null ? details : details.map(([name, text]) => [name, name === "e2e" ? debit : text]);
}

/** @returns the question about the transaction of a command; null when there can be none */
export function questionOf(command: CommandMessage): InstanetRequest | null {
  const row = BY_OP.get(command.op);
  const path = row === undefined ? null : placeOf(command, row);
  return path === null ? null : { method: "GET", path, body: null };
}

/** @returns null when it cannot be read, or is not about this command's transaction: then nothing is known */
export function answersOf(
  command: CommandMessage,
  { status, contentType, body }: Answered,
  descriptor: Descriptor,
): readonly Answer[] | null {
  const row = BY_OP.get(command.op);
  const json = contentType === "application/json" ? readJson(body) : null;
  if (row === undefined || json === null) return null;
  if (status !== 200 && status !== 201) return refusedOf(command, row, status, json);
  const said = transactionOf(json, descriptor);
  if (said === null || said.kind !== row.kind || said.txid !== txidOf(keyAt(command, row), command.holderId))
    return null;
  const { currency = said.currency } = command.payload;
  return said.currency === currency ? answers(command, row, said) : null;
}

function refusedOf(command: CommandMessage, row: Row, status: number, json: Json): readonly Answer[] | null {
  const code = asText(asObject(json["error"])?.["code"]);
  if (code === null) return null;
  if (status === 404 && code === "not_found") {
    return [tell(command, command.readOnly ? (row.absent ?? UNKNOWN) : UNKNOWN, null)];
  }
  if (command.readOnly || row.refused === undefined || !REFUSING.has(status)) return null;
  return [refusal(command, row, reasonFor({ code, networkCode: null, adviceCode: null }).code)];
}

/** With these instanet says that it has done nothing and will not: the request cannot be carried out as it is. */
const REFUSING: ReadonlySet<number> = new Set([400, 402, 422]);

function refusal(command: CommandMessage, row: Row, code: string): Answer {
  const result = row.refused ?? UNKNOWN;
  return tell(command, result, `${tailOf(keyAt(command, row), command.caseId)}/${result}:${code}`, { code });
}

type Payment = { readonly id: string; readonly minor: string };

/** What the payer's bank asks for, or claims, of a payment, and why. */
type Demand = Payment & { readonly payment: string; readonly code: string };

type Said = {
  readonly kind: string;
  readonly txid: string;
  readonly status: Status;
  readonly currency: string;
  readonly minor: string;
  readonly payments: readonly Payment[];
  readonly recalls: readonly Demand[];
  readonly claims: readonly Demand[];
  readonly reason: string | null;
  readonly offered: Readonly<Record<string, string>>;
};

const PAYMENTS_MAX = 1_000;

function transactionOf(json: Json, descriptor: Descriptor): Said | null {
  const kind = asWord(json["kind"], KINDS);
  const txid = asText(json["txid"], 64);
  const status = asWord(json["status"], STATUSES);
  const amount = amountOf(json["amount"], descriptor);
  if (kind === null || txid === null || status === null || amount === null) return null;
  const payments = listOf(json["payments"], (one) => paymentOf(one, amount.currency, descriptor));
  const recalls = listOf(json["recalls"], (one) => demandOf(one, amount.currency, descriptor));
  const claims = listOf(json["claims"], (one) => demandOf(one, amount.currency, descriptor));
  if (payments === null || recalls === null || claims === null || sumOf(claims) > sumOf(payments)) return null;
  const reason = codeIn(json["reason"]);
  // On a chain anybody may send nothing, and does: it is no payment, and there is nothing to give back.
  const some = payments.filter(({ minor }) => BigInt(minor) !== 0n);
  const details = asObject(json["details"]);
  // No other case answers them, or could take them.
  const asked = details?.["as"] === "bank_transfer" ? recalls : [];
  const told = { payments: some, recalls: asked, claims, reason };
  return { kind, txid, status, ...amount, ...told, offered: offeredOf(details) };
}

/** @returns null when it is no list, or one of it cannot be read */
function listOf<One>(value: unknown, read: (one: unknown) => One | null): readonly One[] | null {
  const list = value ?? [];
  if (!Array.isArray(list) || list.length > PAYMENTS_MAX) return null;
  const all = list.map(read);
  return all.some((one) => one === null) ? null : (all as One[]);
}

function codeIn(reason: unknown): string | null {
  return asText(asObject(reason)?.["code"]);
}

function amountOf(value: unknown, descriptor: Descriptor): { currency: string; minor: string } | null {
  const amount = asObject(value);
  const currency = asText(amount?.["currency"], 32);
  const digits = asText(amount?.["minor"], 40);
  const minor = currency === null || digits === null ? null : fromWire(descriptor, currency, digits);
  return currency === null || minor === null ? null : { currency, minor };
}

/** A payment in another currency than that of its transaction is none that we can book. */
function paymentOf(value: unknown, currency: string, descriptor: Descriptor): Payment | null {
  const payment = asObject(value);
  const id = asText(payment?.["id"], 128);
  const amount = amountOf(payment?.["amount"], descriptor);
  if (id === null || amount === null || amount.currency !== currency) return null;
  return { id, minor: amount.minor };
}

/** Of nothing nobody can demand anything. */
function demandOf(value: unknown, currency: string, descriptor: Descriptor): Demand | null {
  const asked = paymentOf(value, currency, descriptor);
  const demand = asObject(value);
  const payment = asText(demand?.["payment"], 128);
  if (asked === null || payment === null || BigInt(asked.minor) === 0n) return null;
  const reason = codeIn(demand?.["reason"]);
  return { ...asked, payment, code: reasonFor({ code: reason, networkCode: reason, adviceCode: null }).code };
}

/** What the payer needs: a code, an address, a page. */
function offeredOf(details: Json | null): Record<string, string> {
  const texts = ["code", "url", "address"].map((name) => [name, asText(details?.[name], 2_048)] as const);
  return Object.fromEntries(texts.flatMap(([name, text]) => (text === null ? [] : [[`pay_${name}`, text]])));
}

function answers(command: CommandMessage, row: Row, said: Said): readonly Answer[] {
  const tail = tailOf(keyAt(command, row), command.caseId);
  const { paid } = row;
  const { currency } = said;
  if (said.payments.length > 0 && paid !== undefined) {
    const told = said.payments.map(({ id, minor }) =>
      tell(command, paid, `${tail}/${paid}:${id}`, { amount: minor, currency, e2e_id: id }),
    );
    const recalled = said.recalls.map(({ id, payment, minor, code }) => {
      const payload = { amount: minor, currency, e2e_id: payment, recall: id, code };
      return tell(command, "recalled", `${tail}/recalled:${id}`, payload);
    });
    const back = said.status === "returned" ? standing(command, row, said) : [];
    return [...told, ...recalled, ...claimed(command, row, said), ...back];
  }
  if ((row.kind === "returns" || row.kind === "recalls") && said.status === "returned") {
    // What comes back had arrived: told along with it, so that no late word of that is taken for news.
    const before = { ...said, status: "completed", reason: null } as const;
    return [...standing(command, row, before), ...standing(command, row, said)];
  }
  return standing(command, row, said);
}

function claimed(command: CommandMessage, row: Row, { claims, currency }: Said): readonly Answer[] {
  const tail = tailOf(keyAt(command, row), command.caseId);
  const { claimed: result } = row;
  if (result === undefined) return [];
  return claims.map(({ id, payment, minor, code }) =>
    tell(command, result, `${tail}/${result}:${id}`, { amount: minor, currency, e2e_id: payment, code }),
  );
}

/** How the transaction as a whole stands. */
function standing(command: CommandMessage, row: Row, said: Said): readonly Answer[] {
  const tail = tailOf(keyAt(command, row), command.caseId);
  const { currency } = said;
  const wasPaid = said.payments.length > 0;
  const isGone = said.status === "returned" && wasPaid && row.paid !== undefined;
  const result = row.does === "close" && wasPaid ? row.says.completed : isGone ? "returned" : row.says[said.status];
  if (result === UNKNOWN) return [tell(command, UNKNOWN, null)];
  const isRefused = ["failed", "returned"].includes(said.status) || (said.status === "closed" && result !== "closed");
  const reason = reasonFor({ code: said.reason, networkCode: said.reason, adviceCode: null });
  const payload = isRefused
    ? { code: reason.code, retriable: String(reason.isRetriable), ...(row.paid === undefined ? {} : wentBack(said)) }
    : { amount: said.minor, currency, ...said.offered };
  const fact = row.does === "close" ? `close/${result}` : `${tail}/${result}${isRefused ? `:${reason.code}` : ""}`;
  // That nothing has come yet is no fact: a case that asks again has to hear it again.
  return [tell(command, result, result === "open" ? null : fact, payload)];
}

/** A transaction goes back as a whole: all that was paid, but for what was claimed before. */
function wentBack({ payments, claims, currency }: Said): { readonly amount: string; readonly currency: string } {
  return { amount: String(sumOf(payments) - sumOf(claims)), currency };
}

function sumOf(payments: readonly Payment[]): bigint {
  return payments.reduce((total, { minor }) => total + BigInt(minor), 0n);
}

/** @param json a callback's, or a notification of the list
 *  @returns null when it is about none of ours */
export function eventOf(json: Json | null): ProviderEvent | null {
  const eventId = asText(json?.["notification_id"]);
  const kind = asWord(json?.["kind"], KINDS);
  const txid = asText(json?.["txid"], 64);
  const found = txid === null ? null : keyOfTxid(txid);
  const row = OPS.find((one) => one.kind === kind && one.does === "make" && isKeyOf(one.key, found?.key ?? ""));
  if (eventId === null || found === null || row === undefined) return null;
  const [caseId = ""] = found.key.split("/");
  const told = versionOf(json);
  const isBehind = (shown: Buffer): boolean => versionOf(readJson(shown)) < told;
  return { eventId, about: { caseId, op: row.op, idempotencyKey: found.key, isOf: found.isOf, isBehind } };
}

/** The question for notifications that no callback delivered, behind a cursor. */
export function questionForMissed(after: string, untilMs: number): InstanetRequest {
  const query = new URLSearchParams({ cursor: after, before: new Date(untilMs).toISOString(), status: "undelivered" });
  return { method: "GET", path: `/instanet/v1/notifications?${query}`, body: null };
}

/** @returns null when it is no list of notifications */
export function eventsOf({ contentType, body }: Answered): EventPage | null {
  const json = contentType === "application/json" ? readJson(body) : null;
  const page = asObject(json?.["page"]);
  const [items, cursor, isEnd] = [json?.["notifications"], asText(page?.["cursor"]), page?.["end"]];
  if (!Array.isArray(items) || cursor === null || typeof isEnd !== "boolean") return null;
  return { events: items.map((one) => eventOf(asObject(one))), next: cursor, isLast: isEnd };
}

/** Counts how often the transaction has changed; what is no count is before and behind nothing. */
function versionOf(json: Json | null): number {
  const version = json?.["version"];
  return typeof version === "number" ? version : Number.NaN;
}
