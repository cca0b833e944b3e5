// A case as the database would give it back once it was written.
import type { CaseRecord } from "../../src/domain/books.ts";
import type { CaseRow } from "../../src/store/blocks.ts";
import { writeData } from "../../src/store/case-data.ts";

export function caseRowOf({ flow, data, isNew: _new, changed: _changed, ...row }: CaseRecord): CaseRow {
  return { ...row, flow: flow.number, data: JSON.parse(writeData(data) ?? "null") };
}
