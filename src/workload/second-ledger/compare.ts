// A block as it was written against the block as it is decided anew: lines, outcomes, what was put aside.

import { createHash } from "node:crypto";
import type { CommandMessage, DeadLetterMessage, OutcomeMessage, ReportMessage } from "../../kafka/codec-messages.ts";
import type { LineRow, QuarantineRow } from "../../store/audit.ts";
import type { DecidedBlock, Misfit } from "./block.ts";
import { readCaseId } from "./case-ids.ts";
import { endOf, isEnding, judgeHeld } from "./holdings.ts";
import type { Difference, SecondInvariant } from "./invariants.ts";
import type { LaneLedger, SecondCommand, SecondLine, SecondMessage, SecondOutcome } from "./ledger.ts";
import type { SecondRules } from "./rules.ts";

/** A message as its bytes say, under the key that it lies under; null where it is nowhere any more. */
export type Written<Message> = { readonly key: string | null; readonly message: Message | null } | null;

export type WrittenCrossing = {
  readonly toLane: number;
  readonly sequence: bigint;
  readonly key: string;
  readonly message: ReportMessage | null;
};

export type BlockWritten = {
  readonly block: bigint;
  readonly lines: readonly LineRow[];
  readonly flows: readonly number[];
  readonly outcomesFrom: bigint;
  readonly outcomes: readonly Written<OutcomeMessage>[];
  readonly commandsFrom: bigint;
  readonly commands: readonly Written<CommandMessage>[];
  /** to other lanes, those that are still there */
  readonly crossing: readonly WrittenCrossing[];
  /** as the block says it: by lane, the next sequence to it and the last that it took from it */
  readonly sent: ReadonlyMap<number, bigint>;
  readonly seen: ReadonlyMap<number, bigint>;
  readonly deadLettersFrom: bigint;
  readonly deadLetters: readonly Written<DeadLetterMessage>[];
  readonly quarantine: readonly QuarantineRow[];
};

export type Compared = {
  readonly differences: readonly Difference[];
  readonly counts: Partial<Record<SecondInvariant, number>>;
};

export function compareBlock(
  rules: SecondRules,
  ledger: LaneLedger,
  decided: DecidedBlock,
  written: BlockWritten,
): Compared {
  const differences = [
    ...compareLines(decided.lines, written.lines),
    ...compareOutcomes(ledger, decided.outcomes, written),
    ...compareCommands(ledger, decided.commands, written),
    ...compareCrossing(ledger, decided.sent, written),
    ...compareQuarantine(decided.misfits, written.quarantine),
    ...compareDeadLetters(rules, ledger, decided.misfits, written),
    ...judgeEnds(ledger, written.outcomes),
    ...[...new Set([...decided.touched].map(({ uuid }) => uuid))].flatMap((uuid) => judgeHeldBy(ledger, uuid)),
  ];
  const flows = [...new Set([...decided.touched].map(({ flow }) => flow.number))].sort((one, other) => one - other);
  if (flows.join() !== written.flows.join()) {
    const text = `it says that it decided by flows ${written.flows.join(", ") || "none"}, and it was ${flows.join(", ") || "none"}`;
    differences.push({ invariant: "cases_decided_anew", text });
  }
  const counts = {
    lines_decided_anew: decided.lines.length,
    outcomes_decided_anew: decided.outcomes.length,
    quarantine_decided_anew: decided.misfits.length,
    commands_decided_anew: decided.commands.length + 1,
    messages_decided_anew: decided.sent.length + 1,
    draining_accounts_empty: decided.touched.size,
    flow_invariants_hold: decided.touched.size,
    cases_end_once: written.outcomes.length,
    timers_decided_anew: decided.fired.length,
    timers_not_early: decided.fired.length,
  };
  return { differences, counts };
}

function compareLines(decided: readonly SecondLine[], written: readonly LineRow[]): Difference[] {
  const wrong: Difference[] = [];
  const said = (index: number): Difference => ({
    invariant: "lines_decided_anew",
    text: `line ${index} is ${lineOfRow(written[index])}; decided anew ${lineOf(decided[index])}`,
  });
  for (let index = 0; index < Math.max(decided.length, written.length); index++) {
    if (lineOfRow(written[index]) !== lineOf(decided[index])) wrong.push(said(index));
  }
  return wrong;
}

function lineOf(line: SecondLine | undefined): string {
  if (line === undefined) return "not there";
  const { debit, credit, currency, minor, uuid, posting } = line;
  return `${minor} ${currency} from ${credit} to ${debit} by ${posting} of case ${uuid}`;
}

function lineOfRow(row: LineRow | undefined): string {
  return lineOf(row === undefined ? undefined : { ...row, minor: row.amount, uuid: row.caseId });
}

function judgeHeldBy(ledger: LaneLedger, uuid: string): Difference[] {
  const known = ledger.cases.look(uuid);
  return known === undefined ? [] : judgeHeld(ledger, known);
}

