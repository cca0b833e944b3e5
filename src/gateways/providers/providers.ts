// Which kinds of provider there are, and the file that says which accounts at them are served: name, kind, address, where
// their secrets are, how many calls at once.

import { type Fault, type Located } from "../../domain/located.ts";
import { type Fields, Reading } from "../../domain/reading.ts";
import { openCardco } from "./cardco/gateway.ts";
import type { HttpProvider, HttpProviderParts } from "./http-provider.ts";
import { openInstanet } from "./instanet/gateway.ts";

type Kind = {
  readonly open: (parts: HttpProviderParts) => HttpProvider;
  readonly secrets: readonly string[];
};

export const PROVIDER_KINDS = {
  cardco: { open: openCardco, secrets: ["key", "webhook"] },
  instanet: { open: openInstanet, secrets: ["client_id", "client_secret", "webhook"] },
} as const satisfies Readonly<Record<string, Kind>>;
export type ProviderKind = keyof typeof PROVIDER_KINDS;

const KINDS = Object.keys(PROVIDER_KINDS) as readonly ProviderKind[];

/** Where a secret is: never in the file itself. */
export type SecretPlace =
  | { readonly kind: "environment"; readonly name: string }
  | { readonly kind: "file"; readonly path: string };

export type ProviderSettings = {
  /** as the chart of accounts names it, and `data.provider` of a case */
  readonly name: string;
  readonly kind: ProviderKind;
  readonly url: string;
  readonly callsMax: number;
  readonly secrets: ReadonlyMap<string, SecretPlace>;
};

const CALLS_MAX = 32;
const CALLS_MAX_MAX = 1_000;

/** @param root of the file that the setting `providersFile` names */
export function parseProviders(root: Located): { providers: readonly ProviderSettings[]; faults: readonly Fault[] } {
  const reading = new Reading();
  const file = reading.fields(root, "the file of providers", { required: ["apiVersion", "kind", "providers"] });
  reading.word(file?.get("apiVersion"), "apiVersion", ["providers/v1"]);
  reading.word(file?.get("kind"), "kind", ["Providers"]);
  const providers: ProviderSettings[] = [];
  for (const node of reading.items(file?.get("providers"), "providers") ?? []) {
    const one = readProvider(reading, node);
    if (one !== null && providers.some(({ name }) => name === one.name))
      reading.fault(node.place, `${one.name} is there twice`);
    if (one !== null) providers.push(one);
  }
  return { providers, faults: reading.faults };
}

function readProvider(reading: Reading, node: Located): ProviderSettings | null {
  const keys = { required: ["name", "kind", "url", "secrets"], optional: ["calls_max"] };
  const row = reading.fields(node, "a provider", keys);
  const name = reading.textLike(row?.get("name"), "name", /^[a-z][a-z0-9_]*$/, "small letters and digits");
  const kind = reading.word(row?.get("kind"), "kind", KINDS);
  const url = readUrl(reading, row);
  const callsMax = reading.integer(row?.get("calls_max"), "calls_max", 1, CALLS_MAX_MAX) ?? CALLS_MAX;
  if (kind === null) return null;
  const secrets = readSecrets(reading, row?.get("secrets"), PROVIDER_KINDS[kind].secrets);
  return name === null || url === null ? null : { name, kind, url, callsMax, secrets };
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Without TLS only to one's own machine: keys and amounts go along. */
function readUrl(reading: Reading, row: Fields | null): string | null {
  const node = row?.get("url");
  const text = reading.text(node, "url");
  if (text === null || node === undefined) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  const isHttp = url?.protocol === "https:" || (url?.protocol === "http:" && LOOPBACK.test(url.hostname));
  if (url === null || !isHttp) return reading.fault(node.place, "url must be https, or http of this machine");
  if (`${url.username}${url.password}${url.search}${url.hash}` !== "")
    return reading.fault(node.place, "url must have no login, query or fragment");
  return text;
}

function readSecrets(
  reading: Reading,
  node: Located | undefined,
  names: readonly string[],
): ReadonlyMap<string, SecretPlace> {
  const rows = node === undefined ? null : reading.fields(node, "secrets", { required: names });
  const found = new Map<string, SecretPlace>();
  for (const [name, place] of rows ?? []) {
    const where = secretPlace(place);
    if (where === null)
      reading.fault(place.place, `secret ${name} must be {env: NAME} or {file: PATH}, and never itself`);
    else found.set(name, where);
  }
  return found;
}

/** What stands there is not quoted: it may be the secret. */
function secretPlace(node: Located): SecretPlace | null {
  const [entry, ...more] = node.kind === "map" ? node.entries : [];
  const value = entry?.value.kind === "scalar" ? entry.value.value : null;
  if (entry === undefined || more.length > 0 || typeof value !== "string" || value === "") return null;
  if (entry.key === "file") return { kind: "file", path: value };
  return entry.key === "env" && VARIABLE.test(value) ? { kind: "environment", name: value } : null;
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function openProvider(kind: ProviderKind, parts: HttpProviderParts): HttpProvider {
  return PROVIDER_KINDS[kind].open(parts);
}
