// How a request is answered that is not simply answered: late, wrongly, or not at all.

import { setTimeout as sleep } from "node:timers/promises";
import type { HttpReply, HttpRequest } from "../http/server.ts";
import type { Line } from "./behaviour.ts";
import type { Times } from "./desk.ts";

/** Lines that do nothing the first time: the request is as if it had never come, and the next one with its key is plain. */
const BEFORE: ReadonlySet<Line> = new Set(["silent_before", "error_before", "cut_before", "rate_limited"]);

export class Lines {
  readonly #times: Times;
  readonly #stop: AbortSignal;
  readonly #spared = new Set<string>();
  readonly #asked = new Set<string>();

  constructor(times: Times, stop: AbortSignal) {
    this.#times = times;
    this.#stop = stop;
  }

  /** Whether a request with this key is turned away by its line, which it is once. */
  turnsAway(line: Line, key: string): boolean {
    if (!BEFORE.has(line) || this.#spared.has(key)) return false;
    this.#spared.add(key);
    return true;
  }

  /** Whether a query about an operation is not answered, which happens once. */
  isBlind(line: Line, key: string): boolean {
    if (line !== "blind" || this.#asked.has(key)) return false;
    this.#asked.add(key);
    return true;
  }

  /** How a request is answered that turned something.
   *  @param line   one that turns requests away has done so, and is plain now
   *  @param answer what would be answered, were there no trouble */
  replyAfter(line: Line, request: HttpRequest, answer: HttpReply): Promise<HttpReply> {
    return this.#reply(BEFORE.has(line) ? "plain" : line, request, answer);
  }

  /** How a request is answered that was turned away. */
  replyBefore(line: Line, request: HttpRequest): Promise<HttpReply> {
    return this.#reply(line, request, errorReply(503, "unavailable", "come again"));
  }

  async #reply(line: Line, request: HttpRequest, answer: HttpReply): Promise<HttpReply> {
    switch (line) {
      case "slow":
        await this.#wait(this.#times.slowMs);
        return answer;
      case "silent_after":
      case "silent_before":
        await this.#wait(this.#times.silentMs);
        request.cut();
        return answer;
      case "cut_after":
      case "cut_before":
      case "blind":
        request.cut();
        return answer;
      case "error_after":
        return errorReply(500, "internal", "something went wrong on our side");
      case "error_before":
        return answer;
      case "rate_limited":
        return {
          ...errorReply(429, "rate_limited", "too many requests"),
          headers: { "retry-after": "1", ...JSON_TYPE },
        };
      case "garbage_after":
        return { status: 200, headers: { "content-type": "text/html" }, body: "<html><body>It works!</body></html>" };
      default:
        return answer;
    }
  }

  /** Ends when the sandbox stops, so that nobody waits for its silence. */
  async #wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop }).catch(() => undefined);
  }
}

export const JSON_TYPE: Readonly<Record<string, string>> = { "content-type": "application/json; charset=utf-8" };

export function jsonReply(status: number, body: unknown): HttpReply {
  return { status, headers: JSON_TYPE, body: JSON.stringify(body) };
}

/** Of a query whose operation is blind to it. */
export const BLIND: HttpReply = errorReply(503, "unavailable", "come again");

export function errorReply(status: number, code: string, message: string): HttpReply {
  return jsonReply(status, { error: { code, message } });
}
