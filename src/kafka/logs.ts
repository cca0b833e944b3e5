// KafkaJS's log lines in our ranks. It writes ERROR for much that heals itself and that our own code decides about and
// logs: those lines arrive as debug. The error itself still reaches whoever asked.
import type { KafkaSettings } from "./port.ts";
import type { LogEntry } from "./wire-types.ts";

export type LogRank = "error" | "warn" | "info" | "debug";

const RANKS: Readonly<Record<number, LogRank>> = { 1: "error", 2: "warn", 4: "info", 5: "debug" };

type Demotion = {
  readonly namespace: RegExp;
  readonly message: RegExp;
  /** tested against the line's `error` field, or its message when it has none; null fits all */
  readonly detail: RegExp | null;
  readonly rank: LogRank;
};

const DEMOTIONS: readonly Demotion[] = [
  // The predecessor's Kafka transaction is still being completed: asked again after 2 ms.
  {
    namespace: /Connection|Producer/,
    message: /AddPartitionsToTxn|Failed to send messages/,
    detail: /concurrent operation|transaction while another/,
    rank: "debug",
  },
  {
    namespace: /Connection/,
    message: /Response InitProducerId/,
    detail: /loading|concurrent|another|not the correct coordinator/i,
    rank: "debug",
  },
  // The internal topics of a fresh broker are being made.
  {
    namespace: /Connection/,
    message: /Response (GroupCoordinator|FindCoordinator)/,
    detail: /not available/,
    rank: "debug",
  },
  { namespace: /Connection/, message: /Response JoinGroup/, detail: /valid member id/i, rank: "debug" },
  { namespace: /Connection/, message: /Response (Heartbeat|SyncGroup|JoinGroup)/, detail: /rebalanc/i, rank: "debug" },
  { namespace: /Runner/, message: /rebalancing, re-joining/, detail: null, rank: "info" },
  {
    namespace: /Connection/,
    message: /Response (Metadata|ListOffsets)/,
    detail: /leadership election|does not host this topic|not the leader/,
    rank: "debug",
  },
  { namespace: /ConsumerGroup/, message: /^(Pausing|Resuming) fetching/, detail: null, rank: "debug" },
  // A broker is away: reader and writers try again and say so themselves when it lasts.
  {
    namespace: /Connection|BrokerPool/,
    message: /Connection (error|timeout)|Failed to connect/,
    detail: null,
    rank: "debug",
  },
  { namespace: /RequestQueue/, message: /Response without match/, detail: null, rank: "debug" },
  // A topic that exists already is what `createTopics` hopes for.
  { namespace: /Connection/, message: /Response CreateTopics/, detail: null, rank: "debug" },
];

/** The rank that a line deserves. */
export function rankOf({ namespace, level, log }: LogEntry): LogRank {
  const detail = typeof log["error"] === "string" ? log["error"] : log.message;
  for (const demotion of DEMOTIONS) {
    if (!demotion.namespace.test(namespace) || !demotion.message.test(log.message)) continue;
    if (demotion.detail === null || demotion.detail.test(detail)) return demotion.rank;
  }
  return RANKS[level] ?? "debug";
}

/** Hands KafkaJS's lines to `settings.log`; a stack only with errors. */
export function logSink(settings: KafkaSettings): (entry: LogEntry) => void {
  return (entry) => {
    const { message, timestamp: _timestamp, logger: _logger, stack, ...fields } = entry.log;
    const rank = rankOf(entry);
    const withStack = rank === "error" && stack !== undefined ? { stack } : {};
    settings.log(rank, { kafka: entry.namespace, ...fields, ...withStack }, message);
  };
}
