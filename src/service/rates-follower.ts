// The rates that a process knows: read anew every second on a connection of its own for a moment, never from within a
// block. When the database is away the last known ones stay; their own life says until when they are good.

import { type RateBook, RateSnapshot } from "../domain/fx/rates.ts";
import type { ConnectionPool } from "../store/database.ts";
import { followRates, rateBookAt } from "../store/rates.ts";
import type { Logger } from "../telemetry/logger.ts";

const EVERY_MS = 1_000;

export type RatesFollower = { readonly current: () => RateBook; readonly stop: () => Promise<void> };

/** Reads the whole book, then what comes after it.
 *  @throws DatabaseUnreachable */
export async function followingRates(pool: Pick<ConnectionPool, "lend">, logger: Logger): Promise<RatesFollower> {
  let book: RateSnapshot = await pool.lend((connection) => rateBookAt(connection));
  let reading: Promise<void> | null = null;
  const read = async (): Promise<void> => {
    try {
      const newer = await pool.lend((connection) => followRates(connection, book));
      if (newer !== book) logger.debug({ version: newer.version }, "newer rates");
      book = newer;
    } catch (error) {
      logger.warn({ err: error, version: book.version }, "rates could not be read; those known before stay");
    } finally {
      reading = null;
    }
  };
  const timer = setInterval(() => {
    reading ??= read();
  }, EVERY_MS);
  return {
    current: () => book,
    stop: async () => {
      clearInterval(timer);
      await reading;
    },
  };
}
