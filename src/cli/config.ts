// millrace config check | explain | schema: what the settings are, where each comes from, and what is wrong with them.

import type { Command } from "commander";
import { loadConfig, type Origin, printConfigFault, printOrigin } from "../config/config.ts";
import type { Setting } from "../config/kinds.ts";
import { configSchema } from "../config/schema.ts";
import { shownValue } from "../config/secrets.ts";
import { environmentName, SETTING_NAMES, SETTINGS, type SettingName } from "../config/settings.ts";
import { suggest } from "../config/suggest.ts";
import { type CliContext, withExamples } from "./context.ts";
import { CommandFailed, EXIT, usageFailed } from "./exit.ts";
import type { Output } from "./output.ts";

export function register(program: Command, context: CliContext): void {
  const summary = "check and explain the settings";
  const verb = program.command("config").summary(summary).description(`${summary}.`);
  withExamples(verb, "millrace config check --config millrace.yaml", "millrace config explain blockRowsMax");
  const check = verb
    .command("check")
    .description(
      "Reads file and environment and tells everything that is wrong, each with its place. Exit 2 if anything is.",
    )
    .action(() => checkConfig(context));
  withExamples(check, "millrace config check --config millrace.yaml");
  const explain = verb
    .command("explain [SETTING...]")
    .description("Prints settings with value, origin, unit, bounds and reason; all of them unless some are named.")
    .action((names: readonly string[]) => explainConfig(context, names));
  withExamples(explain, "millrace config explain", "millrace config explain blockRowsMax leaseTtlMs --json");
  const schema = verb
    .command("schema")
    .description(
      "Prints the JSON Schema (2020-12) of the file of settings, with which editors complete and underline. One line with --json.",
    )
    .action(() => context.out.row(configSchema(), JSON.stringify(configSchema(), null, 2)));
  withExamples(schema, "millrace config schema > millrace.schema.json");
}

function load(context: CliContext) {
  const { configFile, io } = context;
  return loadConfig({ file: configFile, environment: io.environment, workingDir: io.workingDir, flags: [] });
}

function checkConfig(context: CliContext): void {
  const { out } = context;
  const loaded = load(context);
  for (const warning of loaded.warnings) out.warn(`warning: ${warning}`);
  if (loaded.kind === "valid") {
    const given = [...loaded.origins.values()].filter((origin) => origin.kind !== "default").length;
    out.row(
      { ok: true, given, settings: SETTING_NAMES.length },
      `ok: ${given} of ${SETTING_NAMES.length} settings given`,
    );
    return;
  }
  if (!out.json) throw usageFailed(loaded.faults.map(printConfigFault));
  for (const fault of loaded.faults) out.row({ ok: false, ...fault }, "");
  throw new CommandFailed(EXIT.usage, `${loaded.faults.length} faults in the settings`);
}

async function explainConfig(context: CliContext, names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !Object.hasOwn(SETTINGS, name));
  if (unknown.length > 0)
    throw usageFailed(unknown.map((name) => `${name}: no such setting${suggest(name, SETTING_NAMES)}`));
  const config = await context.config();
  const loaded = load(context);
  const origins = loaded.kind === "valid" ? loaded.origins : new Map<SettingName, Origin>();
  const shown = names.length === 0 ? SETTING_NAMES : SETTING_NAMES.filter((name) => names.includes(name));
  for (const name of shown) explainOne(context.out, name, config[name], origins.get(name) ?? { kind: "default" });
}

function explainOne(out: Output, name: SettingName, value: unknown, origin: Origin): void {
  const setting: Setting<unknown> = SETTINGS[name];
  const shown = shownValue(name, value);
  const { unit, expected, reason } = setting;
  const from = printOrigin(origin);
  const fields = {
    setting: name,
    value: shown,
    unit,
    origin: from,
    environment: environmentName(name),
    expected,
    reason,
  };
  const printed = isUnset(value) ? "(unset)" : `${String(shown)}${unit === "" ? "" : ` ${unit}`}`;
  const lines = [
    `${out.paint("bold", name)} = ${printed}  ${out.paint("dim", `[${from}]`)}`,
    `    ${reason}`,
    `    Expected: ${expected}. Environment: ${environmentName(name)}`,
  ];
  out.row(fields, lines.join("\n"));
}

function isUnset(value: unknown): boolean {
  return value === null || value === "" || (Array.isArray(value) && value.length === 0);
}
