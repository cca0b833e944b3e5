// A Postgres without a synchronous standby: refused where one is required, and said where it is not. A standby that is
// named is waited for by every commit, so nothing here commits while one is.

import { describe, expect, test } from "vitest";
import { openWorld, runVerb, startInstance, startVerb } from "../support/processes.ts";
import { waitFor } from "../support/wait.ts";

const SENTENCE = /no commit waits for a synchronous standby/;

describe("a synchronous standby", () => {
  test("is not there: run refuses when it is required, says so when Postgres is on this machine, and shows it", async () => {
    const world = await openWorld({ lanes: 2 });
    const refused = await runVerb(
      { ...world, environment: { ...world.environment, MILLRACE_STANDBY: "required" } },
      ["run"],
      [1],
    );
    expect(refused.stderr).toMatch(SENTENCE);
    expect(refused.stderr).toContain("MILLRACE_STANDBY=optional");
    const instance = await startInstance(world, "alone");
    expect(instance.log.find(({ message }) => SENTENCE.test(message))).toMatchObject({
      level: "info",
      runbook: "docs/runbooks/alarms/no_synchronous_standby.md",
    });
    expect(await instance.metric("millrace_synchronous_standby")).toBe(0);
    expect(await instance.metric("millrace_partitions_ahead_seconds")).toBeGreaterThan(3600);
    expect(await instance.stop()).toBe(0);
  });

  test("is named: run with standby required gets past the question", async () => {
    const world = await openWorld({ lanes: 2 });
    // For this database alone, and for commits of none but new sessions: they would wait for a standby that never comes.
    await world.query(`select set_config('synchronous_commit', 'local', false)`);
    await world.query(`alter system set synchronous_standby_names = 'standby_1'`);
    await world.query(`select pg_reload_conf()`);
    try {
      const verb = startVerb(
        {
          ...world,
          environment: { ...world.environment, MILLRACE_STANDBY: "required", MILLRACE_STOP_DEADLINE_MS: "500" },
        },
        ["run"],
      );
      const waiting = `select count(*)::int as count from pg_stat_activity where wait_event = 'SyncRep'`;
      await waitFor("a commit of the service that waits for the standby", async () => {
        const [row] = await world.query(waiting);
        return Number(row?.["count"]) > 0;
      });
      verb.interrupt();
    } finally {
      await world.query(`set synchronous_commit = local`);
      await world.query(`alter system reset synchronous_standby_names`);
      await world.query(`select pg_reload_conf()`);
    }
  });
});
