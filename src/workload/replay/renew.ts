// `--as-new RUN`: recorded intents become new payments. What changes is told by the run's name and the shift alone, so
// the same run again gives the same ids, which the cases absorb as repeats, and another run gives others.
//
// A case id is a time and chance. Its time moves by the shift and by a few milliseconds of the run's own; its chance
// becomes the hash of the run's name and the old id. So all intents of one case, also those that come much later, name
// the same new case, ids keep the order of time, and a run over records of an earlier run does not lead back.

import { hash } from "node:crypto";
import { type CaseId, formatCaseId, parseCaseId } from "../../domain/ids.ts";
import type { IntentMessage } from "../../kafka/codec-messages.ts";

export type Renewal = {
  readonly run: string;
  /** by how much case ids and `occurredAt` move, the run's own milliseconds included */
  readonly shiftMs: number;
};

const OWN_MS_MAX = 1_000;
const TIME_MAX_MS = 2 ** 48 - 1;
const VERSION_AT = 12;
const VARIANT_AT = 16;

/** @param wantedMs as asked for; the run's name adds 1 to 1,000 ms */
export function makeRenewal(run: string, wantedMs: number): Renewal {
  const own = Number.parseInt(hash("sha256", `millrace-replay-run\0${run}`, "hex").slice(0, 8), 16);
  return { run, shiftMs: wantedMs + 1 + (own % OWN_MS_MAX) };
}

/** Keys, accounts, amounts and the producer's own names stay: what a producer calls it is not what identifies it. */
export function renewIntent(intent: IntentMessage, renewal: Renewal): IntentMessage {
  return {
    ...intent,
    caseId: renewCaseIdText(intent.caseId, renewal),
    occurredAt: intent.occurredAt + BigInt(renewal.shiftMs) * 1000n,
  };
}

/** A text that is no case id stays as it is, and is refused again as `malformed_case_id`. */
function renewCaseIdText(text: string | null, renewal: Renewal): string | null {
  const id = parseCaseId(text);
  return id === null ? text : formatCaseId(renewCaseId(id, renewal));
}

/** The 16 bytes alone identify a case, in either spelling: the new ones hang on them and not on the kind. */
export function renewCaseId({ kind, uuid, timeMs }: CaseId, { run, shiftMs }: Renewal): CaseId {
  const movedMs = Math.min(Math.max(timeMs + shiftMs, 0), TIME_MAX_MS);
  const chance = hash("sha256", `millrace-replay-case\0${run}\0${uuid}`, "hex").slice(0, 20);
  const made = movedMs.toString(16).padStart(12, "0") + chance;
  return { kind, uuid: isUuidV7(uuid) ? asUuidV7(made) : made, timeMs: movedMs };
}

function isUuidV7(uuid: string): boolean {
  return uuid[VERSION_AT] === "7" && "89ab".includes(uuid[VARIANT_AT] as string);
}

/** Version and variant have places of their own among the 80 bits behind the time. */
function asUuidV7(uuid: string): string {
  const variant = "89ab"[Number.parseInt(uuid[VARIANT_AT] as string, 16) & 3] as string;
  return `${uuid.slice(0, VERSION_AT)}7${uuid.slice(VERSION_AT + 1, VARIANT_AT)}${variant}${uuid.slice(VARIANT_AT + 1)}`;
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^(-?)((?:\d{1,15}(?:ms|[smhd]))+)$/;
const SHIFT_MAX_MS = 200 * 366 * 86_400_000;

/** `400d`, `-1h30m`, `86400000ms`.
 *  @returns milliseconds; null for anything else, and beyond 200 years */
export function parseShift(text: string): number | null {
  const match = DURATION.exec(text);
  if (match === null) return null;
  let ms = 0;
  for (const [, digits = "0", unit = "ms"] of (match[2] ?? "").matchAll(/(\d+)(ms|[smhd])/g)) {
    ms += Number(digits) * (UNITS_MS[unit] ?? 0);
  }
  if (ms > SHIFT_MAX_MS) return null;
  return match[1] === "-" ? -ms : ms;
}
