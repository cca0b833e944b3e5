// Whether what a provider is said to have said fits the flows. A report that names no result of its call, or lacks a field
// that the event has, halts its lane (`domain/decide/report.ts`): nothing that a provider says may do that.

import { compileEvent, type ReadEvent } from "../domain/flow/compile/events.ts";
import type { Flow } from "../domain/flow/flow.ts";
import type { CommandMessage } from "../kafka/codec-messages.ts";
import type { Answer } from "./contract.ts";

type Call = {
  readonly name: string;
  readonly op: string;
  readonly readOnly: boolean;
  /** by result; null for one without fields */
  readonly results: ReadonlyMap<string, ReadEvent | null>;
};

/** Which call of which case an answer is about. */
export type Asked = Pick<CommandMessage, "caseId" | "call" | "op">;

export class Fitting {
  /** by flow */
  readonly #calls: ReadonlyMap<string, readonly Call[]>;
  /** by kind of case, call and operation, and by these two alone */
  readonly #named = new Map<string, Call[]>();

  /** @param flows those that new cases live by */
  constructor(flows: readonly Flow[]) {
    this.#calls = new Map(flows.map((flow) => [flow.name, callsOf(flow)]));
    for (const { name, caseKind } of flows) {
      for (const call of this.#calls.get(name) ?? []) {
        for (const under of [caseKind, ""].map((kind) => placeOf(kind, call))) {
          this.#named.set(under, [...(this.#named.get(under) ?? []), call]);
        }
      }
    }
  }

  /** Producers name their cases as they like, so the kind in an id may be another flow's, none's, or not there: then all
   *  flows with such a call have to take it.
   *  @returns whether the case can take it; of calls that no flow has any more nobody knows */
  fits({ caseId, call, op }: Asked, answer: Answer): boolean {
    const kind = caseId.slice(0, Math.max(0, caseId.indexOf("_")));
    const asked = { name: call, op };
    const named = this.#named.get(placeOf(kind, asked)) ?? this.#named.get(placeOf("", asked)) ?? [];
    return named.every((one) => takes(one, answer));
  }

  /** The call of a flow that such an operation answers: what a provider tells unasked is told as its result.
   *  @returns null when the flow asks no provider for that */
  callFor(flowName: string, op: string): string | null {
    return this.#calls.get(flowName)?.find((call) => call.op === op && !call.readOnly)?.name ?? null;
  }
}

function placeOf(kind: string, { name, op }: Pick<Call, "name" | "op">): string {
  return `${kind} ${name} ${op}`;
}

function callsOf(flow: Flow): Call[] {
  return flow.calls.flatMap(({ name, to, results }) => {
    if (to.kind !== "gateway") return [];
    const readers = results.map(({ result, event }) => {
      const shape = flow.events.find((one) => one.event === event);
      return [result, shape === undefined ? null : compileEvent(shape)] as const;
    });
    return [{ name, op: to.op, readOnly: to.readOnly, results: new Map(readers) }];
  });
}

function takes({ results }: Call, { result, payload, observation }: Answer): boolean {
  const read = results.get(result);
  // It is the end of a line of the case's history.
  return read !== undefined && !/[\n\0]/.test(observation) && (read === null || typeof read(payload) !== "string");
}
