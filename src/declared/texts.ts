// Declared files as they stand, for whoever reads them in a way of their own: not checked here, for they were before.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Located } from "../domain/located.ts";
import { DeclaredFaults } from "./load.ts";
import { readLocatedYaml } from "./yaml.ts";

export type DeclaredTexts = {
  readonly chart: Located;
  /** text of the ISO list of currencies */
  readonly iso: string;
  readonly crypto: Located;
};

/** @throws DeclaredFaults | Error when a file cannot be read */
export function readDeclaredTexts(schemasDir: string): DeclaredTexts {
  const file = (...names: readonly string[]): string => join(schemasDir, ...names);
  const yaml = (name: string): Located => readTree(name, readFileSync(name, "utf8"));
  return {
    chart: yaml(file("accounts", "chart.yaml")),
    iso: readFileSync(file("currencies", "iso4217.csv"), "utf8"),
    crypto: yaml(file("currencies", "crypto.yaml")),
  };
}

/** The tree of a YAML text.
 *  @param name to show in faults
 *  @throws DeclaredFaults */
export function readTree(name: string, text: string): Located {
  const { root, faults } = readLocatedYaml(name, text);
  if (root === null || faults.length > 0) throw new DeclaredFaults(faults);
  return root;
}
