// What has been proven is not proven again. Following every way of every flow takes a second or two, and each command that
// looks at what is declared would wait for it. `proven.json` beside the flows keeps, by a digest of everything that a
// proof stands on (the flow's text, chart, catalogue, and the checker's own revision), that the flow was found sound. With
// any other digest the flow is proven when it is loaded. `millrace flows check` without files proves without looking there, and
// `--keep` writes the file; test/unit/proven.test.ts holds the shipped one against the flows.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Shares } from "../domain/flow/check/shares.ts";
import { CHECKER_REVISION } from "../domain/flow/proof.ts";

export const PROVEN_FILE = "proven.json";

/** What a sound flow asks of those beside it: account paths. */
export type ProvenShares = { readonly relies: readonly string[]; readonly oversteps: readonly string[] };
/** By digest. */
export type Proven = ReadonlyMap<string, ProvenShares>;
export const NOTHING_PROVEN: Proven = new Map();

type Entry = ProvenShares & { readonly flow: string; readonly digest: string };

/** @returns nothing proven when there is no such file, or none that can be read: then everything is proven anew */
export function readProven(flowsDir: string): Proven {
  const file = join(flowsDir, PROVEN_FILE);
  if (!existsSync(file)) return NOTHING_PROVEN;
  try {
    const entries = JSON.parse(readFileSync(file, "utf8")) as readonly Entry[];
    return new Map(entries.map(({ digest, relies, oversteps }) => [digest, { relies, oversteps }]));
  } catch {
    return NOTHING_PROVEN;
  }
}

/** @param texts of everything that a proof stands on, the flow's own first */
export function proofDigest(texts: readonly string[]): string {
  const hash = createHash("sha256").update(`checker ${CHECKER_REVISION}`);
  for (const text of texts) hash.update(`\n${Buffer.byteLength(text)}\n`).update(text);
  return hash.digest("hex").slice(0, 32);
}

export type ProvenFlow = { readonly flow: string; readonly digest: string; readonly shares: Shares };

export function printProven(flows: readonly ProvenFlow[]): string {
  const paths = (shares: Shares["relies"]): string[] => [...new Set(shares.map(({ path }) => path))].sort();
  const entries = flows.map(({ flow, digest, shares }) => ({
    flow,
    digest,
    relies: paths(shares.relies),
    oversteps: paths(shares.oversteps),
  }));
  return `${JSON.stringify(entries, null, 2)}\n`;
}

export function writeProven(flowsDir: string, flows: readonly ProvenFlow[]): void {
  writeFileSync(join(flowsDir, PROVEN_FILE), printProven(flows));
}
