// Ids at instanet, which we choose: 1 to 64 of `A-Za-z0-9_-`, made of the idempotency key so that one key is one id, two are
// two, and an id can be read back. `/` is `-s`, any other character that an id may not have is `-` and its two hex digits.
//
// A hash of the holder ends it: two holders may have a case of one id, whose keys are the same, and what instanet did for
// one is nothing to the other.

import { createHash } from "node:crypto";

const CHARACTERS_MAX = 64;
const ESCAPED = /-(s|[0-9a-f]{2})/g;
const MARK_CHARACTERS = 11;
const MARKED = /^(.+)-h([A-Za-z0-9_-]{11})$/s;

/** @returns null for a key that would be too long, or holds what no key of a flow holds */
export function txidOf(key: string, holderId: string): string | null {
  const txid = `${escaped(key)}-h${markOf(holderId)}`;
  return /^[\x21-\x7e]+$/.test(key) && txid.length <= CHARACTERS_MAX ? txid : null;
}

/** @returns the key and whether it is the holder's, or null for an id that we have not made */
export function keyOfTxid(txid: string): { key: string; isOf: (holderId: string) => boolean } | null {
  const [, text = "", mark = ""] = MARKED.exec(txid) ?? [];
  const key = text.replace(ESCAPED, (_all, code: string) =>
    code === "s" ? "/" : String.fromCharCode(Number.parseInt(code, 16)),
  );
  if (text === "" || escaped(key) !== text || txid.length > CHARACTERS_MAX) return null;
  return { key, isOf: (holderId) => markOf(holderId) === mark };
}

function escaped(key: string): string {
  return key.replace(/[^A-Za-z0-9_]/g, (one) =>
    one === "/" ? "-s" : `-${one.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** 66 bits. */
function markOf(holderId: string): string {
  return createHash("sha256").update(holderId).digest("base64url").slice(0, MARK_CHARACTERS);
}
