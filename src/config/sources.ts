// Where settings come from: the file, the environment, the command line. Each value keeps its origin, so that a fault
// and `config explain` can name it.

import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { readLocatedYaml } from "../declared/yaml.ts";
import { type Located, type Place } from "../domain/located.ts";
import { environmentName, SETTING_NAMES, SETTINGS, type SettingName } from "./settings.ts";
import { suggest } from "./suggest.ts";

export const DEFAULT_CONFIG_FILE = "millrace.yaml";

/** Names the JSON Schema of the file, for editors; it sets nothing. */
const SCHEMA_KEY = "$schema";

export type Origin =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly place: Place }
  | { readonly kind: "environment"; readonly name: string }
  | { readonly kind: "flag"; readonly flag: string };

/** A value that somebody gave. `folder` is what a relative path starts from. */
export type Given = {
  readonly name: SettingName;
  readonly raw: unknown;
  readonly origin: Origin;
  readonly folder: string;
};

/** What a verb's own option sets: `--http-port 9400`. */
export type FlagValue = { readonly setting: SettingName; readonly flag: string; readonly text: string };

export type ConfigSources = {
  /** `--config FILE`, or null for ./millrace.yaml if there is one */
  readonly file: string | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: readonly FlagValue[];
  readonly workingDir: string;
};

/** `where` is file:line:column, the environment name or the flag; `message` says what was found and expected. */
export type ConfigFault = { readonly where: string; readonly message: string };

export type Read = {
  readonly given: readonly Given[];
  readonly faults: readonly ConfigFault[];
  readonly warnings: readonly string[];
};

export function printOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "default":
      return "default";
    case "file":
      return `${origin.place.file}:${origin.place.line}:${origin.place.column}`;
    case "environment":
      return `environment ${origin.name}`;
    case "flag":
      return origin.flag;
  }
}

export function readFlags(sources: ConfigSources): readonly Given[] {
  return sources.flags.map(({ setting, flag, text }) => ({
    name: setting,
    raw: SETTINGS[setting].fromText(text),
    origin: { kind: "flag", flag },
    folder: sources.workingDir,
  }));
}

/** An empty variable counts as unset: compose files and shells pass on names without a value. */
export function readEnvironment(sources: ConfigSources): Read {
  const nameOf = new Map(SETTING_NAMES.map((setting) => [environmentName(setting), setting]));
  const given: Given[] = [];
  const warnings: string[] = [];
  for (const [name, text] of Object.entries(sources.environment)) {
    if (text === undefined || text === "") continue;
    const setting = nameOf.get(name);
    if (setting !== undefined) {
      const raw = SETTINGS[setting].fromText(text);
      given.push({ name: setting, raw, origin: { kind: "environment", name }, folder: sources.workingDir });
    } else if (name.startsWith("MILLRACE_")) {
      // Only a warning: an environment is shared by versions old and new, and refusing to start would punish a
      // rollback. A file belongs to one version, so there an unknown key is a fault.
      warnings.push(`environment ${name}: no such setting${suggest(name, [...nameOf.keys()])}`);
    }
  }
  return { given, faults: [], warnings };
}

export function readFile(sources: ConfigSources): Read {
  const file = sources.file ?? DEFAULT_CONFIG_FILE;
  const path = resolve(sources.workingDir, file);
  if (sources.file === null && !existsSync(path)) return { given: [], faults: [], warnings: [] };
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    return {
      given: [],
      faults: [{ where: file, message: `cannot be read (${code}), expected a readable file` }],
      warnings: [],
    };
  }
  const { root, faults } = readLocatedYaml(file, content);
  const syntax = faults.map((fault) => ({ where: placeText(fault.place), message: fault.message }));
  const entries = root === null ? { given: [], faults: [] } : readEntries(root, dirname(path));
  return { given: entries.given, faults: [...syntax, ...entries.faults], warnings: [] };
}

function readEntries(root: Located, folder: string): Pick<Read, "given" | "faults"> {
  if (root.kind === "scalar" && root.value === null) return { given: [], faults: [] };
  if (root.kind !== "map") {
    const message = `found ${describe(plainValue(root))}, expected one "setting: value" a line`;
    return { given: [], faults: [{ where: placeText(root.place), message }] };
  }
  const given: Given[] = [];
  const faults: ConfigFault[] = [];
  for (const entry of root.entries) {
    const where = placeText(entry.keyPlace);
    if (entry.key === SCHEMA_KEY) {
      if (entry.value.kind === "scalar" && typeof entry.value.value === "string") continue;
      faults.push({ where: placeText(entry.value.place), message: "$schema: expected the address of a JSON Schema" });
    } else if (isSettingName(entry.key)) {
      const origin: Origin = { kind: "file", place: entry.value.place };
      given.push({ name: entry.key, raw: plainValue(entry.value), origin, folder });
    } else {
      faults.push({ where, message: `found ${entry.key}, expected a setting${suggest(entry.key, SETTING_NAMES)}` });
    }
  }
  return { given, faults };
}

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** The tree without its places: what zod checks. */
function plainValue(located: Located): unknown {
  switch (located.kind) {
    case "scalar":
      return located.value;
    case "list":
      return located.items.map(plainValue);
    case "map":
      return Object.fromEntries(located.entries.map((entry) => [entry.key, plainValue(entry.value)]));
  }
}

/** A value as a reader of a fault knows it: `"abc"`, `12`, `a list`, `nothing`. */
export function describe(raw: unknown): string {
  if (raw === null || raw === undefined) return "nothing";
  if (Array.isArray(raw)) return raw.every((item) => typeof item === "string") ? `"${raw.join(",")}"` : "a list";
  if (typeof raw === "object") return "a map";
  const printed = JSON.stringify(raw);
  return printed.length > 80 ? `${printed.slice(0, 77)}..."` : printed;
}

function placeText(place: Place): string {
  return `${place.file}:${place.line}:${place.column}`;
}
