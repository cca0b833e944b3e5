// What the settings of passwords and certificates lead to. Files are read when a connection is about to be made, not
// when settings are checked: a secret is in memory where it is used and nowhere else.

import { readFileSync } from "node:fs";
import type { Setting } from "./config-kinds.ts";
import { type Config, SETTINGS, type SettingName } from "./config-settings.ts";

/** How to get into Kafka: certificates and login, null where they are not asked for. */
export function kafkaAccess(config: Config) {
  const { kafkaTls, kafkaTlsCaFile, kafkaTlsCertFile, kafkaTlsKeyFile, kafkaSasl, kafkaUser } = config;
  const pem = (path: string): string | null => (path === "" ? null : readFileSync(path, "utf8"));
  const password = (): string =>
    config.kafkaPasswordFile === "" ? config.kafkaPassword : readSecret(config.kafkaPasswordFile);
  return {
    tls: kafkaTls ? { ca: pem(kafkaTlsCaFile), cert: pem(kafkaTlsCertFile), key: pem(kafkaTlsKeyFile) } : null,
    login: kafkaSasl === "none" ? null : { mechanism: kafkaSasl, user: kafkaUser, password: password() },
  };
}

/** The URL with the password that a file holds.
 *  @param file path, or empty: then the URL stays as it is */
export function urlWithPassword(url: string, file: string): string {
  if (file === "") return url;
  const whole = new URL(url);
  whole.password = encodeURIComponent(readSecret(file));
  return whole.href;
}

/** Editors and `echo` put a line feed behind what was typed; it is no part of a password. */
function readSecret(path: string): string {
  return readFileSync(path, "utf8").replace(/\r?\n$/, "");
}

const HIDDEN = "***";
const SECRET_PARAMETERS = ["password", "sslpassword", "passphrase"] as const;

/** A setting's value as it may be printed: URLs without their passwords, other secrets not at all. */
export function shownValue(name: SettingName, value: unknown): unknown {
  const { secret }: Setting<unknown> = SETTINGS[name];
  if (secret === "no" || typeof value !== "string" || value === "") return value;
  if (secret === "whole") return HIDDEN;
  const url = new URL(value);
  if (url.password !== "") url.password = HIDDEN;
  for (const parameter of SECRET_PARAMETERS) {
    if (url.searchParams.has(parameter)) url.searchParams.set(parameter, HIDDEN);
  }
  return url.href;
}
