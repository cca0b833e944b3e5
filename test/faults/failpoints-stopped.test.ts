// SIGSTOP at every failpoint that load alone leads to, in turn: another instance takes the lanes over, the process is woken
// where it stood, and nothing that it goes on to do is heard.
import { expect, test } from "vitest";
import {
  byLoadAlone,
  chapters,
  endsRight,
  NAMES,
  openStage,
  sendTo,
  TEST_MS,
  untilMoving,
} from "../support/at-failpoint.ts";
import { startInstance, untilShared } from "../support/processes.ts";

for (const { title, names } of chapters(NAMES.filter(byLoadAlone))) {
  test(`stopped at ${title} until another has taken over, and woken there: only the new owner is heard`, {
    timeout: TEST_MS,
  }, async () => {
    const stage = await openStage({ MILLRACE_LEASE_TTL_MS: "1000", MILLRACE_LOCK_TIMEOUT_MS: "1000" });
    const heir = await startInstance(stage.world, "heir");
    for (const name of names) {
      const sleeper = await sendTo(stage.world, name, "stop");
      await untilMoving(stage.world, heir.process);
      sleeper.send("SIGCONT");
      await untilShared(stage.world, [{ process: await sleeper.process() }, heir]);
      sleeper.send("SIGKILL");
      await sleeper.ended;
    }
    await endsRight(stage);
    expect(heir.exitCode()).toBe(null);
  });
}
