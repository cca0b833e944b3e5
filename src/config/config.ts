// Settings become a `Config`: command line before environment before file before default. Whatever is wrong is said at
// once, with the place of each fault, because a person who mends one fault per start mends five in five restarts.

import { accessSync, constants, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Setting } from "./kinds.ts";
import { shownValue } from "./secrets.ts";
import { type Config, RULES, type Rule, SETTING_NAMES, SETTINGS, type SettingName } from "./settings.ts";
import {
  type ConfigFault,
  type ConfigSources,
  describe,
  type Given,
  type Origin,
  printOrigin,
  readEnvironment,
  readFile,
  readFlags,
} from "./sources.ts";

export type { Config, SettingName } from "./settings.ts";
export type { ConfigFault, ConfigSources, FlagValue, Origin } from "./sources.ts";
export { printOrigin } from "./sources.ts";

/** The origin of every setting's value. */
export type Origins = ReadonlyMap<SettingName, Origin>;

export type LoadedConfig =
  | { readonly kind: "valid"; readonly config: Config; readonly origins: Origins; readonly warnings: readonly string[] }
  | { readonly kind: "invalid"; readonly faults: readonly ConfigFault[]; readonly warnings: readonly string[] };

export function printConfigFault(fault: ConfigFault): string {
  return `${fault.where}: ${fault.message}`;
}

/** Reads and checks every source. Never throws for what a user wrote: faults are values. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const file = readFile(sources);
  const environment = readEnvironment(sources);
  const warnings = [...file.warnings, ...environment.warnings];
  // A value that a stronger source hides is checked all the same: it would bite on the day the stronger one goes.
  const given = [...file.given, ...environment.given, ...readFlags(sources)];
  const faults = [...file.faults, ...environment.faults];
  const values = new Map<SettingName, { value: unknown; origin: Origin }>();
  const refused = new Set<SettingName>();
  for (const one of given) {
    const checked = checkGiven(one);
    if (checked.kind === "value") values.set(one.name, { value: checked.value, origin: one.origin });
    else {
      refused.add(one.name);
      // The YAML reader may have refused this very value already, such as an unquoted `yes`.
      if (!faults.some(({ where }) => where === checked.fault.where)) faults.push(checked.fault);
    }
  }
  const config = withDefaults(values);
  const origins: Origins = new Map(
    SETTING_NAMES.map((name) => [name, values.get(name)?.origin ?? { kind: "default" }]),
  );
  // A rule over a value that was refused would only repeat that fault in other words.
  const broken = RULES.filter((rule) => !rule.holds(config) && !rule.names.some((name) => refused.has(name)));
  faults.push(...broken.map((rule) => brokenRule(rule, config, origins)));
  if (faults.length > 0) return { kind: "invalid", faults: inReadingOrder(faults), warnings };
  return { kind: "valid", config, origins, warnings };
}

type Checked =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "fault"; readonly fault: ConfigFault };

function checkGiven(given: Given): Checked {
  const setting: Setting<unknown> = SETTINGS[given.name];
  const parsed = setting.check.safeParse(given.raw);
  const refused = (found: string): Checked => {
    const message = `${given.name}: found ${found}, expected ${setting.expected}`;
    return { kind: "fault", fault: { where: printOrigin(given.origin), message } };
  };
  if (!parsed.success) return refused(setting.secret === "no" ? describe(given.raw) : describeSecret(given.raw));
  const value = setting.isPath ? resolve(given.folder, String(parsed.data)) : parsed.data;
  const why = setting.isFile ? whyUnreadable(String(value)) : null;
  return why === null ? { kind: "value", value } : refused(`${String(value)} (${why})`);
}

/** What somebody gave for a secret may be one, or hold one. */
function describeSecret(raw: unknown): string {
  return raw === null || raw === undefined || raw === "" ? "nothing" : "something else (not shown)";
}

function whyUnreadable(path: string): string | null {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isDirectory() ? "a folder" : null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unreadable";
  }
}

/** The folder `schemas` of the package: beside `src` in a clone and beside `dist` when built or installed. */
const OWN_SCHEMAS = fileURLToPath(new URL("../../schemas", import.meta.url));

function withDefaults(values: ReadonlyMap<SettingName, { readonly value: unknown }>): Config {
  const chosen = (name: SettingName): unknown => values.get(name)?.value ?? SETTINGS[name].default;
  const config: Record<string, unknown> = Object.fromEntries(SETTING_NAMES.map((name) => [name, chosen(name)]));
  const schemasDir = config.schemasDir === "" ? OWN_SCHEMAS : String(config.schemasDir);
  const flowsDir = config.flowsDir === "" ? join(schemasDir, "flows") : config.flowsDir;
  for (const value of Object.values(config)) if (Array.isArray(value)) Object.freeze(value);
  // Each value has passed its own setting's check, so the record has the shape of the table.
  return Object.freeze({ ...config, schemasDir, flowsDir }) as Config;
}

function brokenRule(rule: Rule, config: Config, origins: Origins): ConfigFault {
  const told = rule.names.map((name) => ({ name, origin: origins.get(name) ?? { kind: "default" as const } }));
  const found = told.map(({ name, origin }) => `${name} ${shownText(name, config[name])} (${printOrigin(origin)})`);
  const culprit = told.find(({ origin }) => origin.kind !== "default") ?? told[0];
  const where = culprit === undefined ? "defaults" : printOrigin(culprit.origin);
  return { where, message: `found ${found.join(" and ")}, expected ${rule.expected}` };
}

function shownText(name: SettingName, value: unknown): string {
  return value === "" || value === null ? "(unset)" : String(shownValue(name, value));
}

/** Faults of the file by line and column; then the others as they came. */
function inReadingOrder(faults: readonly ConfigFault[]): readonly ConfigFault[] {
  const place = ({ where }: ConfigFault): readonly [number, number] => {
    const match = /:(\d+):(\d+)$/.exec(where);
    return match === null ? [Number.MAX_SAFE_INTEGER, 0] : [Number(match[1]), Number(match[2])];
  };
  return faults.toSorted((a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1]);
}

export type TopicNames = {
  readonly intents: string;
  readonly outcomes: string;
  readonly deadLetters: string;
  readonly commands: string;
  readonly reports: string;
};

/** The topic of rates, which no lane reads: one partition, and the newest message of each pair is kept. */
export function ratesTopic({ topicPrefix }: Pick<Config, "topicPrefix">): string {
  return `${topicPrefix}payments.public.rates.v1`;
}

/** The topics of lanes by what they carry, with the prefix. */
export function topicNames(config: Pick<Config, "topicPrefix">): TopicNames {
  const named = (name: string) => `${config.topicPrefix}${name}`;
  return {
    intents: named("payments.public.intents.v1"),
    outcomes: named("payments.public.outcomes.v1"),
    deadLetters: named("payments.public.intents.v1-dlt"),
    commands: named("payments.internal.commands.v1"),
    reports: named("payments.internal.reports.v1"),
  };
}
