// How fast one core decides: `npx vitest bench --run --config test/bench/vitest.config.ts decide`. Each turn is a block of
// 1,000 events on books that are empty before, so hz times 1,000 is events a second. `NODE_OPTIONS=--max-semi-space-size=128`
// gives it the young generation that the service has. Reading and writing are not in it.

import { bench, describe } from "vitest";
import type { Books } from "../../src/domain/books.ts";
import { decideIntent } from "../../src/domain/decide/decide.ts";
import { assertAllCaptured, cardBlock, EVENTS_A_PAYMENT, emptyBooks } from "../support/card-events.ts";
import { inputOf, producing, RULES } from "../support/ledger.ts";

const EVENTS = 1_000;
const decideCards = cardBlock(RULES, EVENTS / EVENTS_A_PAYMENT);

const transfers = Array.from({ length: EVENTS }, (_one, index) =>
  inputOf(producing.payIn(`cust_${index}`, 100), BigInt(index)),
);

function decideTransfers(): Books {
  const block = emptyBooks(RULES);
  for (const input of transfers) decideIntent(block, input);
  return block;
}

// What is measured has happened: every payment is captured in dollars, every transfer completed.
assertAllCaptured(decideCards(), EVENTS / EVENTS_A_PAYMENT);
if (decideTransfers().lines.length !== EVENTS) throw new Error("not all transfers completed");

// The engine compiles what is run often, and again when it has seen more: for a second and more.
const SETTLED = { warmupTime: 3_000, time: 3_000 };

describe("decide", () => {
  bench("1,000 events of card payments", () => void decideCards(), SETTLED);
  bench("1,000 plain transfers", () => void decideTransfers(), SETTLED);
});
