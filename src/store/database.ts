// The one door to Postgres: direct connections with the session settings that the system relies on. Numbers wider than
// 53 bits arrive as bigint, times as text in UTC.

import type { Socket } from "node:net";
import pg from "pg";
import type { Statement } from "./statement.ts";

export type DatabaseSettings = {
  readonly url: string;
  /** `millrace_service` for the running service, null to stay who the URL says (owner: migrations) */
  readonly role: "millrace_service" | "millrace_reader" | null;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  readonly applicationName: string;
};

/** The database cannot be reached. `remedy` is a sentence for people. */
export class DatabaseUnreachable extends Error {
  override name = "DatabaseUnreachable";
}

/** The connection broke while an answer was outstanding: whether the statement took effect is unknown. */
export class ConnectionLost extends Error {
  override name = "ConnectionLost";
}

export type Result = {
  readonly rows: readonly Record<string, unknown>[];
  readonly rowCount: number;
  readonly command: string;
};
export type Step = { readonly statement: Statement; readonly values: readonly unknown[] };

const INT8 = 20;
const NUMERIC = 1700;
const TIMESTAMPTZ = 1184;
const parsers = new Map<number, (text: string) => unknown>([
  [INT8, BigInt],
  [NUMERIC, (text) => (text.includes(".") ? text : BigInt(text))],
  [TIMESTAMPTZ, (text) => text],
]);
const types = {
  getTypeParser: (oid: number, format?: string) =>
    parsers.get(oid) ?? pg.types.getTypeParser(oid, (format ?? "text") as "text"),
} as pg.CustomTypesConfig;

/** Postgres' own words for "you are not in the database any more"; everything else with a SQLSTATE left us connected. */
const LOST_STATES = new Set(["57P01", "57P02", "57P03", "08000", "08003", "08006", "25P03"]);

/** How much later than the server would give up a statement an answer is waited for. */
const ANSWER_MARGIN_MS = 2_000;

export class Connection {
  readonly #client: pg.Client;
  readonly #answerMs: number;
  #broken: Error | null = null;
  #warnings = 0;

  constructor(client: pg.Client, statementTimeoutMs: number) {
    this.#client = client;
    this.#answerMs = statementTimeoutMs + ANSWER_MARGIN_MS;
    client.on("notice", ({ severity }) => {
      if (severity === "WARNING") this.#warnings += 1;
    });
    client.on("error", (error) => {
      this.#broken ??= error;
    });
    client.on("end", () => {
      this.#broken ??= new Error("the connection was closed");
    });
  }

  get broken(): boolean {
    return this.#broken !== null;
  }

  /** how many warnings the server has sent so far */
  get warnings(): number {
    return this.#warnings;
  }

  /** The driver's socket, which it keeps to itself. */
  get #stream(): Socket {
    return (this.#client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream;
  }

  /** Runs one prepared statement.
   *  @throws ConnectionLost | DatabaseError (pg) */
  async run(statement: Statement, values: readonly unknown[]): Promise<Result> {
    const [result] = await this.flight([{ statement, values }]);
    return result as Result;
  }

  /** Sends several prepared statements at once and waits for all answers: one round trip, executed in order. A failed
   *  one makes those behind it fail inside a dbTransaction; the first error is thrown. */
  async flight(steps: readonly Step[]): Promise<Result[]> {
    return (await this.answers(steps)).map((answer) => {
      if (answer.status === "rejected") throw answer.reason;
      return answer.value;
    });
  }

