// The sandbox as a whole: a server of its own that plays the providers cardco and instanet, and misbehaves as it is told.
// What it did is in the journal of its folder; see docs/sandbox.md for what it says and how it is made to do what.

import { join } from "node:path";
import { type HttpReply, type HttpRequest, type HttpRoute, type HttpServer, startHttpServer } from "../http/server.ts";
import { CardcoApi, type CardcoSettings, cardcoDesk, takeAction } from "./cardco-api.ts";
import { Chooser, type ScriptRule, type Trouble } from "./choose.ts";
import { Deliveries } from "./deliveries.ts";
import { Desk, type Times } from "./desk.ts";
import { InstanetApi, type InstanetSettings, instanetDesk, takePayersAction } from "./instanet-api.ts";
import { openJournal } from "./journal.ts";
import { errorReply, jsonReply, Lines } from "./lines.ts";
import { type Entry, Memory } from "./memory.ts";
import { recordLines, statement } from "./record.ts";
import { Refused } from "./refused.ts";

export type SandboxSettings = {
  readonly host: string;
  /** 0 takes a free one */
  readonly port: number;
  /** where the journal is; one sandbox at a time may use it, for which the caller answers */
  readonly dir: string;
  readonly trouble: Trouble;
  readonly script: readonly ScriptRule[];
  readonly times: Times;
  readonly cardco: CardcoSettings;
  readonly instanet: InstanetSettings;
  /** Told once when the journal cannot be written: nothing is answered any more. */
  readonly onFailed: (error: Error) => void;
};

export type Sandbox = {
  readonly url: string;
  readonly port: number;
  /** effects that were in the journal at start */
  readonly effects: number;
  /** Answers what has been asked, and stops. What is not told or not due yet is for the next start. */
  close(): Promise<void>;
};

const BODY_BYTES_MAX = 64 * 1024;
const REQUEST_MS = 10_000;
/** How a webhook is sent; the longest time between two tries is that of a receiver which is being restarted. */
const DELIVERY = { timeoutMs: 5_000, firstRetryMs: 100, longestRetryMs: 30_000, triesMax: 50, inFlightMax: 32 };

/** @throws JournalDamaged, CannotListen, the error of the file system */
export async function startSandbox(settings: SandboxSettings): Promise<Sandbox> {
  const { journal, entries } = await openJournal(join(settings.dir, "journal.jsonl"), settings.onFailed);
  const memory = new Memory();
  for (const entry of entries) memory.apply(entry as Entry);
  let url = "";
  const address = (): string => url;
  const cardco = { ...settings.cardco, address };
  const instanet = { ...settings.instanet, address };
  const stop = new AbortController();
  const deliveries = new Deliveries({
    ...DELIVERY,
    // A journal that failed ends the sandbox: nobody is told of anything any more.
    settled: () => journal.settled().catch(() => new Promise<never>(() => undefined)),
    ended: (id, how) => {
      const told = { e: "told", id, how } as const;
      memory.apply(told);
      journal.append(told);
    },
  });
  const providers = { cardco: cardcoDesk(memory, cardco), instanet: instanetDesk(memory, instanet) };
  const chooser = new Chooser(settings.trouble, settings.script);
  const desk = new Desk({ memory, times: settings.times, journal, chooser, deliveries, providers });
  const lines = new Lines(settings.times, stop.signal);
  const routes = [...new CardcoApi(desk, lines, cardco).routes(), ...new InstanetApi(desk, lines, instanet).routes()];
  const effects = memory.effects().length;
  const server = await listen(settings, [...routes, ...ownRoutes(desk)]);
  url = urlOf(settings.host, server.port);
  desk.resume();
  const close = async (): Promise<void> => {
    stop.abort();
    desk.stop();
    await server.close();
    await deliveries.close();
    await journal.close();
  };
  return { url, port: server.port, effects, close };
}

const FAULT_CODES: Readonly<Record<number, string>> = { 404: "not_found", 413: "too_large", 500: "internal" };

function listen({ host, port }: SandboxSettings, routes: readonly HttpRoute[]): Promise<HttpServer> {
  const guarded = routes.map((route) => ({ ...route, handle: (request: HttpRequest) => answer(route, request) }));
  return startHttpServer({
    host,
    port,
    routes: guarded,
    bodyBytesMax: BODY_BYTES_MAX,
    requestMs: REQUEST_MS,
    onClose: "finish",
    fault: (status, message) => errorReply(status, FAULT_CODES[status] ?? "bad_request", message),
  });
}

async function answer(route: HttpRoute, request: HttpRequest): Promise<HttpReply> {
  try {
    return await route.handle(request);
  } catch (error) {
    if (error instanceof Refused) return errorReply(error.status, error.code, error.message);
    throw error;
  }
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

// What it says of itself; without a login, since it moves no money.
function ownRoutes(desk: Desk): readonly HttpRoute[] {
  return [
    {
      method: "GET",
      path: "/sandbox/record",
      handle: async () => {
        const body = recordLines(desk.memory);
        await desk.settled();
        return { status: 200, headers: { "content-type": "application/x-ndjson" }, body };
      },
    },
    { method: "GET", path: "/sandbox/statement", handle: (request) => statementOf(desk, request) },
    { method: "POST", path: "/sandbox/actions/:id", handle: (request) => act(desk, request) },
  ];
}

async function statementOf(desk: Desk, { query }: HttpRequest): Promise<HttpReply> {
  const provider = query.get("provider");
  const day = query.get("day");
  if (provider !== "cardco" && provider !== "instanet") {
    throw new Refused(400, "field_invalid", "provider: expected cardco or instanet");
  }
  if (day !== null && !/^\d{4}-\d\d-\d\d$/.test(day))
    throw new Refused(400, "field_invalid", "day: expected YYYY-MM-DD");
  const body = statement(desk.memory, provider, day);
  await desk.settled();
  return { status: 200, headers: { "content-type": "text/csv; charset=utf-8" }, body };
}

/** What a customer would do at the page that an operation names: `?do=complete` or `?do=abandon`. */
async function act(desk: Desk, { params, query }: HttpRequest): Promise<HttpReply> {
  const operation = desk.memory.findById(params["id"] ?? "");
  if (operation === null) throw new Refused(404, "not_found", "there is no such step");
  const what = query.get("do");
  if (what !== "complete" && what !== "abandon")
    throw new Refused(400, "field_invalid", "do: expected complete or abandon");
  const take = operation.provider === "cardco" ? takeAction : takePayersAction;
  const isTaken = take(desk, operation, what === "complete");
  await desk.settled();
  if (!isTaken) throw new Refused(409, "not_waiting", "nothing waits for this step any more");
  return jsonReply(200, { done: what });
}
