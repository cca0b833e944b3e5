// What a failpoint costs where nothing is armed: the same loop with and without it (`npx vitest bench --run --config
// test/bench/vitest.config.ts failpoints`). `hz` times 1,000 is turns a second, so the difference of two `mean`s in ms is
// also that of one call in microseconds. The runner reads imports through a getter, which the built program does not.
// A block comes to some ten of them.

import { bench, describe } from "vitest";
import { reach } from "../../src/failpoints.ts";

const TURNS = 1_000;
let sum = 0;

describe("1,000 turns of a loop", () => {
  bench("alone", () => {
    for (let turn = 0; turn < TURNS; turn++) sum += turn & 7;
  });
  bench("with an unarmed failpoint in each", () => {
    for (let turn = 0; turn < TURNS; turn++) {
      sum += turn & 7;
      reach("block.sent");
    }
  });
});
