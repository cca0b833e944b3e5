// Case ids by their two documented spellings: `<kind>_<ULID>`, and UUIDv7. Bigints all the way: 26 characters of five bits
// each, of which the first 48 bits are milliseconds.

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

export type SecondCaseId = {
  readonly kind: string;
  /** 32 hex digits */
  readonly uuid: string;
  readonly timeMs: number;
};

/** @returns null when it is neither */
export function readCaseId(text: string | null): SecondCaseId | null {
  if (text === null) return null;
  return text.includes("_") ? readUlid(text) : readUuid(text);
}

function readUlid(text: string): SecondCaseId | null {
  const match = /^([a-z]{2,8})_([0-9A-HJKMNP-TV-Z]{26})$/.exec(text);
  if (match === null) return null;
  let bits = 0n;
  for (const digit of match[2] as string) bits = bits * 32n + BigInt(DIGITS.indexOf(digit));
  if (bits >= 1n << 128n) return null;
  return { kind: match[1] as string, uuid: bits.toString(16).padStart(32, "0"), timeMs: Number(bits >> 80n) };
}

function readUuid(text: string): SecondCaseId | null {
  const match = /^([0-9a-f]{8})-([0-9a-f]{4})-(7[0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f]{12})$/.exec(
    text.toLowerCase(),
  );
  if (match === null) return null;
  const uuid = match.slice(1).join("");
  return { kind: "", uuid, timeMs: Number(BigInt(`0x${uuid}`) >> 80n) };
}

/** As its producer wrote it; a UUID in lower case. */
export function writeCaseId(kind: string, uuid: string): string {
  if (kind === "") return [8, 12, 16, 20, 32].map((end, at) => uuid.slice([0, 8, 12, 16, 20][at], end)).join("-");
  let bits = BigInt(`0x${uuid}`);
  let text = "";
  for (let digit = 0; digit < 26; digit++) {
    text = (DIGITS[Number(bits % 32n)] as string) + text;
    bits /= 32n;
  }
  return `${kind}_${text}`;
}
