// Postgres as tools use it: one connection for one verb, and the server's refusals in words that say what to do.

import type { Config } from "../config/config.ts";
import { type Connection, connect, sqlState } from "../store/database.ts";
import { CommandFailed, EXIT } from "./exit.ts";

export type ToolAccess = {
  readonly config: Config;
  readonly databaseUrl: string;
  /** of the verb, for `pg_stat_activity` */
  readonly verb: string;
  /** `read`: the session cannot write, whoever the URL says that we are */
  readonly mode: "read" | "write";
};

/** Tools read much at once; a block never takes that long. */
const TOOL_STATEMENT_TIMEOUT_MS = 120_000;

const NO_LEDGER = "the database has no ledger yet; make it with: millrace migrate";

/** What the server's refusals mean, by SQLSTATE. */
const REFUSALS: ReadonlyMap<string, string> = new Map([
  ["42P01", NO_LEDGER],
  ["3F000", NO_LEDGER],
  ["42703", "the database is of another release than this command; bring it up to date with: millrace migrate"],
  ["42501", "the user of DATABASE_URL may not do that; use the owner's, with which `millrace migrate` ran"],
  ["57014", "the question took too long and was given up; ask for less, or raise MILLRACE_STATEMENT_TIMEOUT_MS"],
  ["55P03", "somebody else holds the lock that this needs; try again, or raise MILLRACE_LOCK_TIMEOUT_MS"],
]);

/** @throws DatabaseUnreachable | CommandFailed 1 when the server refuses | whatever `work` throws */
export async function withDatabase<Answer>(
  { config, databaseUrl, verb, mode }: ToolAccess,
  work: (connection: Connection) => Promise<Answer>,
): Promise<Answer> {
  const connection = await connect(
    {
      url: databaseUrl,
      role: null,
      connectTimeoutMs: config.connectTimeoutMs,
      statementTimeoutMs: Math.max(config.statementTimeoutMs, TOOL_STATEMENT_TIMEOUT_MS),
      lockTimeoutMs: config.lockTimeoutMs,
      applicationName: `millrace ${verb}`,
    },
    "tool",
  );
  try {
    if (mode === "read") await connection.plain("set default_transaction_read_only = on");
    return await work(connection);
  } catch (error) {
    const refusal = REFUSALS.get(sqlState(error) ?? "");
    if (refusal === undefined || !(error instanceof Error)) throw error;
    throw new CommandFailed(EXIT.failed, `${error.message}\n${refusal}`);
  } finally {
    await connection.close();
  }
}

/** @throws CommandFailed 1 when `migrate` has not run */
export function requireLanes(lanes: number): number {
  if (lanes === 0) throw new CommandFailed(EXIT.failed, NO_LEDGER);
  return lanes;
}
