// The head of a lane: everything the next block builds on. It lives in the lane's row and moves with each block.

import { createHash } from "node:crypto";

export type InputPosition = {
  /** next offset to take */
  readonly next: bigint;
  /** the last record taken: its offset (-1n: none yet), append time and hash */
  readonly last: bigint;
  readonly lastAtMs: number;
  readonly lastHash: Buffer;
};

export type TimerPosition = { readonly dueMs: number; readonly caseId: string; readonly name: string };

export type Head = {
  readonly epoch: bigint;
  /** number of the last block; 0n: none yet */
  readonly block: bigint;
  readonly digest: Buffer;
  readonly nowMs: number;
  readonly intents: InputPosition;
  readonly reports: InputPosition;
  readonly timer: TimerPosition;
  readonly outcomesNext: bigint;
  readonly commandsNext: bigint;
  readonly deadLettersNext: bigint;
  readonly accounts: bigint;
};

/** Hash by which a record is recognised when a lane is taken again: 16 bytes over offset, key and value. */
export function recordHash(offset: bigint, key: Buffer | null, value: Buffer | null): Buffer {
  const hash = createHash("sha256");
  hash.update(`${offset} ${key?.length ?? -1} ${value?.length ?? -1}\n`);
  if (key !== null) hash.update(key);
  if (value !== null) hash.update(value);
  return hash.digest().subarray(0, 16);
}

export type BlockFacts = {
  readonly lane: number;
  readonly block: bigint;
  readonly nowMs: number;
  readonly intentsFrom: bigint;
  readonly intentsNext: bigint;
  readonly intentsLastHash: Buffer;
  readonly reportsFrom: bigint;
  readonly reportsNext: bigint;
  readonly reportsLastHash: Buffer;
  readonly timers: number;
  readonly lines: number;
  readonly outcomesNext: bigint;
  readonly commandsNext: bigint;
  readonly deadLettersNext: bigint;
  /** versions that the block decided by; 0n: none */
  readonly ratesVersion: bigint;
  readonly parametersVersion: bigint;
};

/** A block's digest: SHA-256 over its predecessor's, its facts, and the hashes of its lines and messages. Two blocks with
 *  one number and different content cannot be taken for each other, and a changed past changes every digest after it.
 *  `verify` recomputes it from the rows. Versions that a block does not have leave its text as it was before there were any. */
export function blockDigest(previous: Buffer, facts: BlockFacts, linesHash: Buffer, messagesHash: Buffer): Buffer {
  const text = [
    "millrace-block-1",
    `${facts.lane} ${facts.block} ${facts.nowMs}`,
    `${facts.intentsFrom} ${facts.intentsNext} ${facts.intentsLastHash.toString("hex")}`,
    `${facts.reportsFrom} ${facts.reportsNext} ${facts.reportsLastHash.toString("hex")}`,
    `${facts.timers} ${facts.lines} ${facts.outcomesNext} ${facts.commandsNext} ${facts.deadLettersNext}`,
    ...(facts.ratesVersion === 0n && facts.parametersVersion === 0n
      ? []
      : [`rates ${facts.ratesVersion} parameters ${facts.parametersVersion}`]),
    "",
  ].join("\n");
  return createHash("sha256").update(previous).update(text).update(linesHash).update(messagesHash).digest();
}

/** One line of the ledger as it is hashed: `debit credit currency amount case posting` and a line feed. */
export function lineText(
  debit: bigint,
  credit: bigint,
  currency: string,
  minor: bigint,
  caseId: string,
  posting: string,
): string {
  return `${debit} ${credit} ${currency} ${minor} ${caseId} ${posting}\n`;
}
