// Compares a service's ledger with a copy of itself, as `millrace replay --compare` compares two that were decided apart.
import { databaseSettings } from "../../src/service/dependencies.ts";
import { beginReading, readCut, readFlowSources } from "../../src/store/audit.ts";
import { type Connection, connect } from "../../src/store/database.ts";
import { compareLedgers, type Verdict } from "../../src/workload/compare/compare.ts";
import { findEnds, type LaneEnd } from "../../src/workload/compare/cut.ts";
import type { Side } from "../../src/workload/compare/side.ts";
import type { TestService } from "./service.ts";

/** @param copyUrl stands for the ledger that was decided anew */
export async function compareWithCopy(system: TestService, copyUrl: string): Promise<Verdict> {
  const recorded = await openSide(system, system.addresses.databaseUrl);
  const replayed = await openSide(system, copyUrl);
  try {
    return await compareLedgers({
      sides: { recorded: recorded.side, replayed: replayed.side },
      ends: { recorded: recorded.ends, replayed: replayed.ends },
      stop: new AbortController().signal,
      progress: () => undefined,
    });
  } finally {
    await Promise.all([recorded.connection.close(), replayed.connection.close()]);
  }
}

type OpenedSide = { readonly connection: Connection; readonly side: Side; readonly ends: readonly LaneEnd[] };

async function openSide(system: TestService, url: string): Promise<OpenedSide> {
  const connection = await connect(databaseSettings(system.config, url, null), "tool");
  await beginReading(connection);
  const cut = await readCut(connection);
  const spans = cut.map(({ lane, intentsNext }) => ({ partition: lane, from: 0n, to: intentsNext }));
  const flows = new Map((await readFlowSources(connection)).map(({ number, ref }) => [number, ref]));
  const { codec, topics } = system;
  const offsetOf = (_lane: number, offset: bigint): bigint => offset;
  const side = { connection, decoders: codec.decoders, flows, intentsTopic: topics.intents, offsetOf };
  return { connection, side, ends: await findEnds(connection, spans) };
}
