// An HTTP server that hands on requests with their raw bytes: what operators, payment providers and the sandbox's clients
// ask. The only file that knows fastify.

import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";

export type HttpRequest = {
  readonly method: string;
  /** without the query */
  readonly path: string;
  readonly query: URLSearchParams;
  /** what the path's `:names` stand for */
  readonly params: Readonly<Record<string, string>>;
  /** names in small letters; one that came twice is left out, because two readings of it are possible */
  readonly headers: Readonly<Record<string, string>>;
  /** as they came, whatever their content type */
  readonly body: Buffer;
  /** Breaks the connection; whatever is answered then is not sent. */
  cut(): void;
};

export type HttpReply = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
};

export type HttpRoute = {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `/v1/charges/:txid` */
  readonly path: string;
  readonly handle: (request: HttpRequest) => HttpReply | Promise<HttpReply>;
};

export type HttpServerSettings = {
  readonly host: string;
  /** 0 takes a free one */
  readonly port: number;
  readonly routes: readonly HttpRoute[];
  /** a longer body is answered 413 and not read; 0 takes none */
  readonly bodyBytesMax: number;
  /** how long a request may take to arrive */
  readonly requestMs: number;
  /** what `close` does with requests that are not answered yet; cuts them unless told, and in any case after `requestMs` */
  readonly onClose?: "cut" | "finish";
  /** how is answered what no route answers: 400 a path that cannot be read, 404 no such path, 413 too long, 500 a handler
   *  that threw; fastify's own way unless told */
  readonly fault?: (status: number, message: string) => HttpReply;
};

export type HttpServer = {
  readonly port: number;
  /** Stops listening; resolves when no connection is left. */
  close(): Promise<void>;
};

/** The address cannot be listened on: taken, not ours, or not permitted. `code` is that of the operating system. */
export class CannotListen extends Error {
  override name = "CannotListen";
  readonly code: string;

  constructor(address: string, code: string) {
    super(`cannot listen on ${address} (${code})`);
    this.code = code;
  }
}

/** Longer than any id of ours and of providers. */
const PARAM_CHARACTERS_MAX = 512;

/** No route has a schema. Unless told, fastify loads its compilers of schemas all the same: a tenth of a second of each
 *  start. */
const WITHOUT_SCHEMAS = { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } };

function noCompiler(): never {
  throw new Error("no route has a schema");
}

/** Unless told, Node looks for slow clients every 30 s, and gives a request's head a minute. */
function slowClients(requestMs: number) {
  return {
    headersTimeout: requestMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.ceil(requestMs / 4),
  };
}

/** @throws CannotListen */
export async function startHttpServer(settings: HttpServerSettings): Promise<HttpServer> {
  const { host, port, routes, bodyBytesMax, requestMs, onClose = "cut", fault } = settings;
  const server = fastify({
    logger: false,
    // Those that stay open between two requests, and those that never asked for anything, are nothing to wait for.
    forceCloseConnections: true,
    trustProxy: false,
    // Of the hooks: unless told, one that waits for 10 s makes `close` fail.
    pluginTimeout: 0,
    bodyLimit: Math.max(1, bodyBytesMax),
    requestTimeout: requestMs,
    http: slowClients(requestMs),
    routerOptions: { maxParamLength: PARAM_CHARACTERS_MAX },
    ...(fault === undefined ? {} : { frameworkErrors: badPath(fault) }),
    schemaController: WITHOUT_SCHEMAS,
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  if (onClose === "finish") finishOnClose(server, requestMs);
  for (const route of routes) addRoute(server, route);
  if (fault !== undefined) addFaults(server, fault);
  try {
    await server.listen({ host, port });
  } catch (error) {
    await server.close();
    throw new CannotListen(`${host}:${port}`, (error as NodeJS.ErrnoException).code ?? String(error));
  }
  const address = server.server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () => server.close(),
  };
}

function addRoute(server: FastifyInstance, { method, path, handle }: HttpRoute): void {
  server.route({
    method,
    url: path,
    handler: async (request, reply) => send(reply, await handle(requestOf(request, reply))),
  });
}

/** Lets `close` wait for what was asked before: new requests are told 503 meanwhile. */
function finishOnClose(server: FastifyInstance, patienceMs: number): void {
  let unanswered = 0;
  let noneLeft = (): void => undefined;
  server.addHook("onRequest", (_request, reply, done) => {
    unanswered += 1;
    // Comes once, also when the client has gone or the connection was cut.
    reply.raw.once("close", () => {
      unanswered -= 1;
      if (unanswered === 0) noneLeft();
    });
    done();
  });
  server.addHook("preClose", (done) => {
    if (unanswered === 0) return done();
    const timer = setTimeout(done, patienceMs);
    noneLeft = () => {
      clearTimeout(timer);
      done();
    };
  });
}

type Fault = NonNullable<HttpServerSettings["fault"]>;

/** Such as percent signs that stand for no character. */
function badPath(fault: Fault) {
  return (error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void => {
    void send(reply, fault(error.statusCode ?? 400, "the path cannot be read"));
  };
}

function addFaults(server: FastifyInstance, fault: Fault): void {
  server.setNotFoundHandler((request, reply) => send(reply, fault(404, `no ${request.method} here`)));
  server.setErrorHandler((error: FastifyError, _request, reply) => {
    const { statusCode = 500, message } = error;
    // What a handler threw is a bug, and says things that are none of the client's business.
    return send(reply, statusCode < 500 ? fault(statusCode, message) : fault(500, "a fault of our own"));
  });
}

function send(reply: FastifyReply, { status, headers = {}, body }: HttpReply): FastifyReply {
  return reply.code(status).headers(headers).send(body);
}

function requestOf(request: FastifyRequest, reply: FastifyReply): HttpRequest {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  return {
    method: request.method,
    path: pathname,
    query: searchParams,
    params: request.params as Record<string, string>,
    headers: plainHeaders(request),
    body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    cut: () => {
      reply.hijack();
      request.raw.socket.destroy();
    },
  };
}

function plainHeaders(request: FastifyRequest): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, values] of Object.entries(request.raw.headersDistinct)) {
    if (values?.length === 1) found[name] = values[0] as string;
  }
  return found;
}
