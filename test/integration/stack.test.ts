import { expect, test } from "vitest";
import { freshDatabase, testStack } from "../support/stack.ts";

test("the shared stack hands out an empty database", async () => {
  expect(await freshDatabase("stack_test")).toContain("/stack_test");
  expect(testStack().kafkaBrokers).toMatch(/^127\.0\.0\.1:\d+$/);
});
