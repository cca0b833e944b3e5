// Reports as files. A path that ends in `.json`, `.hgrm` or `.html` is that one form; any other is a folder with all.

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { NUL, NUL_FOUND } from "../../domain/utf8.ts";
import { makeFolder } from "../../folders.ts";
import { reportPage } from "./html.ts";
import { Latencies } from "./latency-histogram.ts";
import { REPORT_FORMAT, type Report } from "./report.ts";

export const REPORT_FILE = "report.json";
const FORMS: ReadonlySet<string> = new Set([".json", ".hgrm", ".html"]);

/** Makes the folders, so that a path that cannot be written is told before a long run, not after it.
 *  @returns what is wrong, as a sentence; null when nothing is */
export function prepareReport(path: string): string | null {
  const isFile = FORMS.has(extname(path));
  try {
    makeFolder(isFile ? dirname(path) : path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") return `${path} cannot be made (${code})`;
    return `${path} is a file, expected a folder, or a name that ends in ${[...FORMS].join(", ")}`;
  }
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFile && isFolder ? `${path} is a folder, expected a file` : null;
}

/** @returns the files written */
export function writeReport(path: string, report: Report): readonly string[] {
  const form = extname(path);
  if (!FORMS.has(form)) return writeAll(path, report);
  if (form === ".json") writeFileSync(path, reportJson(report));
  else if (form === ".html") writeFileSync(path, reportPage(report));
  else writeFileSync(path, hgrmOf(report.histograms.latency));
  return [path];
}

function writeAll(folder: string, report: Report): readonly string[] {
  const { latency, acknowledgement } = report.histograms;
  const files: (readonly [name: string, text: string])[] = [
    [REPORT_FILE, reportJson(report)],
    ["report.html", reportPage(report)],
  ];
  if (latency !== null) files.push(["latency.hgrm", hgrmOf(latency)]);
  if (acknowledgement !== null) files.push(["acknowledgement.hgrm", hgrmOf(acknowledgement)]);
  return files.map(([name, text]) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  });
}

export function reportJson(report: Report): string {
  return `${JSON.stringify(report, null, 1)}\n`;
}

function hgrmOf(histogram: string | null): string {
  return (histogram === null ? Latencies.empty() : Latencies.decode(histogram)).hgrm();
}

export type ReportRead =
  | { readonly kind: "report"; readonly report: Report }
  | { readonly kind: "fault"; readonly why: string };

/** @param path a report's `.json`, or its folder */
export function readReport(path: string): ReportRead {
  const fault = (why: string): ReportRead => ({ kind: "fault", why });
  let file = path;
  try {
    if (statSync(path).isDirectory()) file = join(path, REPORT_FILE);
    const text = readFileSync(file, "utf8");
    if (text.includes(NUL)) return fault(`${file} is no JSON: found ${NUL_FOUND}`);
    const read = JSON.parse(text) as Partial<Report> | null;
    if (read?.format !== REPORT_FORMAT) {
      return fault(`${file} is no report: found format ${JSON.stringify(read?.format)}, expected "${REPORT_FORMAT}"`);
    }
    const missing = PARTS.filter((part) => typeof read[part] !== "object");
    if (missing.length > 0) return fault(`${file} is no whole report: ${missing.join(", ")} missing`);
    return { kind: "report", report: read as Report };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return fault(`${file} does not exist`);
    return fault(code === undefined ? `${file} is no JSON: ${message}` : `${file} cannot be read (${code})`);
  }
}

/** What a comparison and a page read without asking whether it is there. */
const PARTS = ["settings", "versions", "host", "outcomes", "intervals", "histograms", "notes"] as const;
