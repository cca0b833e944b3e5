// Which failures of KafkaJS pass by themselves, which mean that somebody else took over, and how to say them in a log.
import { Fenced, KafkaRefused, KafkaUnreachable, WriterBroken } from "./port.ts";

const TRANSIENT_NAMES: ReadonlySet<string> = new Set([
  "KafkaUnreachable",
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSLockTimeout",
]);

const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
]);

/** Retriable by protocol, though KafkaJS's table says otherwise. */
const TRANSIENT_TYPES: ReadonlySet<string> = new Set(["BROKER_NOT_AVAILABLE", "COORDINATOR_NOT_FOUND"]);

/** The coordinator is starting, moving, or finishing what our predecessor left. */
const COORDINATOR_TYPES: ReadonlySet<string> = new Set([
  "CONCURRENT_TRANSACTIONS",
  "GROUP_LOAD_IN_PROGRESS",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR_FOR_GROUP",
]);

type KafkaJsError = Error & {
  readonly type?: string;
  readonly code?: string | number;
  readonly retriable?: boolean;
  readonly broker?: string;
};

function chain(error: unknown): KafkaJsError[] {
  const links: KafkaJsError[] = [];
  for (let link = error; link instanceof Error && !links.includes(link); link = link.cause) links.push(link);
  return links;
}

/** True when the same request may succeed a little later, after the metadata has been refreshed. */
export function isTransient(error: unknown): boolean {
  const links = chain(error);
  const last = links.at(-1);
  if (links.some((link) => TRANSIENT_NAMES.has(link.name))) return true;
  if (typeof last?.code === "string" && TRANSIENT_CODES.has(last.code)) return true;
  if (last?.type !== undefined && TRANSIENT_TYPES.has(last.type)) return true;
  return last?.type !== undefined && last.retriable === true;
}

const TURNED_AWAY_NAMES: ReadonlySet<string> = new Set(["KafkaJSSASLAuthenticationError"]);
const TURNED_AWAY_TYPES: ReadonlySet<string> = new Set([
  "SASL_AUTHENTICATION_FAILED",
  "UNSUPPORTED_SASL_MECHANISM",
  "ILLEGAL_SASL_STATE",
]);
/** Of OpenSSL and Node: a certificate that is not in order, or a listener that does not speak TLS. */
const TURNED_AWAY_CODES = /^(ERR_TLS_|ERR_SSL_|EPROTO$|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/** True when a login was refused or the certificates are not in order: a moment later is no better, and an account may be
 *  locked for trying. */
export function isTurnedAway(error: unknown): boolean {
  return chain(error).some(
    ({ name, type, code }) =>
      TURNED_AWAY_NAMES.has(name) ||
      (type !== undefined && TURNED_AWAY_TYPES.has(type)) ||
      (typeof code === "string" && TURNED_AWAY_CODES.test(code)),
  );
}

/** True when the connection that it happened on is of no more use. */
export function isConnectionLoss(error: unknown): boolean {
  return chain(error).some((link) => TRANSIENT_NAMES.has(link.name) || link instanceof RangeError);
}

/** True when the coordinator asks for patience; its answer changes within milliseconds to a second. */
export function isCoordinatorBusy(error: unknown): boolean {
  return chain(error).some((link) => link.type !== undefined && COORDINATOR_TYPES.has(link.type));
}

const PRODUCER_FENCED_CODE = 90; // newer than KafkaJS's table

/** True when the broker knows a newer epoch of our producer id. */
export function isFencing(error: unknown): boolean {
  return chain(error).some(
    (link) =>
      link.type === "INVALID_PRODUCER_EPOCH" ||
      link.code === PRODUCER_FENCED_CODE ||
      link.message === `Unknown error code ${PRODUCER_FENCED_CODE}`,
  );
}

export type KafkaErrorDescription = {
  readonly name: string;
  /** the broker's or the system's name for it, such as `NOT_LEADER_FOR_PARTITION` or `ECONNREFUSED` */
  readonly type: string | null;
  readonly code: string | number | null;
  readonly broker: string | null;
  readonly message: string;
};

/** The innermost cause in words for a log line; KafkaJS wraps it up to three times. */
export function describeKafkaError(error: unknown): KafkaErrorDescription {
  const links = chain(error);
  const inner = links.at(-1);
  if (inner === undefined) return { name: "unknown", type: null, code: null, broker: null, message: String(error) };
  const code = inner.code ?? null;
  return {
    name: inner.name,
    type: inner.type ?? (typeof code === "string" ? code : null),
    code,
    broker: links.find((link) => link.broker !== undefined)?.broker ?? null,
    message: inner.message,
  };
}

/** Ours as it is; everything else as unreachable when it may pass, as refused when the cluster said no. */
export function asPortError(error: unknown, doing: string): Error {
  for (const ours of [Fenced, WriterBroken, KafkaUnreachable, KafkaRefused]) {
    if (error instanceof ours) return error;
  }
  const inner = describeKafkaError(error);
  if (isTransient(error) || isCoordinatorBusy(error)) {
    return new KafkaUnreachable(
      `${doing}: ${inner.broker ?? "Kafka"} does not answer (${inner.type ?? inner.message})`,
      "See that the brokers run and that their advertised listeners can be reached from here.",
      { cause: error },
    );
  }
  if (inner.type === null) return error instanceof Error ? error : new Error(String(error));
  return new KafkaRefused(`${doing}: ${inner.message} (${inner.type})`, inner.type, { cause: error });
}
