// What every benchmark gets and gives. Each measures from outside: the service, the load and the reader are processes of
// their own, on the shipped settings, and a figure counts only what a reader of the topic has seen.

import type { Declared } from "../../declared/load.ts";
import type { Codec } from "../../kafka/codec.ts";
import type { KafkaSettings } from "../../kafka/port.ts";
import type { DatabaseSettings } from "../../store/database.ts";
import type { Report } from "../report/report.ts";
import type { CpuPids } from "./cpu.ts";

export type BenchTopics = { readonly intents: string; readonly outcomes: string };

/** What is there without a stack. */
export type BenchGround = {
  readonly codec: Codec;
  readonly declared: Declared;
  /** Ctrl-C */
  readonly stop: AbortSignal;
  /** what is going on, for people */
  readonly note: (line: string) => void;
};

/** A database and topics of its own for one benchmark, on a stack that all benchmarks of a command share. */
export type BenchSite = BenchGround & {
  readonly kafka: KafkaSettings;
  readonly database: DatabaseSettings;
  readonly topics: BenchTopics;
  readonly lanes: number;
  /** settings of `run` that a benchmark without it follows */
  readonly service: { readonly blockRowsMax: number; readonly blockConnections: number };
  /** texts and ids of the messages' schemas, for processes that make a codec of their own */
  readonly schemas: CodecSource;
  /** for `millrace` in a child process: addresses, topic prefix, nothing that would change a default */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stackPids: Pick<CpuPids, "postgres" | "kafka">;
};

export type CodecSource = {
  readonly schemas: Readonly<Record<"intent" | "outcome" | "deadLetter" | "command" | "report", string>>;
  readonly ids: Readonly<Record<"intent" | "outcome" | "deadLetter" | "command" | "report", number>>;
};

/** null: what the benchmark takes when nobody says */
export type BenchWishes = {
  readonly seconds: number | null;
  readonly count: number | null;
  readonly rate: number | null;
};

/** CPU seconds of user and system together; null where the processes are not on this machine. */
export type CpuSeconds = {
  readonly node: number | null;
  readonly postgres: number | null;
  readonly kafka: number | null;
  /** left out where none takes part */
  readonly sandbox?: number | null;
};

/** What does not apply is left out. */
export type BenchFigures = {
  readonly count: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly maxMs?: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly cpu: CpuSeconds;
  /** for reports; not in the line that is printed */
  readonly course?: BenchCourse;
};

/** How it went on: measured intent by intent, or counted second by second. */
export type BenchCourse =
  | { readonly kind: "measured"; readonly report: Report }
  | { readonly kind: "counted"; readonly startedAtMs: number; readonly bySecond: BySecond };

/** seconds since the epoch, with how many records were read in each */
export type BySecond = readonly (readonly [second: number, count: number])[];

export type Benchmark = (site: BenchSite, wishes: BenchWishes) => Promise<BenchFigures>;

/** Of the core alone: nothing is started for it. */
export type CoreBenchmark = (ground: BenchGround, wishes: BenchWishes) => Promise<BenchFigures>;

/** The benchmark cannot be finished: a process that it measures has ended, or stands still. */
export class BenchFailed extends Error {
  override name = "BenchFailed";
}

/** @throws BenchFailed when the user wants to stop */
export function assertWanted({ stop }: Pick<BenchGround, "stop">): void {
  if (stop.aborted) throw new BenchFailed("interrupted");
}

/** Three decimals are more than a run repeats. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
