// What a scenario takes for granted, as the core asks for it: rates and parameters.

import { parseDurationMs } from "../../domain/flow/duration.ts";
import type { Flow, FlowParam } from "../../domain/flow/flow.ts";
import { parsePrice, type Rate, reverse } from "../../domain/fx/fx.ts";
import { NO_RATES, type RateBook } from "../../domain/fx/rates.ts";
import type { Fault } from "../../domain/located.ts";
import { NO_PARAMETERS, type ParameterBook, type ParamValue } from "../../domain/parameters/parameters.ts";
import type { Route, Routes } from "../../domain/routes/routes.ts";
import type { GivenParameter, GivenRate, GivenRoutes, GivenValue } from "./scenario.ts";

/** Rates that are good for ever. Those of a pair serve both ways. */
export function ratesOf(given: readonly GivenRate[], faults: Fault[]): RateBook {
  if (given.length === 0) return NO_RATES;
  const rates = new Map<string, Rate>();
  for (const { place, from, to, price } of given) {
    const rate = price === null ? undefined : parsePrice(price);
    if (rate === undefined) rates.delete(from + to);
    else if (rate === null) faults.push({ place, message: `"${price}" is no price of ${from}${to}` });
    else rates.set(from + to, { ...rate, base: "from" });
  }
  const usable = (from: string, to: string): Rate | null => {
    const back = rates.get(to + from);
    return rates.get(from + to) ?? (back === undefined ? null : reverse(back));
  };
  return { version: 1n, usable };
}

/** What a later scenario of a chain says of a method takes the place of what an earlier one said. */
export function routesOf(given: readonly GivenRoutes[]): Routes {
  const routes = new Map<string, readonly Route[]>();
  for (const { method, providers } of given) {
    const open = providers.map((provider) => ({ provider, currencies: null, min: null, max: null }));
    // Each far above the next, so that they are chosen in this order whatever the case.
    routes.set(
      method,
      open.map((one, at) => ({ ...one, weight: IN_ORDER ** BigInt(open.length - 1 - at) })),
    );
  }
  return routes;
}

const IN_ORDER = 100_000n;

/** Values laid over the flow's defaults, for whoever the case belongs to. */
export function parametersOf(
  flow: Flow,
  given: readonly GivenParameter[],
  routes: Routes,
  faults: Fault[],
): ParameterBook {
  if (given.length === 0 && routes.size === 0) return NO_PARAMETERS;
  const values: Record<string, ParamValue> = {};
  for (const { place, name, value } of given) {
    const param = flow.params.find((one) => one.name === name);
    const read = param === undefined ? undefined : paramValue(param, value);
    if (param === undefined) faults.push({ place, message: `the flow ${flow.name} has no parameter "${name}"` });
    else if (read === undefined) faults.push({ place, message: `"${name}" must be of the type ${param.type.kind}` });
    else values[name] = read;
  }
  return { version: 1, overlay: (name) => (name === flow.name ? values : null), routes };
}

/** @returns undefined when the value is not of the parameter's type */
function paramValue({ type }: FlowParam, value: GivenValue): ParamValue | undefined {
  switch (type.kind) {
    case "int":
      return typeof value === "number" ? BigInt(value) : undefined;
    case "bool":
      return typeof value === "boolean" ? value : undefined;
    case "word":
      return typeof value === "string" && type.words.includes(value) ? value : undefined;
    case "text":
      return typeof value === "string" ? value : undefined;
    case "duration": {
      const durationMs = typeof value === "string" ? parseDurationMs(value) : null;
      return durationMs === null ? undefined : BigInt(durationMs);
    }
    case "amounts":
      if (typeof value !== "object" || value === null) return undefined;
      return Object.fromEntries(Object.entries(value).map(([word, minor]) => [word, BigInt(minor)]));
    default:
      return undefined;
  }
}
