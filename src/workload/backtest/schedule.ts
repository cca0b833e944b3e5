// The blocks of all lanes one after another, each behind those whose messages it took, and otherwise by their times: so every
// message has been sent before it is taken.

import { assert } from "../../domain/assert.ts";
import type { ReportInput } from "../../domain/books.ts";
import { Undecidable } from "../../domain/decide/decide.ts";
import type { Intake, LaneSpan, RecordedBlock, Recording } from "./recording.ts";

export type Scheduled = {
  readonly recorded: RecordedBlock;
  readonly reports: readonly ReportInput[];
  /** reports that are none, by offset */
  readonly unread: readonly { readonly offset: bigint; readonly why: string }[];
};

export class Schedule {
  readonly #recording: Recording;
  readonly #intake: Intake;
  readonly #spans: ReadonlyMap<number, LaneSpan>;
  readonly #heads = new Map<number, Scheduled>();
  /** the last block of each lane that was handed out */
  readonly #through = new Map<number, bigint>();

  constructor(recording: Recording, intake: Intake) {
    this.#recording = recording;
    this.#intake = intake;
    this.#spans = new Map(recording.spans.map((span) => [span.lane, span]));
  }

  /** @returns null behind the last block */
  async next(): Promise<Scheduled | null> {
    if (this.#through.size === 0) {
      for (const { lane, from } of this.#recording.spans) {
        this.#through.set(lane, from - 1n);
        await this.#read(lane);
      }
    }
    const heads = [...this.#heads.values()];
    if (heads.length === 0) return null;
    const ready = heads.filter((one) => this.#isReady(one)).sort(byTime)[0];
    assert(ready !== undefined, "blocks wait for each other in a circle: the recording is not that of one ledger");
    const { lane, block } = ready.recorded;
    this.#through.set(lane, block);
    await this.#read(lane);
    return ready;
  }

  async #read(lane: number): Promise<void> {
    const recorded = await this.#recording.next(lane);
    if (recorded === null) {
      this.#heads.delete(lane);
      return;
    }
    await this.#intake.learn(recorded);
    const reports: ReportInput[] = [];
    const unread: { offset: bigint; why: string }[] = [];
    for (const record of recorded.reports) {
      try {
        reports.push(this.#intake.report(record, lane));
      } catch (error) {
        if (!(error instanceof Undecidable)) throw error;
        unread.push({ offset: record.offset, why: error.message });
      }
    }
    this.#heads.set(lane, { recorded, reports, unread });
  }

  #isReady({ reports }: Scheduled): boolean {
    return reports.every(({ report: { from } }) => {
      const span = from === null ? undefined : this.#spans.get(from.lane);
      if (from === null || span === undefined || from.block < span.from || from.block > span.until) return true;
      return from.block <= (this.#through.get(from.lane) ?? -1n);
    });
  }
}

function byTime({ recorded: one }: Scheduled, { recorded: other }: Scheduled): number {
  return one.nowMs - other.nowMs || one.lane - other.lane;
}
