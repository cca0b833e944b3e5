// Failpoints: what is declared is what is used and what is listed, and nothing happens unless one is armed.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { loadConfig, printConfigFault } from "../../src/config/config.ts";
import * as failpoints from "../../src/failpoints.ts";
import { ROOT, readSources } from "../support/source.ts";

const { armFailpoints, FAILPOINT_NAMES, FAILPOINTS } = failpoints;
const unarmed = failpoints.reach;

afterEach(() => armFailpoints([], () => undefined));

/** Arms and tells what happens: names as they are said, signals as they are sent. */
function armed(...list: readonly string[]): string[] {
  const told: string[] = [];
  armFailpoints(
    list,
    (name) => told.push(name),
    (signal) => told.push(signal),
  );
  return told;
}

describe("the table", () => {
  test("has every name that the code uses, each used at one place", () => {
    const used = readSources().flatMap(({ path }) =>
      [...readFileSync(join(ROOT, path), "utf8").matchAll(/\breach\("([^"]*)"\)/g)].map((match) => match[1]),
    );
    expect(used.sort()).toEqual([...FAILPOINT_NAMES].sort());
  });

  test("is what ARCHITECTURE.md lists, word for word and in its order", () => {
    const text = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");
    const section = text.split("\n## Failpoints\n")[1]?.split("\n## ")[0] ?? "";
    const rows = [...section.matchAll(/^\| `([a-z._]+)` \| (.+) \|$/gm)].map((match) => [match[1], match[2]]);
    expect(rows).toEqual(Object.entries(FAILPOINTS));
  });
});

describe("reaching one", () => {
  test("does nothing, not even count, when none is armed", () => {
    expect(String(unarmed)).toMatch(/^function doNothing\(\) *\{\s*\}$/);
    armed("block.sent=kill");
    expect(failpoints.reach).not.toBe(unarmed);
    armed();
    expect(failpoints.reach).toBe(unarmed);
  });

  test("says so and sends the signal, at the Nth time and at no other", () => {
    const told = armed("block.sent=kill@3", "relay.sent=stop");
    for (let time = 1; time <= 2; time++) failpoints.reach("block.sent");
    expect(told).toEqual([]);
    failpoints.reach("block.sent");
    expect(told).toEqual(["block.sent", "SIGKILL"]);
    failpoints.reach("block.sent");
    failpoints.reach("block.decided");
    failpoints.reach("relay.sent");
    failpoints.reach("relay.sent");
    expect(told).toEqual(["block.sent", "SIGKILL", "relay.sent", "SIGSTOP"]);
  });
});

describe("the setting", () => {
  const load = (text: string) =>
    loadConfig({ file: null, environment: { MILLRACE_FAILPOINTS: text }, flags: [], workingDir: ROOT });

  test("takes several", () => {
    const loaded = load("block.sent=kill@3, relay.sent=stop");
    expect(loaded.kind === "valid" && loaded.config.failpoints).toEqual(["block.sent=kill@3", "relay.sent=stop"]);
  });

  test.each(["block.snet=kill", "block.sent", "block.sent=explode", "block.sent=kill@0", "blockXsent=kill"])(
    "refuses %s and says what is expected",
    (text) => {
      const loaded = load(text);
      const faults = loaded.kind === "invalid" ? loaded.faults.map(printConfigFault) : [];
      expect(faults).toHaveLength(1);
      expect(faults[0]).toContain("name=kill or name=stop");
    },
  );
});
