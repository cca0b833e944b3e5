// What the recording has of answers to the candidate's calls. A recorded answer holds for a call of the candidate when the
// recording made the same call (case, name, attempt) and asked the same. What a provider would have said to any other
// nobody knows.

import type { Command, ReportInput } from "../../domain/books.ts";

export type Answered = "as recorded" | "not asked yet" | "asked otherwise";

export type NewCall = "in the recording" | "not in the recording" | "asked otherwise";

export class Answers {
  /** what each call asks, by `callKey` */
  readonly #recorded = new Map<string, string>();
  readonly #candidate = new Map<string, string>();
  /** answers to what the candidate has not asked yet */
  readonly #held = new Map<string, ReportInput[]>();

  recorded(lane: number, command: Command): void {
    this.#recorded.set(callKey(lane, command.commandId), asks(command));
  }

  /** Told once the recording's own calls of the block are.
   *  @returns whether the recording has this call */
  candidate(lane: number, command: Command): NewCall {
    const key = callKey(lane, command.commandId);
    const asked = asks(command);
    this.#candidate.set(key, asked);
    const recorded = this.#recorded.get(key);
    if (recorded === undefined) return "not in the recording";
    return recorded === asked ? "in the recording" : "asked otherwise";
  }

  /** @param caseId as it is written in command ids */
  answers(lane: number, caseId: string, { report: { call, attempt } }: ReportInput): Answered {
    const key = attemptKey(lane, caseId, call, attempt);
    const asked = this.#candidate.get(key);
    if (asked === undefined) return "not asked yet";
    const recorded = this.#recorded.get(key);
    return recorded === undefined || recorded === asked ? "as recorded" : "asked otherwise";
  }

  /** Keeps an answer until the candidate asks. */
  hold(lane: number, caseId: string, input: ReportInput): void {
    const key = attemptKey(lane, caseId, input.report.call, input.report.attempt);
    this.#held.set(key, [...(this.#held.get(key) ?? []), input]);
  }

  /** The answers that were kept for a call. */
  release(lane: number, { commandId }: Command): readonly ReportInput[] {
    const key = callKey(lane, commandId);
    const held = this.#held.get(key) ?? [];
    this.#held.delete(key);
    return held;
  }

  /** Answers to what the candidate has never asked. */
  get unasked(): readonly { readonly lane: number; readonly input: ReportInput }[] {
    return [...this.#held].flatMap(([key, held]) => held.map((input) => ({ lane: Number(key.split(" ")[0]), input })));
  }
}

/** Two holders in two lanes may use one case id. */
function callKey(lane: number, commandId: string): string {
  return `${lane} ${commandId}`;
}

/** Where the provider spoke unasked (attempt 0), it spoke of something that was asked once. */
function attemptKey(lane: number, caseId: string, call: string, attempt: number): string {
  return callKey(lane, `${caseId}/${call}/${Math.max(attempt, 1)}`);
}

function asks({ op, readOnly, payload }: Command): string {
  return JSON.stringify([op, readOnly, Object.entries(payload).sort(([one], [other]) => (one < other ? -1 : 1))]);
}
