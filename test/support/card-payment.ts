// A card payment of one merchant in a lane of its own: what a producer sends and the provider says, and a sheet of what was
// booked, to which lines of steps can be added that no flow does yet.

import { expect } from "vitest";
import type { ParamValue } from "../../src/domain/parameters/parameters.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { CardLane, type LineText, Sheet } from "./card-lane.ts";
import { caseId } from "./intents.ts";
import { NOW_MS } from "./ledger.ts";

export const HOLDER = "mer_204";
export const EXPOSURE = "memo:auth_exposure:script";
export const CONTRA = "memo:auth_contra:script";
export const RECEIVABLE = "asset:provider_receivable:script";
export const SETTLEMENT = "clearing:provider_settlement:script";
export const PROVIDER_FEE = "expense:provider_fee:script";
export const BANK = "asset:bank:main";
export const CLEARING = "clearing:payment";
export const REFUND = "clearing:refund";
export const DISPUTE = "clearing:dispute";
export const COVER = "clearing:fx_settlement";
export const POSITION = "fx:position";
export const SPREAD = "revenue:fx_spread";
export const FEES = "revenue:processing_fee";
export const PENDING = `liability:merchant:${HOLDER}:pending`;
export const AVAILABLE = `liability:merchant:${HOLDER}:available`;
export const RESERVED = `liability:merchant:${HOLDER}:reserved`;
export const HOLD = `liability:merchant:${HOLDER}:hold`;

/** Written down once more, so that nothing is looked up in what is tested. */
export const SCALES: Readonly<Record<string, number>> = { JPY: 0, EUR: 2, USD: 2, KWD: 3, CLF: 4, BTC: 8, ETH: 18 };
export function money(currency: string, minor: bigint): NonNullable<NewIntent["amount"]> {
  return { currency, scale: SCALES[currency] as number, minor: minor.toString() };
}

/** A payment that was made in a lane of its own. */
export class Payment {
  readonly lane = new CardLane();
  readonly sheet = new Sheet();
  readonly id = caseId("pay", NOW_MS);
  readonly #asked: { currency: string; minor: bigint };
  #keys = 0;

  constructor(prices: Readonly<Record<string, string>>, parameters: Readonly<Record<string, ParamValue>>) {
    this.lane.prices = prices;
    this.lane.parameters = { card: parameters, refund: { spread_bps: parameters["spread_bps"] ?? {} } };
    this.#asked = { currency: "", minor: 0n };
  }

  authorize(currency: string, minor: bigint, settlementCurrency: string, change: Partial<NewIntent> = {}): LineText[] {
    Object.assign(this.#asked, { currency, minor });
    this.#send({
      type: "account_open",
      caseId: caseId("acc", NOW_MS),
      account: AVAILABLE,
      currency: settlementCurrency,
    });
    return this.#lines(() => {
      this.#ask("payment_create", {
        method: "card",
        provider: "script",
        tokenRef: "tok_9f2c",
        captureMode: "manual",
        amount: money(currency, minor),
        settlementCurrency,
        ...change,
      });
      this.tells("authorize", "approved", { approved: minor.toString(), seq: "1" });
    });
  }

  capture(minor: bigint, final = true): LineText[] {
    return this.#lines(() => {
      this.#ask("payment_capture", { amount: money(this.#asked.currency, minor), final });
      const { seq = "" } = this.lane.commandOf("capture").payload;
      this.tells("capture", "ok", { amount: minor.toString(), seq });
    });
  }

  /** Funds become available: what a later flow does by due dates. */
  available(minor: bigint, currency: string): LineText[] {
    return this.#lines(() => {
      const intent = { from: PENDING, to: AVAILABLE, amount: money(currency, minor) };
      this.#send({ type: "transfer_create", caseId: caseId("trf", NOW_MS), ...intent });
    });
  }

  /** Money of the merchant from elsewhere. */
  deposit(minor: bigint, currency: string): void {
    this.#lines(() => {
      const intent = { from: BANK, to: AVAILABLE, amount: money(currency, minor) };
      this.#send({ type: "transfer_create", caseId: caseId("trf", NOW_MS), ...intent });
    });
  }

  refund(minor: bigint, change: Partial<NewIntent> = {}): LineText[] {
    return this.#lines(() => {
      this.#ask("refund_create", { amount: money(this.#asked.currency, minor), ...change });
    });
  }

  cancel(): LineText[] {
    return this.#lines(() => {
      this.#ask("payment_cancel", {});
      this.tells("void", "ok", { seq: "1" });
    });
  }

  /** Of the payment, or of the child that asked last. */
  tells(call: string, result: string, payload: Readonly<Record<string, string>> = {}): LineText[] {
    return this.#lines(() => {
      const { caseId: of } = this.lane.commandOf(call);
      this.lane.report(of, HOLDER, { call, result, payload });
    });
  }

  /** Lines of a step that no flow does yet. */
  apply(...lines: readonly LineText[]): void {
    this.sheet.add(lines);
  }

  #depth = 0;

  #lines(work: () => void): LineText[] {
    this.#depth += 1;
    const lines = this.lane.linesOf(work);
    this.#depth -= 1;
    if (this.#depth === 0) this.sheet.add(lines);
    return lines;
  }

  #ask(type: string, intent: Partial<NewIntent>): void {
    const key = type === "payment_create" ? {} : { idempotencyKey: `k-${++this.#keys}` };
    this.#send({ type, caseId: this.id, ...key, ...intent });
  }

  #send(intent: Pick<NewIntent, "type"> & Partial<NewIntent>): void {
    const outcomes = this.lane.ask({ holderId: HOLDER, occurredAt: BigInt(NOW_MS) * 1000n, ...intent });
    expect(outcomes[0]?.reason, `${intent.type} was refused`).toBeNull();
  }
}
