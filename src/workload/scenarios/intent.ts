// An intent from the few fields that a scenario names; all others are absent.

import type { Currencies } from "../../domain/currencies.ts";
import type { Intent } from "../../domain/intent.ts";
import type { Fault } from "../../domain/located.ts";
import type { Fields, GivenValue } from "./scenario.ts";

type Writable = { -readonly [Field in keyof Intent]: Intent[Field] };

const ABSENT: Omit<Intent, "type" | "holderId" | "occurredAtMicros"> = {
  caseId: null,
  sourceId: null,
  idempotencyKey: null,
  account: null,
  currency: null,
  floorMinor: 0n,
  change: null,
  from: null,
  to: null,
  amount: null,
  final: null,
  reference: null,
  metadata: null,
  correlationId: null,
  causationId: null,
  traceparent: null,
  method: null,
  captureMode: null,
  tokenRef: null,
  provider: null,
  tenant: null,
  settlementCurrency: null,
  quoteId: null,
  fxBasis: null,
  side: null,
  lockSeconds: null,
  decision: null,
  principal: null,
  reason: null,
};

type Named = Pick<Intent, "type" | "holderId" | "caseId" | "idempotencyKey" | "occurredAtMicros">;

export function intentOf(named: Named, fields: Fields, currencies: Currencies, faults: Fault[]): Intent {
  const intent: Writable = { ...ABSENT, ...named };
  for (const [field, { place, value }] of fields) {
    const wrong = Object.hasOwn(ABSENT, field)
      ? setField(intent, field as keyof typeof ABSENT, value, currencies)
      : `an intent has no field "${field}"; there are ${Object.keys(ABSENT).join(", ")}`;
    if (wrong !== null) faults.push({ place, message: wrong });
  }
  return intent;
}

/** @returns what is wrong with the value, or null */
function setField(
  intent: Writable,
  field: keyof typeof ABSENT,
  value: GivenValue,
  currencies: Currencies,
): string | null {
  switch (field) {
    case "amount": {
      const [, currency, minor] = /^(\S+) (-?\d+)$/.exec(String(value)) ?? [];
      if (currency === undefined || minor === undefined) return "amount must be a currency and minor units: `EUR 1050`";
      intent.amount = { currency, minor: BigInt(minor), scale: currencies.scaleOf(currency) ?? 0 };
      return null;
    }
    case "floorMinor":
      if (typeof value !== "number" && value !== "none") return "floorMinor must be a whole number or none";
      intent.floorMinor = value === "none" ? null : BigInt(value);
      return null;
    case "lockSeconds":
      if (typeof value !== "number") return "lockSeconds must be a whole number";
      intent.lockSeconds = BigInt(value);
      return null;
    case "final":
      if (typeof value !== "boolean") return "final must be true or false";
      intent.final = value;
      return null;
    case "metadata":
      return "metadata is never decided upon, so a scenario has none";
    case "change":
      intent.change = value as Intent["change"];
      return null;
    default:
      if (typeof value !== "string") return `${field} must be text: quote it`;
      intent[field] = value;
      return null;
  }
}
