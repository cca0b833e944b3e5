// Whether a webhook is from whom it says, and from now: an HMAC-SHA256 over the moment and the raw bytes, within a window
// against replay. Nothing of the body is read before.

import { createHmac, timingSafeEqual } from "node:crypto";

export type Signed = {
  /** seconds since the epoch, as they stand in the header: they are part of what is signed */
  readonly seconds: string;
  /** hex */
  readonly signature: string;
};

export type SignatureFault = "no_signature" | "wrong_signature" | "too_old";

/** How far the sender's clock and ours may be apart, and how old a webhook may be that was repeated on its way. */
export const WINDOW_MS = 300_000;

/** @param signed what the header says; null when it cannot be read
 *  @param secrets any of them may have signed: one is being replaced by another */
export function judgeSignature(
  signed: Signed | null,
  body: Buffer,
  secrets: readonly string[],
  nowMs: number,
): SignatureFault | null {
  if (signed === null) return "no_signature";
  const found = Buffer.from(signed.signature, "hex");
  const isRight = secrets.some((secret) => {
    const expected = createHmac("sha256", secret).update(`${signed.seconds}.`).update(body).digest();
    return found.length === expected.length && timingSafeEqual(found, expected);
  });
  if (!isRight) return "wrong_signature";
  return Math.abs(nowMs - Number(signed.seconds) * 1000) > WINDOW_MS ? "too_old" : null;
}

/** Reads `t=…,v1=…`: pairs joined by commas, each name once.
 *  @param name which of them is the signature */
export function readSigned(header: string | undefined, name: string): Signed | null {
  const pairs = (header ?? "").split(",").map((part) => part.trim().split("=", 2));
  const values = new Map(pairs.map(([key = "", value = ""]) => [key, value]));
  const seconds = values.get("t") ?? "";
  const signature = values.get(name) ?? "";
  if (values.size !== pairs.length || !/^\d{1,12}$/.test(seconds) || !/^[0-9a-f]{64}$/.test(signature)) return null;
  return { seconds, signature };
}
