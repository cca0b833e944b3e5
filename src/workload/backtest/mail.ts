// Messages between lanes in both runs. When the recording has taken one says when both runs take it; what is in it is what
// the own case of each run has sent. What only the candidate sends is taken by the receiver's next block: between lanes
// there is no unknown, so nothing has to be guessed.

import type { LaneMessage, Report, ReportInput } from "../../domain/books.ts";
import { parseCaseId } from "../../domain/ids.ts";
import type { Which } from "./comparison.ts";

type Sent = LaneMessage["report"];
export type Missing = "not sent" | "unknown";

export class Mail {
  readonly #sent: Record<Which, Map<string, Sent>> = { recorded: new Map(), candidate: new Map() };
  /** what each question asks, by `<lane> <case> <call> <attempt>` of who asks */
  readonly #asked: Record<Which, Map<string, string>> = { recorded: new Map(), candidate: new Map() };
  readonly #taken = new Set<string>();
  readonly #extra = new Map<number, { readonly fromLane: number; readonly block: bigint; readonly report: Sent }[]>();

  send(which: Which, fromLane: number, { toLane, report }: LaneMessage): void {
    this.#sent[which].set(keyOf(toLane, report), report);
    if (report.result !== "asked") return;
    const { from, holderId, call, payload } = report;
    const uuid = parseCaseId(from.caseId)?.uuid ?? from.caseId;
    const asks = JSON.stringify([holderId, call, Object.entries(payload).sort(([a], [b]) => (a < b ? -1 : 1))]);
    this.#asked[which].set(`${fromLane} ${uuid} ${from.call} ${from.attempt}`, asks);
  }

  /** Told behind both runs' messages of a block: what the recording never takes, or has taken before, comes by itself. */
  sortOut(fromLane: number, block: bigint, { toLane, report }: LaneMessage): void {
    const key = keyOf(toLane, report);
    if (this.#sent.recorded.has(key) && !this.#taken.has(key)) return;
    this.#extra.set(toLane, [...(this.#extra.get(toLane) ?? []), { fromLane, block, report }]);
  }

  /** A recorded message as each run takes it. For the candidate's: `not sent`, its case has not sent it; `unknown`, it is the
   *  answer of a lane that is not decided anew to another question. */
  take(
    lane: number,
    input: ReportInput,
  ): { readonly recorded: ReportInput; readonly candidate: ReportInput | Missing } {
    const key = keyOf(lane, input.report);
    const { recorded, candidate } = this.#sent;
    this.#taken.add(key);
    const own = recorded.get(key);
    if (own === undefined) return { recorded: input, candidate: this.#answerTo(lane, input) };
    const other = candidate.get(key);
    return {
      recorded: withContent(input, own),
      candidate: other === undefined ? "not sent" : withContent(input, other),
    };
  }

  /** Its sender began before the span, or its lane is not in it: there is but the recorded one. */
  #answerTo(lane: number, input: ReportInput): ReportInput | Missing {
    const { from, result, call, attempt, caseId } = input.report;
    if (from === null || result === "asked") return input;
    const question = `${lane} ${caseId.uuid} ${call} ${attempt}`;
    const then = this.#asked.recorded.get(question);
    if (then === undefined) return input;
    const now = this.#asked.candidate.get(question);
    if (now === undefined) return "not sent";
    return then === now ? input : "unknown";
  }

  /** What waits for a lane and no recording has. */
  extras(lane: number): readonly ReportInput[] {
    const extras = this.#extra.get(lane) ?? [];
    this.#extra.delete(lane);
    return extras.map(({ fromLane, block, report }) => {
      const from = { ...report.from, lane: fromLane, sequence: -1n, block };
      const id = `x-${lane}-${keyOf(lane, report)}`;
      return { kind: "report", id, source: "r", offset: 0n, report: { ...report, from } };
    });
  }
}

function withContent(input: ReportInput, content: Sent): ReportInput {
  const from = input.report.from;
  return from === null ? input : { ...input, report: { ...content, from: { ...from, ...content.from } } };
}

/** Question or answer, whichever the answer is. */
function keyOf(toLane: number, { holderId, caseId, call, attempt, result }: Omit<Report, "from">): string {
  return `${toLane} ${holderId} ${caseId.uuid} ${call} ${attempt} ${result === "asked" ? "asked" : "answered"}`;
}
