// The JSON Schema of the file of settings, made from their table: editors complete keys, show reasons and underline what
// is out of bounds. Rules between settings are not in it; `config check` tells those.

import type { JsonSchema, Setting } from "./kinds.ts";
import { environmentName, SETTING_NAMES, SETTINGS, type SettingName } from "./settings.ts";

const SCHEMA_KEY: JsonSchema = {
  type: "string",
  description: "The address of this schema, for editors; sets nothing.",
};

export function configSchema(): JsonSchema {
  const settings = SETTING_NAMES.map((name) => [name, propertyOf(name)] as const);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Settings of millrace (millrace.yaml)",
    description: "One `setting: value` a line. Command line before environment before this file before defaults.",
    type: "object",
    properties: { $schema: SCHEMA_KEY, ...Object.fromEntries(settings) },
    additionalProperties: false,
  };
}

function propertyOf(name: SettingName): JsonSchema {
  const setting: Setting<unknown> = SETTINGS[name];
  const { unit, expected, reason, defaultTold, json } = setting;
  const isUnset = setting.default === null || String(setting.default) === "";
  const isFixed = !isUnset && defaultTold === null;
  const told = [
    reason,
    `Expected: ${expected}.`,
    ...(unit === "" ? [] : [`Unit: ${unit}.`]),
    ...(defaultTold === null ? [] : [`Default: ${defaultTold}.`]),
    `Environment: ${environmentName(name)}.`,
  ];
  return { ...json, description: told.join(" "), ...(isFixed ? { default: setting.default } : {}) };
}
