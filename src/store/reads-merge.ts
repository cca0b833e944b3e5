// Several lanes' rows as one list. Each lane's are read in order by its key; one order over all lanes would have to sort
// a whole table for each page.

/** Merges sorted sequences into one; each is asked for its next row only when the last one has been handed on.
 *  @param before whether one row goes before the other; of equal rows the earlier sequence's goes first */
export async function* mergeSorted<Row>(
  sequences: readonly AsyncIterable<Row>[],
  before: (one: Row, other: Row) => boolean,
): AsyncGenerator<Row> {
  const open: { readonly rest: AsyncIterator<Row>; row: Row }[] = [];
  for (const sequence of sequences) {
    const rest = sequence[Symbol.asyncIterator]();
    const first = await rest.next();
    if (first.done !== true) open.push({ rest, row: first.value });
  }
  while (open.length > 0) {
    const next = open.reduce((best, one) => (before(one.row, best.row) ? one : best));
    yield next.row;
    const following = await next.rest.next();
    if (following.done === true) open.splice(open.indexOf(next), 1);
    else next.row = following.value;
  }
}

/** The last `count` rows of a sequence, in its order; all of them when `count` is null. */
export async function* lastOf<Row>(rows: AsyncIterable<Row>, count: number | null): AsyncGenerator<Row> {
  if (count === null) {
    yield* rows;
    return;
  }
  const kept: Row[] = [];
  for await (const row of rows) {
    kept.push(row);
    if (kept.length > 2 * count) kept.splice(0, kept.length - count);
  }
  yield* kept.slice(Math.max(0, kept.length - count));
}
