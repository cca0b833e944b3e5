// What never changes while a process runs: chart, currencies, flows, and what each intent type asks of an intent.

import type { Chart } from "./accounts.ts";
import { assert } from "./assert.ts";
import type { Currencies } from "./currencies.ts";
import type { CompiledFlow } from "./flow/compile.ts";
import type { IntentField } from "./intent.ts";

export type IntentKind = {
  readonly type: string;
  /** the flow it opens a case of; null: it moves cases that are there */
  readonly opens: CompiledFlow | null;
  readonly needs: readonly IntentField[];
  /** path templates (`{holder}`) of accounts that a flow may touch for it, beside those the intent names */
  readonly touches: readonly string[];
};

export type Rules = {
  readonly chart: Chart;
  readonly currencies: Currencies;
  /** those that new cases open on */
  readonly flows: readonly CompiledFlow[];
  /** every version that ever ran, by its number in the database */
  readonly flowsByNumber: ReadonlyMap<number, CompiledFlow>;
  readonly intents: ReadonlyMap<string, IntentKind>;
  readonly lanes: number;
  readonly caseWindowMs: number;
  readonly caseFutureMs: number;
};

export type RulesGiven = Pick<Rules, "chart" | "currencies" | "flows" | "lanes" | "caseWindowMs" | "caseFutureMs"> & {
  /** versions that new cases do not open on any more, and old cases still live by */
  readonly retired: readonly CompiledFlow[];
};

/** A case stays on its version, so the intents that move it are taken as long as it may be there, and what they touch is
 *  read with them. What opened it opens cases of the newer version, if there is one. */
function addRetired(intents: Map<string, IntentKind>, flow: CompiledFlow): void {
  for (const [type, needs] of flow.needs) {
    const known = intents.get(type) ?? { type, opens: null, needs, touches: [] };
    if (type === flow.startsOn || known.opens !== null) continue;
    intents.set(type, { ...known, touches: [...new Set([...known.touches, ...flow.touches])] });
  }
}

/** @throws AssertionFailed when two flows open on one intent type, or one type both opens and moves cases */
export function makeRules(given: RulesGiven): Rules {
  const intents = new Map<string, IntentKind>();
  for (const flow of given.flows) {
    for (const [type, needs] of flow.needs) {
      const known = intents.get(type);
      const opens = type === flow.startsOn ? flow : null;
      assert(known === undefined || (opens === null && known.opens === null), `intent ${type} belongs to two flows`);
      intents.set(type, {
        type,
        opens,
        needs: [...new Set([...(known?.needs ?? []), ...needs])],
        touches: [...new Set([...(known?.touches ?? []), ...flow.touches])],
      });
    }
  }
  for (const flow of given.retired) addRetired(intents, flow);
  const known = [...given.flows, ...given.retired];
  return { ...given, intents, flowsByNumber: new Map(known.map((flow) => [flow.number, flow])) };
}
