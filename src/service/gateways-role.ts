// The role `gateways`: asks payment providers what the cases of this process's lanes want of them, and hears what they tell
// unasked.

import { SCRIPT } from "../config/settings.ts";
import { checkPromises, type Declared, DeclaredFaults, loadKept } from "../declared/load.ts";
import type { Flow } from "../domain/flow/flow.ts";
import type { HaltCause } from "../domain/halts.ts";
import { parseCaseId } from "../domain/ids.ts";
import { checkKeys } from "../domain/parameters/promises.ts";
import { type Answer, reportOf, type Told } from "../gateways/contract.ts";
import { EventDesk } from "../gateways/event-desk.ts";
import { Fitting } from "../gateways/fitting.ts";
import { Gateways } from "../gateways/gateways.ts";
import { MISSED_RESULTS, MissedEvents } from "../gateways/missed-events.ts";
import { WEBHOOK_RESULTS, webhookRoutes } from "../gateways/webhooks.ts";
import { type HttpServer, startHttpServer } from "../http/server.ts";
import { openProducer } from "../kafka/producer.ts";
import { openReader } from "../kafka/reader.ts";
import { SharedProducer } from "../kafka/shared-producer.ts";
import { type Connection, ConnectionPool } from "../store/database.ts";
import { keepEventPosition, readEventPosition } from "../store/event-position.ts";
import { readMarks } from "../store/outbox.ts";
import { readOwners } from "../store/reads-case.ts";
import { readFlowVersions } from "../store/setup.ts";
import { keepUnavailable, readUnavailable } from "../store/unavailable.ts";
import { gatewayEvents } from "../telemetry/gateway-events.ts";
import { type Common, type ServiceParts, withConnection } from "./common.ts";
import type { LaneFollower } from "./lanes-role.ts";
import { openProviders, type Providers } from "./providers.ts";

export type GatewaysRole = LaneFollower & {
  /** why calls are not made, a sentence each */
  reasons(): readonly string[];
  stop(): Promise<void>;
};

/** Of the time that stopping may take, what gateways have to tell what they know. */
const STOP_SHARE = 4;

/** @param halt halts a lane that this process holds
 *  @throws KafkaUnreachable | DeclaredFaults | ProviderMissing | SecretUnreadable | CannotListen */
export async function makeGateways(
  parts: ServiceParts,
  common: Common,
  halt: (lane: number, cause: HaltCause, evidence: Record<string, unknown>) => void,
): Promise<GatewaysRole> {
  const { config, logger, metrics } = parts;
  if (config.providers.includes(SCRIPT))
    logger.warn(
      {},
      "the provider script answers for payment providers: no money moves; for tests and demonstrations only",
    );
  const events = gatewayEvents(logger, metrics);
  const providers = openProviders(config, common.declared.currencies, events);
  const kept = await loadKeptFlows(common);
  requirePromises(common.declared, kept, providers);
  const fitting = new Fitting([...common.declared.flows, ...kept]);
  const pool = new ConnectionPool(common.database, 1);
  const gateways = await openGateways(parts, common, { providers, fitting, events, halt, pool });
  const eventsPool = new ConnectionPool(common.database, 1);
  const desks = openDesks(common, { providers, fitting, events, gateways, pool: eventsPool });
  const missed = followLists(parts, common, { desks, events, pool: eventsPool });
  watch(parts, gateways, missed, providers);
  const receiver = await openReceiver(parts, desks, events);
  return {
    took: (lane, { epoch }) => {
      void gateways.open({ lane, epoch });
      missed.took({ lane, epoch });
    },
    gaveBack: (lane) => {
      gateways.close(lane);
      missed.gaveBack(lane);
    },
    reasons: () => gateways.reasons(),
    stop: async () => {
      // What comes now is told again, to whoever listens then.
      await Promise.all([receiver?.close(), missed.stop()]);
      await eventsPool.close();
      await gateways.stop(config.stopDeadlineMs / STOP_SHARE);
      await pool.close();
      for (const provider of providers.http) provider.close();
    },
  };
}

type Made = {
  readonly providers: Providers;
  readonly fitting: Fitting;
  readonly events: Events;
};

/** Those that no file declares any more, and that cases may live by. */
async function loadKeptFlows({ declared, database }: Common): Promise<readonly Flow[]> {
  return loadKept(declared, await withConnection(database, readFlowVersions));
}

/** An account at a provider may be called otherwise than its kind, by which all was held against its descriptor when it
 *  was read.
 *  @throws DeclaredFaults */
function requirePromises(declared: Declared, kept: readonly Flow[], { promised }: Providers): void {
  const faults = [...checkPromises(declared, promised), ...checkKeys(kept, declared.overlays, promised)];
  if (faults.length > 0) throw new DeclaredFaults(faults);
}

async function flowOf(connection: Connection, caseId: string, holderId: string): Promise<string | null> {
  const id = parseCaseId(caseId);
  const owners = id === null ? [] : await readOwners(connection, id.uuid);
  return owners.find((owner) => owner.holderId === holderId)?.flow ?? null;
}

