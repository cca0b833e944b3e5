// What a lane sends to others and takes from them, block by block: numbered per pair of lanes without gaps, and what is
// taken is what arrived, once, in its order.

import type { OriginMessage, ReportMessage } from "../../kafka/codec-messages.ts";
import type { InputRecord } from "../../kafka/port.ts";
import {
  type BlockRow,
  type CrossingRow,
  crossingPages,
  type LaneCut,
  readLanePairs,
  timeMs,
} from "../../store/audit.ts";
import type { TakenRecords } from "./inputs.ts";
import type { LaneWork } from "./parts.ts";
import { type Stream, tableStream } from "./stream.ts";

const MESSAGES_A_PAGE = 1_000;

export type CrossingBefore = {
  /** by lane: the next sequence to it, and the last that was taken from it */
  readonly sent: ReadonlyMap<number, bigint>;
  readonly seen: ReadonlyMap<number, bigint>;
  /** false where blocks of before are gone: what a pair begins with is not known */
  readonly isWhole: boolean;
};

export type TakenMessage = {
  readonly from: OriginMessage;
  readonly report: ReportMessage;
  readonly record: InputRecord;
};

export type Crossed = {
  /** to other lanes, by lane and sequence */
  readonly sent: readonly CrossingRow[];
  /** whether these are all of the block: some may be gone with their partition */
  readonly isSentWhole: boolean;
  /** whether what it took is known as well */
  readonly isWhole: boolean;
  /** of other lanes, in their order; those that came again are left out */
  readonly taken: readonly TakenMessage[];
};

export class CrossingTrail {
  readonly #work: LaneWork;
  readonly #lane: number;
  readonly #sent: Map<number, bigint>;
  readonly #seen: Map<number, bigint>;
  readonly #isWhole: boolean;
  readonly #streams = new Map<number, Stream<CrossingRow>>();

  constructor(work: LaneWork, lane: number, before: CrossingBefore) {
    this.#work = work;
    this.#lane = lane;
    this.#sent = new Map(before.sent);
    this.#seen = new Map(before.seen);
    this.#isWhole = before.isWhole;
  }

  remembered(): CrossingBefore {
    return { sent: new Map(this.#sent), seen: new Map(this.#seen), isWhole: this.#isWhole };
  }

  async take(row: BlockRow, reports: TakenRecords): Promise<Crossed> {
    const place = `lane ${this.#lane} block ${row.block}`;
    const sent: CrossingRow[] = [];
    let isWhole = true;
    for (const [toLane, next] of byLane(readLanePairs(row.sent))) {
      const rows = await this.#sentTo(place, row, toLane, next);
      sent.push(...rows.found);
      isWhole &&= rows.isWhole;
    }
    const taken = await this.#takenOf(place, reports.records);
    const isKnown = isReadable(row, reports);
    this.#judgeSeen(place, row, isKnown);
    return { sent, isSentWhole: isWhole, isWhole: isWhole && isKnown, taken };
  }

  // Sent ----------------------------------------------------------------------------------------------------------------

  async #sentTo(
    place: string,
    row: BlockRow,
    toLane: number,
    next: bigint,
  ): Promise<{ readonly found: CrossingRow[]; readonly isWhole: boolean }> {
    const { findings } = this.#work;
    const known = this.#sent.get(toLane) ?? (this.#isWhole ? 0n : null);
    this.#sent.set(toLane, next);
    findings.expect("lane_messages_once", known === null || next > known, () => {
      return `${place}: messages to lane ${toLane} go on at ${next}, and ${known} was the next`;
    });
    if (toLane === this.#lane) return { found: [], isWhole: true };
    const stream = this.#streamTo(toLane, known ?? 0n);
    // What blocks of before have sent is passed over, where they are gone.
    if (known === null) await stream.takeWhile(({ sequence, block }) => sequence < next && block < row.block);
    const rows = await stream.takeWhile(({ sequence }) => sequence < next);
    const first = known ?? rows[0]?.sequence ?? next;
    return { found: rows, isWhole: this.#judgeRows(place, row, rows, { toLane, first, next }) };
  }

  #streamTo(toLane: number, from: bigint): Stream<CrossingRow> {
    const open = this.#streams.get(toLane);
    if (open !== undefined) return open;
    const of = { lane: this.#lane, toLane, from };
    const stream = tableStream(crossingPages(this.#work.parts.rows, of, MESSAGES_A_PAGE));
    this.#streams.set(toLane, stream);
    return stream;
  }

  /** @returns whether every message of the block is there */
  #judgeRows(
    place: string,
    row: BlockRow,
    rows: readonly CrossingRow[],
    { toLane, first, next }: { readonly toLane: number; readonly first: bigint; readonly next: bigint },
  ): boolean {
    const { findings } = this.#work;
    let expected = first;
    let isWhole = true;
    for (const { sequence, block, recordedAt } of rows) {
      findings.checked("lane_messages_once");
      if (sequence !== expected) isWhole = this.#tellMissing(place, row, toLane, expected);
      if (block !== row.block || recordedAt !== row.recordedAt) {
        const said = `says block ${block} of ${recordedAt}`;
        findings.problem("lane_messages_once", `${place}: message ${sequence} to lane ${toLane} ${said}`);
      }
      expected = sequence + 1n;
    }
    return expected < next ? this.#tellMissing(place, row, toLane, expected) : isWhole;
  }

  /** Messages leave with the partition of their quarter of a day, and not before they were taken.
   *  @returns false */
  #tellMissing(place: string, row: BlockRow, toLane: number, sequence: bigint): false {
    const at = new Date(timeMs(row.recordedAt)).toISOString();
    const quarter = String(Math.floor(Number(at.slice(11, 13)) / 6) * 6).padStart(2, "0");
    if (this.#work.partitions.has(`outbox_${at.slice(0, 10).replaceAll("-", "")}_${quarter}`)) {
      this.#work.findings.problem(
        "lane_messages_once",
        `${place}: message ${sequence} to lane ${toLane} has no outbox row`,
      );
    }
    return false;
  }

  // Taken ---------------------------------------------------------------------------------------------------------------

  async #takenOf(place: string, records: readonly InputRecord[]): Promise<TakenMessage[]> {
    const taken: TakenMessage[] = [];
    for (const record of records) {
      const report = record.value === null ? null : await readReportMessage(this.#work, record.value);
      const from = report?.from ?? null;
      if (report === null || from === null) continue;
      const last = this.#seen.get(from.lane) ?? (this.#isWhole ? -1n : from.sequence - 1n);
      if (from.sequence <= last) continue;
      this.#work.findings.expect("lane_messages_once", from.sequence === last + 1n, () => {
        return `${place}: it took message ${from.sequence} of lane ${from.lane} at offset ${record.offset}, and ${last + 1n} was the next`;
      });
      this.#seen.set(from.lane, from.sequence);
      taken.push({ from, report, record });
    }
    return taken;
  }

