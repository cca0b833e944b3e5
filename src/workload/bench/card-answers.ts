// What the provider says to the card flow's commands in benchmarks of deciding: mostly yes; of the authorizations a fifth is
// confirmed by the customer first and a twentieth declined; and of authorizations and captures a fortieth is unknown until it
// was asked about twice.

import type { Command, Report } from "../../domain/books.ts";
import { parseCaseId } from "../../domain/ids.ts";

type Said = { readonly result: string; readonly payload?: Readonly<Record<string, string>> };

const CONFIRMED_EVERY = 5;
const DECLINED_EVERY = 20;
const UNKNOWN_EVERY = 40;
const DECLINED: Said = { result: "declined", payload: { code: "insufficient_funds", retriable: "false" } };
const UNKNOWN: Said = { result: "unknown" };

export class CardAnswers {
  /** by call, how often it was made */
  readonly #made = new Map<string, number>();
  /** cases whose customer has confirmed: the status says so at once */
  readonly #confirmed = new Set<string>();

  /** @returns one report after the other, each in a block of its own */
  of(command: Command, nowMs: number): Report[] {
    return this.#said(command).map(({ result, payload = {} }) => reportOf(command, result, payload, nowMs));
  }

  #said({ call, caseId, attempt, payload }: Command): readonly Said[] {
    const { amount = "", seq = "" } = payload;
    const number = (this.#made.get(call) ?? 0) + 1;
    this.#made.set(call, number);
    const isEvery = (every: number): boolean => number % every === 0;
    const approved: Said = { result: "approved", payload: { approved: amount, seq } };
    const captured: Said = { result: "ok", payload: { amount, seq } };
    switch (call) {
      case "authorize":
        if (isEvery(UNKNOWN_EVERY)) return [UNKNOWN];
        if (isEvery(DECLINED_EVERY)) return [DECLINED];
        if (!isEvery(CONFIRMED_EVERY)) return [approved];
        this.#confirmed.add(caseId);
        return [{ result: "action" }, { result: "action_done" }];
      case "auth_status":
        return attempt > 1 || this.#confirmed.has(caseId) ? [approved] : [UNKNOWN];
      case "capture":
        return isEvery(UNKNOWN_EVERY) ? [UNKNOWN] : [captured];
      case "capture_status":
        return attempt > 1 ? [captured] : [UNKNOWN];
      case "increment":
        return [approved];
      case "refund":
        return [{ result: "accepted" }, { result: "completed" }];
      // what had become of a refund some days later: what was said before
      case "look":
        return [{ result: "completed" }];
      default:
        return [{ result: "ok" }];
    }
  }
}

function reportOf(command: Command, result: string, payload: Report["payload"], nowMs: number): Report {
  const caseId = parseCaseId(command.caseId);
  if (caseId === null) throw new Error(`a command is of a case, not of ${command.caseId}`);
  const { holderId, call, attempt } = command;
  const observation = `${call}/${attempt}/${result}`;
  const occurredAtMicros = BigInt(nowMs) * 1000n;
  return { holderId, caseId, call, attempt, result, observation, payload, occurredAtMicros, from: null };
}
