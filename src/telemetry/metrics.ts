// What the service counts. The hot path calls once a block, with numbers it has anyway; everything about lanes is read
// when somebody scrapes, so it costs nothing between and a lane that was given up leaves no stale figure behind. The
// only file that knows prom-client.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { LogLevel } from "./logger.ts";
import { KNOWN_LABELS, METRICS, type MetricDeclaration } from "./metric-table.ts";

export type BlockPhase = (typeof KNOWN_LABELS.blockSeconds)[number];

/** What one committed block amounts to. Times in milliseconds, as `performance.now()` gives them. */
export type BlockFigures = {
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
  readonly repeated: number;
  readonly quarantined: number;
  readonly phaseMs: Readonly<Partial<Record<BlockPhase, number>>>;
};

/** One lane that this process owns. */
export type LaneFigures = {
  readonly lane: number;
  readonly lagRecords: number;
  readonly lagSeconds: number;
  /** until its oldest waiting input may leave the log; null when none waits or nothing ever leaves */
  readonly expireSeconds: number | null;
  /** since when it waits for the schema registry; null while it does not */
  readonly schemaWaitSeconds: number | null;
};

/** One lane of the whole system that is halted. */
export type HaltedFigures = {
  readonly lane: number;
  readonly cause: string;
  readonly expireSeconds: number | null;
};

/** What this process knows of the whole. */
export type SystemFigures = {
  readonly halted: readonly HaltedFigures[];
  readonly lanesFree: number;
  readonly clockSkewSeconds: number;
  /** null before they were made or found made */
  readonly partitionsAheadSeconds: number | null;
  /** null before it was asked for */
  readonly hasStandby: boolean | null;
  readonly attention: readonly AttentionFigures[];
};

/** One lane of the whole system with cases that wait for a person. */
export type AttentionFigures = { readonly lane: number; readonly cases: number; readonly oldestSeconds: number };

/** One `ops.attention`; `waits`: its case then waits for a person. */
export type Attention = { readonly flow: string; readonly code: string; readonly waits: boolean };

export type RelayFigures = {
  readonly lane: number;
  readonly backlogMessages: number;
  readonly ageSeconds: number;
};

/** What the running auditor last came to; `auditedTo` is a block by lane. */
export type AuditFigures = {
  readonly ageSeconds: number;
  readonly seconds: number;
  readonly isGood: boolean;
  readonly auditedTo: ReadonlyMap<number, bigint>;
};

/** What a provider still has to answer. */
export type GatewayFigures = {
  readonly provider: string;
  readonly inFlight: number;
  readonly oldestSeconds: number;
  /** since its list of events was last read to the end; null where this process does not read it */
  readonly listBehindSeconds: number | null;
};

export type CircuitFigures = { readonly provider: string; readonly state: (typeof KNOWN_LABELS.circuit)[number] };

export type Metrics = {
  /** one call per committed block */
  block(figures: BlockFigures): void;
  relayed(messages: number): void;
  quarantined(reason: string): void;
  attention(raised: Attention): void;
  /** where lanes are owned, before any block: shows 0 for every code that may come */
  expectAttention(flow: string, codes: Iterable<string>): void;
  fenced(at: (typeof KNOWN_LABELS.fenced)[number]): void;
  unknownCommit(resolution: (typeof KNOWN_LABELS.unknownCommits)[number]): void;
  /** a line of the Kafka client, at the level it came to after demotion */
  kafkaLogLine(level: LogLevel): void;
  reconnected(to: (typeof KNOWN_LABELS.reconnects)[number]): void;
  producerIdChanged(): void;
  /** `read` is asked at every scrape for the lanes owned then; must not throw */
  watchLanes(read: () => readonly LaneFigures[]): void;
  watchRelay(read: () => readonly RelayFigures[]): void;
  watchSystem(read: () => SystemFigures): void;
  /** once, where an auditor runs */
  watchAudit(read: () => AuditFigures): void;
  /** one call per audited cut */
  audited(blocks: { readonly decided: number; readonly notDecided: number }): void;
  auditFound(invariant: string, problems: number): void;
  auditFailed(): void;
  gatewayTook(provider: string): void;
  gatewayAnswered(provider: string, result: string): void;
  providerCalled(provider: string, result: string, seconds: number): void;
  providerUnreadable(provider: string): void;
  /** @param count 0 shows the series before there is one */
  webhook(provider: string, result: string, count?: number): void;
  missedEvent(provider: string, result: string, count?: number): void;
  /** once, where gateways run; must not throw */
  watchCircuits(read: () => readonly CircuitFigures[]): void;
  /** once, where gateways run; must not throw */
  watchGateways(read: () => readonly GatewayFigures[]): void;
  /** one call per batch of ticks; `refused` has a reason for each that was put aside */
  ratesTaken(ticks: { readonly believed: number; readonly dropped: number; readonly refused: readonly string[] }): void;
  /** where rates are known; must not throw */
  watchRates(read: () => bigint): void;
  /** the whole page in Prometheus's text format */
  page(): Promise<{ readonly contentType: string; readonly text: string }>;
};

