// The one file below KafkaJS's public interface. KafkaJS is frozen at 2.2.4 and its consumer and producer do not offer
// what lanes need: fetches from our own positions without a group, and idempotent appends under a producer id that is
// fenced by a transactional id. So we use its connections (framing, time-outs, authentication) and its protocol
// encoders, and put our own client on them. What is used here is checked by test/unit/kafka-wire.test.ts.
import { createRequire } from "node:module";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { reach } from "../failpoints.ts";
import { type FetchAnswer, readFetchAnswer } from "./fetch-answer.ts";
import type { KafkaAccess } from "./port.ts";
import type {
  ConnectionOptions,
  LogEntry,
  MetadataAnswer,
  ProduceAnswer,
  ProtocolRequest,
  SaslOptions,
  SocketOptions,
  TlsOptions,
  WireBroker,
  WireConnectionPool,
  WireLogger,
} from "./wire-types.ts";

process.env["KAFKAJS_NO_PARTITIONER_WARNING"] = "1";

const require = createRequire(import.meta.url);

export const KAFKAJS_VERSION = "2.2.4";
const installed = (require("kafkajs/package.json") as { version: string }).version;
if (installed !== KAFKAJS_VERSION) {
  throw new Error(`kafkajs ${installed} is installed, but this code knows the inside of ${KAFKAJS_VERSION} only`);
}

type RequestDefinition = { readonly versions: readonly string[] };
type QueuePrototype = {
  pending: readonly unknown[];
  throttledUntil: number;
  scheduleCheckPendingRequests(): void;
  sendSocketRequest(request: { readonly entry: { readonly apiKey: number } }): void;
};

const Broker = require("kafkajs/src/broker") as new (options: {
  connectionPool: WireConnectionPool;
  logger: WireLogger;
  nodeId: number | null;
  allowAutoTopicCreation: boolean;
  authenticationTimeout: number;
}) => WireBroker;
const ConnectionPool = require("kafkajs/src/network/connectionPool") as new (
  options: ConnectionOptions,
) => WireConnectionPool;
const RequestQueue = require("kafkajs/src/network/requestQueue") as { prototype: QueuePrototype };
const { createLogger } = require("kafkajs/src/loggers") as {
  createLogger(options: { level: number; logCreator: () => (entry: LogEntry) => void }): WireLogger;
};
const { requests } = require("kafkajs/src/protocol/requests") as { requests: Record<string, RequestDefinition> };
const API_KEYS = require("kafkajs/src/protocol/requests/apiKeys") as Record<string, number>;
const { createErrorFromCode } = require("kafkajs/src/protocol/error") as {
  createErrorFromCode(code: number): Error & { type: string; code: number; retriable: boolean };
};

/** For the smoke test alone. */
export const innerParts = {
  Broker,
  ConnectionPool,
  RequestQueue,
  requests,
  API_KEYS,
  createErrorFromCode,
  createLogger,
};

// KafkaJS schedules this check again and again with a delay that is negative (so 1 ms) while nothing waits: 4 % of a core
// when idle, and a TimeoutNegativeWarning on Node 24. With nothing pending there is nothing to check.
const { scheduleCheckPendingRequests } = RequestQueue.prototype;
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: QueuePrototype): void {
  if (this.pending.length === 0 && this.throttledUntil <= Date.now()) return;
  scheduleCheckPendingRequests.call(this);
};

// The only place that knows when a request's bytes were given to the socket.
const { sendSocketRequest } = RequestQueue.prototype;
RequestQueue.prototype.sendSocketRequest = function (this: QueuePrototype, request): void {
  sendSocketRequest.call(this, request);
  if (request.entry.apiKey === API_KEYS["Produce"]) reach("relay.sent");
};

const AUTHENTICATION_TIMEOUT_MS = 3_000;
const INFO = 4;

export function createWireLogger(write: (entry: LogEntry) => void): WireLogger {
  return createLogger({ level: INFO, logCreator: () => write });
}

