// How both providers sign what they send, and how the sandbox makes its own access tokens. Pure.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";

function hmac(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

/** The value of the header `Cardco-Signature`.
 *  @param seconds since the epoch, when it is sent */
export function cardcoSignature(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${hmac(secret, `${seconds}.${body}`)}`;
}

/** The value of the header `Instanet-Signature`.
 *  @param keyId   names the secret, so that secrets can be changed one after the other
 *  @param seconds since the epoch, when it is sent */
export function instanetSignature(keyId: string, secret: string, seconds: number, body: string): string {
  return `keyid=${keyId},t=${seconds},sig=${hmac(secret, `${seconds}.${body}`)}`;
}

/** An access token that carries its own end, so that a restart forgets none. */
export function makeToken(secret: string, expiresAtMs: number): string {
  return `${expiresAtMs}.${hmac(secret, `token ${expiresAtMs}`)}`;
}

/** Whether we made the token and it is not over. */
export function isToken(secret: string, token: string, nowMs: number): boolean {
  const expiresAtMs = Number(/^(\d{1,15})\.[0-9a-f]{64}$/.exec(token)?.[1] ?? "0");
  return nowMs < expiresAtMs && equalSecrets(token, makeToken(secret, expiresAtMs));
}

/** Compares in a time that says nothing about where they differ. */
export function equalSecrets(found: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(found), digest(expected));
}

/** An id made of a text: the same for the same text, and letters only, so that none reads as a card number. */
export function idOf(prefix: string, text: string): string {
  const hex = createHash("sha256").update(text).digest("hex").slice(0, 32);
  return `${prefix}_${[...hex].map((digit) => "abcdefghijklmnop"[Number.parseInt(digit, 16)]).join("")}`;
}
