// From bytes to a report. Unlike an intent none is ever put aside: a report or a message between lanes is a money fact, so
// one that cannot be understood halts the lane, and an operator looks at it.

import type { MessageOrigin, ReportInput } from "../domain/books.ts";
import { Undecidable } from "../domain/decide/decide.ts";
import { homeLane, isHolderId } from "../domain/holder.ts";
import { parseCaseId } from "../domain/ids.ts";
import { type Decoder, Undecodable } from "../kafka/codec.ts";
import type { OriginMessage, ReportMessage } from "../kafka/codec-messages.ts";
import type { InputRecord } from "../kafka/port.ts";
import type { ArrivedMessage } from "../store/crossing.ts";

const BETWEEN_LANES: readonly string[] = ["asked", "accepted", "refused"];

/** @param decoder was asked for the record's schema id when the record came
 *  @throws Undecidable naming offset and field */
export function readReport(
  record: InputRecord,
  lane: number,
  lanes: number,
  decoder: Decoder<ReportMessage>,
): ReportInput {
  const wrong = (what: string): never => {
    throw new Undecidable(`report at offset ${record.offset}: ${what}`);
  };
  if (record.value === null) return wrong("it has no value");
  const unknownId = decoder.needs(record.value);
  if (unknownId !== null) return wrong(`the registry has no schema ${unknownId}`);
  const message = decode(record.value, decoder, wrong);
  const { holderId, call, attempt, result, observation, payload } = message;
  if (record.key?.toString("utf8") !== holderId) return wrong("its key is not its holderId");
  if (!isHolderId(holderId)) return wrong("holderId is not a holder's");
  if (homeLane(holderId, lanes) !== lane) return wrong(`its holder's home lane is ${homeLane(holderId, lanes)}`);
  const caseId = parseCaseId(message.caseId) ?? wrong("caseId is not a case id");
  if (attempt < 0) return wrong("attempt is below 0");
  // Each without a name would be a repeat of the first.
  if (observation === "") return wrong("observation is empty");
  const from = message.from === null ? null : originOf(message.from, lane, lanes, wrong);
  if (from !== null && !BETWEEN_LANES.includes(result)) return wrong(`between lanes there is no result ${result}`);
  const occurredAtMicros = message.occurredAt;
  const report = { holderId, caseId, call, attempt, result, observation, payload, occurredAtMicros, from };
  return { kind: "report", id: `r-${lane}-${record.offset}`, source: "r", offset: record.offset, report };
}

/** Those of other lanes, as they arrived.
 *  @param records which the reports were read from, in the same order */
export function arrived(reports: readonly ReportInput[], records: readonly InputRecord[]): ArrivedMessage[] {
  return reports.flatMap(({ offset, report: { from, occurredAtMicros } }, at) => {
    const value = records[at]?.value ?? null;
    if (from === null || value === null) return [];
    return { fromLane: from.lane, sequence: from.sequence, offset, recordedAtMicros: occurredAtMicros, value };
  });
}

type Wrong = (what: string) => never;

function decode(value: Buffer, decoder: Decoder<ReportMessage>, wrong: Wrong): ReportMessage {
  try {
    return decoder.decode(value);
  } catch (error) {
    if (error instanceof Undecodable) return wrong(error.message);
    throw error;
  }
}

function originOf(from: OriginMessage, lane: number, lanes: number, wrong: Wrong): MessageOrigin {
  if (from.lane === lane) return wrong("a message within the lane never travels");
  if (!isHolderId(from.holderId)) return wrong("from.holderId is not a holder's");
  if (homeLane(from.holderId, lanes) !== from.lane) return wrong("from.holderId is not at home in from.lane");
  if (from.sequence < 0n) return wrong("from.sequence is below 0");
  return from;
}
