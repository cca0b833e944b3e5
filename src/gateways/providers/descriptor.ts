// What a kind of provider can do, as data: `schemas/providers/<kind>.yaml`. Read here, and asked wherever an adapter would
// otherwise know it by heart.

import type { Currencies } from "../../domain/currencies.ts";
import { parseDurationMs } from "../../domain/flow/duration.ts";
import type { Fault, Located } from "../../domain/located.ts";
import { type Fields, Reading } from "../../domain/reading.ts";

export type WireCurrency = {
  /** how many digits the provider has behind the point, whatever the ledger has */
  readonly scale: number;
  /** amounts are multiples of it, in the provider's units */
  readonly step: bigint;
  /** how many digits the ledger has */
  readonly ledgerScale: number;
};

export type Descriptor = {
  readonly kind: string;
  /** of payments, as intents name them */
  readonly methods: readonly string[];
  readonly currencies: ReadonlyMap<string, WireCurrency>;
  readonly capture: { readonly manual: boolean; readonly partial: boolean; readonly multiple: boolean };
  /** whether it can be asked about an operation by our own name for it; without that nothing is ever sent again */
  readonly statusByOurRef: boolean;
  readonly idempotency: {
    /** for how long a key is remembered */
    readonly ttlMs: number;
    /** `same`: after an error the key still stands for the same operation; `forgets`: it may be done again */
    readonly onError: "same" | "forgets";
  };
  readonly webhook: { readonly header: string; readonly signature: string };
  /** how long it may take to answer, as it promises; `timeout` of calls should not be below */
  readonly answerWithinMs: number;
};

/** @returns `descriptor` null when anything is wrong with it */
export function parseDescriptor(
  root: Located,
  currencies: Currencies,
): { descriptor: Descriptor | null; faults: readonly Fault[] } {
  const reading = new Reading();
  const file = reading.fields(root, "a provider", { required: ["apiVersion", "kind", "metadata", "spec"] });
  reading.word(file?.get("apiVersion"), "apiVersion", ["provider/v1"]);
  reading.word(file?.get("kind"), "kind", ["Provider"]);
  const metadata = sub(reading, file?.get("metadata"), "metadata", ["name", "owner"]);
  const required = ["methods", "currencies", "capture", "status_by_our_ref", "idempotency", "webhook", "sla"];
  const spec = sub(reading, file?.get("spec"), "spec", required);
  reading.text(metadata?.get("owner"), "owner");
  const descriptor: Descriptor = {
    kind: reading.textLike(metadata?.get("name"), "name", /^[a-z][a-z0-9_]*$/, "small letters and digits") ?? "",
    methods: words(reading, spec?.get("methods"), "methods"),
    currencies: wireCurrencies(reading, spec?.get("currencies"), currencies),
    capture: captureOf(reading, spec?.get("capture")),
    statusByOurRef: reading.flag(spec?.get("status_by_our_ref"), "status_by_our_ref"),
    idempotency: idempotencyOf(reading, spec?.get("idempotency")),
    webhook: webhookOf(reading, spec?.get("webhook")),
    answerWithinMs: durationOf(reading, sub(reading, spec?.get("sla"), "sla", ["answer"]), "answer"),
  };
  return { descriptor: reading.faults.length === 0 ? descriptor : null, faults: reading.faults };
}

function sub(reading: Reading, node: Located | undefined, what: string, required: readonly string[]): Fields | null {
  return node === undefined ? null : reading.fields(node, what, { required });
}

function words(reading: Reading, node: Located | undefined, what: string): string[] {
  const form = "small letters, digits and underscores";
  return (reading.items(node, what) ?? []).flatMap(
    (item) => reading.textLike(item, what, /^[a-z][a-z0-9_]*$/, form) ?? [],
  );
}

const SCALE_MAX = 18;
const STEP_MAX = 1_000_000;

function wireCurrencies(
  reading: Reading,
  node: Located | undefined,
  known: Currencies,
): ReadonlyMap<string, WireCurrency> {
  const found = new Map<string, WireCurrency>();
  for (const { key, keyPlace, value } of node === undefined ? [] : (reading.entries(node, "currencies") ?? [])) {
    const row = reading.fields(value, `currency ${key}`, { required: ["scale"], optional: ["step"] });
    const scale = reading.integer(row?.get("scale"), "scale", 0, SCALE_MAX);
    const step = reading.integer(row?.get("step"), "step", 1, STEP_MAX) ?? 1;
    const ledgerScale = known.scaleOf(key);
    if (ledgerScale === null) reading.fault(keyPlace, `${key} is no currency of the ledger`);
    else if (scale !== null) found.set(key, { scale, step: BigInt(step), ledgerScale });
  }
  return found;
}

function captureOf(reading: Reading, node: Located | undefined): Descriptor["capture"] {
  const row = sub(reading, node, "capture", ["manual", "partial", "multiple"]);
  const flag = (name: string): boolean => reading.flag(row?.get(name), name);
  return { manual: flag("manual"), partial: flag("partial"), multiple: flag("multiple") };
}

function idempotencyOf(reading: Reading, node: Located | undefined): Descriptor["idempotency"] {
  const row = sub(reading, node, "idempotency", ["ttl", "on_error"]);
  const onError = reading.word(row?.get("on_error"), "on_error", ["same", "forgets"] as const);
  return { ttlMs: durationOf(reading, row, "ttl"), onError: onError ?? "forgets" };
}

function webhookOf(reading: Reading, node: Located | undefined): Descriptor["webhook"] {
  const row = sub(reading, node, "webhook", ["scheme", "header", "signature"]);
  reading.word(row?.get("scheme"), "scheme", ["hmac-sha256"]);
  const header = reading.textLike(row?.get("header"), "header", /^[a-z][a-z0-9-]*$/, "a header in small letters");
  const signature = reading.textLike(row?.get("signature"), "signature", /^[a-z][a-z0-9]*$/, "letters and digits");
  return { header: header ?? "", signature: signature ?? "" };
}

function durationOf(reading: Reading, row: Fields | null, name: string): number {
  const node = row?.get(name);
  const text = reading.text(node, name);
  if (text === null || node === undefined) return 0;
  const ms = parseDurationMs(text);
  if (ms === null) reading.fault(node.place, `${name} must be a duration such as PT20S`);
  return ms ?? 0;
}

/** An amount of ours as the provider writes it.
 *  @param minor digits of minor units
 *  @returns null when it takes no such currency or no such amount */
export function toWire({ currencies }: Descriptor, currency: string, minor: string): string | null {
  const wire = currencies.get(currency);
  if (wire === undefined || !DIGITS.test(minor)) return null;
  const amount = rescaled(BigInt(minor), wire.ledgerScale, wire.scale);
  return amount === null || amount % wire.step !== 0n ? null : String(amount);
}

/** An amount of the provider as we write it.
 *  @returns null when it is none, or none that the ledger can hold whole */
export function fromWire({ currencies }: Descriptor, currency: string, amount: string): string | null {
  const wire = currencies.get(currency);
  if (wire === undefined || !DIGITS.test(amount)) return null;
  const minor = rescaled(BigInt(amount), wire.scale, wire.ledgerScale);
  return minor === null || String(minor).length > MINOR_DIGITS_MAX ? null : String(minor);
}

const DIGITS = /^\d{1,38}$/;
const MINOR_DIGITS_MAX = 38;

/** @returns null when digits would be lost */
function rescaled(amount: bigint, from: number, to: number): bigint | null {
  if (to >= from) return amount * 10n ** BigInt(to - from);
  const divisor = 10n ** BigInt(from - to);
  return amount % divisor === 0n ? amount / divisor : null;
}
