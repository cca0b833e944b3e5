// What has to be known of a recorded topic while it is copied into a fresh one: which schemas its values name, and where
// offsets were left out, since the copy has none of those holes.

import type { RawRecord } from "../../kafka/port.ts";
import type { Recorded } from "../replay/merge.ts";
import { AT_RECORDED_TIMES, type Change } from "../replay/source.ts";

/** `before` is the number of offsets that are missing below `offset`, which is the first behind a hole. */
type Hole = { readonly offset: bigint; readonly before: bigint };

/** Offsets of a copy that begins at 0, by those of the recorded topic. Markers of Kafka transactions, aborted records and
 *  compaction leave holes. */
export class OffsetMap {
  readonly #holes = new Map<number, Hole[]>();
  readonly #next = new Map<number, bigint>();

  /** To be told of every record of a partition in its order. */
  copied(partition: number, offset: bigint): void {
    const holes = this.#holes.get(partition) ?? [];
    const expected = this.#next.get(partition) ?? 0n;
    if (offset > expected) {
      const before = (holes.at(-1)?.before ?? 0n) + (offset - expected);
      this.#holes.set(partition, [...holes, { offset, before }]);
    }
    this.#next.set(partition, offset + 1n);
  }

  inCopy(partition: number, offset: bigint): bigint {
    const holes = this.#holes.get(partition) ?? [];
    let low = 0;
    let high = holes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((holes[middle] as Hole).offset <= offset) low = middle + 1;
      else high = middle;
    }
    return offset - (holes[low - 1]?.before ?? 0n);
  }
}

/** Copies records with the times at which they were appended. */
export class Copying implements Change {
  readonly offsets = new OffsetMap();
  /** as the values name them; whether a registry has them is another question */
  readonly schemaIds = new Set<number>();

  async change(recorded: readonly Recorded[]): Promise<readonly RawRecord[]> {
    for (const { partition, record } of recorded) {
      this.offsets.copied(partition, record.offset);
      const id = namedSchema(record.value);
      if (id !== null) this.schemaIds.add(id);
    }
    return AT_RECORDED_TIMES.change(recorded);
  }
}

const HEADER_BYTES = 5;

/** The id in the Confluent format: a zero byte, then four of the id. */
function namedSchema(value: Buffer | null): number | null {
  if (value === null || value.length < HEADER_BYTES || value[0] !== 0) return null;
  const id = value.readInt32BE(1);
  return id > 0 ? id : null;
}
