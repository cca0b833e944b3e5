// What a running service looks after beside its lanes: the coming partitions, whether commits wait for a standby, and how
// many cases wait for a person.

import type { Connection, ConnectionPool } from "../store/database.ts";
import { type LaneAttention, readAttention } from "../store/reads-case.ts";
import { readStandby } from "../store/reads-server.ts";
import { createPartitionsAhead } from "../store/setup.ts";
import type { Logger } from "../telemetry/logger.ts";

/** Commits must wait for a synchronous standby, and do not. */
export class StandbyMissing extends Error {
  override name = "StandbyMissing";
  readonly remedy =
    "name a standby in Postgres (synchronous_standby_names), or accept it with standby: optional (MILLRACE_STANDBY=optional)";
}

const PARTITIONS_EVERY_MS = 3_600_000;
const LOOK_EVERY_MS = 30_000;
const HOUR_MS = 3_600_000;
const RUNBOOK = "docs/runbooks/alarms/no_synchronous_standby.md";

/** A block that is on one machine only is lost with it, though its outcomes are out.
 *  @param isNeeded whether to refuse then, instead of only saying it
 *  @returns whether commits wait for a standby
 *  @throws StandbyMissing */
export async function requireStandby(connection: Connection, isNeeded: boolean, logger: Logger): Promise<boolean> {
  const { isWaitedFor } = await readStandby(connection);
  if (isWaitedFor) return true;
  const found = "no commit waits for a synchronous standby: losing the database's machine loses committed blocks";
  if (isNeeded) throw new StandbyMissing(found);
  logger.info({ runbook: RUNBOOK }, found); // accepted by setting, or because both are one machine; the alarm goes on
  return false;
}

export type Upkeep = {
  /** until when time partitions are made; null before that was seen to */
  readonly partitionsUntilMs: number | null;
  readonly hasStandby: boolean;
  /** of all lanes that have cases which wait for a person, whoever owns them */
  readonly attention: readonly LaneAttention[];
  stop(): void;
};

type Seen = { -readonly [Name in keyof Omit<Upkeep, "stop">]: Upkeep[Name] };

export type UpkeepParts = {
  readonly pool: Pick<ConnectionPool, "lend">;
  readonly logger: Logger;
  readonly partitionsAheadHours: number;
  /** as it was at the start */
  readonly standby: boolean;
};

/** Looks after all of it from now on; what fails is logged and tried again at the next turn. */
export function keepUp({ pool, logger, partitionsAheadHours, standby }: UpkeepParts): Upkeep {
  const seen: Seen = { partitionsUntilMs: null, hasStandby: standby, attention: [] };
  const makePartitions = async (): Promise<void> => {
    try {
      const made = await pool.lend((connection) => createPartitionsAhead(connection, partitionsAheadHours));
      seen.partitionsUntilMs = Date.now() + partitionsAheadHours * HOUR_MS;
      if (made > 0) logger.info({ made }, "partitions created ahead");
    } catch (error) {
      logger.error({ error }, "partitions could not be created ahead");
    }
  };
  const look = async (): Promise<void> => {
    try {
      await pool.lend(async (connection) => {
        seen.hasStandby = (await readStandby(connection)).isWaitedFor;
        seen.attention = await readAttention(connection);
      });
    } catch (error) {
      logger.debug({ error }, "standby and waiting cases cannot be looked at; asked again in half a minute");
    }
  };
  void makePartitions();
  void look();
  const timers = [
    setInterval(() => void makePartitions(), PARTITIONS_EVERY_MS),
    setInterval(() => void look(), LOOK_EVERY_MS),
  ];
  return {
    get partitionsUntilMs() {
      return seen.partitionsUntilMs;
    },
    get hasStandby() {
      return seen.hasStandby;
    },
    get attention() {
      return seen.attention;
    },
    stop: () => timers.forEach((timer) => clearInterval(timer)),
  };
}
