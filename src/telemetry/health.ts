// The small HTTP server that operators and Prometheus ask: /metrics, /livez (restart me), /readyz (send me work). It
// says why in JSON.

import { CannotListen, type HttpReply, type HttpServer, startHttpServer } from "../http/server.ts";
import type { Metrics } from "./metrics.ts";

/** `reasons` says what is wrong, a sentence each; empty when all is well. */
export type Health = { readonly ok: boolean; readonly reasons: readonly string[] };

export type HealthServerSettings = {
  readonly host: string;
  /** 0 takes a free one */
  readonly port: number;
  readonly metrics: Pick<Metrics, "page">;
  readonly live: () => Health;
  readonly ready: () => Health;
};

/** The address cannot be listened on: taken, not ours, or not permitted. */
export class HealthServerFailed extends Error {
  override name = "HealthServerFailed";
}

export type HealthServer = HttpServer;

const REQUEST_MS = 10_000;

/** @throws HealthServerFailed with the setting to change */
export async function startHealthServer(settings: HealthServerSettings): Promise<HealthServer> {
  const { host, port, metrics, live, ready } = settings;
  const page = async (): Promise<HttpReply> => {
    const { contentType, text } = await metrics.page();
    return { status: 200, headers: { "content-type": contentType }, body: text };
  };
  try {
    return await startHttpServer({
      host,
      port,
      bodyBytesMax: 0,
      requestMs: REQUEST_MS,
      routes: [
        { method: "GET", path: "/metrics", handle: page },
        { method: "GET", path: "/livez", handle: () => answer(live()) },
        { method: "GET", path: "/readyz", handle: () => answer(ready()) },
      ],
    });
  } catch (error) {
    if (!(error instanceof CannotListen)) throw error;
    throw new HealthServerFailed(`${error.message}; choose another --http-port, or 0 for a free one`);
  }
}

/** 503 makes a load balancer or Kubernetes act; the body is for the person who looks why. */
function answer({ ok, reasons }: Health): HttpReply {
  const body = JSON.stringify({ status: ok ? "ok" : "failing", reasons });
  return { status: ok ? 200 : 503, headers: { "content-type": "application/json; charset=utf-8" }, body };
}
