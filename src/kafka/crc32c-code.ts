// The code of `crc32c`, in WebAssembly's binary form: https://webassembly.github.io/spec/core/binary/. Put together here, where
// it can be read, because nothing else would need a compiler for it. It is this function, over a memory that begins with
// sixteen tables of 256 words:
//
//     update(at, end, crc) {
//       for (; at + 16 <= end; at += 16) {
//         crc = table[15][byte 0 of (word at 0 ^ crc)] ^ table[14][byte 1 of it] ^ … ^ table[0][byte 3 of the word at 12];
//       }
//       for (; at < end; at += 1) crc = table[0][(byte ^ crc) & 255] ^ (crc >>> 8);
//       return crc;
//     }

const I32 = 0x7f;
const AT = 0;
const END = 1;
const CRC = 2;
const WORD = 3;

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const constant = (value: number): number[] => [0x41, ...signed(value)];
/** the words and bytes of a batch begin anywhere, those of tables at multiples of four */
const loadWord = (offset: number, alignment: 0 | 2): number[] => [0x28, alignment, ...unsigned(offset)];
const loadByte = [0x2d, 0, 0];
const isAbove = 0x4b;
const isAtLeast = 0x4f;
const add = 0x6a;
const and = 0x71;
const xor = 0x73;
const shiftLeft = 0x74;
const shiftRight = 0x76;
const close = 0x0b;

/** Goes through `body` again and again until `isOver` holds before it. */
function repeat(isOver: readonly number[], body: readonly number[]): number[] {
  const [block, loop, leaveBlockIf, again] = [
    [0x02, 0x40],
    [0x03, 0x40],
    [0x0d, 1],
    [0x0c, 0],
  ] as const;
  return [...block, ...loop, ...isOver, ...leaveBlockIf, ...body, ...again, close, close];
}

/** What table `table` has for byte `byte` of the local WORD. */
function lookUp(table: number, byte: number): number[] {
  const shifted = byte === 0 ? [] : [...constant(8 * byte), shiftRight];
  return [...get(WORD), ...shifted, ...constant(255), and, ...constant(2), shiftLeft, ...loadWord(1024 * table, 2)];
}

function sixteenBytes(): number[] {
  const code: number[] = [];
  for (let at = 0; at < 16; at += 4) {
    code.push(...get(AT), ...loadWord(at, 0), ...(at === 0 ? [...get(CRC), xor] : []), ...set(WORD));
    for (let byte = 0; byte < 4; byte++) code.push(...lookUp(15 - at - byte, byte), ...(at + byte === 0 ? [] : [xor]));
  }
  return [...code, ...set(CRC), ...advance(16)];
}

function oneByte(): number[] {
  const looked = [...get(AT), ...loadByte, ...get(CRC), xor, ...set(WORD), ...lookUp(0, 0)];
  return [...looked, ...get(CRC), ...constant(8), shiftRight, xor, ...set(CRC), ...advance(1)];
}

function advance(bytes: number): number[] {
  return [...get(AT), ...constant(bytes), add, ...set(AT)];
}

/** Seven bits a byte, the low ones first; the highest bit says that more follow. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

/** The same for a number from 0 on that may be taken for a negative one: its last byte leaves bit 6 free for the sign. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)];
}

function sized(bytes: readonly number[]): number[] {
  return [...unsigned(bytes.length), ...bytes];
}

function named(text: string, kind: number): number[] {
  return [...sized([...Buffer.from(text)]), kind, 0];
}

const MAGIC_AND_VERSION = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** the tables, and a megabyte of bytes at a time: as much as a batch has as a rule */
const PAGES_OF_64_KB = 17;
const ONE = 1;

/** beside the parameters */
const ONE_LOCAL = [ONE, ONE, I32];
const body = [
  ...ONE_LOCAL,
  ...repeat([...get(AT), ...constant(16), add, ...get(END), isAbove], sixteenBytes()),
  ...repeat([...get(AT), ...get(END), isAtLeast], oneByte()),
  ...get(CRC),
  close,
];
const SECTIONS: readonly (readonly [number, readonly number[]])[] = [
  [1, [ONE, 0x60, ...sized([I32, I32, I32]), ...sized([I32])]], // the function's type
  [3, [ONE, 0]], // the function, by its type
  [5, [ONE, 0, PAGES_OF_64_KB]], // the memory
  [7, [2, ...named("update", 0), ...named("memory", 2)]], // what is seen from outside
  [10, [ONE, ...sized(body)]], // the code
];

export const CRC32C_CODE = new Uint8Array([
  ...MAGIC_AND_VERSION,
  ...SECTIONS.flatMap(([id, content]) => [id, ...sized(content)]),
]);