// Requests are written whole, so waiting for more bytes (Nagle) would only delay the pipelined ones. While a broker is
// away many requests wait for one socket, each with a listener of its own: that is no leak.
function openSocket({ host, port, ssl, onConnect }: SocketOptions): Socket {
  const plain = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
  if (!ssl) return connect(plain, onConnect).setMaxListeners(0);
  // An IP address has no place in the name that is asked for; the certificate is compared with it all the same.
  const socket = connectTls({ ...plain, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect);
  // Node takes these for the TCP socket only when it makes that one itself from plain options of its own.
  return socket.setNoDelay(true).setKeepAlive(true, plain.keepAliveInitialDelay).setMaxListeners(0);
}

function tlsOptions({ tls }: KafkaAccess): TlsOptions | null {
  if (tls === null) return null;
  const given = Object.entries(tls).filter(([, pem]) => pem !== null);
  return Object.fromEntries(given) as TlsOptions;
}

function saslOptions({ login }: KafkaAccess): SaslOptions | null {
  return login === null ? null : { mechanism: login.mechanism, username: login.user, password: login.password };
}

const OPEN_ACCESS: KafkaAccess = { tls: null, login: null };

export type BrokerAddress = { readonly nodeId: number | null; readonly host: string; readonly port: number };
export type BrokerOptions = {
  readonly clientId: string;
  readonly logger: WireLogger;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly access: KafkaAccess | undefined;
};

/** A broker that is not connected yet. */
export function createBroker({ nodeId, host, port }: BrokerAddress, options: BrokerOptions): WireBroker {
  const { access = OPEN_ACCESS } = options;
  const connectionPool = new ConnectionPool({
    host,
    port,
    clientId: options.clientId,
    logger: options.logger,
    socketFactory: openSocket,
    ssl: tlsOptions(access),
    sasl: saslOptions(access),
    connectionTimeout: options.connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    enforceRequestTimeout: true,
    maxInFlightRequests: null,
  });
  return new Broker({
    connectionPool,
    logger: options.logger,
    nodeId,
    allowAutoTopicCreation: false,
    authenticationTimeout: AUTHENTICATION_TIMEOUT_MS,
  });
}

/** Ends both connections at once; whatever waits for an answer is rejected with `reason`. */
export function dropBroker(broker: WireBroker, reason: Error): void {
  for (const connection of broker.connectionPool.pool) {
    connection.rejectRequests(reason);
    connection.socket?.destroy();
    void connection.disconnect();
  }
}

export const protocolError = createErrorFromCode;

/** Topics with errors stay in the answer: KafkaJS throws for all when one of them has no leader. */
export function metadataRequest(broker: WireBroker, topics: readonly string[]): ProtocolRequest<MetadataAnswer> {
  const known = lookup(broker, "Metadata", { topics, allowAutoTopicCreation: false });
  return {
    request: known.request,
    response: { decode: known.response.decode, parse: async (decoded: MetadataAnswer) => decoded },
  };
}

export type FetchWish = { readonly partition: number; readonly fetchOffset: string; readonly maxBytes: number };
export type FetchArgs = {
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly FetchWish[] }[];
};

const FETCH_VERSION = 11;
const ANSWER_GRACE_MS = 1_000;

/** The answer is read by our own decoder: KafkaJS's gives up the whole answer when one partition is out of range, takes
 *  a key of four zero bytes for an abort marker, and stands still on empty batches. */
export function fetchRequest(broker: WireBroker, args: FetchArgs): ProtocolRequest<FetchAnswer> {
  const known = lookup(broker, "Fetch", args);
  if (known.request.apiVersion !== FETCH_VERSION) throw new Error("the broker is older than Kafka 2.3");
  return {
    request: known.request,
    response: {
      decode: async (payload: Buffer) => readFetchAnswer(payload),
      parse: async (answer: FetchAnswer) => answer,
    },
    requestTimeout: args.maxWaitTime + ANSWER_GRACE_MS,
    logResponseError: false,
  };
}

/** @param body the request after its header, see batch-write.ts */
export function produceRequest(broker: WireBroker, body: Buffer): ProtocolRequest<ProduceAnswer> {
  const known = lookup(broker, "Produce", { acks: -1, timeout: 0, topicData: [] });
  return {
    // KafkaJS copies `buffer` behind the header; `buf` is how it recognises an encoder.
    request: { ...known.request, encode: async () => ({ buf: body, buffer: body }) },
    response: { decode: known.response.decode, parse: async (decoded: ProduceAnswer) => decoded },
    logResponseError: false,
  };
}

function lookup(broker: WireBroker, api: string, args: object): ProtocolRequest<unknown> {
  return broker.lookupRequest(API_KEYS[api] ?? -1, requests[api])(args);
}
