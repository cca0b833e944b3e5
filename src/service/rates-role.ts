// The role `rates`: ticks of the feeds become versions of rates. One instance is enough; more of them take turns.

import { ratesTopic } from "../config/config.ts";
import { loadFeeds } from "../declared/load-rates.ts";
import { openPartitionReader } from "../kafka/partitions.ts";
import { RateTaker, type TakerEvents } from "../rates/taker.ts";
import { ConnectionPool } from "../store/database.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Common, ServiceParts } from "./common.ts";
import { openRateCodec } from "./dependencies.ts";
import { NotSetUp } from "./requirements.ts";

export type RatesRole = { start(): void; stop(): Promise<void> };

/** @throws NotSetUp | SchemaMissing | RegistryUnreachable | DeclaredFaults */
export async function makeRates({ config, kafka, logger, metrics }: ServiceParts, common: Common): Promise<RatesRole> {
  const { declared, registry, admin, database } = common;
  const topic = ratesTopic(config);
  const feeds = loadFeeds(config.schemasDir);
  const { decoder } = await openRateCodec(config, declared, registry);
  const partitions = (await admin.partitionCounts([topic])).get(topic);
  if (partitions !== 1)
    throw new NotSetUp(`topic ${topic} has ${partitions ?? "no"} partitions, expected 1; run \`millrace migrate\``);
  const pool = new ConnectionPool(database, 1);
  const taker = new RateTaker({
    topic,
    rules: { feeds, currencies: declared.currencies },
    decoder,
    pool,
    admin,
    openReader: (offset) => openPartitionReader(kafka, [{ topic, partition: 0, offset }]),
    events: takerEvents(logger, metrics),
  });
  return {
    start: () => taker.start(),
    stop: async () => {
      await taker.stop();
      await pool.close();
    },
  };
}

function takerEvents(logger: Logger, metrics: Metrics): TakerEvents {
  return {
    taken: ({ version, believed, dropped, refused }) => {
      metrics.ratesTaken({ believed, dropped, refused: refused.map(({ reason }) => reason) });
      for (const { feed, reason, detail } of refused)
        logger.warn({ feed, reason, detail, next: "millrace rates refused" }, "a tick was put aside");
      if (version !== null) logger.debug({ version, believed, dropped }, "rates taken in");
    },
    failed: (error) => logger.warn({ err: error }, "rates cannot be taken in; tried again"),
    positionLost: (position, low, end) =>
      logger.warn(
        { position, low, end },
        "the topic of rates does not have the wanted position; read from its beginning",
      ),
  };
}
