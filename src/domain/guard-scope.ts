// An intent alone, as the guards see it that say which flow it opens: there is no case yet, and nothing else to read.

import { assert } from "./assert.ts";
import type { Value } from "./flow/expression.ts";
import type { Scope } from "./flow/scope.ts";
import type { Intent } from "./intent.ts";

function nothing(what: string): never {
  assert(false, `a guard on opening reads ${what}, and there is only the intent`);
}

/** A class, because every intent that opens a case is asked about several times: an object with all of this of its own took
 *  longer to make than the guards to run. */
class GuardScope implements Scope {
  readonly intent: Intent;
  readonly caseId = "";
  readonly caseUuid = "";
  readonly attempt = 0n;
  readonly nowMs = 0;
  readonly lets: Value[] = NO_LETS;

  constructor(intent: Intent) {
    this.intent = intent;
  }

  get holderId(): string {
    return this.intent.holderId;
  }

  get atMs(): bigint {
    return this.intent.occurredAtMicros / 1000n;
  }

  value(): never {
    return nothing("a variable");
  }

  eventField(name: string): never {
    return nothing(name);
  }

  currencyOf(symbol: string): never {
    return nothing(symbol);
  }

  param(name: string): never {
    return nothing(name);
  }

  rateOf(from: string): never {
    return nothing(from);
  }

  scaleOf(currency: string): never {
    return nothing(currency);
  }

  routeOf(): never {
    return nothing("a route");
  }

  spendable(path: string): never {
    return nothing(path);
  }

  placeOf(path: string): never {
    return nothing(path);
  }

  quoteCase(id: string): never {
    return nothing(id);
  }

  refuse(code: string): never {
    return nothing(code);
  }

  judgeSize(): never {
    return nothing("how much an event sends");
  }
}

/** A guard has none. */
const NO_LETS: Value[] = [];

export function guardScope(intent: Intent): Scope {
  return new GuardScope(intent);
}
