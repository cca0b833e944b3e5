// Rows one after another, of a table or of a partition, with a page of them in memory and the next one on its way. An
// audit walks many of these side by side, so it takes as much memory for a million rows as for a thousand.

import type { InputRecord, PartitionReader } from "../../kafka/port.ts";
import type { Pager } from "../../store/audit.ts";

/** Answers with the next rows, or null when there are no more. An empty answer means: ask again. */
type More<Row> = () => Promise<readonly Row[] | null>;

export class Stream<Row> {
  readonly #more: More<Row>;
  #page: readonly Row[] = [];
  #at = 0;
  #ended = false;

  constructor(more: More<Row>) {
    this.#more = more;
  }

  /** The next row, which stays there until `advance`; null at the end. */
  async peek(): Promise<Row | null> {
    while (this.#at === this.#page.length && !this.#ended) {
      const page = await this.#more();
      this.#ended = page === null;
      this.#page = page ?? [];
      this.#at = 0;
    }
    return this.#page[this.#at] ?? null;
  }

  advance(): void {
    this.#at += 1;
  }

  /** The rest of the page in memory, or the next page; null at the end. */
  async takePage(): Promise<readonly Row[] | null> {
    if ((await this.peek()) === null) return null;
    const rows = this.#page.slice(this.#at);
    this.#at = this.#page.length;
    return rows;
  }

  /** Takes every row up to the first that does not belong. */
  async takeWhile(belongs: (row: Row) => boolean): Promise<Row[]> {
    const taken: Row[] = [];
    for (let row = await this.peek(); row !== null && belongs(row); row = await this.peek()) {
      // Row by row within the page: waiting for what is there already would cost more than the row.
      for (let here: Row | undefined = row; here !== undefined && belongs(here); here = this.#page[this.#at]) {
        taken.push(here);
        this.#at += 1;
      }
    }
    return taken;
  }
}

export function emptyStream<Row>(): Stream<Row> {
  return new Stream<Row>(async () => null);
}

/** The rows of a table; while a page is worked on, the next one is read. */
export function tableStream<Row>({ limit, page }: Pager<Row>): Stream<Row> {
  const ask = (after: Row | null): Promise<readonly Row[]> => {
    const answer = page(after);
    answer.catch(() => undefined); // told to whoever takes the page; an audit that ended early does not
    return answer;
  };
  let coming: Promise<readonly Row[]> | null = null;
  let isLast = false;
  return new Stream<Row>(async () => {
    if (isLast) return null;
    const rows = await (coming ?? ask(null));
    isLast = rows.length < limit;
    coming = isLast ? null : ask(rows.at(-1) as Row);
    return rows;
  });
}

/** A partition has not handed out what it says it holds. */
export class PartitionStuck extends Error {
  override name = "KafkaUnreachable";
  readonly remedy = "See whether the partition's leader is healthy, and whether a Kafka transaction on it hangs open.";
}

const READ_WAIT_MS = 1_000;
const STUCK_MS = 30_000;

/** The records of the one partition that `reader` was opened on, up to offset `end`. */
export function partitionStream(reader: PartitionReader, from: bigint, end: bigint, name: string): Stream<InputRecord> {
  let next = from;
  return new Stream<InputRecord>(async () => {
    const since = performance.now();
    while (next < end) {
      const runs = await reader.next(READ_WAIT_MS);
      const last = runs.at(-1);
      if (last !== undefined) {
        next = last.nextOffset;
        return runs.flatMap((run) => run.records.filter((record) => record.offset < end));
      }
      if (performance.now() - since > STUCK_MS) {
        throw new PartitionStuck(`${name} hands out nothing from offset ${next} on, and its end is ${end}`);
      }
    }
    return null;
  });
}
