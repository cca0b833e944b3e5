// millrace fx rate: one rate, and where it comes from.

import { loadDeclared } from "../declared/load.ts";
import { formatDecimal } from "../domain/decimal.ts";
import { lockSecondsOf, type Rate } from "../domain/fx/fx.ts";
import { roundQuotient } from "../domain/fx/rounding.ts";
import { newestRatesVersion, rateBookAt, ratesVersionAt } from "../store/rates.ts";
import { parseTime } from "../workload/intents-time.ts";
import type { CliContext } from "./context.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { isoTime, position } from "./rows.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

const SHOWN_DECIMALS = 12;

/** @throws CommandFailed 1 when nothing may be converted by any rate that is there */
export async function showRate(context: CliContext, from: string, to: string, options: { at?: string }): Promise<void> {
  const usage = usageCheck();
  const atMs = readAt(usage, options.at);
  const config = await context.config([], usage);
  const { currencies } = loadDeclared(config.schemasDir, config.flowsDir);
  const unknown = [from, to].filter((code) => currencies.scaleOf(code) === null);
  if (unknown.length > 0) throw new CommandFailed(EXIT.usage, `${unknown.join(", ")}: no currency here`);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  await withDatabase({ config, databaseUrl, verb: "fx", mode: "read" }, async (connection) => {
    const version =
      options.at === undefined ? await newestRatesVersion(connection) : await ratesVersionAt(connection, atMs);
    const found = (await rateBookAt(connection, version)).find(from, to, atMs);
    if (found === null)
      throw new CommandFailed(
        EXIT.failed,
        `no rate from ${from} to ${to} is good at ${isoTime(atMs)}; see: millrace rates list`,
      );
    const { rate, quality, feed, rows } = found;
    const shown = decimalOf(rate);
    const way = rows.map(({ base, quote, mid }) => `${base}/${quote} ${mid}`).join(", ");
    const fields = {
      from,
      to,
      rate: shown,
      numerator: rate.numerator,
      denominator: rate.denominator,
      quality,
      extraBps: Number(rate.extraBps ?? 0n),
      lockMaxSeconds: Number(lockSecondsOf(rate)),
      feed,
      legs: rows.map(({ base, quote, mid, asOfMs }) => ({ base, quote, mid, asOf: isoTime(asOfMs) })),
      version: position(version),
      at: isoTime(atMs),
    };
    const extra = fields.extraBps === 0 ? "" : `, ${fields.extraBps} bps on top of any spread`;
    context.out.row(fields, `1 ${from} = ${shown} ${to} (${quality}${extra}; ${feed}: ${way}; version ${version})`);
    if (quality === "stale") throw new CommandFailed(EXIT.failed, "it is stale: nothing is converted by it");
  });
}

function readAt(usage: UsageCheck, text: string | undefined): number {
  if (text === undefined) return Date.now();
  const micros = parseTime(text);
  if (micros !== null && micros >= 0n) return Number(micros / 1000n);
  usage.fault(`--at: found "${text}", expected a time such as 2026-11-20T10:00:00Z`);
  return 0;
}

/** For eyes: what computes has the fraction. */
export function decimalOf({ numerator, denominator }: Rate): string {
  const units = roundQuotient("half_even", numerator * 10n ** BigInt(SHOWN_DECIMALS), denominator);
  return formatDecimal(units, SHOWN_DECIMALS).replace(/\.?0+$/, "");
}
