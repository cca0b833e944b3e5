// The parameters that a process decides by: what the files say, registered in the database under a number. A running
// service keeps to one version; the next start takes what has changed.

import { createHash } from "node:crypto";
import { type Declared, DeclaredFaults } from "../declared/load.ts";
import type { Flow } from "../domain/flow/flow.ts";
import { makeParameterBook, NO_PARAMETERS, type ParameterBook } from "../domain/parameters.ts";
import { checkEarlierVersions } from "../domain/parameters-parse.ts";
import { writeOverlays } from "../domain/parameters-stored.ts";
import type { Connection } from "../store/database.ts";
import { registerParameters } from "../store/parameters.ts";

/** @param earlier versions of flows that cases still live by
 *  @throws DeclaredFaults when an overlay does not fit an earlier version of its flow */
export async function loadParameters(
  session: Connection,
  declared: Declared,
  earlier: readonly Flow[],
): Promise<ParameterBook> {
  const { overlays, flows } = declared;
  if (overlays.size === 0) return NO_PARAMETERS;
  const faults = checkEarlierVersions(overlays, flows, earlier);
  if (faults.length > 0) throw new DeclaredFaults(faults);
  const source = writeOverlays(overlays);
  const contentHash = createHash("sha256").update(source).digest("hex");
  return makeParameterBook(await registerParameters(session, contentHash, source), overlays);
}
