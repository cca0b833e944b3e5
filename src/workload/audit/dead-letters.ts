// Each quarantine row against its dead letter: the same record, the same reason, the same bytes.

import { createHash } from "node:crypto";
import type { DeadLetterMessage } from "../../kafka/codec-messages.ts";
import type { BlockRow, QuarantineRow } from "../../store/audit.ts";
import type { Findings } from "./findings.ts";
import type { BlockMessages } from "./messages.ts";

/** @param quarantine the block's rows; each has its dead letter among the block's messages */
export function compareDeadLetters(
  findings: Findings,
  lane: number,
  row: BlockRow,
  quarantine: readonly QuarantineRow[],
  { messages, missing }: BlockMessages,
): void {
  const place = `lane ${lane} block ${row.block}`;
  const letters = new Map<bigint, DeadLetterMessage>();
  for (const { message } of messages) {
    if (message !== null && "offset" in message) {
      const letter = message as unknown as DeadLetterMessage;
      letters.set(letter.offset, letter);
    }
  }
  for (const stored of quarantine) {
    const letter = letters.get(stored.offset);
    letters.delete(stored.offset);
    if (letter === undefined && missing.length > 0) continue; // gone with the others of its time
    const wrong = letter === undefined ? "no dead letter" : differenceOf(stored, letter, lane);
    findings.expect("dead_letters_equal_quarantine", wrong === null, () => {
      return `${place}: the quarantine row of offset ${stored.offset} has ${wrong}`;
    });
  }
  for (const { offset } of letters.values()) {
    const text = `${place}: the dead letter of offset ${offset} has no quarantine row`;
    findings.problem("dead_letters_equal_quarantine", text);
  }
  const counted = row.deadLettersNext - row.deadLettersFrom;
  findings.expect("dead_letters_equal_quarantine", counted === BigInt(quarantine.length), () => {
    return `${place}: it counts ${counted} dead letters and has ${quarantine.length} quarantine rows`;
  });
}

function differenceOf(stored: QuarantineRow, letter: DeadLetterMessage, lane: number): string | null {
  const { reason, detail, size, sha256, value } = stored;
  if (letter.partition !== lane) return `a dead letter of partition ${letter.partition}`;
  if (letter.reason !== reason) return `reason ${reason}, and its dead letter ${letter.reason}`;
  if (letter.detail !== detail) return "another detail than its dead letter";
  if (letter.size !== size || letter.sha256 !== sha256.toString("hex"))
    return "another size or hash than its dead letter";
  const isSame = value === null ? letter.value === null : letter.value !== null && value.equals(letter.value);
  if (!isSame) return "other bytes than its dead letter";
  // Shorter than the whole, the value's hash cannot be made anew.
  const isHashed = value === null || value.length < size || createHash("sha256").update(value).digest().equals(sha256);
  return isHashed ? null : "bytes that do not make its hash";
}
