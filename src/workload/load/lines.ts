// Lines of a file or of stdin, with their numbers, without holding more than a chunk of them.

/** `number` counts from 1, blank lines included. */
export type Line = { readonly number: number; readonly text: string };

const LINE_FEED = 10;
/** A longer line is cut here, so that a file without line ends does not fill the memory; its length is a fault anyway. */
const LINE_BYTES_MAX = 8 << 20;

/** Chunks of lines; blank ones are left out. */
export async function* readLines(bytes: AsyncIterable<Buffer>): AsyncGenerator<readonly Line[]> {
  let number = 0;
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of bytes) {
    const lines: Line[] = [];
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      addLine(lines, ++number, [...rest, chunk.subarray(from, end)]);
      rest = [];
      restBytes = 0;
      from = end + 1;
    }
    if (restBytes < LINE_BYTES_MAX) rest.push(chunk.subarray(from));
    restBytes += chunk.length - from;
    if (lines.length > 0) yield lines;
  }
  const last: Line[] = [];
  addLine(last, number + 1, rest);
  if (last.length > 0) yield last;
}

function addLine(lines: Line[], number: number, pieces: readonly Buffer[]): void {
  const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  // Editors on Windows begin a file with a byte order mark.
  const text = number === 1 ? bytes.toString("utf8").replace(/^\ufeff/, "") : bytes.toString("utf8");
  if (text.trim() !== "") lines.push({ number, text });
}
