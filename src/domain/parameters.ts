// Parameters of flows as versioned data: values that take the place of a flow's defaults for a tenant, a provider or a
// holder. They change values, never types.

import type { Value } from "./flow/expression.ts";

/** A table has a whole number by word: a fixed fee by currency, a spread by pair. */
export type ParamValue = Value | Readonly<Record<string, bigint>>;

export interface ParameterBook {
  /** 0: nothing but the flows' defaults */
  readonly version: number;
  /** What is laid over a flow's defaults for a case; a holder's before a tenant's before a provider's. Null: nothing. */
  overlay(
    flow: string,
    who: { readonly tenant: string | null; readonly provider: string | null; readonly holderId: string },
  ): Readonly<Record<string, ParamValue>> | null;
}

export const NO_PARAMETERS: ParameterBook = { version: 0, overlay: () => null };
