// Reads everything that is declared under `schemas` and hands it on checked. Either all of it is right, or one error
// tells every fault of every file with its place.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Chart, parseChart } from "../domain/accounts.ts";
import { Currencies, parseCurrencies } from "../domain/currencies.ts";
import { type CheckedFlow, readFlow, readKeptFlow, type Surroundings } from "../domain/flow/check/check.ts";
import { checkKept } from "../domain/flow/check/kept.ts";
import { NO_SHARES, type Shares } from "../domain/flow/check/shares.ts";
import { checkTogether } from "../domain/flow/check/together.ts";
import type { Flow } from "../domain/flow/flow.ts";
import { type Fault, type LocatedFile, printFault } from "../domain/located.ts";
import { OutcomeCatalogue, parseOutcomes } from "../domain/outcomes.ts";
import type { Overlays } from "../domain/parameters/parameters.ts";
import { checkEarlierVersions, parseParameters } from "../domain/parameters/parse.ts";
import {
  checkComputedLifetimes,
  checkKeys,
  checkPatience,
  type Promised,
  readPromised,
} from "../domain/parameters/promises.ts";
import { parseRoutes, type RouteSurroundings, readTaken, type Taken } from "../domain/routes/parse.ts";
import { NO_ROUTES, type Routes } from "../domain/routes/routes.ts";
import { parseExpression } from "./cel.ts";
import { readLocatedCsv } from "./csv.ts";
import { NOTHING_PROVEN, type Proven, type ProvenFlow, proofDigest, readProven } from "./proven.ts";
import { readLocatedYaml } from "./yaml.ts";

export type Declared = {
  /** checked, in the order of their file names */
  readonly flows: readonly Flow[];
  /** what each of them asks of those beside it, by name */
  readonly shares: ReadonlyMap<string, Shares>;
  /** what is laid over the defaults of their parameters */
  readonly overlays: Overlays;
  /** which provider takes a payment, by method */
  readonly routes: Routes;
  /** what each kind of provider says that flows rely on */
  readonly promised: readonly Promised[];
  readonly chart: Chart;
  /** every type of outcome that a flow may emit */
  readonly outcomes: OutcomeCatalogue;
  readonly currencies: Currencies;
  /** texts of `messages/*.avsc` by their name without the ending: `intent`, `outcome` … */
  readonly messageSchemas: Readonly<Record<string, string>>;
};

/** What is declared is wrong. The message has a line `file:line:column: what` for each fault. */
export class DeclaredFaults extends Error {
  override name = "DeclaredFaults";
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super(faults.map(printFault).join("\n"));
    this.faults = faults;
  }
}

const FLOW_ENDING = ".flow.yaml";
const YAML_ENDING = ".yaml";
const MESSAGE_ENDING = ".avsc";

/** @param schemasDir holds `accounts`, `outcomes`, `currencies` and `messages`
 *  @param flowsDir   holds `*.flow.yaml`
 *  @throws DeclaredFaults with all that is wrong, unreadable files included */
export function loadDeclared(schemasDir: string, flowsDir: string = join(schemasDir, "flows")): Declared {
  const faults: Fault[] = [];
  const chart = loadChart(faults, schemasDir);
  const outcomes = loadOutcomes(faults, schemasDir);
  const currencies = loadCurrencies(faults, schemasDir);
  const files = filesIn(faults, flowsDir, FLOW_ENDING);
  const checked = loadFlows(faults, files, { chart, outcomes }, keptProofs(schemasDir, flowsDir));
  const flows = checked.map(({ flow }) => flow);
  const overlays = loadParameters(faults, parametersDir(schemasDir, flowsDir), flows);
  const routes = loadRoutes(faults, schemasDir, flowsDir, { chart, flows });
  const promised = loadPromised(schemasDir);
  if (faults.length === 0) faults.push(...checkPromises({ flows, overlays, routes }, promised));
  const messages = filesIn(faults, join(schemasDir, "messages"), MESSAGE_ENDING);
  const messageSchemas = Object.fromEntries(
    messages.map((file) => [basename(file, MESSAGE_ENDING), readText(faults, file) ?? ""]),
  );
  if (faults.length > 0) throw new DeclaredFaults(faults);
  const shares = new Map(checked.map((one) => [one.flow.name, one.shares]));
  return { flows, shares, overlays, routes, promised, chart, outcomes, currencies, messageSchemas };
}

