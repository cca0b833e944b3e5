// `millrace load --report`: what is measured beside the sending, and how it is told.

import { basename, resolve } from "node:path";
import type { KafkaSettings } from "../kafka/port.ts";
import { wallMs } from "../workload/load/pump.ts";
import { AnswerReader } from "../workload/report/answers.ts";
import { buildReport, hostFacts } from "../workload/report/build.ts";
import { prepareReport, writeReport } from "../workload/report/files.ts";
import { outcomeName, percent } from "../workload/report/html.ts";
import { LoadMeter } from "../workload/report/meter.ts";
import type { Percentiles, Report } from "../workload/report/report.ts";
import type { ToolMessages } from "./codec.ts";
import type { CliContext } from "./context.ts";
import { usageFailed } from "./exit.ts";
import type { LoadPlan, ReportPlan } from "./load.ts";
import { alignedTable } from "./output.ts";
import { ownVersion } from "./version.ts";

export type MeasuringParts = {
  readonly kafka: KafkaSettings;
  readonly messages: ToolMessages;
  readonly registryUrl: string;
  readonly plan: LoadPlan;
  readonly wish: ReportPlan;
};

/** Measures one load. */
export class Measuring {
  readonly #parts: MeasuringParts;
  readonly #path: string;
  readonly #host = hostFacts();
  readonly #reader: AnswerReader;
  #meter: LoadMeter | null = null;

  private constructor(parts: MeasuringParts, path: string, reader: AnswerReader) {
    this.#parts = parts;
    this.#path = path;
    this.#reader = reader;
  }

  /** @throws CommandFailed when the report cannot be written | AnswersLost | KafkaUnreachable */
  static async open({ io }: CliContext, parts: MeasuringParts): Promise<Measuring> {
    const { kafka, messages, registryUrl, wish } = parts;
    const path = resolve(io.workingDir, wish.path);
    const wrong = prepareReport(path);
    if (wrong !== null) throw usageFailed([`--report: ${wrong}`]);
    const { outcomes, deadLetters } = messages.topics;
    const what = { kind: "outcomes", source: messages.source, registryUrl, deadLetters } as const;
    return new Measuring(parts, path, await AnswerReader.open(kafka, [outcomes, deadLetters], what));
  }

  /** @param startAtMs when the first intent is due */
  begin(startAtMs: number): LoadMeter {
    const meter = new LoadMeter({ startAtMs, warmUpMs: this.#parts.wish.warmUpSeconds * 1_000 });
    this.#reader.follow(meter);
    this.#meter = meter;
    return meter;
  }

  /** Waits for the answers and writes the report.
   *  @throws AnswersLost */
  async finish(stop: AbortSignal, settings: Readonly<Record<string, unknown>>): Promise<Finished> {
    const { plan, wish } = this.#parts;
    await this.#reader.settle(wish.waitSeconds * 1_000, stop);
    const versions = { millrace: ownVersion(), node: process.versions.node };
    const frame = { name: "load", settings: { ...settingsOf(plan, wish), ...settings }, versions, host: this.#host };
    const meter = this.#meter as LoadMeter;
    const report = buildReport(meter, { ...frame, rate: plan.rate, endedAtMs: wallMs() });
    return { report, files: writeReport(this.#path, report) };
  }

  stop(): void {
    this.#reader.stop();
  }
}

export type Finished = { readonly report: Report; readonly files: readonly string[] };

function settingsOf({ profile, from, generate, rate, repeatLast }: LoadPlan, { warmUpSeconds }: ReportPlan) {
  const { count, seed, holders, zipf } = generate;
  // Of a file the name alone: a report may travel further than the paths of this machine.
  const source =
    profile === null ? { from: basename(from ?? ""), repeatLast } : { profile, count, seed, holders, zipf };
  return { ...source, rate, warmUpSeconds };
}

/** The figures that go into the line of `load --json`. */
export function reportFields({ report, files }: Finished): Record<string, unknown> {
  const { totals, latency, acknowledgement, late, outcomes, notes } = report;
  return { ...totals, latency, acknowledgement, late, outcomes, notes, report: files };
}

/** For people, in every form. */
export function tellReport({ out }: CliContext, { report, files }: Finished): void {
  const { latency, acknowledgement, late, outcomes, notes, perSecond, seconds } = report;
  const rows = [
    percentileRow("to the outcome read", latency),
    percentileRow("to Kafka's acknowledgement", acknowledgement),
    percentileRow("to sending (generator late)", late),
  ].flat();
  out.say(`\n${perSecond} answered a second, over ${seconds.toFixed(1)} s\n`);
  for (const line of alignedTable(PERCENTILE_COLUMNS, rows)) out.say(line);
  const sum = outcomes.reduce((total, { count }) => total + count, 0);
  const counts = outcomes.map((one) => ({
    outcome: outcomeName(one),
    count: one.count,
    share: percent(one.count / sum),
  }));
  if (counts.length > 0) out.say("");
  for (const line of counts.length > 0 ? alignedTable(OUTCOME_COLUMNS, counts) : []) out.say(line);
  for (const note of notes) out.warn(`note: ${note}`);
  out.say(`\nreport: ${files.join(", ")}`);
}

const right = (key: string, title = key) => ({ key, title, align: "right" as const });
const PERCENTILE_COLUMNS = [
  { key: "what", title: "ms from the intended time" },
  ...["p50", "p90", "p99", "p99.9", "max", "count"].map((key) => right(key)),
];
const OUTCOME_COLUMNS = [{ key: "outcome", title: "outcome" }, right("count"), right("share")];

function percentileRow(what: string, figures: Percentiles | null): Record<string, string | number>[] {
  if (figures === null) return [];
  const { p50Ms, p90Ms, p99Ms, p999Ms, maxMs, count } = figures;
  const [p50, p90, p99, p999, max] = [p50Ms, p90Ms, p99Ms, p999Ms, maxMs].map((ms) => ms.toFixed(1));
  return [{ what, p50: p50 ?? "", p90: p90 ?? "", p99: p99 ?? "", "p99.9": p999 ?? "", max: max ?? "", count }];
}
