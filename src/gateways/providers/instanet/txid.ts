// Ids at instanet, which we choose: 1 to 64 of `A-Za-z0-9_-`, made of the idempotency key so that one key is one id, two are
// two, and an id can be read back. `/` is `-s`, any other character that an id may not have is `-` and its two hex digits.

const CHARACTERS_MAX = 64;
const ESCAPED = /-(s|[0-9a-f]{2})/g;

/** @returns null for a key that would be too long, or holds what no key of a flow holds */
export function txidOf(key: string): string | null {
  if (!/^[\x21-\x7e]+$/.test(key)) return null;
  const txid = key.replace(/[^A-Za-z0-9_]/g, (one) =>
    one === "/" ? "-s" : `-${one.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return txid.length <= CHARACTERS_MAX ? txid : null;
}

/** @returns the key, or null for an id that we have not made */
export function keyOfTxid(txid: string): string | null {
  const key = txid.replace(ESCAPED, (_all, code: string) =>
    code === "s" ? "/" : String.fromCharCode(Number.parseInt(code, 16)),
  );
  return txidOf(key) === txid ? key : null;
}
