// What `millrace bench` leaves behind: reports where it is told, and the figures in the repository's documents.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchFigures } from "../workload/bench/bench.ts";
import {
  type BenchLine,
  type BenchRecord,
  RECORD_FORMAT,
  renderBenchmarks,
  renderReadme,
} from "../workload/bench/document.ts";
import { type BenchFrame, benchReport } from "../workload/report/bench-report.ts";
import { hostFacts } from "../workload/report/build.ts";
import { prepareReport, writeReport } from "../workload/report/files.ts";
import type { CliContext } from "./context.ts";
import { usageFailed } from "./exit.ts";

export type ReportFolder = { readonly keep: (figures: BenchFigures, frame: BenchFrame) => void };

/** @throws CommandFailed when the folder cannot be made */
export function openReports({ io, out }: CliContext, dir: string): ReportFolder {
  const folder = resolve(io.workingDir, dir);
  const prepare = (path: string): void => {
    const wrong = prepareReport(path);
    if (wrong !== null) throw usageFailed([`--report: ${wrong}`]);
  };
  prepare(folder);
  return {
    keep: (figures, frame) => {
      const own = join(folder, frame.name);
      prepare(own);
      out.note(`${frame.name}: ${writeReport(own, benchReport(figures, frame)).join(", ")}`);
    },
  };
}

/** Two folders up from src/cli and from dist/cli alike. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export const DOCUMENTS = {
  readme: join(ROOT, "README.md"),
  record: join(ROOT, "docs/benchmarks.json"),
  page: join(ROOT, "docs/benchmarks.md"),
  template: join(ROOT, "docs/benchmarks.template.md"),
};

export type Documents = { readonly write: (results: readonly BenchLine[], tookSeconds: number) => void };

/** @throws CommandFailed where there is no repository */
export function openDocuments(): Documents {
  if (!existsSync(DOCUMENTS.template)) {
    throw usageFailed([`--write: ${DOCUMENTS.template} does not exist; expected to run in a clone of the repository`]);
  }
  return {
    write: (results, tookSeconds) => {
      const { loadAverageBefore: _load, ...host } = hostFacts();
      const date = new Date().toISOString().slice(0, 10);
      const names = results.map(({ bench }) => bench).join(" ");
      writeRecord({ format: RECORD_FORMAT, date, command: `millrace bench ${names}`, tookSeconds, host, results });
    },
  };
}

function writeRecord(record: BenchRecord): void {
  const { readme, page, template } = DOCUMENTS;
  writeFileSync(DOCUMENTS.record, `${JSON.stringify(record, null, 1)}\n`);
  writeFileSync(page, renderBenchmarks(readFileSync(template, "utf8"), record));
  writeFileSync(readme, renderReadme(readFileSync(readme, "utf8"), record));
}
