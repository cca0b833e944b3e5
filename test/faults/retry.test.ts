// A producer that sends again and again, while owners die in between: one payment.
import { expect, test } from "vitest";
import { openIndependentReader } from "../support/independent-reader.ts";
import { openWorld, startInstance } from "../support/processes.ts";
import { openLine, publishLines, transferLine, verify } from "../support/workload.ts";

test("the same retry a thousand times is one payment, and another body under its id is refused", async () => {
  const world = await openWorld({ lanes: 4 });
  const reader = await openIndependentReader(world);
  const payment = transferLine("retry_1", 1_234, "in");
  const other = payment.replace('"minor":"1234"', '"minor":"4321"');
  const first = await startInstance(world, "first");
  await publishLines(world, [openLine("retry_1"), ...Array<string>(500).fill(payment)]);
  await reader.settled(20_000);
  await first.kill();
  const second = await startInstance(world, "second");
  await publishLines(world, [...Array<string>(500).fill(payment), other]);
  await reader.settled(20_000);
  const outcomes = (await reader.outcomes()).filter(({ intentType }) => intentType === "transfer_create");
  const [paid, ...later] = outcomes;
  expect(paid?.type).toBe("transfer.completed");
  const repeats = later.filter(({ type }) => type === "intent.repeated");
  expect(repeats).toHaveLength(999);
  expect(new Set(repeats.map(({ repeatOf }) => repeatOf?.sequence))).toEqual(new Set([paid?.sequence]));
  expect(later.at(-1)).toMatchObject({ type: "transfer.rejected", reason: { code: "idempotency_conflict" } });
  expect(later).toHaveLength(1_000);
  expect(await world.query("select debits::text, credits::text from balance where account > 0")).toEqual([
    { debits: "0", credits: "1234" },
  ]);
  expect(await world.query("select count(*)::int as lines from line")).toEqual([{ lines: 1 }]);
  expect(await reader.faults()).toEqual([]);
  expect(second.exitCode()).toBe(null);
  await verify(world);
});
