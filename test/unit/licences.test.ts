// Licences of what the service is made of: only such as let anybody run and change it without further duties.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../support/source.ts";

const ALLOWED = [
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "ISC",
  "MIT",
  "(MIT AND Zlib)",
  "Unlicense",
];

/** Their manifests say it in an old form or not at all; read in their LICENSE files. */
const READ_BY_HAND: Readonly<Record<string, string>> = {
  "@kafkajs/confluent-schema-registry": "MIT",
  buildcheck: "MIT",
  "cpu-features": "MIT",
  ssh2: "MIT",
};

type Locked = {
  readonly dev?: boolean;
  readonly license?: string;
  readonly integrity?: string;
  readonly version: string;
};
const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as { packages: Record<string, Locked> };
const packages = Object.entries(lock.packages)
  .filter(([path, { dev }]) => path !== "" && dev !== true)
  .map(([path, locked]) => ({ name: path.replace(/^.*node_modules\//, ""), ...locked }));

describe("what the service is made of", () => {
  test("is under licences that are allowed", () => {
    expect(packages.length).toBeGreaterThan(100);
    const other = packages
      .map(({ name, license }) => ({ name, license: license ?? READ_BY_HAND[name] ?? "none told" }))
      .filter(({ license }) => !ALLOWED.includes(license));
    expect(other).toEqual([]);
  });

  test("has a checksum for every package", () => {
    expect(packages.filter(({ integrity }) => integrity === undefined).map(({ name }) => name)).toEqual([]);
  });

  test("is asked for by exact versions", () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<
      "dependencies" | "devDependencies",
      Record<string, string>
    >;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(([, version]) => !/^\d/.test(version));
    expect(loose).toEqual([]);
  });
});