/** By what is written, whatever deciding anew gives. */
function judgeEnds(ledger: LaneLedger, outcomes: BlockWritten["outcomes"]): Difference[] {
  const wrong: Difference[] = [];
  for (const message of outcomes.flatMap((one) => one?.message ?? [])) {
    if (!isEnding(message.type)) continue;
    const uuid = readCaseId(message.caseId)?.uuid ?? "";
    const known = ledger.cases.look(uuid);
    const end = known === undefined ? null : endOf(known.flow, message.type);
    if (known === undefined || end === null) continue;
    const differs = (text: string): void =>
      void wrong.push({ invariant: "cases_end_once", text: `case ${uuid} ${text}` });
    if (ledger.ended.has(uuid)) differs(`ends with ${message.type}, and it had ended before`);
    if (known.ended !== end) differs(`ends with ${message.type}, and it remembers ${known.ended ?? "no end"}`);
    ledger.ended.add(uuid);
  }
  return wrong;
}

// Outcomes ----------------------------------------------------------------------------------------------------------------

const FIELDS = [
  "outcomeId",
  "type",
  "caseId",
  "sourceId",
  "holderId",
  "intentType",
  "idempotencyKey",
  "status",
  "reason",
  "repeatOf",
  "amounts",
  "lines",
  "flow",
  "parentId",
  "occurredAt",
  "recordedAt",
  "correlationId",
  "causationId",
  "traceparent",
] as const;

function compareOutcomes({ lane }: LaneLedger, decided: readonly SecondOutcome[], written: BlockWritten): Difference[] {
  const { block, outcomes, outcomesFrom: from } = written;
  const said = { lane, block, from, name: "outcome", invariant: "outcomes_decided_anew" } as const;
  return compareMessages<SecondOutcome>(said, FIELDS, decided, outcomes);
}

const COMMAND_FIELDS = [
  "commandId",
  "caseId",
  "holderId",
  "call",
  "op",
  "attempt",
  "idempotencyKey",
  "readOnly",
  "notAfter",
  "timeoutMs",
  "payload",
  "traceparent",
] as const;

function compareCommands({ lane }: LaneLedger, decided: readonly SecondCommand[], written: BlockWritten): Difference[] {
  const { block, commands, commandsFrom: from } = written;
  const said = { lane, block, from, name: "command", invariant: "commands_decided_anew" } as const;
  // One from before there was the field is read with 0, which no call declares.
  const expected = decided.map((one, index) =>
    commands[index]?.message?.timeoutMs === 0 ? { ...one, timeoutMs: 0 } : one,
  );
  return compareMessages<SecondCommand>(said, COMMAND_FIELDS, expected, commands);
}

/** Messages to other lanes, and how far the block says that each pair of lanes has come. */
function compareCrossing(ledger: LaneLedger, decided: readonly SecondMessage[], written: BlockWritten): Difference[] {
  const wrong: Difference[] = [];
  const differs = (text: string): void => void wrong.push({ invariant: "messages_decided_anew", text });
  const left = new Map(decided.map((one) => [`${one.toLane} ${one.sequence}`, one]));
  for (const { toLane, sequence, key, message } of written.crossing) {
    const place = `message ${sequence} to lane ${toLane}`;
    const expected = left.get(`${toLane} ${sequence}`);
    if (expected === undefined) differs(`${place} is none that its inputs send`);
    else if (key !== expected.holderId) differs(`${place} lies under key ${key}, not ${expected.holderId}`);
    for (const field of expected === undefined ? [] : MESSAGE_FIELDS) {
      const [theirs, ours] = [shown(message?.[field] ?? null), shown(expected?.[field])];
      if (theirs !== ours) differs(`${place} says ${field} ${theirs}; decided anew ${ours}`);
    }
  }
  for (const [what, theirs, ours] of [
    ["sent to", written.sent, ledger.sent],
    ["took from", written.seen, ledger.seen],
  ] as const) {
    for (const [lane, sequence] of theirs) {
      if (ours.get(lane) === sequence) continue;
      differs(`of what it ${what} lane ${lane} it says ${sequence}; decided anew ${ours.get(lane) ?? "nothing"}`);
    }
  }
  for (const { toLane } of decided) {
    if (!written.sent.has(toLane)) differs(`it sends to lane ${toLane}, and does not say so`);
  }
  return wrong;
}

const MESSAGE_FIELDS = [
  "holderId",
  "caseId",
  "call",
  "attempt",
  "result",
  "observation",
  "payload",
  "occurredAt",
  "from",
] as const;

type Said = {
  readonly lane: number;
  readonly block: bigint;
  /** sequence of the first */
  readonly from: bigint;
  readonly name: string;
  readonly invariant: SecondInvariant;
};

type Placed = { readonly lane: number; readonly sequence: bigint; readonly block: bigint };

