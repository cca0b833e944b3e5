// SIGKILL at every failpoint in turn, under load and beside another instance, which takes the lanes over.
import { expect, test } from "vitest";
import {
  chapters,
  endsRight,
  isBeside,
  NAMES,
  openStage,
  sendTo,
  TEST_MS,
  untilMoving,
} from "../support/at-failpoint.ts";
import { startInstance } from "../support/processes.ts";

for (const { title, names } of chapters(NAMES.filter(isBeside))) {
  test(`killed at ${title}, beside another that takes over: nothing is lost or doubled`, {
    timeout: TEST_MS,
  }, async () => {
    const stage = await openStage({ MILLRACE_LEASE_TTL_MS: "60000" });
    const heir = await startInstance(stage.world, "heir");
    for (const name of names) {
      await sendTo(stage.world, name, "kill");
      await untilMoving(stage.world, heir.process);
    }
    await endsRight(stage);
    expect(heir.exitCode()).toBe(null);
  });
}
