// The second ledger's own readings against the program's: two codes for one document, so each is the other's witness.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { formatCaseId, parseCaseId } from "../../src/domain/ids.ts";
import { REASONS, reasonOf } from "../../src/domain/reasons.ts";
import { REFUSAL_CODES, refusal } from "../../src/domain/refusals.ts";
import { Undecodable } from "../../src/kafka/codec.ts";
import { AvroSchema } from "../../src/workload/second-ledger/avro.ts";
import { readCaseId, writeCaseId } from "../../src/workload/second-ledger/case-ids.ts";
import { placeOf } from "../../src/workload/second-ledger/chart.ts";
import { homeOf } from "../../src/workload/second-ledger/homes.ts";
import { firstOf, reasonOf as refusedReason, saidReason } from "../../src/workload/second-ledger/refusals.ts";
import { SchemaBook, schemaIdIn } from "../../src/workload/second-ledger/schemas.ts";
import { DECLARED, producing } from "../support/ledger.ts";
import { ownRegistry } from "../support/memory-lane.ts";
import { SECOND_RULES as RULES } from "../support/second-audit.ts";
import { CHANNEL, changed, codecWith, IDS, SCHEMAS } from "./codec-fixtures.ts";

test("case ids are read and written the same, and nonsense is nonsense to both", () => {
  const hex = fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(hex, fc.constantFrom("trf", "ab", "abcdefgh"), (uuid, kind) => {
      const text = formatCaseId({ kind, uuid, timeMs: 0 });
      expect(readCaseId(text)).toEqual(parseCaseId(text));
      expect(writeCaseId(kind, uuid)).toBe(text);
      expect(writeCaseId("", uuid)).toBe(formatCaseId({ kind: "", uuid, timeMs: 0 }));
    }),
  );
  const near = fc.string({ unit: fc.constantFrom(..."0178_abcXYZILOU-"), minLength: 20, maxLength: 40 });
  fc.assert(fc.property(fc.oneof(near, fc.uuid()), (text) => void expect(readCaseId(text)).toEqual(parseCaseId(text))));
});

test("holders have the same home", () => {
  const holder = fc.string({ unit: fc.constantFrom(..."abcXYZ019_.-"), minLength: 1, maxLength: 64 });
  fc.assert(
    fc.property(holder, fc.integer({ min: 1, max: 64 }), (id, lanes) => homeOf(id, lanes) === homeLane(id, lanes)),
  );
});

test("accounts have the same place in the chart", () => {
  const part = fc.constantFrom(
    "liability",
    "customer",
    "merchant",
    "ann",
    "house",
    "available",
    "hold",
    "x y",
    "",
    "asset",
    "bank",
    "main",
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
      const path = parts.join(":");
      const ours = placeOf(RULES.chart, path);
      const theirs = DECLARED.chart.resolve(path);
      expect(ours === null).toBe(theirs === null);
      if (ours === null || theirs === null) return;
      expect(ours.side).toBe(theirs.side);
      expect(ours.holderId).toBe(theirs.kind === "holder" ? theirs.holderId : null);
    }),
  );
});

test("reasons and refusals have the same categories and the same order", () => {
  for (const [code, { category }] of Object.entries(REASONS)) expect(saidReason(code)).toEqual({ category, code });
  for (const code of ["no_code_of_ours", "No code", ""]) expect(saidReason(code)).toEqual(reasonOf(code));
  for (const code of REFUSAL_CODES) expect(refusedReason(code)).toEqual(refusal(code));
  for (const [index, code] of REFUSAL_CODES.entries()) {
    expect(firstOf(new Set([...REFUSAL_CODES.slice(index), "of_a_flow"].reverse()))).toBe(code);
  }
});

describe("messages", () => {
  const registry = ownRegistry();
  registry.schemas.set(
    91,
    changed("intent", ({ fields }) => void fields.splice(3, 0, CHANNEL)),
  );
  registry.schemas.set(
    92,
    changed("intent", ({ fields }) => void fields.splice(7, 4)),
  );
  const codec = codecWith(registry);
  const book = new SchemaBook(new AvroSchema(SCHEMAS.intent), (id) => registry.schemaById(id));
  const good = codec.encoders.intent.encode(
    producing.payIn("ann", 5, { metadata: { a: "é", __proto__x: "" }, final: true, reference: "r", floorMinor: null }),
  );

  async function both(value: Buffer): Promise<{ ours: unknown; theirs: unknown }> {
    const { intent } = codec.decoders;
    const id = intent.needs(value);
    if (id !== null) await intent.learn(id);
    await book.learn(value);
    let theirs: unknown = null;
    try {
      theirs = intent.decode(value);
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error;
    }
    return { ours: book.read(value), theirs };
  }

  test("are decoded the same, whole, changed at any place, or cut short", async () => {
    expect(schemaIdIn(good)).toBe(IDS.intent);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.nat(255),
        fc.nat(good.length),
        fc.constantFrom(IDS.intent, IDS.intent, 91, 92),
        async (at, byte, cut, id) => {
          const value = Buffer.from(good);
          value.writeInt32BE(id, 1);
          value[at] = byte;
          const { ours, theirs } = await both(value);
          expect(ours).toEqual(theirs);
          const short = await both(value.subarray(0, cut));
          expect(short.ours).toEqual(short.theirs);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test("a hostile count costs no more than an honest one", async () => {
    const value = Buffer.concat([
      good.subarray(0, 5),
      Buffer.from("feffffffffffffff7f", "hex"),
      Buffer.alloc(50, 0xff),
    ]);
    expect(await both(value)).toEqual({ ours: null, theirs: null });
  });
});
