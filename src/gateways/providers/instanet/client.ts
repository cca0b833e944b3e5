// Instanet over HTTP, and nothing else: tokens, and which path and headers a request has. What it says is read in
// translate.ts.

import type { Called, Caller, Limits } from "../../http/caller.ts";
import type { Door, Outgoing } from "../../http/exchange.ts";
import { TokenKeeper } from "../../http/token.ts";

export type InstanetRequest = {
  readonly method: "GET" | "PUT" | "POST";
  readonly path: string;
  readonly body: string | null;
};

export type InstanetClientParts = {
  readonly door: Door;
  readonly caller: Caller;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly nowMs: () => number;
};

export class InstanetClient {
  readonly #parts: InstanetClientParts;
  readonly #tokens: TokenKeeper;

  constructor(parts: InstanetClientParts) {
    this.#parts = parts;
    const { door, clientId, clientSecret, nowMs } = parts;
    const form = { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret };
    this.#tokens = new TokenKeeper({
      nowMs,
      fetch: (leftMs) =>
        door.exchange(
          {
            method: "POST",
            path: "/instanet/oauth/token",
            headers: { "content-type": "application/x-www-form-urlencoded" },
            body: new URLSearchParams(form).toString(),
          },
          leftMs,
        ),
    });
  }

  /** A token that is not taken any more is renewed once: a request that was refused for it has done nothing. */
  async send(request: InstanetRequest, limits: Limits): Promise<Called> {
    const used: string[] = [];
    const prepare = (untilMs: number): Promise<Outgoing | null> => this.#prepare(request, untilMs, used);
    const called = await this.#parts.caller.call(prepare, limits);
    const last = used.at(-1);
    if (called.kind === "answered" || called.why !== "unauthorized" || last === undefined) return called;
    this.#tokens.forget(last);
    return this.#parts.caller.call(prepare, limits);
  }

  async #prepare({ method, path, body }: InstanetRequest, untilMs: number, used: string[]): Promise<Outgoing | null> {
    const token = await this.#tokens.get(untilMs - this.#parts.nowMs());
    if (token === null) return null;
    used.push(token);
    const type = body === null ? {} : { "content-type": "application/json" };
    return { method, path, headers: { authorization: `Bearer ${token}`, ...type }, body };
  }
}
