// Whether what a provider is said to have said fits the case, by the version of its flow that it lives by. A report that names
// no result of its call, or lacks a field that the event has, halts its lane (`domain/decide/report.ts`): nothing that a
// provider says may do that.

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
type AskedBy = Asked & Pick<CommandMessage, "holderId">;

export class Fitting {
  /** by `name@version` */
  readonly #calls: ReadonlyMap<string, readonly Call[]>;
  /** by kind of case, call and operation, and by these two alone */
  readonly #named = new Map<string, Call[]>();

  /** @param flows every version that a case may live by */
  constructor(flows: readonly Flow[]) {
    this.#calls = new Map(flows.map((flow) => [`${flow.name}@${flow.version}`, callsOf(flow)]));
    for (const { name, version, caseKind } of flows) {
      for (const call of this.#callsOf(`${name}@${version}`)) {
        for (const under of [caseKind, ""].map((kind) => placeOf(kind, call))) {
          this.#named.set(under, [...(this.#named.get(under) ?? []), call]);
        }
      }
    }
  }

  /** Producers name their cases as they like, so the kind in an id may be another flow's, none's, or not there: then all
   *  flows with such a call are asked.
   *  @returns whether the case can take it, null where that depends on its flow and version; of calls that no flow has any
   *    more nobody knows */
  fits({ caseId, call, op }: Asked, answer: Answer): boolean | null {
    const kind = caseId.slice(0, Math.max(0, caseId.indexOf("_")));
    const asked = { name: call, op };
    const named = this.#named.get(placeOf(kind, asked)) ?? this.#named.get(placeOf("", asked)) ?? [];
    if (named.every((one) => takes(one, answer))) return true;
    return named.some((one) => takes(one, answer)) ? null : false;
  }

  /** As `fits`, and by the case's own flow where that depends on it.
   *  @param flowOf `name@version`, by which the holder's case lives; null when there is no such case
   *  @returns false too when that cannot be found out: the case is told that it is not known, and asks again */
  fitsCase(
    asked: AskedBy,
    answer: Answer,
    flowOf: (asked: AskedBy) => Promise<string | null>,
  ): boolean | Promise<boolean> {
    return (
      this.fits(asked, answer) ??
      flowOf(asked).then(
        (flow) => flow !== null && this.#calls.has(flow) && this.fitsFlow(flow, asked, answer),
        () => false,
      )
    );
  }

  /** @param flow `name@version`, by which the case lives
   *  @returns whether it can take it
   *  @throws VersionNotLoaded */
  fitsFlow(flow: string, { call, op }: Omit<Asked, "caseId">, answer: Answer): boolean {
    const found = this.#callsOf(flow).find((one) => one.name === call && one.op === op);
    return found !== undefined && takes(found, answer);
  }

  /** The call of a flow that such an operation answers: what a provider tells unasked is told as its result.
   *  @param flow `name@version`
   *  @returns null when the flow asks no provider for that
   *  @throws VersionNotLoaded */
  callFor(flow: string, op: string): string | null {
    return this.#callsOf(flow).find((call) => call.op === op && !call.readOnly)?.name ?? null;
  }

  #callsOf(flow: string): readonly Call[] {
    const calls = this.#calls.get(flow);
    if (calls === undefined) throw new VersionNotLoaded(`${flow} came after this process began`);
    return calls;
  }
}

/** A newer release has registered it. */
export class VersionNotLoaded extends Error {
  override name = "VersionNotLoaded";
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
