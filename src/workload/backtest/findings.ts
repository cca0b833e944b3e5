// What a backtest meets that is no difference: inputs that the candidate cannot decide, calls that nothing answers, answers
// to nothing, and what could not be decided as it was recorded.

import type { Command, ReportInput } from "../../domain/books.ts";
import type { NewCall } from "./answers.ts";

export type InputCounts = {
  intents: number;
  reports: number;
  /** between lanes */
  messages: number;
  timers: number;
  /** put aside by both runs */
  quarantined: number;
  /** of cases that had begun before the span: taken as they were */
  prior: number;
  /** recorded messages between lanes that the candidate's cases do not send */
  messagesNotSent: number;
};

/** An input that the candidate cannot take. */
export type Undecided = {
  readonly caseId: string;
  /** null for a timer, and for a message within the lane */
  readonly topic: string | null;
  readonly partition: number;
  readonly offset: bigint | null;
  /** `intent.payment_capture`, `capture.captured`, `timer.expiry` */
  readonly what: string;
  readonly why: string;
};

/** Cases alike, with some of them. */
export type Counted = { count: number; readonly examples: string[] };

/** A call of the candidate that the recording has no answer for. */
export type UnansweredCall = Counted & { readonly call: string; readonly op: string; readonly why: string };
/** Recorded answers to a call that the candidate does not make. */
export type UnaskedAnswer = Counted & { readonly answer: string };

export type NotReproduced = { readonly partition: number; readonly why: string };

/** How many cases stand for all that are alike. */
export const EXAMPLES_MAX = 5;

const WHY: Readonly<Record<Exclude<NewCall, "in the recording">, string>> = {
  "not in the recording": "the recording has made no such call",
  "asked otherwise": "the recording has asked for something else",
};

export class Findings {
  readonly #topics: { readonly intents: string; readonly reports: string };
  readonly inputs: InputCounts = {
    intents: 0,
    reports: 0,
    messages: 0,
    timers: 0,
    quarantined: 0,
    prior: 0,
    messagesNotSent: 0,
  };
  readonly undecided: Undecided[] = [];
  readonly notReproducedList: NotReproduced[] = [];
  readonly #unanswered = new Map<string, UnansweredCall>();
  readonly #unasked = new Map<string, UnaskedAnswer>();

  constructor(topics: { readonly intents: string; readonly reports: string }) {
    this.#topics = topics;
  }

  count(input: keyof InputCounts): void {
    this.inputs[input] += 1;
  }

  undecidable(found: {
    readonly lane: number;
    readonly caseId: string;
    readonly topic: "intents" | "reports" | null;
    readonly offset: bigint | null;
    readonly what: string;
    readonly why: string;
  }): void {
    const { lane, caseId, topic, offset, what, why } = found;
    const name = topic === null ? null : this.#topics[topic];
    this.undecided.push({ caseId, topic: name, partition: lane, offset, what, why });
  }

  unanswered(
    { call, op, caseId }: Pick<Command, "call" | "op" | "caseId">,
    found: Exclude<NewCall, "in the recording">,
  ): void {
    const why = WHY[found];
    counted(this.#unanswered, `${call} ${op} ${why}`, { call, op, why }, caseId);
  }

  unasked(
    answers: readonly { readonly lane: number; readonly input: ReportInput }[],
    nameOf: (lane: number, uuid: string) => string,
  ): void {
    for (const { lane, input } of answers) {
      const { call, result, caseId } = input.report;
      const answer = `${call}.${result}`;
      counted(this.#unasked, answer, { answer }, nameOf(lane, caseId.uuid));
    }
  }

  notReproduced(partition: number, why: string): void {
    this.notReproducedList.push({ partition, why });
  }

  get unansweredCalls(): readonly UnansweredCall[] {
    return [...this.#unanswered.values()];
  }

  get unaskedAnswers(): readonly UnaskedAnswer[] {
    return [...this.#unasked.values()];
  }
}

/** Counts one more of those that are alike. */
export function counted<Of extends Counted>(
  all: Map<string, Of>,
  key: string,
  said: Omit<Of, keyof Counted>,
  example: string,
): Of {
  const known = all.get(key) ?? ({ ...said, count: 0, examples: [] as string[] } as unknown as Of);
  known.count += 1;
  if (known.examples.length < EXAMPLES_MAX && !known.examples.includes(example)) known.examples.push(example);
  all.set(key, known);
  return known;
}
