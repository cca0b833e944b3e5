// Whether a Postgres without a synchronous standby may be used.

import type { Config } from "./settings.ts";

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\]|)$/;

/** `auto` asks for a standby unless Postgres is on this machine: there both are lost together anyway.
 *  @param databaseUrl where Postgres is, which may be a folder of sockets */
export function needsStandby(standby: Config["standby"], databaseUrl: string): boolean {
  if (standby !== "auto") return standby === "required";
  const { hostname, searchParams } = new URL(databaseUrl);
  const host = searchParams.get("host") ?? hostname;
  return !host.startsWith("/") && !LOOPBACK.test(host);
}
