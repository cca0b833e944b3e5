// Cardco over HTTP, and nothing else: which headers a request has. What it says is read in translate.ts.

import type { Called, Caller, Limits } from "../../http/caller.ts";

/** A request that does something. */
export type Posted = {
  readonly path: string;
  readonly body: string;
  readonly idempotencyKey: string;
};

export class CardcoClient {
  readonly #caller: Caller;
  readonly #key: string;

  constructor(caller: Caller, key: string) {
    this.#caller = caller;
    this.#key = key;
  }

  post({ path, body, idempotencyKey }: Posted, limits: Limits): Promise<Called> {
    const headers = {
      ...this.#headers(),
      "content-type": "application/json",
      "idempotency-key": idempotencyKey,
      "not-after": new Date(limits.notAfterMs).toISOString(),
    };
    return this.#caller.call(async () => ({ method: "POST", path, headers, body }), limits);
  }

  /** What is known of a key. */
  operation(idempotencyKey: string, limits: Limits): Promise<Called> {
    return this.#get(`/cardco/v1/operations?key=${encodeURIComponent(idempotencyKey)}`, limits);
  }

  /** Events of which no webhook was taken, behind a place in the list. */
  undelivered(after: string, untilMs: number, limits: Limits): Promise<Called> {
    const query = new URLSearchParams({ after, until: new Date(untilMs).toISOString(), delivered: "false" });
    return this.#get(`/cardco/v1/events?${query}`, limits);
  }

  #get(path: string, limits: Limits): Promise<Called> {
    return this.#caller.call(async () => ({ method: "GET", path, headers: this.#headers(), body: null }), limits);
  }

  #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#key}` };
  }
}