type GatewaysMaking = { readonly halt: Parameters<typeof makeGateways>[2]; readonly pool: ConnectionPool };

async function openGateways(
  { config, kafka }: ServiceParts,
  { names, codec, admin, database }: Common,
  { providers, fitting, events, halt, pool }: Made & GatewaysMaking,
): Promise<Gateways> {
  return new Gateways({
    admin,
    codec,
    reader: await openReader(kafka, [names.commands], {
      gatherMs: config.fetchGatherMs,
      headers: "drop",
      maxWaitMs: config.fetchWaitMs,
      maxBytes: config.fetchBytesMax,
      partitionMaxBytes: config.fetchPartitionBytesMax,
    }),
    providers: providers.all,
    commandsTopic: names.commands,
    producer: new SharedProducer(names.reports, () => openProducer(kafka)),
    group: `${config.topicPrefix}millrace-gateways`,
    publishedTo: async (lane) => {
      const marks = await withConnection(database, (connection) => readMarks(connection, lane));
      return (marks.get("commands")?.sequence ?? -1n) + 1n;
    },
    unavailable: {
      read: (lane, from) => pool.lend((connection) => readUnavailable(connection, lane, from)),
      keep: (owned, calls) => pool.lend((connection) => keepUnavailable(connection, owned, calls, Date.now())),
    },
    events,
    fits: (command, answer) =>
      fitting.fitsCase(command, answer, ({ caseId, holderId }) => pool.lend((on) => flowOf(on, caseId, holderId))),
    halt: (lane, evidence) => halt(lane, "commands_unreadable", evidence),
  });
}

function watch({ metrics }: ServiceParts, gateways: Gateways, missed: MissedEvents, { http }: Providers): void {
  metrics.watchGateways(() => {
    const behindMs = missed.behindMs();
    return [...gateways.figures()].map(([provider, { inFlight, sinceMs }]) => ({
      provider,
      inFlight,
      oldestSeconds: sinceMs === null ? 0 : Math.max(0, (Date.now() - sinceMs) / 1000),
      listBehindSeconds: secondsOf(behindMs.get(provider)),
    }));
  });
  if (http.length > 0)
    metrics.watchCircuits(() => http.map(({ name, circuit }) => ({ provider: name, state: circuit })));
  for (const { name, listsEvents } of http) {
    for (const result of WEBHOOK_RESULTS) metrics.webhook(name, result, 0);
    for (const result of listsEvents ? MISSED_RESULTS : []) metrics.missedEvent(name, result, 0);
  }
}

function secondsOf(ms: number | undefined): number | null {
  return ms === undefined ? null : ms / 1000;
}

const BODY_BYTES_MAX = 64 * 1024;
const REQUEST_MS = 10_000;

type Events = ReturnType<typeof gatewayEvents>;

/** Where events of providers are looked into, whoever tells of them. */
function openDesks(
  { lanes, codec }: Common,
  { providers, fitting, events, gateways, pool }: Made & { readonly gateways: Gateways; readonly pool: ConnectionPool },
): readonly EventDesk[] {
  const parts = {
    lanes,
    ownersOf: (uuid: string) => pool.lend((connection) => readOwners(connection, uuid)),
    callFor: (flow: string, op: string) => fitting.callFor(flow, op),
    fits: (...[flow, asked, answer]: Parameters<Fitting["fitsFlow"]>) => fitting.fitsFlow(flow, asked, answer),
    report: (lane: number, told: Told, answer: Answer) => {
      const value = codec.encoders.report.encode(reportOf(told, answer, Date.now()));
      return gateways.report(lane, { key: Buffer.from(told.holderId), value });
    },
    failed: events.eventFailed,
  };
  return providers.http.map((provider) => new EventDesk(provider, parts));
}

function followLists(
  { config }: ServiceParts,
  { lanes }: Common,
  {
    desks,
    events,
    pool,
  }: { readonly desks: readonly EventDesk[]; readonly events: Events; readonly pool: ConnectionPool },
): MissedEvents {
  return new MissedEvents({
    desks,
    lanes,
    patienceMs: config.missedEventsSeconds * 1000,
    positions: {
      read: (lane, provider) => pool.lend((connection) => readEventPosition(connection, lane, provider)),
      keep: (owned, step) => pool.lend((connection) => keepEventPosition(connection, owned, step, Date.now())),
    },
    events,
    nowMs: Date.now,
  });
}

/** @returns null where no provider would tell anything */
async function openReceiver(
  { config, logger }: ServiceParts,
  desks: readonly EventDesk[],
  events: Events,
): Promise<Pick<HttpServer, "close"> | null> {
  if (desks.length === 0) return null;
  const { webhookHost: host, webhookPort: port } = config;
  const routes = webhookRoutes(desks, events);
  const server = await startHttpServer({ host, port, routes, bodyBytesMax: BODY_BYTES_MAX, requestMs: REQUEST_MS });
  logger.info({ webhookPort: server.port }, "webhooks of providers are taken in");
  return server;
}
