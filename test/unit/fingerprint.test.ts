// What makes two bodies under one name the same.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fingerprint, type Intent } from "../../src/domain/intent.ts";
import { intentOf, producing } from "../support/ledger.ts";

const CREATE: Intent = intentOf(producing.payIn("ann", 100, { caseId: "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C" }));

describe("the fingerprint", () => {
  test("is short, of a fixed alphabet, and the same for the same intent", () => {
    expect(fingerprint(CREATE)).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(fingerprint(CREATE)).toBe(fingerprint({ ...CREATE }));
  });

  test.each<[string, Partial<Intent>]>([
    ["occurredAt", { occurredAtMicros: 7n }],
    ["correlationId", { correlationId: "c" }],
    ["causationId", { causationId: "c" }],
    ["traceparent", { traceparent: "t" }],
    ["a floor of 0, the schema's default", { floorMinor: 0n }],
    ["metadata without entries", { metadata: {} }],
  ])("does not see %s", (_what, over) => {
    expect(fingerprint({ ...CREATE, ...over })).toBe(fingerprint(CREATE));
  });

  test("does not see the order of metadata", () => {
    const one = fingerprint({ ...CREATE, metadata: { a: "1", b: "2" } });
    expect(fingerprint({ ...CREATE, metadata: { b: "2", a: "1" } })).toBe(one);
  });

  const SEEN: readonly Partial<Intent>[] = [
    { type: "other" },
    { holderId: "bob" },
    { caseId: "pay_01JD3Z7Q6R8W2V5K9T0M4N1B7C" },
    { idempotencyKey: "k" },
    { sourceId: "s" },
    { account: "a" },
    { currency: "EUR" },
    { floorMinor: null },
    { floorMinor: 5n },
    { floorMinor: -5n },
    { change: "freeze" },
    { change: "close" },
    { from: "a" },
    { to: "a" },
    { amount: null },
    { amount: { currency: "EUR", scale: 2, minor: 101n } },
    { amount: { currency: "USD", scale: 2, minor: 100n } },
    { final: true },
    { final: false },
    { reference: "" },
    { reference: "r" },
    { metadata: { k: "" } },
    { metadata: { k: "v" } },
    { metadata: { kv: "" } },
    { metadata: { a: "b=1:c" } },
    { metadata: { "a=5:b": "c" } },
    { reference: "r\nmeta.1:k=1:v" },
    { metadata: Object.fromEntries([["__proto__", "v"]]) },
    { method: "card" },
    { captureMode: "manual" },
    { tokenRef: "t" },
    { provider: "p" },
    { tenant: "p" },
    { settlementCurrency: "EUR" },
    { quoteId: "q" },
    { fxBasis: "current" },
    { side: "buy" },
    { lockSeconds: 60n },
    { decision: "release" },
    { principal: "ops" },
    { reason: "r" },
  ];

  test("tells apart every two bodies that differ in another field", () => {
    const prints = [CREATE, ...SEEN.map((over) => ({ ...CREATE, ...over }))].map(fingerprint);
    expect(new Set(prints).size).toBe(SEEN.length + 1);
  });

  test("tells apart any two maps of metadata and any two texts", () => {
    const texts = fc.string({ unit: fc.constantFrom("a", "=", ":", "1", "2", "\n", "é"), maxLength: 6 });
    const bodies = fc.record({ reference: fc.option(texts), metadata: fc.dictionary(texts, texts, { maxKeys: 3 }) });
    fc.assert(
      fc.property(bodies, bodies, (one, other) => {
        const sorted = (body: typeof one) => [body.reference, Object.entries(body.metadata).sort()];
        const isSame = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
        expect(fingerprint({ ...CREATE, ...one }) === fingerprint({ ...CREATE, ...other })).toBe(isSame);
      }),
      { numRuns: 2000 },
    );
  });

  test("is the one that the histories of older cases hold", () => {
    const full: Intent = {
      ...CREATE,
      idempotencyKey: "key",
      sourceId: "src",
      account: "acc",
      currency: "EUR",
      floorMinor: -5n,
      change: "floor",
      final: true,
      reference: "ref",
      metadata: { b: "2", a: "1" },
    };
    expect(fingerprint(full)).toBe("TxIFRkP_90dgWfrkl7IthI");
  });
});