  /** As `flight`, with every answer on its own. Where none comes, because the network swallowed question or answer, the
   *  connection is cut: the server's own time-outs do not help then. */
  async answers(steps: readonly Step[]): Promise<PromiseSettledResult<Result>[]> {
    // The driver writes to the socket once a statement; held together they leave in one system call.
    this.#stream.cork();
    const sent = Promise.allSettled(
      steps.map(({ statement, values }) =>
        this.#client.query({ name: statement.name, text: statement.text, values: values as unknown[] }),
      ),
    );
    this.#stream.uncork();
    const overdue = setTimeout(() => this.destroy(), this.#answerMs);
    const answers = await sent;
    clearTimeout(overdue);
    return answers.map((answer) =>
      answer.status === "rejected"
        ? { status: "rejected", reason: this.#judge(answer.reason) }
        : { status: "fulfilled", value: toResult(answer.value) },
    );
  }

  /** Runs a statement without parameters and without preparing it. */
  async plain(text: string): Promise<Result> {
    try {
      return toResult(await this.#client.query(text));
    } catch (error) {
      throw this.#judge(error);
    }
  }

  async close(): Promise<void> {
    this.#broken ??= new Error("closed by us");
    await this.#client.end().catch(() => undefined);
  }

  /** Cuts the socket at once: for a connection whose peer may be gone. */
  destroy(): void {
    this.#broken ??= new Error("cut by us");
    this.#stream.destroy();
  }

  #judge(error: unknown): Error {
    const code = (error as { code?: string }).code ?? "";
    const isOurs = error instanceof pg.DatabaseError && !LOST_STATES.has(code);
    if (isOurs) return error;
    const lost = error instanceof Error ? error : new Error(String(error));
    this.#broken ??= lost;
    return new ConnectionLost(`the database connection broke: ${lost.message}`, { cause: lost });
  }
}

function toResult(raw: pg.QueryResult): Result {
  return { rows: raw.rows as Record<string, unknown>[], rowCount: raw.rowCount ?? 0, command: raw.command };
}

/** SQLSTATE of an error that the server answered, or null. */
export function sqlState(error: unknown): string | null {
  return error instanceof pg.DatabaseError ? (error.code ?? null) : null;
}

// Every statement of ours finds its rows by key. A plan made while a table was small must not become a scan of a large
// one, and prepared statements keep their plan, so the choices that are only good for small tables are switched off.
const SESSION = [
  "TimeZone=UTC",
  "DateStyle=ISO",
  "search_path=millrace",
  "plan_cache_mode=force_generic_plan",
  "enable_seqscan=off",
  "enable_hashjoin=off",
  "enable_mergejoin=off",
  "enable_sort=off",
  "jit=off",
  "synchronous_commit=on",
  "default_transaction_isolation=read\\ committed",
  "tcp_keepalives_idle=3",
  "tcp_keepalives_interval=1",
  "tcp_keepalives_count=3",
];
// Tools read whole tables: they take the planner as it is.
const TOOL_SESSION = ["TimeZone=UTC", "DateStyle=ISO", "search_path=millrace", "jit=off"];

export type SessionKind = "service" | "tool";

/** Opens a connection.
 *  @throws DatabaseUnreachable with which address and what to do */
export async function connect(settings: DatabaseSettings, kind: SessionKind): Promise<Connection> {
  const session = kind === "service" ? SESSION : TOOL_SESSION;
  const options = [...session, ...(settings.role === null ? [] : [`role=${settings.role}`])];
  // A process that stands still in the middle of a block holds its lane's row; its heir waits for as long as this.
  const idleMs = kind === "service" ? settings.lockTimeoutMs : settings.statementTimeoutMs * 2;
  const client = openClient(settings.url, {
    connectionString: settings.url,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    statement_timeout: settings.statementTimeoutMs,
    lock_timeout: settings.lockTimeoutMs,
    idle_in_transaction_session_timeout: idleMs,
    application_name: settings.applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: 3_000,
    options: options.map((setting) => `-c ${setting}`).join(" "),
    types,
    pipeline: true,
  } as pg.ClientConfig);
  client.on("error", () => undefined); // replaced by the connection's own; before that connect() itself reports
  try {
    await client.connect();
  } catch (error) {
    client.end().catch(() => undefined);
    throw unreachable(settings.url, error);
  }
  return new Connection(client, settings.statementTimeoutMs);
}

/** The URL may name files of certificates (`sslrootcert`), which are read here.
 *  @throws DatabaseUnreachable */
export function openClient(url: string, config: pg.ClientConfig): pg.Client {
  try {
    return new pg.Client(config);
  } catch (error) {
    throw unreachable(url, error);
  }
}

function unreachable(url: string, error: unknown): DatabaseUnreachable {
  const { hostname, port, pathname } = new URL(url);
  const reason = error instanceof Error ? error.message || (error as { code?: string }).code : String(error);
  const where = `${hostname}:${port || 5432}${pathname}`;
  return new DatabaseUnreachable(
    `Postgres at ${where} cannot be used (${reason}); check DATABASE_URL, or start a local stack with \`millrace stack up\``,
    { cause: error },
  );
}

/** A few connections that blocks of all lanes take turns on; first come, first served. */
export class ConnectionPool {
  readonly #settings: DatabaseSettings;
  readonly #idle: Connection[] = [];
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #isClosed = false;

  constructor(settings: DatabaseSettings, size: number) {
    this.#settings = settings;
    this.#free = size;
  }

  /** Lends a connection to `work`. A broken one is dropped, not given back.
   *  @throws DatabaseUnreachable | whatever `work` throws */
  async lend<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      let connection = this.#idle.pop();
      while (connection?.broken) connection = this.#idle.pop();
      connection ??= await connect(this.#settings, "service");
      const result = await this.#use(connection, work);
      return result;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  async #use<T>(connection: Connection, work: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await work(connection);
    } finally {
      if (this.#isClosed) void connection.close();
      else if (!connection.broken) this.#idle.push(connection);
    }
  }

  /** What is lent is closed when it is given back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#idle.splice(0).map((connection) => connection.close()));
  }
}
