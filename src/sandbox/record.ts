// What the sandbox has really done: for an auditor who compares both sides, every effect; for a reconciler, the statement
// that a provider sends. Pure.

import {
  type Effected,
  type Memory,
  type Operation,
  type ProviderName,
  paymentId,
  recallId,
  type Turn,
} from "./memory.ts";

/** One effect a line, in the order in which they came about. */
export function recordLines(memory: Memory): string {
  return memory
    .effects()
    .map((one) => `${JSON.stringify(recordLine(one))}\n`)
    .join("");
}

function recordLine({ operation, turn, effect }: Effected): Readonly<Record<string, unknown>> {
  const { provider, kind, key, reference, payment, currency } = operation;
  const named = provider === "cardco" ? { key } : { txid: key.slice(kind.length + 1) };
  const amount = { currency, minor: turn.minor };
  const recall =
    effect === "recalled" ? recallId(operation, operation.turns.indexOf(turn)) : operation.details?.["recall"];
  const asked = recall === undefined ? {} : { recall };
  return {
    provider,
    ...named,
    kind,
    effect,
    amount,
    at: new Date(turn.at).toISOString(),
    reference,
    payment,
    ...asked,
  };
}

// The statement -----------------------------------------------------------------------------------------------------------

const COLUMNS = [
  "provider",
  "file_id",
  "line_no",
  "batch",
  "type",
  "provider_ref",
  "our_ref",
  "original_ref",
  "method",
  "currency",
  "gross",
  "net",
  "fx_rate",
  "interchange",
  "scheme",
  "markup",
  "commission",
  "booked_at",
  "tz",
  "value_date",
  "arn",
] as const;

type Row = Readonly<Partial<Record<(typeof COLUMNS)[number], string>>>;

/** Which effects move money between the provider and us, as what, and whether towards us. */
const MOVES: Readonly<Record<string, { readonly type: string; readonly undone: string; readonly sign: 1n | -1n }>> = {
  capture: { type: "capture", undone: "capture_reversed", sign: 1n },
  refund: { type: "refund", undone: "refund_reversed", sign: -1n },
  charges: { type: "capture", undone: "chargeback", sign: 1n },
  debits: { type: "capture", undone: "chargeback", sign: 1n },
  deposits: { type: "capture", undone: "chargeback", sign: 1n },
  payouts: { type: "payout", undone: "payout_returned", sign: -1n },
  returns: { type: "refund", undone: "refund_reversed", sign: -1n },
  recalls: { type: "recall", undone: "recall_reversed", sign: -1n },
};

/** @param day `YYYY-MM-DD` in UTC, or null for all days
 *  @returns    CSV: a line for each movement, then for each currency a line of type `total` with the sum of those above,
 *              its `line_no` the number of them */
export function statement(memory: Memory, provider: ProviderName, day: string | null): string {
  const moved = memory.effects().filter((one) => one.operation.provider === provider && isOn(one, day));
  const fileId = `${provider}-${day ?? "all"}`;
  const rows = moved.flatMap((one) => movement(one) ?? []).map((row, at) => ({ ...row, line_no: String(at + 1) }));
  const currencies = [...new Set(rows.map(({ currency }) => currency))].sort();
  const totals = currencies.map((currency) => totalOf(rows.filter((row) => row.currency === currency)));
  const lines = [...rows, ...totals].map((row) => csvLine({ ...row, provider, file_id: fileId, tz: "UTC" }));
  return [COLUMNS.join(","), ...lines].map((line) => `${line}\n`).join("");
}

function isOn({ turn }: Effected, day: string | null): boolean {
  return day === null || new Date(turn.at).toISOString().startsWith(day);
}

function movement({ operation, turn, effect }: Effected): MovementRow | null {
  const move = Object.hasOwn(MOVES, operation.kind) ? MOVES[operation.kind] : undefined;
  // A request, and a no to it, move nothing.
  if (move === undefined || effect === "recalled" || turn.minor === "0") return null;
  const at = new Date(turn.at).toISOString();
  const signed = effect === "done" ? move.sign : -move.sign;
  const amount = String(signed * BigInt(turn.minor));
  return {
    type: effect === "done" ? move.type : effect === "disputed" ? "chargeback" : move.undone,
    batch: at.slice(0, 10),
    provider_ref: providerRef(operation, turn),
    our_ref: operation.key,
    original_ref: operation.payment,
    method: methodOf(operation),
    currency: operation.currency,
    gross: amount,
    net: amount,
    booked_at: at,
    value_date: at.slice(0, 10),
  };
}

/** As the client was told it: the operation's id, at instanet the payment's. */
function providerRef(operation: Operation, turn: Turn): string {
  if (operation.provider === "cardco") return operation.id;
  const { turns } = operation;
  return paymentId(
    operation,
    turn.effect === "done" ? turns.indexOf(turn) : turns.findIndex(({ effect }) => effect === "done"),
  );
}

type MovementRow = Row & { readonly currency: string; readonly gross: string };

function methodOf({ provider, payment, kind }: Operation): string {
  if (provider === "instanet") return kind === "deposits" ? "crypto" : "instant";
  return payment.startsWith("orders/") ? "pay_later" : "card";
}

function totalOf(rows: readonly MovementRow[]): Row {
  const sum = String(rows.reduce((all, { gross }) => all + BigInt(gross), 0n));
  return { type: "total", line_no: String(rows.length), currency: rows[0]?.currency ?? "", gross: sum, net: sum };
}

function csvLine(row: Row): string {
  return COLUMNS.map((name) => quoted(row[name] ?? "")).join(",");
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
