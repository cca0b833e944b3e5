// Numbers of more than 38 digits, which no column of the ledger holds: whoever asks for one is refused; of a report, an
// answer or a timer that comes to one nothing is done, and somebody is told. The lane goes on, by core and second ledger.

import { expect, test } from "vitest";
import { type RateRow, RateSnapshot } from "../../src/domain/fx/rates.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { parseCaseId } from "../../src/domain/ids.ts";
import { NO_PARAMETERS } from "../../src/domain/parameters/parameters.ts";
import type { NewIntent, OutcomeMessage, ReportMessage } from "../../src/kafka/codec-messages.ts";
import type { VersionSources } from "../../src/workload/audit/versions.ts";
import { euros, Producing } from "../support/intents.ts";
import { LANES, NOW_MS } from "../support/ledger.ts";
import { MemoryProduction } from "../support/memory-lane.ts";
import { auditMemory } from "../support/second-audit.ts";
import { type Change, wholeRules, wholeSecondRules } from "../support/whole-flows.ts";

const MOST = "9".repeat(38);
const HOLDER = "mer_1";
const make = new Producing(() => NOW_MS);

const said = { bid: "150", mid: "150", ask: "150", seq: 1n, asOfMs: NOW_MS, receivedAtMs: NOW_MS };
const pair = { version: 1n, feed: "desk", priority: 1, pivot: "USD", base: "USD", quote: "JPY" };
const UNTIL_MS = NOW_MS + 86_400_000;
const RATE: RateRow = {
  ...pair,
  ...said,
  life: [{ untilMs: UNTIL_MS, quality: "fresh", extraBps: 0n, lockMaxMs: null }],
};

/** A lane with one rate, its inputs one a block. */
class Lane {
  readonly #lane: MemoryProduction;
  #nowMs = NOW_MS;
  #keys = 0;

  readonly #change: Change | undefined;

