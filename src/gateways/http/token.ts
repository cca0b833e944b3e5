// An OAuth access token (client credentials), fetched when it is first needed, kept, and renewed before it ends. Calls that
// need one at the same time wait for one fetch.

import type { Exchanged } from "./exchange.ts";
import { readJson } from "./json.ts";

export type TokenSettings = {
  /** asks for a token; `leftMs` is how long it may take */
  readonly fetch: (leftMs: number) => Promise<Exchanged>;
  readonly nowMs: () => number;
};

/** Of its life, after what part a token is renewed. */
const RENEW_AT = 0.8;
const LIFE_S_MAX = 86_400;

type Token = { readonly text: string; readonly renewAtMs: number };

export class TokenKeeper {
  readonly #settings: TokenSettings;
  #token: Token | null = null;
  #fetching: Promise<Token | null> | null = null;

  constructor(settings: TokenSettings) {
    this.#settings = settings;
  }

  /** @returns null when none can be had in time */
  async get(leftMs: number): Promise<string | null> {
    if (this.#token !== null && this.#settings.nowMs() < this.#token.renewAtMs) return this.#token.text;
    this.#fetching ??= this.#fetch(leftMs).finally(() => {
      this.#fetching = null;
    });
    return (await this.#fetching)?.text ?? null;
  }

  /** The provider does not take it any more. Another one that has been fetched since stays. */
  forget(text: string): void {
    if (this.#token?.text === text) this.#token = null;
  }

  async #fetch(leftMs: number): Promise<Token | null> {
    const sentMs = this.#settings.nowMs();
    const exchanged = await this.#settings.fetch(leftMs);
    this.#token = exchanged.kind === "answered" && exchanged.status === 200 ? tokenOf(exchanged.body, sentMs) : null;
    return this.#token;
  }
}

/** What goes into a header of ours may hold nothing that ends it. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

function tokenOf(body: Buffer, sentMs: number): Token | null {
  const answer = readJson(body);
  const text = answer?.["access_token"];
  const seconds = answer?.["expires_in"];
  if (typeof text !== "string" || !TOKEN.test(text)) return null;
  if (typeof seconds !== "number" || !(seconds > 0)) return null;
  return { text, renewAtMs: sentMs + Math.min(seconds, LIFE_S_MAX) * 1000 * RENEW_AT };
}
