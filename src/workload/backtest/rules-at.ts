// The rules that a block is decided by anew: of each flow the version that was in force then, and for the candidate's run the
// candidate in the place of its flow. A case stays on the version that it began with in both runs.

import { AssertionFailed } from "../../domain/assert.ts";
import type { CompiledFlow } from "../../domain/flow/compile/compile.ts";
import { makeRules, type Rules, type RulesGiven } from "../../domain/rules.ts";
import type { Which } from "./comparison.ts";
import type { RecordedCases } from "./recorded-cases.ts";
import type { DecidingSettings } from "./recording.ts";

export type FlowsGiven = Pick<RulesGiven, "chart" | "currencies" | "lanes"> & {
  /** every version that was ever registered, the later ones behind */
  readonly versions: readonly CompiledFlow[];
  /** numbers of those that are declared today: they stand for flows that no case was opened of */
  readonly declared: ReadonlySet<number>;
  readonly candidate: CompiledFlow;
};

/** The candidate does not fit beside the flows that were in force: it opens on what another opens on. */
export class CandidateUnfit extends Error {
  override name = "CandidateUnfit";
}

export class RulesAt {
  readonly #given: FlowsGiven;
  readonly #cases: RecordedCases;
  readonly #names: readonly string[];
  readonly #byNumber: ReadonlyMap<number, CompiledFlow>;
  readonly #made = new Map<string, Rules>();
  /** versions that the recording opened cases of the candidate's flow on */
  readonly against = new Set<string>();

  constructor(given: FlowsGiven, cases: RecordedCases) {
    this.#given = given;
    this.#cases = cases;
    this.#names = [...new Set(given.versions.map(({ name }) => name))];
    this.#byNumber = new Map(given.versions.map((flow) => [flow.number, flow]));
  }

  at(which: Which, lane: number, block: bigint, settings: DecidingSettings): Rules {
    const inForce = this.#names.flatMap((name) => this.#versionAt(lane, name, block) ?? []);
    const { caseWindowMs, caseFutureMs } = settings;
    const key = `${which} ${caseWindowMs} ${caseFutureMs} ${inForce.map(({ number }) => number).join(",")}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const { chart, currencies, lanes, versions, candidate } = this.#given;
    for (const { name, ref } of inForce) if (name === candidate.name) this.against.add(ref);
    const flows =
      which === "recorded" ? inForce : [...inForce.filter(({ name }) => name !== candidate.name), candidate];
    const current = new Set(flows);
    const retired = versions.filter((flow) => !current.has(flow));
    const rules = this.#make({ chart, currencies, lanes, flows, retired, caseWindowMs, caseFutureMs });
    this.#made.set(key, rules);
    return rules;
  }

  #make(given: RulesGiven): Rules {
    try {
      return makeRules(given);
    } catch (error) {
      if (error instanceof AssertionFailed) throw new CandidateUnfit(error.message);
      throw error;
    }
  }

  #versionAt(lane: number, name: string, block: bigint): CompiledFlow | null {
    const number = this.#cases.versionAt(lane, name, block);
    if (number !== null) return this.#byNumber.get(number) ?? null;
    const ofName = this.#given.versions.filter((flow) => flow.name === name);
    return ofName.find((flow) => this.#given.declared.has(flow.number)) ?? ofName.at(-1) ?? null;
  }
}
