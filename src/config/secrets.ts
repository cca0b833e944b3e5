// What the settings of passwords and certificates lead to. Files are read when a connection is about to be made, not
// when settings are checked: a secret is in memory where it is used and nowhere else.

import { readFileSync } from "node:fs";
import type { Setting } from "./kinds.ts";
import { type Config, SETTINGS, type SettingName } from "./settings.ts";

/** A file of a secret was there when the settings were checked, and cannot be read now, or holds nothing. */
export class SecretUnreadable extends Error {
  override name = "SecretUnreadable";
}

/** How to get into Kafka: certificates and login, null where they are not asked for. */
export function kafkaAccess(config: Config) {
  const { kafkaTls, kafkaTlsCaFile, kafkaTlsCertFile, kafkaTlsKeyFile, kafkaSasl, kafkaUser } = config;
  const pem = (path: string): string | null => (path === "" ? null : readSecret(path));
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

/** A secret that something else than these settings names.
 *  @param place an environment variable, or the path of a file
 *  @throws SecretUnreadable */
export function secretAt(
  place: { readonly kind: "environment"; readonly name: string } | { readonly kind: "file"; readonly path: string },
): string {
  if (place.kind === "file") return readSecret(place.path);
  const secret = process.env[place.name] ?? "";
  if (secret === "") throw new SecretUnreadable(`the environment has no ${place.name}, expected a secret`);
  return secret;
}

/** Editors and `echo` put a line feed behind what was typed; it is no part of a password. */
function readSecret(path: string): string {
  const secret = textOf(path).replace(/\r?\n$/, "");
  if (secret === "") throw new SecretUnreadable(`${path} is empty, expected a password or certificate`);
  return secret;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new SecretUnreadable(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
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
