// The small HTTP server that operators and Prometheus ask: /metrics, /livez (restart me), /readyz (send me work). It
// says why in JSON. The only file that knows fastify.

import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
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

export type HealthServer = {
  readonly port: number;
  /** Stops listening and cuts open connections. */
  close(): Promise<void>;
};

/** The address cannot be listened on: taken, not ours, or not permitted. */
export class HealthServerFailed extends Error {
  override name = "HealthServerFailed";
}

/** @throws HealthServerFailed with the setting to change */
export async function startHealthServer(settings: HealthServerSettings): Promise<HealthServer> {
  const server = fastify({ logger: false, forceCloseConnections: true, trustProxy: false });
  addRoutes(server, settings);
  try {
    await server.listen({ host: settings.host, port: settings.port });
  } catch (error) {
    await server.close();
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const address = `${settings.host}:${settings.port}`;
    throw new HealthServerFailed(
      `cannot listen on ${address} (${code}); choose another --http-port, or 0 for a free one`,
    );
  }
  const address = server.server.address();
  const port = typeof address === "object" && address !== null ? address.port : settings.port;
  return { port, close: () => server.close() };
}

function addRoutes(server: FastifyInstance, settings: HealthServerSettings): void {
  server.get("/metrics", async (_request, reply) => {
    const page = await settings.metrics.page();
    return reply.header("content-type", page.contentType).send(page.text);
  });
  server.get("/livez", (_request, reply) => answer(reply, settings.live()));
  server.get("/readyz", (_request, reply) => answer(reply, settings.ready()));
}

/** 503 makes a load balancer or Kubernetes act; the body is for the person who looks why. */
function answer(reply: FastifyReply, health: Health): FastifyReply {
  return reply.code(health.ok ? 200 : 503).send({ status: health.ok ? "ok" : "failing", reasons: health.reasons });
}
