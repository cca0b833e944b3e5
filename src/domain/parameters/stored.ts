// Overlays as they stand in the database: one JSON text a version, the same for the same values however the files were
// laid out, so that a change of a comment makes no version.
//
//     {"card":{"provider":{"adyen":{"auth_validity":{"number":"864000000"}}},"tenant":{},"holder":
//       {"mer_7":{"partial_approval":true,"fee_fixed":{"table":{"EUR":"25"}},"refund_basis":"original"}}}}

import { assert } from "../assert.ts";
import { type FlowOverlays, type Overlays, type ParamValue, type ParamValues, WHOSE } from "./parameters.ts";

type StoredValue = boolean | string | { number: string } | { table: Record<string, string> };
type StoredFlow = Record<string, Record<string, Record<string, StoredValue>>>;

export function writeOverlays(overlays: Overlays): string {
  const stored = sorted(overlays, (flow) =>
    Object.fromEntries(
      WHOSE.map((whose) => [
        whose,
        sorted(flow[whose], (values) => sorted(new Map(Object.entries(values)), writeValue)),
      ]),
    ),
  );
  return JSON.stringify(stored);
}

function sorted<From, To>(map: ReadonlyMap<string, From>, change: (value: From) => To): Record<string, To> {
  const names = [...map.keys()].sort();
  return Object.fromEntries(names.map((name) => [name, change(map.get(name) as From)]));
}

function writeValue(value: ParamValue): StoredValue {
  assert(value !== null, "a parameter has a value");
  if (typeof value === "bigint") return { number: value.toString() };
  if (typeof value !== "object") return value;
  return { table: sorted(new Map(Object.entries(value)), (amount) => amount.toString()) };
}

/** @param text as `writeOverlays` wrote it, in whatever version of the program */
export function readOverlays(text: string): Overlays {
  const stored = JSON.parse(text) as Record<string, StoredFlow>;
  return new Map(Object.entries(stored).map(([flow, parts]) => [flow, readFlowOverlays(parts)]));
}

function readFlowOverlays(stored: StoredFlow): FlowOverlays {
  const part = (whose: string): ReadonlyMap<string, ParamValues> =>
    new Map(Object.entries(stored[whose] ?? {}).map(([who, values]) => [who, readValues(values)]));
  return { provider: part("provider"), tenant: part("tenant"), holder: part("holder") };
}

function readValues(stored: Record<string, StoredValue>): ParamValues {
  return Object.fromEntries(Object.entries(stored).map(([name, value]) => [name, readValue(value)]));
}

function readValue(stored: StoredValue): ParamValue {
  if (typeof stored !== "object") return stored;
  if ("number" in stored) return BigInt(stored.number);
  return Object.fromEntries(Object.entries(stored.table).map(([word, digits]) => [word, BigInt(digits)]));
}
