// Each block against its predecessor, and its digest made anew from its rows.

import type { LineRow } from "../../store/audit.ts";
import { type BlockRow, type LaneCut, timeMs } from "../../store/audit.ts";
import type { Findings } from "./findings.ts";
import { digestOfBlock, hashOfLines, hashOfMessages } from "./hashes.ts";
import type { Before } from "./opening.ts";

const hex = (bytes: Buffer): string => bytes.toString("hex").slice(0, 16);

const isoTime = (ms: number): string => new Date(ms).toISOString();

export class Chain {
  readonly #findings: Findings;
  readonly #lane: number;
  #before: Before;

  constructor(findings: Findings, lane: number, opening: Before) {
    this.#findings = findings;
    this.#lane = lane;
    this.#before = opening;
  }

  /** Number, digest, time and positions against the predecessor's.
   *  @returns whether the row stands alone under its number: a second one is told and must not be audited again */
  link(row: BlockRow): boolean {
    const { block, digest, epoch, ms } = this.#before;
    const findings = this.#findings;
    const place = `lane ${this.#lane} block ${row.block}`;
    findings.expect("block_numbers_unique", row.block !== block, () => `${place} is there twice`);
    if (row.block === block) return false;
    findings.expect("blocks_without_gaps", row.block === block + 1n, () => this.#gap(block, row.block));
    const isLinked = row.block !== block + 1n || row.previousDigest.equals(digest);
    findings.expect("digest_chain", isLinked, () => {
      return `${place}: names ${hex(row.previousDigest)} as its predecessor's digest, which is ${hex(digest)}`;
    });
    const nowMs = timeMs(row.recordedAt);
    findings.expect("time_never_goes_back", nowMs >= ms && row.epoch >= epoch, () => {
      const found = `${row.recordedAt} in epoch ${row.epoch}`;
      return `${place}: ${found} comes after ${isoTime(ms)} in epoch ${epoch}`;
    });
    this.#positions(row, place);
    this.#before = { ...row, ms: nowMs };
    return true;
  }

  #gap(before: bigint, found: bigint): string {
    const missing = found - before === 2n ? `block ${before + 1n} is` : `blocks ${before + 1n} to ${found - 1n} are`;
    return found > before
      ? `lane ${this.#lane}: ${missing} missing`
      : `lane ${this.#lane}: block ${found} comes after block ${before}`;
  }

  #positions(row: BlockRow, place: string): void {
    const before = this.#before;
    // Behind a gap nobody knows where the missing block ended.
    const follows = row.block === before.block + 1n;
    const position = (name: string, ended: bigint, from: bigint, next: bigint, mayJump: boolean): void => {
      this.#findings.expect("inputs_contiguous", !follows || from === ended, () => {
        return `${place}: ${name} begin at ${from}, and the block before ended at ${ended}`;
      });
      this.#findings.expect("inputs_contiguous", next >= from || mayJump, () => {
        return `${place}: ${name} go back from ${from} to ${next}`;
      });
    };
    const isMoved = row.halt !== null;
    position("intents", before.intentsNext, row.intentsFrom, row.intentsNext, isMoved);
    position("reports", before.reportsNext, row.reportsFrom, row.reportsNext, isMoved);
    position("outcomes", before.outcomesNext, row.outcomesFrom, row.outcomesNext, false);
    position("commands", before.commandsNext, row.commandsFrom, row.commandsNext, false);
    position("dead letters", before.deadLettersNext, row.deadLettersFrom, row.deadLettersNext, false);
  }

  /** The hashes that a block row stores, and its digest.
   *  @param messages its messages in order of topic and sequence, and those to other lanes; null when some of them are nowhere
   *                  any more
   *  @param last     hashes of the last records taken; null when those are gone
   *  @returns        whether the digest was made anew */
  recompute(
    row: BlockRow,
    lines: readonly LineRow[],
    messages: { readonly stamped: readonly Buffer[]; readonly toLanes: readonly Buffer[] } | null,
    last: { readonly intents: Buffer; readonly reports: Buffer } | null,
  ): boolean {
    const place = `lane ${this.#lane} block ${row.block}`;
    const compare = (what: string, stored: Buffer, made: Buffer): void => {
      this.#findings.expect("digest_chain", made.equals(stored), () => {
        return `${place}: ${what} is ${hex(stored)}, its rows make ${hex(made)}`;
      });
    };
    compare("the hash of its lines", row.linesHash, hashOfLines(lines));
    if (messages !== null) {
      compare("the hash of its messages", row.messagesHash, hashOfMessages(messages.stamped, messages.toLanes));
    }
    if (last !== null) compare("its digest", row.digest, digestOfBlock(this.#lane, timeMs(row.recordedAt), row, last));
    return last !== null;
  }

  /** The head against the last block before the cut. */
  end(cut: LaneCut, last: { readonly intents: Buffer | null; readonly offset: bigint | null }): void {
    const before = this.#before;
    const place = `lane ${this.#lane}`;
    this.#findings.expect("blocks_without_gaps", before.block >= cut.block, () =>
      this.#gap(before.block, cut.block + 1n),
    );
    if (before.block !== cut.block) return;
    const same = (what: string, head: unknown, block: unknown): void => {
      this.#findings.expect("head_equals_last_block", head === block, () => {
        return `${place}: the head's ${what} is ${head}, that of block ${before.block} is ${block}`;
      });
    };
    same("digest", hex(cut.digest), hex(before.digest));
    same("time", isoTime(timeMs(cut.nowAt)), isoTime(before.ms));
    same("position in the intents", cut.intentsNext, before.intentsNext);
    same("position in the reports", cut.reportsNext, before.reportsNext);
    same("next outcome", cut.outcomesNext, before.outcomesNext);
    same("next command", cut.commandsNext, before.commandsNext);
    same("next dead letter", cut.deadLettersNext, before.deadLettersNext);
    this.#findings.expect("head_equals_last_block", cut.epoch >= before.epoch, () => {
      return `${place}: the head's epoch ${cut.epoch} is before ${before.epoch}, that of block ${before.block}`;
    });
    if (last.offset !== null) same("last intent", cut.intentsLast, last.offset);
    if (last.intents !== null) same("hash of the last intent", hex(cut.intentsLastHash), hex(last.intents));
  }
}