function compareMessages<Message extends { readonly holderId: string }>(
  { lane, block, from, name, invariant }: Said,
  fields: readonly (keyof Message)[],
  decided: readonly Message[],
  written: readonly Written<Message & Placed>[],
): Difference[] {
  const wrong: Difference[] = [];
  const differs = (text: string): void => void wrong.push({ invariant, text });
  if (decided.length !== written.length) {
    differs(`it has ${written.length} ${name}s; decided anew ${decided.length}`);
  }
  decided.forEach((expected, index) => {
    const found = written[index];
    if (found === undefined || found === null) return;
    const sequence = from + BigInt(index);
    const place = `${name} ${sequence}`;
    if (found.message === null) return differs(`${place} cannot be read`);
    const { message, key } = found;
    const isPlaced = message.lane === lane && message.sequence === sequence && message.block === block;
    if (!isPlaced) differs(`${place} says lane ${message.lane}, sequence ${message.sequence}, block ${message.block}`);
    if (key !== null && key !== expected.holderId) differs(`${place} lies under key ${key}, not ${expected.holderId}`);
    for (const field of fields) {
      if (message[field] === expected[field]) continue;
      const [theirs, ours] = [shown(message[field]), shown(expected[field])];
      if (theirs !== ours) differs(`${place} says ${String(field)} ${theirs}; decided anew ${ours}`);
    }
  });
  return wrong;
}

/** Names in order and digits as text, so that equal values read the same. */
function shown(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([name, part]) => `${name}: ${shown(part)}`).join(", ")}}`;
}

// Quarantine --------------------------------------------------------------------------------------------------------------

/** The longest part of a record that is kept. */
const KEPT_BYTES = 16_384;

function compareQuarantine(misfits: readonly Misfit[], rows: readonly QuarantineRow[]): Difference[] {
  const wrong: Difference[] = [];
  const left = new Map(rows.map((row) => [row.offset, row]));
  for (const { record, reason } of misfits) {
    const row = left.get(record.offset);
    left.delete(record.offset);
    const text =
      row === undefined ? `is not put aside; decided anew it is: ${reason}` : differenceOf(row, record, reason);
    if (text !== null) wrong.push({ invariant: "quarantine_decided_anew", text: `offset ${record.offset} ${text}` });
  }
  for (const { offset, reason } of left.values()) {
    const text = `offset ${offset} is put aside as ${reason}; decided anew it can be understood`;
    wrong.push({ invariant: "quarantine_decided_anew", text });
  }
  return wrong;
}

function differenceOf(row: QuarantineRow, { key, value }: Misfit["record"], reason: string): string | null {
  const bytes = value ?? Buffer.alloc(0);
  if (row.reason !== reason) return `is put aside as ${row.reason}; decided anew as ${reason}`;
  if (reason === "card_number") return whyNotWithheld(row, bytes.length);
  if (row.key !== keyText(key)) return `is put aside under key ${row.key}, not ${keyText(key)}`;
  if (row.size !== bytes.length) return `is put aside with ${row.size} bytes, not ${bytes.length}`;
  if (!createHash("sha256").update(bytes).digest().equals(row.sha256)) return "is put aside with another hash";
  const kept = value === null ? null : bytes.subarray(0, KEPT_BYTES);
  const isKept = kept === null ? row.value === null : row.value !== null && kept.equals(row.value);
  return isKept ? null : "is put aside with other bytes";
}

/** As it is printed: plain text as it came, anything else as hexadecimal digits; at most 64 bytes. */
function keyText(key: Buffer | null): string | null {
  if (key === null || key.length === 0) return null;
  const short = key.subarray(0, 64);
  return short.every((byte) => byte >= 0x20 && byte <= 0x7e) ? short.toString("latin1") : `0x${short.toString("hex")}`;
}

function compareDeadLetters(
  rules: SecondRules,
  { lane, nowMs }: LaneLedger,
  misfits: readonly Misfit[],
  written: BlockWritten,
): Difference[] {
  const wrong: Difference[] = [];
  misfits.forEach(({ record, reason }, index) => {
    const found = written.deadLetters[index];
    if (found === undefined || found === null || found.message === null) return; // told by its count, or gone
    const sequence = written.deadLettersFrom + BigInt(index);
    const expected: Partial<DeadLetterMessage> = {
      lane,
      sequence,
      block: written.block,
      reason,
      topic: rules.intentsTopic,
      partition: lane,
      offset: record.offset,
      size: record.value?.length ?? 0,
      appendedAt: BigInt(record.appendedAtMs) * 1_000n,
      recordedAt: BigInt(nowMs) * 1_000n,
    };
    for (const field of Object.keys(expected) as (keyof DeadLetterMessage)[]) {
      const [theirs, ours] = [shown(found.message[field]), shown(expected[field])];
      if (theirs === ours) continue;
      const text = `dead letter ${sequence} says ${field} ${theirs}; decided anew ${ours}`;
      wrong.push({ invariant: "quarantine_decided_anew", text });
    }
  });
  return wrong;
}

/** Of a record with a card number nothing is kept but where it stands and how long it is. */
function whyNotWithheld({ key, value, sha256, size }: QuarantineRow, bytes: number): string | null {
  if (key !== null || value !== null) return "has a card number, and its key or bytes are kept";
  if (!sha256.every((byte) => byte === 0)) return "has a card number, and its hash is kept";
  return size === bytes ? null : `is put aside with ${size} bytes, not ${bytes}`;
}
