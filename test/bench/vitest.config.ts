import { defineConfig } from "vitest/config";

// Benchmarks of single parts; what a user sees of speed is `millrace bench`.
export default defineConfig({
  test: { benchmark: { include: ["test/bench/*.ts"], exclude: ["**/vitest.config.ts"] } },
});
