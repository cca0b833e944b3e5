// What a process decides by beside flows and rates: the parameters and routes that the files say, and the settings that decide, under one
// number that every block records. A running service keeps to one version; the next start takes what has changed.

import { createHash } from "node:crypto";
import type { Config } from "../config/config.ts";
import type { Declared } from "../declared/load.ts";
import { makeParameterBook, type ParameterBook } from "../domain/parameters/parameters.ts";
import { writeOverlays } from "../domain/parameters/stored.ts";
import { writeRoutes } from "../domain/routes/routes.ts";
import type { Connection } from "../store/database.ts";
import { registerParameters } from "../store/parameters.ts";

export type DecidingSettings = Pick<Config, "caseWindowDays" | "caseFutureHours" | "intentBytesMax">;

export async function loadParameters(
  session: Connection,
  declared: Declared,
  { caseWindowDays, caseFutureHours, intentBytesMax }: DecidingSettings,
): Promise<ParameterBook> {
  const source = writeOverlays(declared.overlays);
  const routes = writeRoutes(declared.routes);
  const settings = JSON.stringify({ caseWindowDays, caseFutureHours, intentBytesMax });
  const contentHash = createHash("sha256").update(`${source}\n${settings}\n${routes}`).digest("hex");
  const version = await registerParameters(session, { contentHash, source, settings, routes });
  return makeParameterBook(version, declared.overlays, declared.routes);
}
