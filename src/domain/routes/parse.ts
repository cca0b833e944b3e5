// Files of routes. Everything is checked that can be said of a route before a payment takes it: its provider, method,
// currencies and limits, also against what the provider's descriptor says that it takes.

import type { Chart } from "../accounts.ts";
import type { Currencies } from "../currencies.ts";
import type { ExpressionNode } from "../flow/expression.ts";
import type { Flow } from "../flow/flow.ts";
import { NAME, WORDS_JOINED } from "../flow/names.ts";
import { everyExpression } from "../flow/walk.ts";
import type { Fault, Located, Place } from "../located.ts";
import { type Fields, Reading } from "../reading.ts";
import { ROUTES_MAX, type Route, type Routes, WEIGHT_MAX } from "./routes.ts";

/** What a provider takes, as its descriptor says. */
export type Taken = {
  readonly methods: readonly string[];
  /** by code: digits behind the point as the provider counts them, and what its amounts are multiples of */
  readonly currencies: ReadonlyMap<string, { readonly scale: number; readonly step: number }>;
};

export type RouteSurroundings = {
  readonly chart: Chart;
  readonly currencies: Currencies;
  readonly flows: readonly Flow[];
  /** by provider; of one without a descriptor nothing is known */
  readonly taken: ReadonlyMap<string, Taken>;
};

/** As much of a descriptor (`schemas/providers`) as routes are held against. What is wrong with it is not said here.
 *  @returns null when it cannot be read */
export function readTaken(root: Located): Taken | null {
  const reading = new Reading();
  const spec = partOf(root, "spec");
  const methods = reading.items(partOf(spec, "methods"), "methods") ?? [];
  const currencies = partOf(spec, "currencies");
  const entries = (currencies && reading.entries(currencies, "currencies")) ?? [];
  const taken: Taken = {
    methods: methods.flatMap((item) => reading.text(item, "a method") ?? []),
    currencies: new Map(
      entries.map(({ key, value }) => {
        const scale = reading.integer(partOf(value, "scale"), "scale", 0, SCALE_MAX) ?? 0;
        return [key, { scale, step: reading.integer(partOf(value, "step"), "step", 1, AMOUNT_MAX) ?? 1 }];
      }),
    ),
  };
  return reading.faults.length === 0 && entries.length > 0 ? taken : null;
}

const SCALE_MAX = 18;
const AMOUNT_MAX = Number.MAX_SAFE_INTEGER;

function partOf(node: Located | undefined, name: string): Located | undefined {
  return node?.kind === "map" ? node.entries.find(({ key }) => key === name)?.value : undefined;
}

/** @param roots one a file
 *  @returns without those that are closed */
export function parseRoutes(
  roots: readonly Located[],
  surroundings: RouteSurroundings,
): { routes: Routes; faults: readonly Fault[] } {
  const reading = new Reading();
  const routes = new Map<string, readonly Route[]>();
  for (const root of roots) readFile(reading, root, surroundings, routes);
  return { routes, faults: reading.faults };
}

function readFile(
  reading: Reading,
  root: Located,
  surroundings: RouteSurroundings,
  routes: Map<string, readonly Route[]>,
): void {
  const file = reading.fields(root, "a file of routes", { required: ["apiVersion", "kind", "metadata", "spec"] });
  reading.word(file?.get("apiVersion"), "apiVersion", ["routes/v1"]);
  reading.word(file?.get("kind"), "kind", ["Routes"]);
  const metadata = file?.get("metadata");
  const about = metadata && reading.fields(metadata, "metadata", { required: ["name", "owner"] });
  reading.textLike(about?.get("name"), "name", NAME, WORDS_JOINED);
  reading.text(about?.get("owner"), "owner");
  const spec = file?.get("spec");
  const row = spec && reading.fields(spec, "spec", { required: ["method", "routes"] });
  const method = reading.text(row?.get("method"), "method");
  const items = reading.items(row?.get("routes"), "routes") ?? [];
  if (method === null) return;
  const place = row?.get("method")?.place as Place;
  const asked = methodsAsked(surroundings.flows);
  if (!asked.includes(method))
    reading.fault(place, `no flow asks for routes of method "${method}"; asked for: ${asked.join(", ") || "none"}`);
  if (routes.has(method)) reading.fault(place, `method ${method} has its routes in another file already`);
  if (items.length > ROUTES_MAX) reading.fault(place, `method ${method} has more than ${ROUTES_MAX} routes`);
  routes.set(method, readRoutes(reading, items, method, surroundings));
}

/** Methods that flows name where they ask for a route. */
export function methodsAsked(flows: readonly Flow[]): readonly string[] {
  const asked = new Set<string>();
  for (const flow of flows) for (const { root } of everyExpression(flow)) gatherMethods(root, asked);
  return [...asked].sort();
}

function gatherMethods(node: ExpressionNode, asked: Set<string>): void {
  const [first] = node.kind === "call" && node.name.startsWith("route.") ? node.arguments : [];
  if (first?.kind === "literal" && typeof first.value === "string") asked.add(first.value);
  for (const part of partsOf(node)) gatherMethods(part, asked);
}

