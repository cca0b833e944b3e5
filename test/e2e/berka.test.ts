// The main job on real input: a year of a bank's movements through Kafka into the ledger, two instances sharing the
// lanes, one of them killed in the middle, a twentieth of the intents sent twice; and every balance equals the bank's own.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accountPath, hasBerka, readBerka } from "../support/berka.ts";
import { type Environment, type Instance, millrace, millraceJson, startInstance } from "../support/millrace.ts";
import { freshDatabase, testStack } from "../support/stack.ts";

if (!hasBerka()) process.stderr.write("the bank's movements are not on this machine: this test is skipped\n");

describe.skipIf(!hasBerka())("a year of a real bank", () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-berka-"));
  const running: Instance[] = [];
  let environment: Environment = {};

  beforeAll(async () => {
    const { kafkaBrokers, schemaRegistryUrl } = testStack();
    const databaseUrl = await freshDatabase();
    environment = {
      KAFKA_BROKERS: kafkaBrokers,
      DATABASE_URL: databaseUrl,
      SCHEMA_REGISTRY_URL: schemaRegistryUrl,
      MILLRACE_TOPIC_PREFIX: `berka${process.pid}.`,
    };
    await millraceJson(environment, ["migrate"]);
  });

  afterAll(async () => {
    await Promise.all(running.map((instance) => instance.stop("SIGKILL")));
    rmSync(folder, { recursive: true, force: true });
  });

  test("ends with every balance equal to the bank's own, to the heller", async () => {
    const { lines, balances } = readBerka();
    const file = join(folder, "movements.jsonl");
    writeFileSync(file, `${lines.join("\n")}\n`);
    const repeated = Math.ceil(lines.length / 20);
    const first = await startInstance(environment, "first");
    running.push(first, await startInstance(environment, "second"));

    const loading = millrace(environment, [
      "load",
      "--from",
      file,
      "--rate",
      "6000",
      "--repeat-last",
      String(repeated),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await first.stop("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 500));
    running.push(await startInstance(environment, "first-again"));
    const loaded = await loading;
    expect(loaded.code, loaded.stderr).toBe(0);

    const outcomes = await millraceJson(environment, ["outcomes", "--from-beginning", "--until-idle", "4"]);
    const answers = groupBySource(outcomes);
    expect(outcomes.length).toBe(lines.length + repeated);
    const accepted = outcomes.filter((outcome) => outcome["reason"] === null && outcome["type"] !== "intent.repeated");
    expect(accepted.length, "every intent is accepted once").toBe(lines.length);
    expect(outcomes.filter((outcome) => outcome["type"] === "intent.repeated").length).toBe(repeated);
    expect(answers.size).toBe(lines.length);

    const rows = await millraceJson(environment, ["ledger", "balances", "--prefix", "liability:customer:"]);
    const found = new Map(rows.map((row) => [row["account"] as string, row["balanceMinor"] as string]));
    expect(found.size).toBe(balances.size);
    for (const [account, minor] of balances) expect(found.get(accountPath(account)), account).toBe(minor.toString());

    const verified = await millrace(environment, ["verify"]);
    expect(verified.code, verified.stdout + verified.stderr).toBe(0);
  }, 240_000);
});

function groupBySource(outcomes: readonly Record<string, unknown>[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { holderId, sourceId } of outcomes) {
    const name = `${holderId} ${sourceId}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
