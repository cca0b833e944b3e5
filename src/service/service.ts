// Composition root of the running service: makes what its roles are, and takes it down in order. The modules of gateways,
// auditor and rates are loaded only by a process that has the role: together they are a quarter of what a start reads.

import type { Config } from "../config/config.ts";
import { armFailpoints } from "../failpoints.ts";
import { type Health, startHealthServer } from "../telemetry/health.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { RunningAuditor } from "../workload/auditor/start.ts";
import { type Common, openCommon, type ServiceParts } from "./common.ts";
import { makeLanes } from "./lanes-role.ts";

export type Service = {
  readonly httpPort: number;
  stop(): Promise<void>;
};

/** @throws DatabaseUnreachable | KafkaUnreachable | RegistryUnreachable | NotSetUp | LanesDisagree | DeclaredFaults */
export async function startService(parts: ServiceParts): Promise<Service> {
  const { config, logger, metrics } = parts;
  arm(config, logger);
  const common = await openCommon(parts);
  const gateways = config.roles.includes("gateways")
    ? await (await import("./gateways-role.ts")).makeGateways(parts, common, (lane, cause, evidence) =>
        lanes?.halt(lane, cause, evidence),
      )
    : null;
  const lanes = config.roles.includes("lanes") ? await makeLanes(parts, common, gateways) : null;
  const auditor = config.roles.includes("auditor") ? await makeAuditor(parts, common) : null;
  const rates = config.roles.includes("rates")
    ? await (await import("./rates-role.ts")).makeRates(parts, common)
    : null;
  const health = await startHealthServer({
    host: config.httpHost,
    port: config.httpPort,
    metrics,
    live: () => lanes?.live() ?? { ok: true, reasons: [] },
    ready: () => joined([lanes, gateways, auditor].flatMap((role) => role?.reasons() ?? [])),
  });
  await lanes?.start();
  auditor?.start();
  rates?.start();
  const { roles } = config;
  logger.info({ httpPort: health.port, lanes: common.lanes, roles, process: lanes?.process() ?? null }, "running");
  return {
    httpPort: health.port,
    stop: async () => {
      // Gateways first: what they know is told while the lanes can still be asked.
      await gateways?.stop();
      await Promise.all([auditor?.stop(), lanes?.stop(), rates?.stop()]);
      await Promise.all([health.close(), common.admin.close()]);
    },
  };
}

function joined(reasons: readonly string[]): Health {
  return { ok: reasons.length === 0, reasons };
}

async function makeAuditor({ config, kafka, logger, metrics }: ServiceParts, common: Common): Promise<RunningAuditor> {
  const { newAuditor } = await import("../workload/auditor/start.ts");
  const { declared, database, lanes, codec, registry, names: topics } = common;
  const askSchema = (id: number) => registry.schemaById(id);
  const settings = config;
  return newAuditor({ database, kafka, declared, codec, askSchema, topics, lanes, settings, logger, metrics });
}

/** For tests; a process that may end itself says so before it does anything else. */
function arm({ failpoints }: Config, logger: Logger): void {
  armFailpoints(failpoints, (name, signal) =>
    logger.warn({ failpoint: name, signal }, "FAILPOINT reached: this process signals itself"),
  );
  if (failpoints.length === 0) return;
  logger.warn({ failpoints }, "FAILPOINTS ARMED: this process will kill or stop itself; unset MILLRACE_FAILPOINTS");
}
