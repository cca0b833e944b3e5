// Commands of providers over HTTP, and their descriptors as they are shipped.

import { join } from "node:path";
import type { Descriptor } from "../../src/gateways/providers/descriptor.ts";
import type { CommandMessage } from "../../src/kafka/codec-messages.ts";
import { readDescriptor } from "../../src/service/providers.ts";
import { DECLARED } from "./ledger.ts";
import { ROOT } from "./source.ts";

export const CASE = "pay_01JD3Z7Q6R8W2V5K9T0M4N1B7C";
export const HOLDER = "mer_7";
const AN_HOUR_MICROS = 3_600_000_000n;

export function descriptorOf(kind: "cardco" | "instanet"): Descriptor {
  return readDescriptor(join(ROOT, "schemas"), kind, DECLARED.currencies);
}

/** An authorization of 10.01 euros, unless changed. */
export function command(change: Partial<CommandMessage> = {}): CommandMessage {
  const caseId = change.caseId ?? CASE;
  return {
    lane: 3,
    sequence: 0n,
    block: 1n,
    commandId: `${caseId}/authorize/1`,
    caseId,
    holderId: HOLDER,
    call: "authorize",
    attempt: 1,
    idempotencyKey: `${caseId}/auth/1`,
    notAfter: BigInt(Date.now()) * 1000n + AN_HOUR_MICROS,
    timeoutMs: 3_000,
    payload: { amount: "1001", currency: "EUR", token: "tok_1", provider: "cardco", seq: "1" },
    traceparent: null,
    op: "card.authorize",
    readOnly: false,
    ...change,
  };
}

/** A question about it: it has no key. */
export function question(change: Partial<CommandMessage> = {}): CommandMessage {
  return command({
    call: "auth_status",
    op: "card.auth_status",
    readOnly: true,
    idempotencyKey: "",
    payload: { amount: "1001", provider: "cardco", seq: "1" },
    ...change,
  });
}
