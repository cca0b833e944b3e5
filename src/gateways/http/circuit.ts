// A circuit per provider: after failures in a row its calls are not made for a while, then one of them is, to see. A
// provider that is down costs its commands nothing then but an `unknown`, and is not asked by all of them when it comes
// back. The only file that knows cockatiel.

import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhenResult } from "cockatiel";

export type CircuitWord = "closed" | "open" | "half_open";

const WORDS: Readonly<Record<CircuitState, CircuitWord>> = {
  [CircuitState.Closed]: "closed",
  [CircuitState.Open]: "open",
  [CircuitState.HalfOpen]: "half_open",
  [CircuitState.Isolated]: "open",
};

export type CircuitSettings = {
  /** failures in a row that open it */
  readonly failuresMax: number;
  /** for how long it stays open */
  readonly openMs: number;
};

export class Circuit<Result> {
  readonly #policy: ReturnType<typeof circuitBreaker>;

  /** @param isFailure which results speak against the provider */
  constructor({ failuresMax, openMs }: CircuitSettings, isFailure: (result: Result) => boolean) {
    this.#policy = circuitBreaker(
      handleWhenResult((result) => isFailure(result as Result)),
      { halfOpenAfter: openMs, breaker: new ConsecutiveBreaker(failuresMax) },
    );
  }

  get word(): CircuitWord {
    return WORDS[this.#policy.state];
  }

  /** @returns what the work gave, or null when the circuit is open and it was not done */
  async pass(work: () => Promise<Result>): Promise<Result | null> {
    try {
      return await this.#policy.execute(work);
    } catch (error) {
      if (error instanceof BrokenCircuitError) return null;
      throw error;
    }
  }
}