  /** @param isReadable whether the records of the block are there to tell what it took */
  #judgeSeen(place: string, row: BlockRow, isReadable: boolean): void {
    for (const [fromLane, last] of readLanePairs(row.seen)) {
      const own = this.#sent.get(fromLane);
      const expected =
        fromLane === this.#lane ? (own === undefined ? null : own - 1n) : (this.#seen.get(fromLane) ?? null);
      this.#seen.set(fromLane, last);
      if (fromLane !== this.#lane && !isReadable) continue;
      this.#work.findings.expect("lane_messages_once", expected === last, () => {
        return `${place}: it says that it took messages of lane ${fromLane} up to ${last}, and it took them up to ${expected ?? "none"}`;
      });
    }
  }

  /** The tables of what was sent and taken against the blocks. */
  end(cut: LaneCut): void {
    const { findings } = this.#work;
    const compare = (what: string, ours: ReadonlyMap<number, bigint>, theirs: ReadonlyMap<number, bigint>): void => {
      for (const lane of new Set([...ours.keys(), ...theirs.keys()])) {
        if (!this.#isWhole && !ours.has(lane)) continue;
        findings.expect("lane_messages_once", ours.get(lane) === theirs.get(lane), () => {
          const said = `the table says ${theirs.get(lane) ?? "nothing"}, its blocks ${ours.get(lane) ?? "nothing"}`;
          return `lane ${this.#lane}: of what was ${what} lane ${lane} ${said}`;
        });
      }
    };
    findings.checked("lane_messages_once");
    compare("sent to", this.#sent, readLanePairs(cut.sent));
    compare("taken from", this.#seen, readLanePairs(cut.seen));
  }
}

function byLane(pairs: ReadonlyMap<number, bigint>): [number, bigint][] {
  return [...pairs].sort(([one], [other]) => one - other);
}

function isReadable({ reportsFrom, reportsNext, halt }: BlockRow, { knownFrom }: TakenRecords): boolean {
  return halt === null && (reportsNext <= reportsFrom || (knownFrom !== null && knownFrom <= reportsFrom));
}

/** @returns null when the bytes are no report */
export async function readReportMessage({ parts }: LaneWork, value: Buffer): Promise<ReportMessage | null> {
  try {
    return await parts.decoders.report.read(value);
  } catch (error) {
    if (error instanceof Error && error.name === "Undecodable") return null;
    throw error;
  }
}
