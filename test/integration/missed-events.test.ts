// Money of which no webhook tells and that comes when nobody asks any more: read from the provider's own list by the running
// service, with a sandbox that plays the providers over HTTP.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readScript } from "../../src/sandbox/script.ts";
import { cli, cliRows } from "../support/cli.ts";
import { caseId } from "../support/intents.ts";
import { KEYS, openSandbox } from "../support/sandbox.ts";
import { type Instance, setUpTestService } from "../support/service.ts";
import { intent } from "../support/unchecked.ts";
import { waitFor } from "../support/wait.ts";

const HOLDER = "mer_1";

/** Names the sandbox's provider, with its secrets in files. */
function providersFile(url: string): string {
  const dir = mkdtempSync(join(tmpdir(), "millrace-missed-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const secret = (name: string, text: string) => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return { file: join(dir, name) };
  };
  const secrets = { key: secret("key", KEYS.cardcoKey), webhook: secret("webhook", KEYS.cardcoWebhookSecret) };
  const providers = [{ name: "cardco", kind: "cardco", url, secrets }];
  const path = join(dir, "providers.yaml");
  writeFileSync(path, JSON.stringify({ apiVersion: "providers/v1", kind: "Providers", providers }));
  return path;
}

test("an authorization that is made after it was declined is voided, though nobody was told of it", async () => {
  const rule = '[{"when":{"kind":"authorization"},"do":"declined_done:do_not_honor unsent"}]';
  const sandbox = await openSandbox({ script: readScript(rule).rules });
  const system = await setUpTestService({
    prefix: "missed",
    config: {
      roles: ["lanes", "gateways"],
      providers: ["cardco"],
      providersFile: providersFile(sandbox.url),
      webhookPort: 0,
      missedEventsSeconds: 1,
    },
  });
  onTestFinished(() => system.stop());
  const instance = await system.start();
  const amount = { currency: "EUR", scale: 2, minor: "1001" };
  const id = caseId("pay", Date.now());
  const create = { caseId: id, method: "card", captureMode: "manual", provider: "cardco", tokenRef: "tok_1", amount };
  await system.publish([intent(HOLDER, "payment_create", { ...create, settlementCurrency: "EUR" })]);
  const outcomes = await system.readOutcomes({ until: 2 });
  expect(outcomes.map(({ type }) => type)).toEqual(["payment.received", "payment.failed"]);
  const effects = async () => (await sandbox.client.record()).map(({ kind, effect }) => `${kind} ${effect}`);
  await waitFor("the void of what came late", async () => (await effects()).length === 2);
  expect(await effects()).toEqual(["authorization done", "void done"]);
  const metrics = await page("/metrics", instance);
  expect(metrics).toMatch(/millrace_missed_events_total\{provider="cardco",result="taken"\} [1-9]/);
  // The next process reads on, and not what was read before.
  await waitFor("the end of the list", async () => (await positions()).includes("3"));
  await instance.stop();
  const next = await system.start("next");
  const others = { ...create, caseId: caseId("pay", Date.now()) };
  await system.publish([intent(HOLDER, "payment_create", { ...others, settlementCurrency: "EUR" })]);
  await waitFor("the end of the longer list", async () => (await positions()).includes("6"));
  expect(await looked(next)).toBe(3);
  const again = await cli(system, ["events", "reread", "cardco", "--from-beginning"]);
  expect([again.code, again.stdout]).toEqual([0, expect.stringContaining("would have gone on from 6")]);
  await waitFor("all of the list again", async () => (await looked(next)) === 9);
  const [row] = await cliRows(system, ["events", "list"]);
  expect(row).toMatchObject({ provider: "cardco", position: "6" });
  expect(await effects()).toHaveLength(4);
  const nobody = await cli(system, ["events", "reread", "instanet", "--from", "1"]);
  expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining("no list of events of instanet")]);
  for (const flags of [[], ["--from", "1", "--from-beginning"], ["--from", ""]])
    expect((await cli(system, ["events", "reread", "cardco", ...flags])).code).toBe(2);

  async function looked(instance: Instance): Promise<number> {
    const lines = (await page("/metrics", instance)).match(/^millrace_missed_events_total\{.*\} \d+$/gm) ?? [];
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  async function positions(): Promise<string[]> {
    return (await system.query("select position from event_position")).map(({ position }) => String(position));
  }
}, 90_000);

async function page(path: string, { httpPort }: Instance): Promise<string> {
  return (await fetch(`http://127.0.0.1:${httpPort}${path}`)).text();
}
