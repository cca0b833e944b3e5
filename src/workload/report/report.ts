// What a report of a load or a benchmark holds. This is the `.json` form; all other forms are made of it, so that what was
// written once can be drawn and compared later.

export const REPORT_FORMAT = "millrace-report/1";

export type Percentiles = {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
};

/** `count` of the values are at most `valueMs`; that is `fraction` of all */
export type CurvePoint = { readonly valueMs: number; readonly fraction: number; readonly count: number };

/** `code` is null unless it is a refusal; of records that were put aside `type` is `quarantined` and `code` the reason. */
export type OutcomeCount = { readonly type: string; readonly code: string | null; readonly count: number };

/** What happened between `fromSecond` and the next interval. Counts are of when something happened; percentiles are of the
 *  intents that were *due* then, whenever they were answered. null: not measured, or nothing to measure. */
export type Interval = {
  readonly fromSecond: number;
  readonly sent: number | null;
  readonly acknowledged: number | null;
  readonly answered: number;
  readonly refused: number | null;
  /** at the end of the interval: sent and not answered */
  readonly lag: number | null;
  /** at the end of the interval: due and not sent, because the generator was behind */
  readonly unsent: number | null;
  readonly lateMsMax: number | null;
  readonly latency: Percentiles | null;
  readonly acknowledgement: Percentiles | null;
};

export type Totals = {
  /** records handed to Kafka, those of a repeat included */
  readonly sent: number;
  readonly acknowledged: number;
  readonly answered: number;
  readonly refused: number;
  /** dead letters that came meanwhile */
  readonly putAside: number;
  /** sent and neither answered nor put aside when the measurement ended */
  readonly unanswered: number;
  /** how long the one of them that was due first had waited by then; 0 when all were answered */
  readonly unansweredMsMax: number;
  /** sent while more waited than are kept track of: their latencies are missing */
  readonly notMeasured: number;
};

export type HostFacts = {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryMb: number;
  readonly platform: string;
  readonly arch: string;
  /** above the number of cores somebody else works on this machine, and the figures are of what was left */
  readonly loadAverageBefore: number;
};

export type Report = {
  readonly format: typeof REPORT_FORMAT;
  /** `load`, or the benchmark's name */
  readonly name: string;
  /** ISO 8601, in UTC: when the first intent was due */
  readonly startedAt: string;
  /** from the first due time that is measured to the last answer */
  readonly seconds: number;
  /** answers in these seconds */
  readonly perSecond: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, unknown>>;
  readonly host: HostFacts;
  /** CPU seconds by group of processes, where they are known */
  readonly cpu: Readonly<Record<string, number | null>> | null;
  readonly totals: Totals | null;
  /** from the intended time of sending to the outcome read */
  readonly latency: Percentiles | null;
  /** from the intended time of sending to Kafka's acknowledgement */
  readonly acknowledgement: Percentiles | null;
  /** from the intended time of sending to the hand-over to Kafka's client: how far the generator was behind */
  readonly late: Percentiles | null;
  readonly outcomes: readonly OutcomeCount[];
  readonly intervalSeconds: number;
  readonly intervals: readonly Interval[];
  /** HdrHistogram's own compressed form in base 64, so that reports can be merged */
  readonly histograms: { readonly latency: string | null; readonly acknowledgement: string | null };
  /** sentences for people: what the figures leave out */
  readonly notes: readonly string[];
};
