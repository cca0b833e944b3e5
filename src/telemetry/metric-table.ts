// Every metric, declared once: name, kind, unit, labels, meaning. Code names metrics by their key here, so a metric
// that is not in this table cannot be written. Units are Prometheus's base units: seconds, not milliseconds.

export type MetricKind = "counter" | "gauge" | "histogram";

export type MetricDeclaration = {
  readonly name: string;
  readonly kind: MetricKind;
  readonly unit: string;
  readonly labels: readonly string[];
  /** upper bounds, for histograms */
  readonly buckets?: readonly number[];
  readonly meaning: string;
};

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30] as const;
const INPUTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] as const;

export const METRICS = {
  blocks: {
    name: "millrace_blocks_total",
    kind: "counter",
    unit: "blocks",
    labels: [],
    meaning: "Blocks committed.",
  },
  intents: {
    name: "millrace_intents_total",
    kind: "counter",
    unit: "intents",
    labels: ["result"],
    meaning: "Intents that committed blocks took in, by what became of them: accepted, refused, repeated, quarantined.",
  },
  blockInputs: {
    name: "millrace_block_inputs",
    kind: "histogram",
    unit: "inputs",
    labels: [],
    buckets: INPUTS,
    meaning: "Inputs (intents, reports, timers) in a committed block.",
  },
  blockSeconds: {
    name: "millrace_block_seconds",
    kind: "histogram",
    unit: "seconds",
    labels: ["phase"],
    buckets: SECONDS,
    meaning:
      "Time of a block by phase: intake (decode and check), wait (for other inputs or a connection), read (cases and " +
      "balances), decide, write, commit.",
  },
  lagRecords: {
    name: "millrace_lag_records",
    kind: "gauge",
    unit: "records",
    labels: ["lane"],
    meaning: "Input records of a lane held here that are in the log and not yet in a block.",
  },
  lagSeconds: {
    name: "millrace_lag_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: ["lane"],
    meaning: "Age of a lane's oldest input record that is not yet in a block; 0 when there is none.",
  },
  relayed: {
    name: "millrace_relayed_messages_total",
    kind: "counter",
    unit: "messages",
    labels: [],
    meaning: "Outgoing messages that Kafka acknowledged.",
  },
  relayBacklog: {
    name: "millrace_relay_backlog_messages",
    kind: "gauge",
    unit: "messages",
    labels: ["lane"],
    meaning: "Messages of committed blocks that Kafka has not acknowledged.",
  },
  relayAgeSeconds: {
    name: "millrace_relay_age_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: ["lane"],
    meaning: "Age of the oldest message in the relay's backlog; 0 when there is none.",
  },
  quarantined: {
    name: "millrace_quarantined_total",
    kind: "counter",
    unit: "records",
    labels: ["reason"],
    meaning: "Records put into quarantine, by reason. Worth an alert above a rate: the lane goes on regardless.",
  },
  lanesHeld: {
    name: "millrace_lanes_held",
    kind: "gauge",
    unit: "lanes",
    labels: [],
    meaning: "Lanes that this process owns.",
  },
  lanesHalted: {
    name: "millrace_lanes_halted",
    kind: "gauge",
    unit: "lanes",
    labels: [],
    meaning:
      "Lanes that are halted. Each instance tells of all of them, because a halted lane has no owner. Worth a page: " +
      "somebody has to decide (`millrace lane list`).",
  },
  laneHalted: {
    name: "millrace_lane_halted",
    kind: "gauge",
    unit: "lanes",
    labels: ["lane", "cause"],
    meaning: "1 for each lane that is halted, with its cause; each instance tells of all of them.",
  },
  lanesFree: {
    name: "millrace_lanes_free",
    kind: "gauge",
    unit: "lanes",
    labels: [],
    meaning: "Lanes that nobody owns and that are not halted, as this process last saw: 0 but for moments.",
  },
  inputsExpireSeconds: {
    name: "millrace_inputs_expire_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: ["lane"],
    meaning:
      "Time until the first input of a lane that is in no block may leave its log by retention. For lanes held here that " +
      "have a backlog, and for halted ones with inputs waiting.",
  },
  schemaWaitSeconds: {
    name: "millrace_schema_wait_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: ["lane"],
    meaning: "How long a lane held here has been waiting for a schema that the registry does not give out.",
  },
  clockSkewSeconds: {
    name: "millrace_clock_skew_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: [],
    meaning: "How far the database's clock is ahead of this process's for certain; negative when it is behind.",
  },
  partitionsAheadSeconds: {
    name: "millrace_partitions_ahead_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: [],
    meaning: "Time that is left until the end of the time partitions that this process made or found made.",
  },
  synchronousStandby: {
    name: "millrace_synchronous_standby",
    kind: "gauge",
    unit: "",
    labels: [],
    meaning: "1 while commits wait for a synchronous standby, 0 while a block is on one machine only.",
  },
  attentionCases: {
    name: "millrace_attention_cases",
    kind: "gauge",
    unit: "cases",
    labels: ["lane"],
    meaning:
      "Cases that wait for a person (`millrace case list --waiting`), of lanes that have any. Each instance tells of all " +
      "lanes, as they were at most half a minute ago.",
  },
  attentionOldestSeconds: {
    name: "millrace_attention_oldest_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: ["lane"],
    meaning: "How long the case of a lane that has waited longest for a person has done so. Told as the count is.",
  },
  attentionOutcomes: {
    name: "millrace_attention_outcomes_total",
    kind: "counter",
    unit: "outcomes",
    labels: ["flow", "code", "waits"],
    meaning:
      "Outcomes `ops.attention` of committed blocks, by flow and code (`other`: one that an event brought). waits=yes: the " +
      "case is then among those that wait for a person; waits=no: the outcome alone tells of it.",
  },
  producerIdChanges: {
    name: "millrace_producer_id_changes_total",
    kind: "counter",
    unit: "lanes",
    labels: [],
    meaning:
      "Times that a broker had forgotten a lane's producer id, so that an older owner would not have been fenced.",
  },
  fenced: {
    name: "millrace_fenced_total",
    kind: "counter",
    unit: "refusals",
    labels: ["at"],
    meaning: "Times that a newer owner stopped this process, at commit or at append.",
  },
  unknownCommits: {
    name: "millrace_unknown_commits_total",
    kind: "counter",
    unit: "blocks",
    labels: ["resolution"],
    meaning:
      "Commits whose result was lost, by what the lane row then said: done, not_done, halted (neither), unanswered (the lane is taken anew).",
  },
  auditAgeSeconds: {
    name: "millrace_audit_age_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: [],
    meaning: "Time since the last cut that the auditor has audited was taken; of an instance with the role `auditor`.",
  },
  auditSeconds: {
    name: "millrace_audit_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: [],
    meaning: "How long the audit of that cut took.",
  },
  auditOk: {
    name: "millrace_audit_ok",
    kind: "gauge",
    unit: "",
    labels: [],
    meaning: "1 while the auditor has found nothing, 0 while a finding stands: in a lane that it halted, or in none.",
  },
  auditLaneBlock: {
    name: "millrace_audit_lane_block",
    kind: "gauge",
    unit: "blocks",
    labels: ["lane"],
    meaning: "Number of the block up to which a lane has been audited.",
  },
  auditBlocks: {
    name: "millrace_audit_blocks_total",
    kind: "counter",
    unit: "blocks",
    labels: ["how"],
    meaning:
      "Blocks that the auditor looked at: decided anew, or not_decided because their inputs are gone (then their form alone " +
      "was audited).",
  },
  auditFindings: {
    name: "millrace_audit_findings_total",
    kind: "counter",
    unit: "problems",
    labels: ["invariant"],
    meaning: "Problems that the auditor found, by the invariant that does not hold. Worth a page.",
  },
  auditFailures: {
    name: "millrace_audit_failures_total",
    kind: "counter",
    unit: "cuts",
    labels: [],
    meaning: "Cuts that could not be audited, because database, broker or registry could not be reached.",
  },
  gatewayCommands: {
    name: "millrace_gateway_commands_total",
    kind: "counter",
    unit: "commands",
    labels: ["provider"],
    meaning:
      "Commands that were put to a provider; repeats after a restart included. `not_served` stands for all providers that this process does not serve.",
  },
  gatewayAnswers: {
    name: "millrace_gateway_answers_total",
    kind: "counter",
    unit: "answers",
    labels: ["provider", "result"],
    meaning: "What providers said and is among the reports, by result. Worth an alert where many are unknown.",
  },
  gatewayInFlight: {
    name: "millrace_gateway_in_flight_commands",
    kind: "gauge",
    unit: "commands",
    labels: ["provider"],
    meaning:
      "Commands of lanes held here that are with a provider or wait for their turn, and of which something is still to be told to their cases. Those that are not read yet are the lag of the group millrace-gateways.",
  },
  gatewayOldestSeconds: {
    name: "millrace_gateway_oldest_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: ["provider"],
    meaning: "Age of the oldest of these commands of which nothing has been told yet; 0 when there is none.",
  },
  providerCalls: {
    name: "millrace_provider_calls_total",
    kind: "counter",
    unit: "calls",
    labels: ["provider", "result"],
    meaning:
      "Requests to providers over HTTP, repeats included, by result: answered, or why nothing is known: circuit_open (not " +
      "made), not_sent, broken (no answer in time, or one that broke off), server_error, rate_limited, unauthorized.",
  },
  providerCallSeconds: {
    name: "millrace_provider_call_seconds",
    kind: "histogram",
    unit: "seconds",
    labels: ["provider"],
    buckets: CALL_SECONDS,
    meaning: "Time of a request to a provider, until the last byte of its answer or until it was given up.",
  },
  providerUnreadable: {
    name: "millrace_provider_unreadable_total",
    kind: "counter",
    unit: "answers",
    labels: ["provider"],
    meaning:
      "Answers of providers that have no form of theirs, or are about something else than was asked; all unknown.",
  },
  providerCircuit: {
    name: "millrace_provider_circuit",
    kind: "gauge",
    unit: "state",
    labels: ["provider", "state"],
    meaning:
      "1 for the state of a provider's circuit (closed, open, half_open), 0 for the others. Open: no calls are made.",
  },
  webhooks: {
    name: "millrace_webhooks_total",
    kind: "counter",
    unit: "webhooks",
    labels: ["provider", "result"],
    meaning:
      "Webhooks of providers by what became of them: taken (among the reports), repeated, nothing_new, not_ours, no_case, " +
      "not_expected (its flow has no such result), refused (no signature, a wrong or an old one: a security event), " +
      "not_shown (the provider shows nothing of it yet) and failed: both answered 503, so it comes again.",
  },
  missedEvents: {
    name: "millrace_missed_events_total",
    kind: "counter",
    unit: "events",
    labels: ["provider", "result"],
    meaning:
      "Events that no webhook told of in time, read from the provider's list, by what became of them: as of webhooks, with " +
      "not_shown and failed looked into again with the next reading, and passed_over (the provider shows nothing of it).",
  },
  eventListBehind: {
    name: "millrace_event_list_behind_seconds",
    kind: "gauge",
    unit: "seconds",
    labels: ["provider"],
    meaning: "Time since this process last read a provider's list of events to its end; of the lists that it reads.",
  },
  ratesTaken: {
    name: "millrace_rates_taken_total",
    kind: "counter",
    unit: "ticks",
    labels: ["result"],
    meaning: "Ticks of rate feeds that were judged: believed, dropped (read before, or out of order), refused.",
  },
  ratesRefused: {
    name: "millrace_rates_refused_total",
    kind: "counter",
    unit: "ticks",
    labels: ["reason"],
    meaning: "Ticks of rate feeds that were put aside, by reason. The last rate believed stays until it is too old.",
  },
  ratesVersion: {
    name: "millrace_rates_version",
    kind: "gauge",
    unit: "versions",
    labels: [],
    meaning: "The newest version of rates that this process knows; blocks record the one that they decided by.",
  },
  kafkaLogLines: {
    name: "millrace_kafka_client_log_lines_total",
    kind: "counter",
    unit: "lines",
    labels: ["level"],
    meaning: "Lines that the Kafka client library logged, by the level they came to; debug holds the demoted noise.",
  },
  reconnects: {
    name: "millrace_reconnects_total",
    kind: "counter",
    unit: "connections",
    labels: ["to"],
    meaning: "Connections that were lost and opened anew, by what they lead to: kafka, postgres, registry.",
  },
  build: {
    name: "millrace_build_info",
    kind: "gauge",
    unit: "",
    labels: ["version", "node", "instance"],
    meaning: "1; which version runs here, under which label.",
  },
} as const satisfies Readonly<Record<string, MetricDeclaration>>;

/** Metrics whose labels have few values, all known: they are shown from the start, as 0, so that the first increase
 *  counts as one (`rate` sees no increase from nothing to one). */
export const KNOWN_LABELS = {
  intents: ["accepted", "refused", "repeated", "quarantined"],
  blockSeconds: ["intake", "wait", "read", "decide", "write", "commit"],
  fenced: ["commit", "append"],
  unknownCommits: ["done", "not_done", "halted", "unanswered"],
  auditBlocks: ["decided", "not_decided"],
  reconnects: ["kafka", "postgres", "registry"],
  circuit: ["closed", "open", "half_open"],
} as const;
