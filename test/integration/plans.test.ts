// The plans that the service's statements get on tables without statistics: prepared statements keep their plan, so one
// that is only good for a small table is paid for with every block, until autovacuum has been there.
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Connection, connect } from "../../src/store/database.ts";
import { migrateDatabase } from "../../src/store/migrate.ts";
import { readBalances } from "../../src/store/sql/read-balances.ts";
import { writeBlockWith } from "../../src/store/sql/write-block.ts";
import { ROOT } from "../support/source.ts";
import { freshDatabase } from "../support/stack.ts";

const SETTINGS = {
  role: null,
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 10_000,
  lockTimeoutMs: 5_000,
  applicationName: "plans",
};

let service: Connection;
beforeAll(async () => {
  const url = await freshDatabase();
  await migrateDatabase(url, join(ROOT, "schemas/database"));
  service = await connect({ ...SETTINGS, url }, "service");
});
afterAll(() => service.close());

/** Every lane has its accounts, and nothing was analyzed yet: so it is when a service has run for its first minute. */
async function grow(): Promise<void> {
  await service.plain(
    `insert into balance (lane, account, path, currency, floor_minor, status, debits, credits, opened_block)
     select l, (l::bigint << 40) + a, 'liability:customer:c' || l || '_' || a || ':available', 'EUR', 0, 'open', 0, 0, 1
     from generate_series(0, 15) l, generate_series(1, 500) a`,
  );
}

async function planOf(text: string, types: string, values: string): Promise<string> {
  await service.plain(`prepare asked(${types}) as ${text}`);
  const plan = await explained(`explain (analyze, costs off, timing off) execute asked(${values})`);
  await service.plain("deallocate asked");
  return plan;
}

async function explained(text: string): Promise<string> {
  const { rows } = await service.plain(text);
  return rows.map((row) => row["QUERY PLAN"]).join("\n");
}

const PATHS = Array.from({ length: 250 }, (_one, index) => `liability:customer:c3_${2 * index + 1}:available`);
const BY_PATH = /Index Cond: \(\(lane = \$1\) AND \(path = /;

test("holders' accounts are found by their path, also where the table was known to be empty", async () => {
  await service.plain("analyze balance");
  expect(await planOf(readBalances.text, "int, text[]", `3, '{${PATHS.join(",")}}'`)).toMatch(BY_PATH);
});

test("holders' accounts are found by their path, also where nothing is known of the table", async () => {
  await grow();
  const plan = await planOf(readBalances.text, "int, text[]", `3, '{${PATHS.join(",")}}'`);
  expect(plan).toMatch(BY_PATH);
  expect(plan).not.toContain("Rows Removed by Filter");
});

test("what a block changes is never compared each with each", async () => {
  const all = writeBlockWith(["movedCases", "movedAccounts", "armed", "gone", "attention", "putAside", "crossing"]);
  const plan = await explained(`explain (generic_plan, costs off) ${all.statement.text}`);
  expect(plan).not.toContain("Join");
  expect(plan).not.toContain("Nested Loop");
  expect(plan).toContain("hashed SubPlan");
});
