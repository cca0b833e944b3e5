// SIGKILL at every failpoint of src/failpoints.ts, in turn, under load: whatever has and has not happened at that moment,
// nothing is lost, nothing is doubled, and the lanes go on when it is started again. failpoints-beside.test.ts lets another
// take over, failpoints-stopped.test.ts stops the process and wakes it.
//
//     MILLRACE_TEST_FAILPOINT=block.sent npx vitest run test/faults/failpoints
import { expect, test } from "vitest";
import { chapters, endsRight, NAMES, openStage, sendTo, TEST_MS } from "../support/at-failpoint.ts";
import { startInstance } from "../support/processes.ts";

for (const { title, names } of chapters(NAMES)) {
  test(`killed at ${title}, and started again: nothing is lost or doubled`, { timeout: TEST_MS }, async () => {
    const stage = await openStage({ MILLRACE_LEASE_TTL_MS: "60000" });
    for (const name of names) await sendTo(stage.world, name, "kill");
    const last = await startInstance(stage.world, "last");
    await endsRight(stage);
    expect(last.exitCode()).toBe(null);
  });
}