function partsOf(node: ExpressionNode): readonly ExpressionNode[] {
  switch (node.kind) {
    case "call":
      return node.arguments;
    case "not":
    case "minus":
      return [node.operand];
    case "list":
      return node.items;
    case "choice":
      return [node.test, node.then, node.otherwise];
    case "binary":
      return [node.left, node.right];
    default:
      return [];
  }
}

function readRoutes(
  reading: Reading,
  items: readonly Located[],
  method: string,
  surroundings: RouteSurroundings,
): readonly Route[] {
  const read: Route[] = [];
  const open: Route[] = [];
  for (const item of items) {
    const row = reading.fields(item, "a route", {
      required: ["provider"],
      optional: ["currencies", "min", "max", "weight", "closed"],
    });
    const isClosed = reading.flag(row?.get("closed"), "closed");
    const route = row === null ? null : readRoute(reading, row, method, surroundings);
    if (route === null) continue;
    if (read.some((other) => other.provider === route.provider && haveInCommon(other, route)))
      reading.fault(item.place, `${route.provider} has a route of ${method} for such a currency already`);
    read.push(route);
    if (!isClosed) open.push(route);
  }
  return open;
}

function haveInCommon(one: Route, other: Route): boolean {
  if (one.currencies === null || other.currencies === null) return true;
  return one.currencies.some((code) => other.currencies?.includes(code));
}

/** @returns null when it cannot be read */
function readRoute(reading: Reading, row: Fields, method: string, surroundings: RouteSurroundings): Route | null {
  const { chart, taken } = surroundings;
  const node = row.get("provider");
  const provider = reading.text(node, "provider");
  if (provider === null || node === undefined) return null;
  const known = chart.providers.map(({ name }) => name);
  if (!known.includes(provider))
    reading.fault(node.place, `"${provider}" is no provider of the chart; it has: ${known.join(", ")}`);
  const own = taken.get(provider);
  if (own !== undefined && !own.methods.includes(method))
    reading.fault(node.place, `${provider} does not take ${method}; it takes: ${own.methods.join(", ")}`);
  const said = readCurrencies(reading, row.get("currencies"), provider, surroundings);
  const min = reading.integer(row.get("min"), "min", 0, AMOUNT_MAX);
  const max = reading.integer(row.get("max"), "max", 0, AMOUNT_MAX);
  checkLimits(reading, row, { min, max, currencies: said }, provider, surroundings);
  return {
    provider,
    currencies: said ?? (own === undefined ? null : [...own.currencies.keys()]),
    min: min === null ? null : BigInt(min),
    max: max === null ? null : BigInt(max),
    weight: BigInt(reading.integer(row.get("weight"), "weight", 1, WEIGHT_MAX) ?? 1),
  };
}

/** @returns null when none are said: all that the provider takes */
function readCurrencies(
  reading: Reading,
  node: Located | undefined,
  provider: string,
  { currencies, taken }: RouteSurroundings,
): readonly string[] | null {
  const items = reading.items(node, "currencies");
  if (items === null || node === undefined) return null;
  if (items.length === 0) reading.fault(node.place, "currencies are left out where a route is for all of them");
  const own = taken.get(provider);
  const codes: string[] = [];
  for (const item of items) {
    const code = reading.text(item, "a currency");
    if (code === null) continue;
    if (currencies.scaleOf(code) === null) reading.fault(item.place, `${code} is no currency`);
    else if (own !== undefined && !own.currencies.has(code))
      reading.fault(
        item.place,
        `${provider} does not take ${code}; it takes: ${[...own.currencies.keys()].join(", ")}`,
      );
    if (codes.includes(code)) reading.fault(item.place, `${code} is there twice`);
    codes.push(code);
  }
  return codes;
}

type Limits = {
  readonly min: number | null;
  readonly max: number | null;
  readonly currencies: readonly string[] | null;
};

/** Limits are minor units, so the currencies that they stand for have to be said and have one scale. */
function checkLimits(
  reading: Reading,
  row: Fields,
  { min, max, currencies: codes }: Limits,
  provider: string,
  { currencies, taken }: RouteSurroundings,
): void {
  if (min !== null && max !== null && min > max)
    reading.fault((row.get("min") as Located).place, `min ${min} is above max ${max}: no payment fits`);
  for (const [name, limit] of Object.entries({ min, max })) {
    const node = row.get(name);
    if (limit === null || node === undefined) continue;
    const scales = new Set((codes ?? []).map((code) => currencies.scaleOf(code)));
    if (codes === null || scales.size > 1) {
      reading.fault(node.place, `${name} is in minor units: say currencies that all have as many digits`);
      continue;
    }
    for (const code of codes) {
      const wire = taken.get(provider)?.currencies.get(code);
      if (wire !== undefined && !fits(limit, currencies.scaleOf(code) ?? 0, wire))
        reading.fault(node.place, `${provider} does not take ${name} ${limit} of ${code}: not in its units`);
    }
  }
}

/** Whether an amount of ours can be written as the provider counts. */
function fits(minor: number, ledgerScale: number, { scale, step }: { scale: number; step: number }): boolean {
  const ours = BigInt(minor) * 10n ** BigInt(Math.max(0, scale - ledgerScale));
  const divisor = 10n ** BigInt(Math.max(0, ledgerScale - scale));
  return ours % (divisor * BigInt(step)) === 0n;
}
