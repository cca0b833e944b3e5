// The core and the second ledger decide the same days of the whole flow language: gateways, messages between lanes, children,
// rates and parameters.

import { describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { euros, Producing } from "../support/intents.ts";
import { LANES, NOW_MS } from "../support/ledger.ts";
import { MemoryProduction } from "../support/memory-lane.ts";
import { auditMemory } from "../support/second-audit.ts";
import { WholeDay } from "../support/whole-day.ts";
import { wholeRules, wholeSecondRules } from "../support/whole-flows.ts";

const SECOND = wholeSecondRules();
const DAYS = Number(process.env["DAYS"] ?? 30);
const FIRST_SEED = Number(process.env["SEED"] ?? 1);

describe("days at random of two lanes", () => {
  test("are decided the same by both", async () => {
    const seen = new Set<string>();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + DAYS; seed++) {
      const day = await new WholeDay(seed).run(60);
      for (const lane of day.lanes.values()) {
        const { found, tally } = await auditMemory(lane, { rules: SECOND, versions: day.versions });
        expect(found, `SEED=${seed} DAYS=1 npx vitest run test/simulation/whole-language.test.ts`).toEqual({});
        expect(tally.blocksDecided).toBe(lane.head.block);
        for (const what of happenedIn(lane)) seen.add(what);
      }
    }
    if (DAYS < 30) return;
    for (const what of EVERYTHING) expect([what, seen.has(what)]).toEqual([what, true]);
  });
});

function happenedIn(lane: MemoryProduction): string[] {
  const { outcome, command } = lane.codec.decoders;
  return lane.blocks.flatMap(({ row, outcomes, commands }) => [
    ...(row.timers > 0 ? ["timer"] : []),
    ...commands.messages.map(({ value }) => `command ${command.decode(value).op}`),
    ...outcomes.messages.flatMap(({ value }) => {
      const { type, reason } = outcome.decode(value);
      return reason === null ? [type] : [type, reason.code];
    }),
  ]);
}

/** What days hold between them, or they would prove little. */
const EVERYTHING = [
  "timer",
  "command card.authorize",
  "command card.status",
  "command card.capture",
  "command card.void",
  "command bank.pay",
  "errand.set",
  "errand.taken",
  "errand.take_failed",
  "errand.expired",
  "errand.canceled",
  "errand.failed",
  "ops.attention",
  "ops.escalated",
  "gift.sent",
  "gift.received",
  "gift.completed",
  "gift.failed",
  "gift_credit.rejected",
  "transfer.completed",
  "transfer.submitted",
  "transfer.received",
  "parcel.packed",
  "portion.opened",
  "portion.paid",
  "portion.failed",
  "intent.accepted",
  "intent.repeated",
  "amount_exceeds_capturable",
  "amount_too_large",
  "currency_mismatch",
  "fx_rate_unavailable",
  "account_frozen",
  "insufficient_funds",
  "take_not_expected",
  "provider_error",
];

test("a timer that is armed, cancelled and armed again for one moment in one block is armed", async () => {
  const lane = new MemoryProduction("cust_0", wholeRules());
  expect(lane.lane).toBe(homeLane("cust_0", LANES));
  const make = new Producing(() => NOW_MS);
  const { intent, report } = lane.codec.encoders;
  const key = Buffer.from("cust_0");
  const pay = make.payIn("cust_0", 5_000);
  const errand = {
    ...pay,
    type: "errand_create",
    caseId: make.caseId("ern"),
    amount: euros(300),
    captureMode: "automatic",
  };
  for (const one of [pay, errand]) lane.append(key, intent.encode(one), NOW_MS);
  await lane.commit(NOW_MS);
  const told = (call: string, result: string, payload: Record<string, string>) =>
    report.encode({
      holderId: "cust_0",
      caseId: errand.caseId,
      call,
      attempt: 1,
      result,
      observation: `${call} ${result}`,
      payload,
      occurredAt: BigInt(NOW_MS) * 1_000n,
      from: null,
    });
  // The first leaves for a state that polls, the second from there for another one that does, at the same time.
  lane.appendReport(key, told("set", "unknown", {}), NOW_MS + 50);
  lane.appendReport(key, told("set", "approved", { approved: "300" }), NOW_MS + 50);
  await lane.commit(NOW_MS + 50);
  expect(lane.cases().map(({ state }) => state)).toContain("taking");
  expect(lane.standing().timers.map(({ name, dueAt }) => [name, dueAt])).toEqual([
    ["poll", new Date(NOW_MS + 30_050).toISOString()],
  ]);
  expect((await auditMemory(lane, { rules: SECOND })).found).toEqual({});
});