export type MetricsSettings = { readonly instance: string; readonly version: string };

/** A registry of its own for each call, so that two services can run in one process (tests do). */
export function createMetrics(settings: MetricsSettings): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = createCounters(registry);
  const histograms = createHistograms(registry);
  const watched: Watched = { lanes: () => [], relay: () => [], system: () => NOTHING_SEEN };
  createLaneGauges(registry, watched);
  const build = new Gauge({ ...options(METRICS.build), registers: [registry] });
  build.set({ ...settings, node: process.version }, 1);
  return {
    block: (figures) => countBlock(counters, histograms, figures),
    relayed: (messages) => counters.relayed.inc(messages),
    quarantined: (reason) => counters.quarantined.inc({ reason }),
    attention: (raised) => counters.attentionOutcomes.inc(attentionLabels(raised)),
    expectAttention: (flow, codes) => {
      for (const code of codes)
        for (const waits of [true, false]) counters.attentionOutcomes.inc(attentionLabels({ flow, code, waits }), 0);
    },
    fenced: (at) => counters.fenced.inc({ at }),
    unknownCommit: (resolution) => counters.unknownCommits.inc({ resolution }),
    kafkaLogLine: (level) => counters.kafkaLogLines.inc({ level }),
    reconnected: (to) => counters.reconnects.inc({ to }),
    producerIdChanged: () => counters.producerIdChanges.inc(),
    watchLanes: (read) => {
      watched.lanes = read;
    },
    watchRelay: (read) => {
      watched.relay = read;
    },
    watchSystem: (read) => {
      watched.system = read;
    },
    watchAudit: (read) => createAuditGauges(gaugesOf(registry), read),
    audited: ({ decided, notDecided }) => {
      counters.auditBlocks.inc({ how: "decided" }, decided);
      counters.auditBlocks.inc({ how: "not_decided" }, notDecided);
    },
    auditFound: (invariant, problems) => counters.auditFindings.inc({ invariant }, problems),
    auditFailed: () => counters.auditFailures.inc(),
    gatewayTook: (provider) => counters.gatewayCommands.inc({ provider }),
    gatewayAnswered: (provider, result) => counters.gatewayAnswers.inc({ provider, result }),
    providerCalled: (provider, result, seconds) => {
      counters.providerCalls.inc({ provider, result });
      histograms.providerCallSeconds.observe({ provider }, seconds);
    },
    providerUnreadable: (provider) => counters.providerUnreadable.inc({ provider }),
    webhook: (provider, result, count = 1) => counters.webhooks.inc({ provider, result }, count),
    missedEvent: (provider, result, count = 1) => counters.missedEvents.inc({ provider, result }, count),
    watchCircuits: (read) => createCircuitGauge(gaugesOf(registry), read),
    watchGateways: (read) => createGatewayGauges(gaugesOf(registry), read),
    ratesTaken: ({ believed, dropped, refused }) => {
      counters.ratesTaken.inc({ result: "believed" }, believed);
      counters.ratesTaken.inc({ result: "dropped" }, dropped);
      counters.ratesTaken.inc({ result: "refused" }, refused.length);
      for (const reason of refused) counters.ratesRefused.inc({ reason });
    },
    watchRates: (read) => gaugesOf(registry)(METRICS.ratesVersion, (gauge) => gauge.set(Number(read()))),
    page: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}

type Watched = {
  lanes: () => readonly LaneFigures[];
  relay: () => readonly RelayFigures[];
  system: () => SystemFigures;
};

const NOTHING_SEEN: SystemFigures = {
  halted: [],
  lanesFree: 0,
  clockSkewSeconds: 0,
  partitionsAheadSeconds: null,
  hasStandby: null,
  attention: [],
};

function attentionLabels({ flow, code, waits }: Attention) {
  return { flow, code, waits: waits ? "yes" : "no" };
}

