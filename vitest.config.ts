import { defineConfig } from "vitest/config";

// Integration, fault and e2e tests share one machine's two cores with a broker and a database, so files run one after
// another; a test that waits names what it waited for, so the timeout here is only the last resort.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
