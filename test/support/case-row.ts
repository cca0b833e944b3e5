// A case as the database would give it back once it was written.
import { type CaseRecord, valueOf } from "../../src/domain/books.ts";
import type { Value } from "../../src/domain/flow/expression.ts";
import type { CaseRow } from "../../src/store/blocks.ts";
import { writeData } from "../../src/store/case-data.ts";

/** Its variables by name, as they are after all that it took in. */
export function valuesOf(one: CaseRecord | undefined): Record<string, Value | undefined> {
  if (one === undefined) return {};
  const { data } = one;
  return Object.fromEntries(data.variables.names.map((name) => [name, valueOf(data, name)]));
}

export function caseRowOf({ flow, data, isNew: _new, changed: _changed, ...row }: CaseRecord): CaseRow {
  return { ...row, flow: flow.number, data: JSON.parse(writeData(data) ?? "null") };
}
