// The role `gateways`: asks payment providers what the cases of this process's lanes want of them.

import type { Config } from "../config/config.ts";
import type { HaltCause } from "../domain/halts.ts";
import type { Provider } from "../gateways/contract.ts";
import { Gateways } from "../gateways/gateways.ts";
import { ScriptProvider } from "../gateways/script.ts";
import { openReader } from "../kafka/reader.ts";
import { readMarks } from "../store/outbox.ts";
import { gatewayEvents } from "../telemetry/gateway-events.ts";
import { type Common, type ServiceParts, withConnection } from "./common.ts";
import type { LaneFollower } from "./lanes-role.ts";

export type GatewaysRole = LaneFollower & {
  /** why calls are not made, a sentence each */
  reasons(): readonly string[];
  stop(): Promise<void>;
};

/** Of the time that stopping may take, what gateways have to tell what they know. */
const STOP_SHARE = 4;

const PROVIDERS: Readonly<Record<Config["providers"][number], (config: Config) => Provider>> = {
  script: ({ scriptSeed, scriptTroublePercent, scriptLateMs }) =>
    new ScriptProvider({ seed: scriptSeed, troublePercent: scriptTroublePercent, lateMs: scriptLateMs }),
};

/** @param halt halts a lane that this process holds
 *  @throws KafkaUnreachable */
export async function makeGateways(
  { config, kafka, logger, metrics }: ServiceParts,
  common: Common,
  halt: (lane: number, cause: HaltCause, evidence: Record<string, unknown>) => void,
): Promise<GatewaysRole> {
  const { names, codec, admin, database } = common;
  if (config.providers.includes("script"))
    logger.warn(
      {},
      "the provider script answers for payment providers: no money moves; for tests and demonstrations only",
    );
  const gateways = new Gateways({
    kafka,
    admin,
    codec,
    reader: await openReader(kafka, [names.commands], {
      gatherMs: config.fetchGatherMs,
      headers: "drop",
      maxWaitMs: config.fetchWaitMs,
      maxBytes: config.fetchBytesMax,
      partitionMaxBytes: config.fetchPartitionBytesMax,
    }),
    providers: config.providers.map((name) => PROVIDERS[name](config)),
    commandsTopic: names.commands,
    reportsTopic: names.reports,
    group: `${config.topicPrefix}millrace-gateways`,
    publishedTo: async (lane) => {
      const marks = await withConnection(database, (connection) => readMarks(connection, lane));
      return (marks.get("commands")?.sequence ?? -1n) + 1n;
    },
    events: gatewayEvents(logger, metrics),
    halt: (lane, evidence) => halt(lane, "commands_unreadable", evidence),
  });
  metrics.watchGateways(() =>
    [...gateways.figures()].map(([provider, { inFlight, sinceMs }]) => ({
      provider,
      inFlight,
      oldestSeconds: sinceMs === null ? 0 : Math.max(0, (Date.now() - sinceMs) / 1000),
    })),
  );
  return {
    took: (lane) => void gateways.open(lane),
    gaveBack: (lane) => gateways.close(lane),
    reasons: () => gateways.reasons(),
    stop: () => gateways.stop(config.stopDeadlineMs / STOP_SHARE),
  };
}
