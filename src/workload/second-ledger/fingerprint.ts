// What tells two bodies under one key apart, by its documented form: version 1, then a line `name=length:value` for each
// identifying field that is there and not its default, hashed with SHA-256, 22 characters of base64url.

import { createHash } from "node:crypto";
import type { SecondIntent } from "./intent.ts";

export function printOf(intent: SecondIntent): string {
  const fields: [string, string | null][] = [
    ["type", intent.type],
    ["holder", intent.holderId],
    ["case", intent.caseId],
    ["key", intent.idempotencyKey],
    ["source", intent.sourceId],
    ["account", intent.account],
    ["currency", intent.currency],
    ["floor", intent.floorMinor === 0n ? null : String(intent.floorMinor ?? "none")],
    ["change", intent.change],
    ["from", intent.from],
    ["to", intent.to],
    ["amount", intent.amount === null ? null : `${intent.amount.currency} ${intent.amount.minor}`],
    ["final", intent.final === null ? null : String(intent.final)],
    ["reference", intent.reference],
    ["method", intent.method],
    ["captureMode", intent.captureMode],
    ["tokenRef", intent.tokenRef],
    ["provider", intent.provider],
    ["tenant", intent.tenant],
    ["settlementCurrency", intent.settlementCurrency],
    ["quoteId", intent.quoteId],
    ["fxBasis", intent.fxBasis],
    ["side", intent.side],
    ["lockSeconds", intent.lockSeconds === null ? null : String(intent.lockSeconds)],
    ["decision", intent.decision],
    ["principal", intent.principal],
    ["reason", intent.reason],
  ];
  for (const name of Object.keys(intent.metadata ?? {}).sort()) {
    fields.push([`meta.${name.length}:${name}`, intent.metadata?.[name] ?? null]);
  }
  const said = fields
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `\n${name}=${value?.length}:${value}`);
  return createHash("sha256")
    .update(`1${said.join("")}`)
    .digest("base64url")
    .slice(0, 22);
}