  /** @param change to one of the flows of whole-flows; without it the shipped ones */
  constructor(change?: Change) {
    this.#change = change;
    const rates = RateSnapshot.EMPTY.with(1n, [RATE]);
    const versions = { rates: () => rates, parameters: () => NO_PARAMETERS };
    this.#lane = new MemoryProduction(HOLDER, change && wholeRules(change), undefined, versions);
    expect(homeLane(HOLDER, LANES)).toBe(this.#lane.lane);
  }

  /** @returns what it told: types, and the code behind where there is one */
  async intent(intent: Partial<NewIntent> & { readonly type: string }): Promise<readonly string[]> {
    const key =
      intent.type.endsWith("_create") && intent.type !== "refund_create" ? {} : { idempotencyKey: `k-${this.#keys++}` };
    const whole = { holderId: HOLDER, occurredAt: BigInt(this.#nowMs) * 1_000n, ...key, ...intent };
    this.#lane.append(Buffer.from(HOLDER), this.#lane.codec.encoders.intent.encode(whole as NewIntent), ++this.#nowMs);
    return this.#taken();
  }

  async report(
    report: Partial<ReportMessage> & Pick<ReportMessage, "caseId" | "call" | "result">,
  ): Promise<readonly string[]> {
    const rest = { holderId: HOLDER, attempt: 1, observation: `o-${this.#keys++}`, payload: {}, from: null };
    const whole = { ...rest, occurredAt: BigInt(this.#nowMs) * 1_000n, ...report };
    this.#lane.appendReport(Buffer.from(HOLDER), this.#lane.codec.encoders.report.encode(whole), ++this.#nowMs);
    return this.#taken();
  }

  async #taken(): Promise<readonly string[]> {
    await this.#lane.commit(this.#nowMs);
    const { messages } = this.#lane.blocks.at(-1)?.outcomes ?? { messages: [] };
    return messages.map(({ value }) => toldOf(this.#lane.codec.decoders.outcome.decode(value)));
  }

  stateOf(caseId: string): string {
    return this.#lane.cases().find((one) => one.caseId === parseCaseId(caseId)?.uuid)?.state ?? "none";
  }

  timers(): readonly string[] {
    return this.#lane.standing().timers.map(({ name, dueAt }) => `${name} ${dueAt}`);
  }

  /** Until when the latest command may be executed. */
  deadline(): string {
    const value = this.#lane.blocks.at(-1)?.commands.messages.at(-1)?.value;
    const micros = value === undefined ? 0n : this.#lane.codec.decoders.command.decode(value).notAfter;
    return new Date(Number(micros / 1_000n)).toISOString();
  }

  async differs(): Promise<Record<string, string>> {
    const spans = [[UNTIL_MS, "fresh", 0, null] as const];
    const versions = { rates: async () => [{ ...RATE, life: spans }], parameters: async () => new Map() };
    const rules = this.#change === undefined ? {} : { rules: wholeSecondRules(this.#change) };
    return (await auditMemory(this.#lane, { ...rules, versions: versions as VersionSources })).found;
  }
}

function toldOf({ type, reason }: OutcomeMessage): string {
  return reason === null ? type : `${type} ${reason.code}`;
}

/** Authorized for as much as there can be. */
async function authorized(
  lane: Lane,
  over: Partial<NewIntent> = {},
  reported: Partial<ReportMessage> = {},
): Promise<string> {
  const caseId = make.caseId("pay");
  const card = { method: "card", provider: "script", tokenRef: "tok_1", captureMode: "manual", amount: euros(MOST) };
  expect(await lane.intent({ type: "payment_create", caseId, ...card, ...over })).toEqual(["payment.received"]);
  const payload = { approved: MOST, seq: "1" };
  expect(await lane.report({ caseId, call: "authorize", result: "approved", payload, ...reported })).toEqual([
    "payment.authorized",
  ]);
  return caseId;
}

test("an increment that no sum could hold is not booked, and somebody is told; the case goes on as it was", async () => {
  const lane = new Lane();
  const caseId = await authorized(lane);
  expect(await lane.intent({ type: "payment_increment", caseId, amount: euros(MOST) })).toEqual([
    "payment.increment_requested",
  ]);
  const approved = { caseId, call: "increment", result: "approved", payload: { approved: MOST, seq: "1" } } as const;
  const observation = "inc/1/approved";
  expect(await lane.report({ ...approved, observation })).toEqual(["ops.attention amount_too_large"]);
  expect(await lane.report({ ...approved, observation })).toEqual([]); // remembered, and absorbed
  expect(lane.stateOf(caseId)).toBe("incrementing");
  const declined = { caseId, call: "increment", result: "declined", payload: { code: "limit_exceeded", seq: "1" } };
  expect(await lane.report(declined)).toEqual(["payment.increment_failed limit_exceeded"]);
  expect(await lane.intent({ type: "payment_cancel", caseId })).toEqual(["payment.cancel_requested"]);
  expect(await lane.report({ caseId, call: "void", result: "ok" })).toEqual(["payment.canceled"]);
  expect(await lane.differs()).toEqual({});
});

test("what a person confirms is refused where the case could not keep the sum", async () => {
  const lane = new Lane();
  const caseId = await authorized(lane);
  await lane.intent({ type: "payment_capture", caseId, amount: euros(MOST) });
  const payload = { amount: MOST, seq: "1" };
  expect(await lane.report({ caseId, call: "capture", result: "ok", payload })).toContain("payment.captured");
  const decision = { decision: "confirm_capture", principal: "ops@house", reason: "seen with the provider" };
  const again = { type: "case_decide", caseId, ...decision, amount: euros(MOST) };
  expect(await lane.intent(again)).toEqual(["intent.rejected amount_too_large"]);
  expect(lane.stateOf(caseId)).toBe("captured");
  expect(await lane.differs()).toEqual({});
});

test("a capture that a rate makes too large is not booked, and somebody is told", async () => {
  const lane = new Lane();
  const dollars = { currency: "USD", scale: 2, minor: MOST };
  const caseId = await authorized(lane, { amount: dollars, settlementCurrency: "JPY" });
  await lane.intent({ type: "payment_capture", caseId, amount: dollars });
  const payload = { amount: MOST, seq: "1" };
  expect(await lane.report({ caseId, call: "capture", result: "ok", payload })).toEqual([
    "ops.attention amount_too_large",
  ]);
  expect(await lane.differs()).toEqual({});
});

test("a quote that comes to more than the ledger holds is refused", async () => {
  const lane = new Lane();
  const quote = { type: "quote_request", settlementCurrency: "JPY", lockSeconds: 60n };
  const asked = { ...quote, caseId: make.caseId("fxq"), amount: { currency: "USD", scale: 2, minor: MOST } };
  expect(await lane.intent(asked)).toEqual(["fx_quote.rejected amount_too_large"]);
  const buys = { ...quote, caseId: make.caseId("fxb"), side: "buy", settlementCurrency: "USD" };
  expect(await lane.intent({ ...buys, amount: { currency: "JPY", scale: 0, minor: MOST } })).toHaveLength(1);
  expect(await lane.differs()).toEqual({});
});

test("a timer that would be due beyond every calendar is due at the end of the last year", async () => {
  const lane = new Lane();
  await authorized(lane, {}, { occurredAt: 2n ** 63n - 1n });
  expect(lane.timers()).toContain("expiry 9999-12-31T23:59:59.999Z");
  expect(await lane.differs()).toEqual({});
});

test("a key that is known for longer than any calendar lasts is used until the end of the last year", async () => {
  const lane = new Lane((name, text) =>
    name === "errand.flow.yaml"
      ? text.replaceAll("key_lifetime: params.key_lifetime", "key_lifetime: params.key_lifetime * 9000000000000000")
      : text,
  );
  await lane.intent(make.payIn(HOLDER, 5_000));
  await lane.intent({ type: "errand_create", caseId: make.caseId("ern"), amount: euros(100) });
  expect(lane.deadline()).toBe("9999-12-31T23:59:59.999Z");
  expect(await lane.differs()).toEqual({});
});
