// A case id as somebody may hold it in hand: from an outcome, from a log, or from a row of the database. Intents are
// read more strictly, by `parseCaseId`.

import { type CaseId, formatCaseId, parseCaseId } from "./ids.ts";

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** @returns the 16 bytes that identify the case as 32 hex digits, or null when the text is no case id */
export function caseUuid(text: string): string | null {
  const known = parseCaseId(text);
  if (known !== null) return known.uuid;
  // A ULID's bytes written as a UUID carry no version, so they are no UUIDv7.
  return UUID.test(text) ? text.replaceAll("-", "").toLowerCase() : null;
}

/** The id as its producer wrote it.
 *  @param uuid with or without dashes
 *  @param kind "" for an id written as UUID; null when the case itself is not kept any more */
export function printCaseId(uuid: string, kind: string | null): string {
  const id: CaseId = { kind: kind ?? "", uuid: uuid.replaceAll("-", ""), timeMs: 0 };
  return formatCaseId(id);
}
