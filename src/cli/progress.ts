// A bar for long work, on a terminal only: rate, time left, and how far the reader lags where that is known. Into a
// file or a pipe it prints nothing, so that logs do not fill with half-drawn bars.

import type { Output, TextStream } from "./output.ts";

export type ProgressPlan = {
  readonly title: string;
  /** null when nobody knows how much there is */
  readonly total: number | null;
  /** what is counted: `intents`, `blocks` */
  readonly unit: string;
};

export type Progress = {
  /** @param done how many of `total` so far
   *  @param lag  how many are sent but not yet answered, where that is known */
  update(done: number, lag?: number): void;
  /** Leaves the last state on the terminal. Safe to call twice. */
  stop(): void;
};

const SILENT: Progress = { update: () => undefined, stop: () => undefined };

export async function startProgress(out: Output, stderr: TextStream, plan: ProgressPlan): Promise<Progress> {
  if (!out.chatty || stderr.isTTY !== true) return SILENT;
  // Loaded only now: most commands never draw a bar.
  const { default: cliProgress } = await import("cli-progress");
  const stream = stderr as NodeJS.WritableStream;
  const bar = new cliProgress.SingleBar({ stream, hideCursor: true, format: barFormat(plan), fps: 5, etaBuffer: 50 });
  const startedAtMs = performance.now();
  bar.start(plan.total ?? 0, 0, { rate: "0", lag: "" });
  return {
    update: (done, lag) => {
      const seconds = (performance.now() - startedAtMs) / 1000;
      const rate = seconds < 0.2 ? "…" : Math.round(done / seconds).toLocaleString("en");
      bar.update(done, { rate, lag: lag === undefined ? "" : `  lag ${lag.toLocaleString("en")}` });
    },
    stop: () => bar.stop(),
  };
}

function barFormat({ title, total, unit }: ProgressPlan): string {
  const rate = `{rate} ${unit}/s{lag}`;
  if (total === null) return `${title}  {value} ${unit}  ${rate}  {duration_formatted}`;
  return `${title}  {bar}  {percentage}%  {value}/{total}  ${rate}  ETA {eta_formatted}`;
}
