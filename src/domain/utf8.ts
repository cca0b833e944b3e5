// Texts as bytes, written where they are wanted. Many of ours are short and ASCII: written one by one they cost less than a
// call into the engine's encoder.

/** A character takes no more bytes than this (those of two UTF-16 units take two each). */
export const UTF8_BYTES_MAX = 3;
/** of 20 characters a call takes half as long again, of 40 two thirds */
const SHORT_MAX = 28;

/** What a file in UTF-16 is full of once it was read as UTF-8, and what no text of ours has. It is never shown: a terminal
 *  would not show it, or worse. */
export const NUL = "\0";
export const NUL_FOUND = "a NUL, which no text has (is it UTF-16?)";

/** @param bytes with room for UTF8_BYTES_MAX a UTF-16 unit from `at` on
 *  @returns the position behind what was written */
export function writeUtf8(bytes: Buffer, text: string, at: number): number {
  const { length } = text;
  if (length > SHORT_MAX) return at + bytes.write(text, at, "utf8");
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code > 127) return at + bytes.write(text, at, "utf8");
    bytes[at + index] = code;
  }
  return at + length;
}
