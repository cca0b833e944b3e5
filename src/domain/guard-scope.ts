// An intent alone, as the guards see it that say which flow it opens: there is no case yet, and nothing else to read.

import { assert } from "./assert.ts";
import type { Value } from "./flow/expression.ts";
import type { Scope } from "./flow/scope.ts";
import type { Intent } from "./intent.ts";

function nothing(what: string): never {
  assert(false, `a guard on opening reads ${what}, and there is only the intent`);
}

export function guardScope(intent: Intent): Scope {
  return {
    intent,
    holderId: intent.holderId,
    caseId: "",
    caseUuid: "",
    atMs: intent.occurredAtMicros / 1000n,
    attempt: 0n,
    nowMs: 0,
    lets: [] as Value[],
    value: () => nothing("a variable"),
    eventField: nothing,
    currencyOf: nothing,
    param: nothing,
    rateOf: nothing,
    scaleOf: nothing,
    routeOf: () => nothing("a route"),
    spendable: nothing,
    placeOf: nothing,
    quoteCase: nothing,
    refuse: nothing,
    judgeSize: () => nothing("how much an event sends"),
  };
}
