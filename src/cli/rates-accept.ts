// millrace rates accept: a person believes a tick that jumped.

import { loadDeclared } from "../declared/load.ts";
import { loadFeeds } from "../declared/load-rates.ts";
import { acceptTick, NotAcceptable } from "../rates/take-ticks.ts";
import { findRefusedRate } from "../store/rates.ts";
import type { CliContext } from "./context.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import type { AcceptOptions } from "./rates.ts";
import { position } from "./rows.ts";
import { usageCheck } from "./usage.ts";

const SEQ = /^\d{1,18}$/;

/** @throws CommandFailed 1 when there is no such tick or it cannot be accepted */
export async function acceptRate(
  context: CliContext,
  feed: string,
  pair: string,
  { seq, reason }: AcceptOptions,
): Promise<void> {
  const usage = usageCheck();
  const [base = "", quote = "", ...rest] = pair.split("/");
  if (base === "" || quote === "" || rest.length > 0) usage.fault(`PAIR: found "${pair}", expected BASE/QUOTE`);
  if (!SEQ.test(seq)) usage.fault(`--seq: found "${seq}", expected the number that \`rates refused\` shows`);
  if (reason.trim() === "") usage.fault("--reason: found nothing, expected why the price is right");
  const config = await context.config([], usage);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  const { currencies } = loadDeclared(config.schemasDir, config.flowsDir);
  const rules = { feeds: loadFeeds(config.schemasDir), currencies };
  await withDatabase({ config, databaseUrl, verb: "rates", mode: "write" }, async (connection) => {
    const refused = await findRefusedRate(connection, { feed, base, quote, seq: BigInt(seq) });
    if (refused === null) {
      throw new CommandFailed(
        EXIT.failed,
        `no tick ${seq} of ${feed} for ${pair} was put aside; see: millrace rates refused`,
      );
    }
    try {
      const version = await acceptTick(connection, rules, refused, reason.trim());
      const fields = { feed, base, quote, mid: refused.mid, seq: refused.seq, version: position(version) };
      context.out.row(fields, `${pair} ${refused.mid} of ${feed} is version ${version} of rates`);
    } catch (error) {
      if (error instanceof NotAcceptable) throw new CommandFailed(EXIT.failed, error.message);
      throw error;
    }
  });
}
