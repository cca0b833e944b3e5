import { describe, expect, test } from "vitest";
import { flawOf, incompatibilities } from "../../src/kafka/compatibility.ts";

const record = (...fields: object[]): string => JSON.stringify({ type: "record", name: "Payment", fields });
const id = { name: "id", type: "string" };
const note = { name: "note", type: ["null", "string"], default: null };
const required = { name: "amount", type: "long" };

describe("incompatibilities", () => {
  test("an added optional field fits in both directions", () => {
    expect(incompatibilities("FULL_TRANSITIVE", record(id, note), [record(id)])).toEqual([]);
    expect(incompatibilities("FULL_TRANSITIVE", record(id), [record(id, note)])).toEqual([]);
  });

  test("a field without default is refused backward when it is added, forward when it is taken away", () => {
    expect(incompatibilities("BACKWARD", record(id, required), [record(id)])).toHaveLength(1);
    expect(incompatibilities("FORWARD", record(id, required), [record(id)])).toEqual([]);
    expect(incompatibilities("FORWARD", record(id), [record(id, required)])).toHaveLength(1);
    expect(incompatibilities("BACKWARD", record(id), [record(id, required)])).toEqual([]);
  });

  test("only transitive levels look behind the last version", () => {
    const versions = [record(id), record(id, { ...required, default: 0 })];
    const candidate = record(id, required);
    expect(incompatibilities("BACKWARD", candidate, versions)).toEqual([]);
    expect(incompatibilities("BACKWARD_TRANSITIVE", candidate, versions)).toEqual([
      expect.stringContaining("version 1"),
    ]);
  });

  test("a changed type is refused, and said for each direction", () => {
    const candidate = record({ name: "id", type: "int" });
    const sentences = incompatibilities("FULL", candidate, [record(id)]);
    expect(sentences[0]).toContain("the new schema cannot read version 1");
    expect(sentences[1]).toContain("version 1 cannot read the new schema");
    expect(incompatibilities("NONE", candidate, [record(id)])).toEqual([]);
  });

  test("another scale of an amount and another unit of time are refused, although their bytes could be read", () => {
    const amount = (scale: number): string =>
      record({ name: "amount", type: { type: "bytes", logicalType: "decimal", precision: 38, scale } });
    const at = (logicalType: string): string => record({ name: "at", type: { type: "long", logicalType } });
    expect(incompatibilities("FULL", amount(2), [amount(4)])).toHaveLength(2);
    expect(incompatibilities("FULL", amount(2), [amount(2)])).toEqual([]);
    expect(incompatibilities("FULL", at("timestamp-millis"), [at("timestamp-micros")])).toHaveLength(2);
    expect(incompatibilities("FULL", at("timestamp-micros"), [at("timestamp-micros")])).toEqual([]);
  });
});

test("flawOf says why a text is not a schema", () => {
  expect(flawOf(record(id))).toBeNull();
  expect(flawOf("{")).toMatch(/JSON/);
  expect(flawOf('{"type":"recrod"}')).toMatch(/recrod/);
});
