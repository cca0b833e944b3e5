// Whether what a provider is said to have said fits the flows. A report that names no result of its call, or lacks a field
// that the event has, halts its lane (`domain/decide/report.ts`): nothing that a provider says may do that.

import { compileEvent, type ReadEvent } from "../domain/flow/compile/events.ts";
import type { Flow } from "../domain/flow/flow.ts";
import type { Answer } from "./contract.ts";

type Call = {
  readonly name: string;
  readonly op: string;
  readonly readOnly: boolean;
  /** by result; null for one without fields */
  readonly results: ReadonlyMap<string, ReadEvent | null>;
};

export class Fitting {
  /** by flow */
  readonly #calls: ReadonlyMap<string, readonly Call[]>;
  /** by kind of case and call, and by call alone: an id that is a UUID does not tell its kind */
  readonly #named = new Map<string, Call[]>();

  /** @param flows those that new cases live by */
  constructor(flows: readonly Flow[]) {
    this.#calls = new Map(flows.map((flow) => [flow.name, callsOf(flow)]));
    for (const { name, caseKind } of flows) {
      for (const call of this.#calls.get(name) ?? []) {
        for (const under of [`${caseKind} ${call.name}`, ` ${call.name}`]) {
          this.#named.set(under, [...(this.#named.get(under) ?? []), call]);
        }
      }
    }
  }

  /** @param caseId of which only the kind is looked at: flows that share one are all asked
   *  @returns whether the case can take it; of calls that no flow of its kind has nobody knows */
  fits(caseId: string, callName: string, answer: Answer): boolean {
    const kind = caseId.slice(0, Math.max(0, caseId.indexOf("_")));
    const named = this.#named.get(`${kind} ${callName}`);
    return named === undefined || named.some((call) => takes(call, answer));
  }

  /** The call of a flow that such an operation answers: what a provider tells unasked is told as its result.
   *  @returns null when the flow asks no provider for that */
  callFor(flowName: string, op: string): string | null {
    return this.#calls.get(flowName)?.find((call) => call.op === op && !call.readOnly)?.name ?? null;
  }
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
