import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

// What needs neither broker nor database. A project's global setup runs only when one of its files is selected, so these
// start in a moment, and everything else finds one stack that is started once for the whole run.
const ALONE = [
  "test/tidy.test.ts",
  "test/unit/**/*.test.ts",
  "test/simulation/**/*.test.ts",
  "test/integration/sandbox.test.ts",
];

// Wait most of their time: for halts, leases, timers, the disk and what they start. Two run at a time, on a stack of their
// own. None of them says how quick something is, stops a part of the stack, or counts on being alone there.
const WAITING = [
  "test/faults/cards.test.ts",
  "test/faults/methods.test.ts",
  "test/faults/crossing.test.ts",
  "test/faults/failpoints.test.ts",
  "test/faults/failpoints-beside.test.ts",
  "test/faults/positions.test.ts",
  "test/faults/restore.test.ts",
  "test/faults/restore-files.test.ts",
  "test/faults/sandbox.test.ts",
  "test/faults/topics.test.ts",
  "test/integration/attention.test.ts",
  "test/integration/backtest.test.ts",
  "test/integration/bad-input.test.ts",
  "test/integration/bench.test.ts",
  "test/integration/cli.test.ts",
  "test/integration/doctor-verb.test.ts",
  "test/integration/flow-versions.test.ts",
  "test/integration/gateways.test.ts",
  "test/integration/lane-verbs.test.ts",
  "test/integration/ledger-verbs.test.ts",
  "test/integration/missed-events.test.ts",
  "test/integration/partitions-verbs.test.ts",
  "test/integration/quarantine-verbs.test.ts",
  "test/integration/rates.test.ts",
  "test/integration/replay-compare.test.ts",
  "test/integration/timers.test.ts",
  "test/integration/verify.test.ts",
];

/** Those that take longest, the longest first: a long one that comes last runs with nothing beside. */
const LONGEST = [
  "faults/failpoints",
  "faults/failpoints-beside",
  "faults/failpoints-stopped",
  "integration/verify",
  "unit/flows-wrong",
  "integration/bench",
  "integration/replay-compare",
  "integration/timers",
  "faults/sandbox",
  "faults/methods",
  "faults/kill",
  "faults/broker",
  "faults/positions",
  "faults/topics",
].map((name) => join(import.meta.dirname, "test", `${name}.test.ts`));

/** After them the largest, which is how vitest sorts files that it has not seen before. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const long = LONGEST.flatMap((path) => sorted.filter(({ moduleId }) => moduleId === path));
    return [...long, ...sorted.filter((file) => !long.includes(file))];
  }
}

const TWO_AT_A_TIME = { fileParallelism: true, maxWorkers: 2 };
/** One project after the other. */
const turn = (groupOrder: number) => ({ sequence: { groupOrder } });
const STACK = { globalSetup: ["test/support/global-setup.ts"] };

// Other integration, fault and e2e tests share one machine's two cores with a broker and a database, so files run one after
// another; a test that waits names what it waited for, so the timeout here is only the last resort. Files that run alone do
// little but compute: they run before, two at a time.
//
// The files of a worker share its modules: loading them for each file anew was a third of the time of those that run alone.
// So no module under test/support keeps anything of one file by which another would come out otherwise.
export default defineConfig({
  test: {
    fileParallelism: false,
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    sequence: { sequencer: LongFirst },
    projects: [
      { extends: true, test: { ...TWO_AT_A_TIME, ...turn(0), name: "alone", include: ALONE } },
      { extends: true, test: { ...TWO_AT_A_TIME, ...turn(1), ...STACK, name: "waiting", include: WAITING } },
      {
        extends: true,
        test: { ...turn(2), ...STACK, name: "stack", include: ["test/**/*.test.ts"], exclude: [...ALONE, ...WAITING] },
      },
    ],
  },
});
