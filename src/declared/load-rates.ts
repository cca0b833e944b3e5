// The feeds of rates and the calendars that they go by: for whoever takes rates in.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseFeeds, type RateFeeds } from "../domain/fx/feeds.ts";
import type { Fault, Located } from "../domain/located.ts";
import { DeclaredFaults } from "./load.ts";
import { readLocatedYaml } from "./yaml.ts";

const DATE = /^\d{4}-\d\d-\d\d$/;
const ENDING = ".json";

/** @throws DeclaredFaults with all that is wrong | Error when a file cannot be read */
export function loadFeeds(schemasDir: string): RateFeeds {
  const faults: Fault[] = [];
  const holidays = new Map<string, ReadonlySet<string>>();
  const dir = join(schemasDir, "calendars");
  for (const file of readdirSync(dir).filter((name) => name.endsWith(ENDING))) {
    // JSON is YAML, and the reader of YAML says where a fault is.
    const root = read(faults, join(dir, file));
    holidays.set(file.slice(0, -ENDING.length), root === null ? new Set() : daysOf(faults, root));
  }
  const root = read(faults, join(schemasDir, "rates", "feeds.yaml"));
  if (root === null) throw new DeclaredFaults(faults);
  const { feeds, faults: found } = parseFeeds(root, holidays);
  faults.push(...found);
  if (faults.length > 0) throw new DeclaredFaults(faults);
  return feeds;
}

function read(faults: Fault[], file: string): Located | null {
  const { root, faults: found } = readLocatedYaml(file, readFileSync(file, "utf8"));
  faults.push(...found);
  return root;
}

function daysOf(faults: Fault[], root: Located): Set<string> {
  const days = new Set<string>();
  for (const { key, keyPlace } of root.kind === "map" ? root.entries : []) {
    if (DATE.test(key)) days.add(key);
    else faults.push({ place: keyPlace, message: `a closing day is YYYY-MM-DD, not ${key}` });
  }
  return days;
}