/** `parameters` in the schemas beside the flows; flows of another folder keep theirs in `parameters` within it. */
export function parametersDir(schemasDir: string, flowsDir: string): string {
  return resolve(flowsDir) === resolve(schemasDir, "flows")
    ? join(schemasDir, "parameters")
    : join(flowsDir, "parameters");
}

/** `routes`, where `parameters` are. */
export function routesDir(schemasDir: string, flowsDir: string): string {
  return join(dirname(parametersDir(schemasDir, flowsDir)), "routes");
}

/** What flows are held against, for whoever checks files of their own.
 *  @throws DeclaredFaults */
export function loadSurroundings(schemasDir: string): Surroundings {
  const faults: Fault[] = [];
  const surroundings = { chart: loadChart(faults, schemasDir), outcomes: loadOutcomes(faults, schemasDir) };
  if (faults.length > 0) throw new DeclaredFaults(faults);
  return surroundings;
}

/** Flow files of any folder, checked against chart, catalogue and each other.
 *  @param proofs `keptProofs` for what need not be proven again
 *  @returns the flows without fault, and the faults of the others */
export function loadFlowFiles(
  files: readonly string[],
  surroundings: Surroundings,
  proofs: Proofs = PROVE_ALL,
): { flows: Flow[]; faults: readonly Fault[] } {
  const faults: Fault[] = [];
  return { flows: loadFlows(faults, files, surroundings, proofs).map(({ flow }) => flow), faults };
}

/** What is kept beside the declared flows about what is sound. */
export function keptProofs(schemasDir: string, flowsDir: string): Proofs {
  return { known: readProven(flowsDir), standOn: standOn(schemasDir) };
}

/** Every declared flow proven, whatever has been proven before.
 *  @throws DeclaredFaults */
export function proveDeclared(schemasDir: string, flowsDir: string): readonly ProvenFlow[] {
  const faults: Fault[] = [];
  const files = filesIn(faults, flowsDir, FLOW_ENDING);
  const checked = loadFlows(faults, files, loadSurroundings(schemasDir), PROVE_ALL);
  if (faults.length > 0) throw new DeclaredFaults(faults);
  return checked.map(({ flow, shares }) => ({
    flow: `${flow.name}@${flow.version}`,
    digest: proofDigest([readText(faults, flow.place.file) ?? "", ...standOn(schemasDir)]),
    shares,
  }));
}

/** Texts that every proof stands on. */
function standOn(schemasDir: string): readonly string[] {
  const files = [join(schemasDir, "accounts", "chart.yaml"), join(schemasDir, "outcomes", "catalogue.yaml")];
  return files.map((file) => readText([], file) ?? "");
}

export type Proofs = { readonly known: Proven; readonly standOn: readonly string[] };
const PROVE_ALL: Proofs = { known: NOTHING_PROVEN, standOn: [] };

function loadOutcomes(faults: Fault[], schemasDir: string): OutcomeCatalogue {
  const file = loadYaml(join(schemasDir, "outcomes", "catalogue.yaml"));
  const { catalogue, faults: found } =
    file.root === null ? { catalogue: new OutcomeCatalogue([]), faults: [] } : parseOutcomes(file.root);
  faults.push(...file.faults, ...found);
  return catalogue;
}

function loadChart(faults: Fault[], schemasDir: string): Chart {
  const file = loadYaml(join(schemasDir, "accounts", "chart.yaml"));
  const { chart, faults: found } =
    file.root === null ? { chart: new Chart([], []), faults: [] } : parseChart(file.root);
  faults.push(...file.faults, ...found);
  return chart;
}

