// The providers that the role `gateways` serves: the script in process, and those over HTTP that the file of providers tells
// of, each by the descriptor of its kind.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { secretAt } from "../config/secrets.ts";
import { SCRIPT } from "../config/settings.ts";
import { DeclaredFaults, loadPromised } from "../declared/load.ts";
import { readLocatedYaml } from "../declared/yaml.ts";
import type { Currencies } from "../domain/currencies.ts";
import type { Fault, Located } from "../domain/located.ts";
import type { Promised } from "../domain/parameters/promises.ts";
import type { Provider } from "../gateways/contract.ts";
import { type Descriptor, parseDescriptor } from "../gateways/providers/descriptor.ts";
import type { HttpProvider } from "../gateways/providers/http-provider.ts";
import { openProvider, type ProviderSettings, parseProviders } from "../gateways/providers/providers.ts";
import { ScriptProvider } from "../gateways/script.ts";
import type { gatewayEvents } from "../telemetry/gateway-events.ts";

export type Providers = {
  readonly all: readonly Provider[];
  readonly http: readonly HttpProvider[];
  /** what those over HTTP promise, by the names that they have here */
  readonly promised: readonly Promised[];
};

/** A provider that `providers` names is not in the file of providers. */
export class ProviderMissing extends Error {
  override name = "ProviderMissing";
}

/** @throws DeclaredFaults | ProviderMissing | SecretUnreadable */
export function openProviders(
  config: Config,
  currencies: Currencies,
  events: ReturnType<typeof gatewayEvents>,
): Providers {
  const { providers: names, scriptSeed: seed, scriptTroublePercent: troublePercent, scriptLateMs: lateMs } = config;
  const listed = config.providersFile === "" ? [] : readProviders(config.providersFile);
  const http = names.filter((name) => name !== SCRIPT).map((name) => settingsOf(name, listed, config));
  const opened = http.map(({ name, kind, url, callsMax, secrets }) =>
    openProvider(kind, {
      name,
      baseUrl: url,
      callsMax,
      descriptor: readDescriptor(config.schemasDir, kind, currencies),
      secret: secretsOf(secrets),
      events: {
        called: (result, seconds) => events.called(name, result, seconds),
        unreadable: (op, what) => events.unreadable(name, op, what),
      },
      nowMs: Date.now,
      random: Math.random,
    }),
  );
  const script = names.includes(SCRIPT) ? [new ScriptProvider({ seed, troublePercent, lateMs })] : [];
  return { all: [...script, ...opened], http: opened, promised: loadPromised(config.schemasDir, http) };
}

/** Reads what there is to read of the providers over HTTP that are served.
 *  @returns a sentence for each, without secrets
 *  @throws DeclaredFaults | ProviderMissing | SecretUnreadable */
export function describeProviders(config: Config): readonly string[] {
  const listed = config.providersFile === "" ? [] : readProviders(config.providersFile);
  return config.providers
    .filter((name) => name !== SCRIPT)
    .map((name) => settingsOf(name, listed, config))
    .map(({ name, kind, url, callsMax, secrets }) => {
      secretsOf(secrets);
      return `${name} is ${kind} at ${url}, ${callsMax} calls at once, its secrets are there`;
    });
}

/** All are read at the start: one that cannot be read stops it, and no call. */
function secretsOf(places: ProviderSettings["secrets"]): (name: string) => string {
  const secrets = new Map([...places].map(([name, place]) => [name, secretAt(place)]));
  return (name) => secrets.get(name) ?? "";
}

function settingsOf(name: string, listed: readonly ProviderSettings[], { providersFile }: Config): ProviderSettings {
  const found = listed.find((one) => one.name === name);
  if (found === undefined)
    throw new ProviderMissing(`${providersFile} tells of no provider ${name}; \`providers\` does`);
  return found;
}

/** @throws DeclaredFaults */
export function readProviders(path: string): readonly ProviderSettings[] {
  const { root, faults } = readYaml(path);
  if (root === null || faults.length > 0) throw new DeclaredFaults(faults);
  const parsed = parseProviders(root);
  if (parsed.faults.length > 0) throw new DeclaredFaults(parsed.faults);
  return parsed.providers;
}

/** @throws DeclaredFaults */
export function readDescriptor(schemasDir: string, kind: string, currencies: Currencies): Descriptor {
  const { root, faults } = readYaml(join(schemasDir, "providers", `${kind}.yaml`));
  if (root === null || faults.length > 0) throw new DeclaredFaults(faults);
  const parsed = parseDescriptor(root, currencies);
  if (parsed.descriptor === null) throw new DeclaredFaults(parsed.faults);
  return parsed.descriptor;
}

function readYaml(path: string): { root: Located | null; faults: readonly Fault[] } {
  try {
    return readLocatedYaml(path, readFileSync(path, "utf8"));
  } catch (error) {
    const message = `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
    return { root: null, faults: [{ place: { file: path, line: 1, column: 1 }, message }] };
  }
}