function options(declared: MetricDeclaration): { name: string; help: string; labelNames: string[] } {
  return { name: declared.name, help: declared.meaning, labelNames: [...declared.labels] };
}

function createCounters(registry: Registry) {
  const registers = [registry];
  const counters = {
    blocks: new Counter({ ...options(METRICS.blocks), registers }),
    intents: new Counter({ ...options(METRICS.intents), registers }),
    relayed: new Counter({ ...options(METRICS.relayed), registers }),
    quarantined: new Counter({ ...options(METRICS.quarantined), registers }),
    attentionOutcomes: new Counter({ ...options(METRICS.attentionOutcomes), registers }),
    fenced: new Counter({ ...options(METRICS.fenced), registers }),
    unknownCommits: new Counter({ ...options(METRICS.unknownCommits), registers }),
    kafkaLogLines: new Counter({ ...options(METRICS.kafkaLogLines), registers }),
    reconnects: new Counter({ ...options(METRICS.reconnects), registers }),
    producerIdChanges: new Counter({ ...options(METRICS.producerIdChanges), registers }),
    auditBlocks: new Counter({ ...options(METRICS.auditBlocks), registers }),
    auditFindings: new Counter({ ...options(METRICS.auditFindings), registers }),
    gatewayCommands: new Counter({ ...options(METRICS.gatewayCommands), registers }),
    gatewayAnswers: new Counter({ ...options(METRICS.gatewayAnswers), registers }),
    providerCalls: new Counter({ ...options(METRICS.providerCalls), registers }),
    providerUnreadable: new Counter({ ...options(METRICS.providerUnreadable), registers }),
    webhooks: new Counter({ ...options(METRICS.webhooks), registers }),
    missedEvents: new Counter({ ...options(METRICS.missedEvents), registers }),
    ratesTaken: new Counter({ ...options(METRICS.ratesTaken), registers }),
    ratesRefused: new Counter({ ...options(METRICS.ratesRefused), registers }),
    auditFailures: new Counter({ ...options(METRICS.auditFailures), registers }),
  };
  for (const result of KNOWN_LABELS.intents) counters.intents.inc({ result }, 0);
  for (const at of KNOWN_LABELS.fenced) counters.fenced.inc({ at }, 0);
  for (const resolution of KNOWN_LABELS.unknownCommits) counters.unknownCommits.inc({ resolution }, 0);
  for (const how of KNOWN_LABELS.auditBlocks) counters.auditBlocks.inc({ how }, 0);
  for (const to of KNOWN_LABELS.reconnects) counters.reconnects.inc({ to }, 0);
  return counters;
}

function createHistograms(registry: Registry) {
  const registers = [registry];
  const { blockInputs, blockSeconds, providerCallSeconds: calls } = METRICS;
  const seconds = new Histogram({ ...options(blockSeconds), buckets: [...blockSeconds.buckets], registers });
  for (const phase of KNOWN_LABELS.blockSeconds) seconds.zero({ phase });
  return {
    blockInputs: new Histogram({ ...options(blockInputs), buckets: [...blockInputs.buckets], registers }),
    blockSeconds: seconds,
    providerCallSeconds: new Histogram({ ...options(calls), buckets: [...calls.buckets], registers }),
  };
}

type Counters = ReturnType<typeof createCounters>;
type Histograms = ReturnType<typeof createHistograms>;

function countBlock(counters: Counters, histograms: Histograms, figures: BlockFigures): void {
  counters.blocks.inc();
  for (const result of KNOWN_LABELS.intents) if (figures[result] > 0) counters.intents.inc({ result }, figures[result]);
  histograms.blockInputs.observe(figures.inputs);
  for (const phase of KNOWN_LABELS.blockSeconds) {
    const ms = figures.phaseMs[phase];
    if (ms !== undefined) histograms.blockSeconds.observe({ phase }, ms / 1000);
  }
}

type Gauges = (declared: MetricDeclaration, fill: (gauge: Gauge) => void) => void;

/** Each gauge is emptied and filled anew at a scrape. */
function gaugesOf(registry: Registry): Gauges {
  return (declared, fill) => {
    const collect = function (this: Gauge): void {
      this.reset();
      fill(this);
    };
    new Gauge({ ...options(declared), registers: [registry], collect });
  };
}

function createLaneGauges(registry: Registry, watched: Watched): void {
  createHeldGauges(gaugesOf(registry), watched);
  createSystemGauges(gaugesOf(registry), watched);
}

