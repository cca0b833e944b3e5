// The helper that other tests start the service with does what it says.
import { expect, onTestFinished, test } from "vitest";
import { available, Producing } from "../support/intents.ts";
import { startTestService } from "../support/service.ts";

test("an account is opened, and the service stops with nothing left over", async () => {
  const system = await startTestService();
  onTestFinished(() => system.stop().catch(() => undefined));
  await system.publish([new Producing().accountOpen("cust_1", { sourceId: "open" })]);
  const [outcome] = await system.readOutcomes({ until: 1 });
  expect(outcome).toMatchObject({ sequence: 0n, type: "account.opened", sourceId: "open" });
  expect(await system.query("select path from balance")).toEqual([{ path: available("cust_1") }]);
  await system.stop();
});
