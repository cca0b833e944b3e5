// The version in package.json.

import { readFileSync } from "node:fs";

export function ownVersion(): string {
  // Two folders up from src/cli and from dist/cli alike.
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return manifest.version;
}