function createHeldGauges(gauges: Gauges, watched: Watched): void {
  gauges(METRICS.lagRecords, (gauge) => {
    for (const { lane, lagRecords } of watched.lanes()) gauge.set({ lane }, lagRecords);
  });
  gauges(METRICS.lagSeconds, (gauge) => {
    for (const { lane, lagSeconds } of watched.lanes()) gauge.set({ lane }, lagSeconds);
  });
  gauges(METRICS.schemaWaitSeconds, (gauge) => {
    for (const { lane, schemaWaitSeconds } of watched.lanes())
      if (schemaWaitSeconds !== null) gauge.set({ lane }, schemaWaitSeconds);
  });
  gauges(METRICS.lanesHeld, (gauge) => gauge.set(watched.lanes().length));
  gauges(METRICS.relayBacklog, (gauge) => {
    for (const { lane, backlogMessages } of watched.relay()) gauge.set({ lane }, backlogMessages);
  });
  gauges(METRICS.relayAgeSeconds, (gauge) => {
    for (const { lane, ageSeconds } of watched.relay()) gauge.set({ lane }, ageSeconds);
  });
}

function createSystemGauges(gauges: Gauges, watched: Watched): void {
  gauges(METRICS.lanesHalted, (gauge) => gauge.set(watched.system().halted.length));
  gauges(METRICS.laneHalted, (gauge) => {
    for (const { lane, cause } of watched.system().halted) gauge.set({ lane, cause }, 1);
  });
  gauges(METRICS.inputsExpireSeconds, (gauge) => {
    for (const { lane, expireSeconds } of [...watched.lanes(), ...watched.system().halted])
      if (expireSeconds !== null) gauge.set({ lane }, expireSeconds);
  });
  gauges(METRICS.lanesFree, (gauge) => gauge.set(watched.system().lanesFree));
  gauges(METRICS.clockSkewSeconds, (gauge) => gauge.set(watched.system().clockSkewSeconds));
  gauges(METRICS.partitionsAheadSeconds, (gauge) => {
    const { partitionsAheadSeconds } = watched.system();
    if (partitionsAheadSeconds !== null) gauge.set(partitionsAheadSeconds);
  });
  gauges(METRICS.synchronousStandby, (gauge) => {
    const { hasStandby } = watched.system();
    if (hasStandby !== null) gauge.set(hasStandby ? 1 : 0);
  });
  gauges(METRICS.attentionCases, (gauge) => {
    for (const { lane, cases } of watched.system().attention) gauge.set({ lane }, cases);
  });
  gauges(METRICS.attentionOldestSeconds, (gauge) => {
    for (const { lane, oldestSeconds } of watched.system().attention) gauge.set({ lane }, oldestSeconds);
  });
}

/** Made only where an auditor runs: a gauge without labels would show 0 elsewhere, and 0 is an alarm. */
function createAuditGauges(gauges: Gauges, read: () => AuditFigures): void {
  gauges(METRICS.auditAgeSeconds, (gauge) => gauge.set(read().ageSeconds));
  gauges(METRICS.auditSeconds, (gauge) => gauge.set(read().seconds));
  gauges(METRICS.auditOk, (gauge) => gauge.set(read().isGood ? 1 : 0));
  gauges(METRICS.auditLaneBlock, (gauge) => {
    for (const [lane, block] of read().auditedTo) gauge.set({ lane }, Number(block));
  });
}

function createGatewayGauges(gauges: Gauges, read: () => readonly GatewayFigures[]): void {
  gauges(METRICS.gatewayInFlight, (gauge) => {
    for (const { provider, inFlight } of read()) gauge.set({ provider }, inFlight);
  });
  gauges(METRICS.gatewayOldestSeconds, (gauge) => {
    for (const { provider, oldestSeconds } of read()) gauge.set({ provider }, oldestSeconds);
  });
  gauges(METRICS.eventListBehind, (gauge) => {
    for (const { provider, listBehindSeconds: seconds } of read())
      if (seconds !== null) gauge.set({ provider }, seconds);
  });
}

function createCircuitGauge(gauges: Gauges, read: () => readonly CircuitFigures[]): void {
  gauges(METRICS.providerCircuit, (gauge) => {
    for (const { provider, state } of read()) {
      for (const one of KNOWN_LABELS.circuit) gauge.set({ provider, state: one }, one === state ? 1 : 0);
    }
  });
}
