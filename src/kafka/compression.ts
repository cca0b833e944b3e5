// Compressed record batches of foreign producers. We never compress ourselves. gzip comes with Node, zstd with Node 22.15
// and later; snappy and lz4 are two short formats, read here so that no producer's setting can stop a lane.
import * as zlib from "node:zlib";
import { lz4Frame } from "./lz4.ts";
import { snappy } from "./snappy.ts";

/** Bytes that cannot be read. The message is a sentence for people, with what to do where something can be done. */
export class Unreadable extends Error {
  override name = "Unreadable";
}

const zstd = (zlib as { zstdDecompressSync?: (bytes: Buffer) => Buffer }).zstdDecompressSync;

type Codec = { readonly name: string; readonly decompress: (bytes: Buffer) => Buffer };

function zstdOrRemedy(bytes: Buffer): Buffer {
  if (zstd === undefined) {
    throw new Unreadable(
      `a batch is compressed with zstd, which Node ${process.versions.node} cannot read: run Node 22.15 or later`,
    );
  }
  return zstd(bytes);
}

/** By the lowest three bits of a batch's attributes; 0 is uncompressed. */
const CODECS: readonly Codec[] = [
  { name: "none", decompress: (bytes) => bytes },
  { name: "gzip", decompress: (bytes) => zlib.gunzipSync(bytes) },
  { name: "snappy", decompress: snappy },
  { name: "lz4", decompress: lz4Frame },
  { name: "zstd", decompress: zstdOrRemedy },
];

/** @returns memory of its own, never a part of `bytes`
 *  @throws Unreadable */
export function decompress(codecId: number, bytes: Buffer): Buffer {
  const codec = CODECS[codecId];
  if (codec === undefined) throw new Unreadable(`a batch is compressed with codec ${codecId}, which is not known here`);
  try {
    return codec.decompress(bytes);
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    throw new Unreadable(`a batch compressed with ${codec.name} is damaged: ${(error as Error).message}`);
  }
}
