// The parameters that a process decides by: what the files say, registered in the database under a number. A running
// service keeps to one version; the next start takes what has changed.

import { createHash } from "node:crypto";
import type { Declared } from "../declared/load.ts";
import { makeParameterBook, NO_PARAMETERS, type ParameterBook } from "../domain/parameters.ts";
import { writeOverlays } from "../domain/parameters-stored.ts";
import type { Connection } from "../store/database.ts";
import { registerParameters } from "../store/parameters.ts";

export async function loadParameters(session: Connection, { overlays }: Declared): Promise<ParameterBook> {
  if (overlays.size === 0) return NO_PARAMETERS;
  const source = writeOverlays(overlays);
  const contentHash = createHash("sha256").update(source).digest("hex");
  return makeParameterBook(await registerParameters(session, contentHash, source), overlays);
}
