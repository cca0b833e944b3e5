// Reports and messages between lanes: read from their records, and decided anew. A report is a money fact: what cannot be
// taken would have halted the lane, so in a block that was written it is wrong.

import type { ReportMessage } from "../../kafka/codec-messages.ts";
import type { InputRecord } from "../../kafka/port.ts";
import type { SecondCase } from "./case-book.ts";
import { readCaseId } from "./case-ids.ts";
import type { Value } from "./evaluate.ts";
import { fieldsOf, type SecondFlow } from "./flows.ts";
import { homeOf, isHolder } from "./homes.ts";
import type { SecondRules } from "./rules.ts";
import type { SchemaBook } from "./schemas.ts";
import { at, entriesOf } from "./tree.ts";
import { kindOf, toldOf } from "./values.ts";

export type ReportGiven = {
  /** `r-3-17`, or `m-3-5` of one that was sent within the lane */
  readonly stem: string;
  readonly source: "r" | "m";
  readonly offset: bigint;
  readonly report: ReportMessage;
};

/** Why a record is no report that this lane may take; the report when it is. */
export function readReport(
  rules: SecondRules,
  lane: number,
  record: InputRecord,
  schemas: SchemaBook,
): ReportMessage | string {
  const report = record.value === null ? null : (schemas.read(record.value) as ReportMessage | null);
  if (report === null) return "it cannot be read";
  const { holderId, attempt, result, observation, from } = report;
  if (record.key?.toString("utf8") !== holderId) return "its key is not its holder";
  if (!isHolder(holderId)) return "its holder is none";
  if (homeOf(holderId, rules.lanes) !== lane) return "its holder is at home in another lane";
  if (readCaseId(report.caseId) === null) return "its case is none";
  if (attempt < 0) return "its attempt is below 0";
  if (observation === "") return "its observation has no name";
  if (from === null) return report;
  if (!["asked", "accepted", "refused"].includes(result)) return `between lanes there is no result ${result}`;
  if (from.lane === lane) return "a message within the lane does not travel";
  if (!isHolder(from.holderId) || homeOf(from.holderId, rules.lanes) !== from.lane)
    return "it comes from another lane than its sender's";
  return report;
}

/** Whether a case remembers an observation already. */
export function isRemembered({ history }: SecondCase, observation: string): boolean {
  return history.some((line) => {
    const parts = line.split("|");
    return (parts[1] === "r" || parts[1] === "m") && parts.slice(7).join("|") === observation;
  });
}

/** The event that a report is to a case; a text says why it is none. */
export function eventOfReport(
  known: SecondCase,
  { call, attempt, result }: ReportMessage,
): { readonly event: string } | string {
  const declared = at(known.flow.spec, "calls", call);
  if (declared === undefined) return `its flow has no call ${call}`;
  const made = known.attempts.get(call) ?? 0;
  if (attempt > made) return `attempt ${attempt} of ${call} was not made`;
  const event = at(declared, "results", result);
  return typeof event === "string" ? { event } : `call ${call} has no result ${result}`;
}

/** The fields that an event declares, out of what a report says; a text says which is not of its type. */
export function fieldsOfReport(
  flow: SecondFlow,
  event: string,
  { payload, attempt }: Pick<ReportMessage, "payload" | "attempt">,
): ReadonlyMap<string, Value> | string {
  const fields = new Map<string, Value>([["attempt", BigInt(attempt)]]);
  for (const [name, type] of entriesOf(fieldsOf(flow, event))) {
    const text = payload[name];
    const value = text === undefined ? (kindOf(type) === "time" ? null : undefined) : toldOf(type, text);
    if (value === undefined) return `${name} of ${event} is not of its type`;
    fields.set(name, value);
  }
  return fields;
}