function loadCurrencies(faults: Fault[], schemasDir: string): Currencies {
  const isoFile = join(schemasDir, "currencies", "iso4217.csv");
  const iso = readLocatedCsv(isoFile, readText(faults, isoFile) ?? "");
  const crypto = loadYaml(join(schemasDir, "currencies", "crypto.yaml"));
  faults.push(...iso.faults, ...crypto.faults);
  if (iso.root === null || crypto.root === null) return new Currencies([]);
  const { currencies, faults: found } = parseCurrencies(iso.root, crypto.root);
  faults.push(...found);
  return currencies;
}

function loadFlows(
  faults: Fault[],
  files: readonly string[],
  surroundings: Surroundings,
  proofs: Proofs,
): readonly CheckedFlow[] {
  const flows: CheckedFlow[] = [];
  for (const file of files) {
    const { checked, faults: found } =
      provenFlow(file, surroundings, proofs) ?? readFlow(loadYaml(file), surroundings, parseExpression);
    faults.push(...found);
    if (checked !== null) flows.push(checked);
  }
  // Of flows that are missing for a fault of their own nothing is said: they would be called strangers.
  if (flows.length === files.length) faults.push(...checkTogether(flows));
  return flows;
}

/** A flow that was found sound before, by its names and types alone; null when it was not. */
function provenFlow(
  file: string,
  { chart }: Surroundings,
  { known, standOn: texts }: Proofs,
): ReturnType<typeof readFlow> | null {
  if (known.size === 0) return null;
  const shares = known.get(proofDigest([readText([], file) ?? "", ...texts]));
  if (shares === undefined) return null;
  const { flow, faults } = readKeptFlow(loadYaml(file), chart, parseExpression);
  const at = (paths: readonly string[]): Shares["relies"] =>
    paths.map((path) => ({ path, place: { file, line: 1, column: 1 } }));
  return { checked: flow && { flow, shares: { relies: at(shares.relies), oversteps: at(shares.oversteps) } }, faults };
}

/** Judged only when every flow is there: an overlay of a flow with a fault would be called a stranger. */
function loadParameters(faults: Fault[], dir: string, flows: readonly Flow[]): Overlays {
  if (faults.length > 0 || !existsSync(dir)) return new Map();
  const { overlays, faults: found } = loadParameterFiles(filesIn(faults, dir, YAML_ENDING), flows);
  faults.push(...found);
  return overlays;
}

/** Files of parameters of any folder, checked against flows. */
export function loadParameterFiles(
  files: readonly string[],
  flows: readonly Flow[],
): { overlays: Overlays; faults: readonly Fault[] } {
  const trees = files.map(loadYaml);
  const { overlays, faults } = parseParameters(
    trees.flatMap(({ root }) => root ?? []),
    flows,
  );
  return { overlays, faults: [...trees.flatMap((tree) => tree.faults), ...faults] };
}

/** Judged only when every flow is there, as parameters are. */
function loadRoutes(
  faults: Fault[],
  schemasDir: string,
  flowsDir: string,
  beside: Pick<RouteSurroundings, "chart" | "flows">,
): Routes {
  const dir = routesDir(schemasDir, flowsDir);
  if (faults.length > 0 || !existsSync(dir)) return NO_ROUTES;
  const { routes, faults: found } = loadRouteFiles(filesIn(faults, dir, YAML_ENDING), schemasDir, beside);
  faults.push(...found);
  return routes;
}

/** Files of routes of any folder, checked against flows, chart, currencies and what providers take. */
export function loadRouteFiles(
  files: readonly string[],
  schemasDir: string,
  beside: Pick<RouteSurroundings, "chart" | "flows">,
): { routes: Routes; faults: readonly Fault[] } {
  const trees = files.map(loadYaml);
  const roots = trees.flatMap(({ root }) => root ?? []);
  const unreadable: Fault[] = [];
  const currencies = loadCurrencies(unreadable, schemasDir);
  const { routes, faults } = parseRoutes(roots, { ...beside, currencies, taken: loadTaken(schemasDir) });
  return { routes, faults: [...unreadable, ...trees.flatMap((tree) => tree.faults), ...faults] };
}

