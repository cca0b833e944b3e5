// Calls of one provider: each with a deadline, made again under the same key while that may help and the budget allows,
// behind the provider's circuit.
//
// Repeats need no case's word: a call carries its idempotency key, which is known to the provider until `notAfterMs`, so it
// has one effect however often it is made (domain.md 1.0, 3). Behind that moment, or behind the call's own deadline, nothing
// is sent again.

import { setTimeout as sleep } from "node:timers/promises";
import { RepeatBudget } from "./budget.ts";
import { Circuit, type CircuitSettings, type CircuitWord } from "./circuit.ts";
import type { Answered, Door, Exchanged, Outgoing } from "./exchange.ts";

export type { CircuitSettings } from "./circuit.ts";
/** When a call has to be over, and until when it may be made at all: milliseconds since the epoch. */
export type { Answered } from "./exchange.ts";

export type Limits = { readonly untilMs: number; readonly notAfterMs: number };

/** An answer that says something; or why there is none, which is never a refusal. */
export type Called =
  | Answered
  /** `isSent`: some try may have left this machine, so it may have been done */
  | { readonly kind: "unknown"; readonly why: CallFault; readonly isSent: boolean };

/** For metrics: why a call has no answer that says something. */
export const CALL_FAULTS = [
  "circuit_open",
  "not_sent",
  "broken",
  "server_error",
  "rate_limited",
  "unauthorized",
] as const;
export type CallFault = (typeof CALL_FAULTS)[number];

export interface CallEvents {
  /** one request was made, or not made because the circuit is open */
  called(result: "answered" | CallFault, seconds: number): void;
}

export type CallerSettings = CircuitSettings & {
  /** chance, from 0 to below 1: repeats of many calls are spread */
  readonly random: () => number;
  readonly nowMs: () => number;
  /** false: the provider forgets a key when it answers with an error, so nothing is sent again */
  readonly mayRepeat: boolean;
};

const REPEATS_MAX = 3;
const REPEAT_SHARE = 0.1;
const REPEATS_SAVED_MAX = 20;
const FIRST_PAUSE_MS = 200;
/** A provider is not waited for longer when it asks for that: the case asks again. */
const PAUSE_MS_MAX = 5_000;
/** What a request needs at least to be worth sending. */
const LEAST_MS = 50;

export class Caller {
  readonly #door: Door;
  readonly #settings: CallerSettings;
  readonly #events: CallEvents;
  readonly #circuit: Circuit<Exchanged>;
  readonly #budget = new RepeatBudget(REPEAT_SHARE, REPEATS_SAVED_MAX);

  constructor(door: Door, settings: CallerSettings, events: CallEvents) {
    this.#door = door;
    this.#settings = settings;
    this.#events = events;
    this.#circuit = new Circuit(settings, isOutage);
  }

  get circuit(): CircuitWord {
    return this.#circuit.word;
  }

  /** @param prepare the request, made anew for each try: a token may be another by then. Null: there is none to send. */
  async call(prepare: (untilMs: number) => Promise<Outgoing | null>, limits: Limits): Promise<Called> {
    this.#budget.earn();
    const lastMs = Math.min(limits.untilMs, limits.notAfterMs);
    let isSent = false;
    for (let repeat = 0; ; repeat++) {
      const exchanged = await this.#once(prepare, limits);
      isSent ||= exchanged !== null && exchanged.kind !== "not_sent";
      const fault = faultOf(exchanged);
      if (fault === null) return exchanged as Answered;
      const asked = exchanged?.kind === "answered" ? exchanged.retryAfterMs : null;
      const pauseMs = this.#pauseMs(repeat, asked);
      const isWorthIt =
        repeat < REPEATS_MAX && REPEATED[fault] && this.#settings.mayRepeat && (asked ?? 0) <= PAUSE_MS_MAX;
      if (!isWorthIt || this.#settings.nowMs() + pauseMs + LEAST_MS > lastMs || !this.#budget.spend())
        return { kind: "unknown", why: fault, isSent };
      await sleep(pauseMs);
    }
  }

  async #once(prepare: (untilMs: number) => Promise<Outgoing | null>, limits: Limits): Promise<Exchanged | null> {
    const startedMs = performance.now();
    const exchanged = await this.#circuit.pass(async () => {
      const outgoing = await prepare(limits.untilMs);
      const nowMs = this.#settings.nowMs();
      const leftMs = limits.untilMs - nowMs;
      // A token may have taken its time.
      if (outgoing === null || leftMs < LEAST_MS || nowMs > limits.notAfterMs)
        return { kind: "not_sent", why: "no time or no token" };
      return this.#door.exchange(outgoing, leftMs);
    });
    this.#events.called(faultOf(exchanged) ?? "answered", (performance.now() - startedMs) / 1000);
    return exchanged;
  }

  /** Somewhere between none and twice as long as the time before, so that repeats of many calls do not come together. */
  #pauseMs(repeat: number, askedMs: number | null): number {
    const jittered = Math.round(FIRST_PAUSE_MS * 2 ** repeat * (0.5 + this.#settings.random()));
    return Math.min(PAUSE_MS_MAX, Math.max(jittered, askedMs ?? 0));
  }
}

/** Which faults a repeat may mend; with an open circuit, or a key that the provider does not take, waiting helps nobody. */
const REPEATED: Readonly<Record<CallFault, boolean>> = {
  circuit_open: false,
  not_sent: true,
  broken: true,
  server_error: true,
  rate_limited: true,
  unauthorized: false,
};

/** @param exchanged null: the circuit is open
 *  @returns null when the answer says something of the call */
function faultOf(exchanged: Exchanged | null): CallFault | null {
  if (exchanged === null) return "circuit_open";
  if (exchanged.kind !== "answered") return exchanged.kind;
  if (exchanged.status === 401 || exchanged.status === 403) return "unauthorized";
  if (exchanged.status === 429) return "rate_limited";
  return exchanged.status >= 500 ? "server_error" : null;
}

/** What speaks against the provider, and not against this call or our key. */
function isOutage(exchanged: Exchanged): boolean {
  return exchanged.kind !== "answered" || exchanged.status >= 500;
}