/** Flows, and what is laid over and beside them, against what providers promise. */
export function checkPromises(
  { flows, overlays, routes }: Pick<Declared, "flows" | "overlays" | "routes">,
  promised: readonly Promised[],
): readonly Fault[] {
  return [
    ...checkComputedLifetimes(flows, promised),
    ...checkKeys(flows, overlays, promised),
    ...checkPatience(flows, routes, promised),
  ];
}

/** @param named accounts at providers that are called otherwise than their kind; those of the kinds' names when left out */
export function loadPromised(
  schemasDir: string,
  named?: readonly { readonly name: string; readonly kind: string }[],
): readonly Promised[] {
  const dir = join(schemasDir, "providers");
  const files = existsSync(dir) ? filesIn([], dir, YAML_ENDING) : [];
  const kinds = files.map((file) => basename(file, YAML_ENDING));
  return (named ?? kinds.map((kind) => ({ name: kind, kind }))).flatMap(({ name, kind }) => {
    const { root } = loadYaml(join(dir, `${kind}.yaml`));
    return (root && readPromised(name, root)) ?? [];
  });
}

/** What each provider takes, by the descriptors; what is wrong with those their own reader says. */
function loadTaken(schemasDir: string): ReadonlyMap<string, Taken> {
  const dir = join(schemasDir, "providers");
  const files = existsSync(dir) ? filesIn([], dir, YAML_ENDING) : [];
  return new Map(
    files.flatMap((file) => {
      const { root } = loadYaml(file);
      const taken = root === null ? null : readTaken(root);
      return taken === null ? [] : [[basename(file, YAML_ENDING), taken] as const];
    }),
  );
}

function loadYaml(file: string): LocatedFile {
  const faults: Fault[] = [];
  const text = readText(faults, file);
  return text === null ? { root: null, faults } : readLocatedYaml(file, text);
}

function filesIn(faults: Fault[], dir: string, ending: string): string[] {
  try {
    const names = readdirSync(dir).filter((name) => name.endsWith(ending));
    return names.sort().map((name) => join(dir, name));
  } catch (error) {
    faults.push(unreadable(dir, error));
    return [];
  }
}

function readText(faults: Fault[], file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    faults.push(unreadable(file, error));
    return null;
  }
}

function unreadable(file: string, error: unknown): Fault {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return { place: { file, line: 1, column: 1 }, message: `cannot be read: ${code}` };
}

/** An older version of a flow from its text, as it is kept in the database: it was proven when it was new.
 *  @throws DeclaredFaults */
export function loadFlowText(name: string, text: string, chart: Chart): Flow {
  const { flow, faults } = readKeptFlow(readLocatedYaml(name, text), chart, parseExpression);
  if (flow === null || faults.length > 0) throw new DeclaredFaults(faults);
  return flow;
}

/** A version of a flow as it is registered. */
export type FlowText = { readonly name: string; readonly version: string; readonly source: string };

/** The versions among `registered` that are not declared any more and cases may live by, held against what is declared.
 *  @throws DeclaredFaults with all that does not fit them, overlays of parameters included */
export function loadKept(declared: Declared, registered: readonly FlowText[]): readonly Flow[] {
  const { flows, shares, chart, outcomes, overlays, promised } = declared;
  const isDeclared = ({ name, version }: FlowText): boolean =>
    flows.some((flow) => flow.name === name && flow.version === version);
  const faults: Fault[] = [];
  const kept = registered
    .filter((one) => !isDeclared(one))
    .flatMap(({ name, version, source }) => {
      const file = readLocatedYaml(`${name}@${version}`, source);
      const { flow, faults: own } = readKeptFlow(file, chart, parseExpression);
      faults.push(...own.map((fault) => ({ ...fault, message: `${fault.message}; ${PUT_BACK}` })));
      return flow ?? [];
    });
  const today = flows.map((flow) => ({ flow, shares: shares.get(flow.name) ?? NO_SHARES }));
  faults.push(...checkKept(kept, today, { chart, outcomes }), ...checkEarlierVersions(overlays, flows, kept));
  faults.push(...checkKeys(kept, overlays, promised));
  if (faults.length > 0) throw new DeclaredFaults(faults);
  return kept;
}

const PUT_BACK = "cases still live by this version, which nothing can change: put back what it needs";
