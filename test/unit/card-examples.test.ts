// The worked examples of a card payment's accounting, line by line: a EUR customer of a USD merchant through its whole
// life, yen without decimals, dinars with three. What a flow does is decided by the core; steps whose flow does not exist
// yet are applied as lines of the catalogue, so that the balances at the end are those of the whole life.

import { describe, expect, test } from "vitest";
import { convert, cross, parsePrice, type Rate } from "../../src/domain/fx/fx.ts";
import { quotient } from "../../src/domain/fx/rounding.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import type { LineText } from "../support/card-lane.ts";
import {
  AVAILABLE,
  BANK,
  CLEARING,
  CONTRA,
  COVER,
  DISPUTE,
  EXPOSURE,
  FEES,
  HOLD,
  Payment,
  PENDING,
  POSITION,
  PROVIDER_FEE,
  RECEIVABLE,
  REFUND,
  RESERVED,
  SETTLEMENT,
  SPREAD,
} from "../support/card-payment.ts";

describe("A: a EUR customer, a USD merchant", () => {
  const PARAMETERS = { spread_bps: { EURUSD: 100n }, fee_bps: 290n, fee_fixed: { USD: 30n }, reserve_bps: 1000n };

  const authorized = (change: Partial<NewIntent> = {}): Payment => {
    const payment = new Payment({ EURUSD: "1.0850" }, PARAMETERS);
    expect(payment.authorize("EUR", 10_000n, "USD", change)).toEqual([[EXPOSURE, CONTRA, "EUR", 10_000n]]);
    return payment;
  };

  const captured = (): Payment => {
    const payment = authorized();
    expect(payment.capture(10_000n)).toEqual([
      [CONTRA, EXPOSURE, "EUR", 10_000n],
      [RECEIVABLE, CLEARING, "EUR", 10_000n],
      [CLEARING, POSITION, "EUR", 10_000n],
      [POSITION, CLEARING, "USD", 10_741n],
      [POSITION, SPREAD, "USD", 109n],
      [CLEARING, PENDING, "USD", 10_741n],
      [PENDING, FEES, "USD", 341n],
      [PENDING, RESERVED, "USD", 1_074n],
    ]);
    return payment;
  };

  /** Settled by the provider, paid in, available, covered, swept and realised. */
  const settled = (): Payment => {
    const payment = captured();
    payment.apply([SETTLEMENT, RECEIVABLE, "EUR", 9_880n], [PROVIDER_FEE, RECEIVABLE, "EUR", 120n]);
    payment.apply([BANK, SETTLEMENT, "EUR", 9_880n]);
    expect(payment.available(9_326n, "USD")).toEqual([[PENDING, AVAILABLE, "USD", 9_326n]]);
    payment.apply([POSITION, COVER, "EUR", 9_880n], [COVER, POSITION, "USD", 10_710n]);
    payment.apply([COVER, BANK, "EUR", 9_880n], [BANK, COVER, "USD", 10_710n]);
    payment.apply([POSITION, PROVIDER_FEE, "EUR", 120n], [PROVIDER_FEE, POSITION, "USD", 130n]);
    payment.apply(["pnl:fx_realised", POSITION, "USD", 10n]);
    return payment;
  };

  test("captures at the client's rate, and leaves the position and nothing in clearing", () => {
    expect(captured().sheet.balances()).toEqual({
      [`${RECEIVABLE} EUR`]: 10_000n,
      [`${POSITION} EUR`]: -10_000n,
      [`${POSITION} USD`]: 10_850n,
      [`${SPREAD} USD`]: -109n,
      [`${FEES} USD`]: -341n,
      [`${PENDING} USD`]: -9_326n,
      [`${RESERVED} USD`]: -1_074n,
    });
  });

  test("captures at once where the intent says automatic, with the same lines", () => {
    const payment = new Payment({ EURUSD: "1.0850" }, PARAMETERS);
    payment.authorize("EUR", 10_000n, "USD", { captureMode: "automatic" });
    const lines = payment.tells("capture", "ok", { amount: "10000", seq: "1" });
    expect(lines).toHaveLength(8);
    expect(payment.sheet.balances()).toEqual(captured().sheet.balances());
  });

  test("ends with an empty EUR book and the result in USD", () => {
    const { sheet } = settled();
    expect(sheet.balances()).toEqual({
      [`${BANK} USD`]: 10_710n,
      [`${AVAILABLE} USD`]: -9_326n,
      [`${RESERVED} USD`]: -1_074n,
      [`${SPREAD} USD`]: -109n,
      [`${FEES} USD`]: -341n,
      [`${PROVIDER_FEE} USD`]: 130n,
      "pnl:fx_realised USD": 10n,
    });
    const result = -[SPREAD, FEES, PROVIDER_FEE, "pnl:fx_realised"].reduce(
      (sum, one) => sum + sheet.of(one, "USD"),
      0n,
    );
    expect(result).toBe(310n);
  });

  const REFUND_LINES: readonly LineText[] = [
    [AVAILABLE, REFUND, "USD", 4_404n],
    [REFUND, POSITION, "USD", 4_360n],
    [REFUND, SPREAD, "USD", 44n],
    [POSITION, REFUND, "EUR", 4_000n],
  ];

  const refunded = (): Payment => {
    const payment = settled();
    payment.lane.prices = { EURUSD: "1.0900" };
    expect(payment.refund(4_000n)).toEqual(REFUND_LINES);
    expect(payment.tells("refund", "completed")).toEqual([[REFUND, RECEIVABLE, "EUR", 4_000n]]);
    return payment;
  };

  test("gives back a part at the rate of now, which the merchant bears", () => {
    const { sheet } = refunded();
    expect(sheet.of(AVAILABLE, "USD")).toBe(-4_922n);
    expect(sheet.of(POSITION, "EUR")).toBe(4_000n);
    expect(sheet.of(POSITION, "USD")).toBe(-4_360n);
    expect(sheet.of(RECEIVABLE, "EUR")).toBe(-4_000n);
    expect(sheet.of(REFUND, "EUR")).toBe(0n);
    expect(sheet.of(REFUND, "USD")).toBe(0n);
  });

  test("gives back a part at the original rate, and the house bears its move", () => {
    const payment = settled();
    payment.lane.prices = { EURUSD: "1.0900" };
    expect(payment.refund(4_000n, { fxBasis: "original" })).toEqual([
      [AVAILABLE, REFUND, "USD", 4_297n],
      [REFUND, POSITION, "USD", 4_297n],
      [POSITION, REFUND, "EUR", 4_000n],
    ]);
    // At mid the 40.00 euros are worth 43.60.
    const [euros, dollars] = [payment.sheet.of(POSITION, "EUR"), payment.sheet.of(POSITION, "USD")];
    expect((euros * 109n) / 100n + dollars).toBe(63n);
  });

  test("gives back in parts at the original rate exactly what the capture gave", () => {
    const payment = captured();
    // What was kept as fee and reserve comes from elsewhere: all of it is given back.
    payment.deposit(10_741n, "USD");
    const debits = [3_333n, 3_333n, 1n, 3_333n].map((minor) => {
      const [first] = payment.refund(minor, { fxBasis: "original" });
      payment.tells("refund", "completed");
      return (first as LineText)[3];
    });
    expect(debits).toEqual([3_580n, 3_580n, 2n, 3_579n]);
    expect(debits.reduce((sum, one) => sum + one, 0n)).toBe(10_741n);
  });

  test("reverses a refund that failed at the same amounts, whatever the rate is then", () => {
    const payment = settled();
    const before = payment.sheet.balances();
    payment.lane.prices = { EURUSD: "1.0900" };
    payment.refund(4_000n);
    payment.lane.prices = { EURUSD: "1.2000" };
    const back = payment.tells("refund", "rejected", { code: "provider_error" });
    expect(back).toEqual(REFUND_LINES.map(([debit, credit, currency, minor]) => [credit, debit, currency, minor]));
    expect(payment.sheet.balances()).toEqual(before);
  });

  test("reverses a refund that failed long after the provider had accepted it", () => {
    const payment = settled();
    const before = payment.sheet.balances();
    payment.lane.prices = { EURUSD: "1.0900" };
    payment.refund(4_000n);
    payment.tells("refund", "completed");
    const back = payment.tells("refund", "failed", { code: "closed_account" });
    expect(back[0]).toEqual([RECEIVABLE, REFUND, "EUR", 4_000n]);
    expect(back.slice(1)).toEqual(
      REFUND_LINES.map(([debit, credit, currency, minor]) => [credit, debit, currency, minor]),
    );
    expect(payment.sheet.balances()).toEqual(before);
  });

  test("pays out, and takes back a payout that failed or was returned", () => {
    const { sheet } = refunded();
    sheet.add([
      [AVAILABLE, HOLD, "USD", 4_922n],
      [HOLD, "clearing:payout", "USD", 4_897n],
      [HOLD, "revenue:payout_fee", "USD", 25n],
    ]);
    expect(sheet.of(AVAILABLE, "USD")).toBe(0n);
    expect(sheet.of(HOLD, "USD")).toBe(0n);
    sheet.add([["clearing:payout", BANK, "USD", 4_897n]]);
    expect(sheet.of(BANK, "USD")).toBe(10_710n - 4_897n);
    sheet.add([
      [BANK, "clearing:payout", "USD", 4_897n],
      ["clearing:payout", AVAILABLE, "USD", 4_897n],
      ["revenue:payout_fee", AVAILABLE, "USD", 25n],
    ]);
    expect(sheet.of(AVAILABLE, "USD")).toBe(-4_922n);
  });

  test("bears a chargeback of the rest at the original rate, and its reversal when it is won", () => {
    const { sheet } = refunded();
    sheet.add([
      [AVAILABLE, HOLD, "USD", 4_922n],
      [HOLD, "clearing:payout", "USD", 4_897n],
      [HOLD, "revenue:payout_fee", "USD", 25n],
      ["clearing:payout", BANK, "USD", 4_897n],
    ]);
    const debit = quotient("fx_debit", 10_741n * 6_000n, 10_000n);
    expect(debit).toBe(6_445n);
    const chargeback: LineText[] = [
      [DISPUTE, RECEIVABLE, "EUR", 6_000n],
      [POSITION, DISPUTE, "EUR", 6_000n],
      [DISPUTE, POSITION, "USD", debit],
      [AVAILABLE, DISPUTE, "USD", debit],
    ];
    sheet.add(chargeback);
    sheet.add([
      ["expense:dispute", RECEIVABLE, "EUR", 1_500n],
      [AVAILABLE, "revenue:dispute_fee", "USD", 2_000n],
    ]);
    expect(-sheet.of(AVAILABLE, "USD")).toBe(-8_445n);
    sheet.add([[RESERVED, AVAILABLE, "USD", 1_074n]]);
    expect(-sheet.of(AVAILABLE, "USD")).toBe(-7_371n);
    // The desk is short 100.00 euros and long 108.05 dollars: at 1.0800 that is worth five cents.
    const [euros, dollars] = [sheet.of(POSITION, "EUR"), sheet.of(POSITION, "USD")];
    expect([euros, dollars]).toEqual([10_000n, -10_805n]);
    expect(-dollars - (euros * 108n) / 100n).toBe(5n);
    sheet.add(chargeback.map(([debited, credited, currency, minor]) => [credited, debited, currency, minor] as const));
    expect(-sheet.of(AVAILABLE, "USD")).toBe(-926n);
  });

  test("releases what was held when it is voided or expires, and posts nothing else", () => {
    const payment = authorized();
    expect(payment.cancel()).toEqual([[CONTRA, EXPOSURE, "EUR", 10_000n]]);
    expect(payment.sheet.balances()).toEqual({});
    const expired = authorized();
    expect(expired.tells("authorize", "expired")).toEqual([[CONTRA, EXPOSURE, "EUR", 10_000n]]);
    expect(expired.sheet.balances()).toEqual({});
  });

  test("captures 60 of 100 for good, and releases both parts of the hold", () => {
    const payment = authorized();
    const lines = payment.capture(6_000n);
    expect(lines[0]).toEqual([CONTRA, EXPOSURE, "EUR", 6_000n]);
    expect(lines[1]).toEqual([RECEIVABLE, CLEARING, "EUR", 6_000n]);
    expect(lines.at(-1)).toEqual([CONTRA, EXPOSURE, "EUR", 4_000n]);
    expect(payment.sheet.of(EXPOSURE, "EUR")).toBe(0n);
    expect(payment.sheet.of(RECEIVABLE, "EUR")).toBe(6_000n);
  });

  test("holds a settlement that is short in suspense until the invoice explains it", () => {
    const payment = captured();
    const suspense = "suspense:recon:script";
    payment.apply([SETTLEMENT, RECEIVABLE, "EUR", 9_880n], [PROVIDER_FEE, RECEIVABLE, "EUR", 120n]);
    payment.apply([BANK, SETTLEMENT, "EUR", 9_800n], [suspense, SETTLEMENT, "EUR", 80n]);
    expect(payment.sheet.of(SETTLEMENT, "EUR")).toBe(0n);
    payment.apply([PROVIDER_FEE, suspense, "EUR", 80n]);
    expect(payment.sheet.of(suspense, "EUR")).toBe(0n);
    expect(payment.sheet.of(PROVIDER_FEE, "EUR")).toBe(200n);
  });
});

describe("B: yen, which have no decimals", () => {
  test("JPY 10,000 of a customer are USD 66.01 for the merchant, divided by the ask", () => {
    const free = { spread_bps: { USDJPY: 150n }, fee_bps: 0n, fee_fixed: {}, reserve_bps: 0n };
    const payment = new Payment({ USDJPY: "149.25" }, free);
    payment.authorize("JPY", 10_000n, "USD");
    expect(payment.capture(10_000n)).toEqual([
      [CONTRA, EXPOSURE, "JPY", 10_000n],
      [RECEIVABLE, CLEARING, "JPY", 10_000n],
      [CLEARING, POSITION, "JPY", 10_000n],
      [POSITION, CLEARING, "USD", 6_601n],
      [POSITION, SPREAD, "USD", 99n],
      [CLEARING, PENDING, "USD", 6_601n],
    ]);
  });

  test("USD 67.35 of a customer are JPY 9,901 for the merchant, of which 356 are the fee", () => {
    const parameters = { spread_bps: { USDJPY: 150n }, fee_bps: 360n, fee_fixed: {}, reserve_bps: 0n };
    const payment = new Payment({ USDJPY: "149.25" }, parameters);
    payment.authorize("USD", 6_735n, "JPY");
    expect(payment.capture(6_735n)).toEqual([
      [CONTRA, EXPOSURE, "USD", 6_735n],
      [RECEIVABLE, CLEARING, "USD", 6_735n],
      [CLEARING, POSITION, "USD", 6_735n],
      [POSITION, CLEARING, "JPY", 9_901n],
      [POSITION, SPREAD, "JPY", 151n],
      [CLEARING, PENDING, "JPY", 9_901n],
      [PENDING, FEES, "JPY", 356n],
    ]);
    expect(-payment.sheet.of(PENDING, "JPY")).toBe(9_545n);
  });

  test("never inverts a rate and rounds it", () => {
    const rate = { ...(parsePrice("149.25") as Rate) };
    const inverse: Rate = { numerator: rate.denominator, denominator: rate.numerator, base: "to" };
    expect(convert(10_000_000n, inverse, { from: 0, to: 2 }, 0n).mid).toBe(6_700_168n);
  });
});

describe("C: Kuwaiti dinars, which have three decimals", () => {
  const PARAMETERS = { spread_bps: { EURKWD: 120n }, fee_bps: 275n, fee_fixed: { KWD: 100n }, reserve_bps: 0n };

  const captured = (): Payment => {
    const payment = new Payment({ EURKWD: "0.33425" }, PARAMETERS);
    payment.authorize("EUR", 25_000n, "KWD");
    expect(payment.capture(25_000n)).toEqual([
      [CONTRA, EXPOSURE, "EUR", 25_000n],
      [RECEIVABLE, CLEARING, "EUR", 25_000n],
      [CLEARING, POSITION, "EUR", 25_000n],
      [POSITION, CLEARING, "KWD", 82_559n],
      [POSITION, SPREAD, "KWD", 1_003n],
      [CLEARING, PENDING, "KWD", 82_559n],
      [PENDING, FEES, "KWD", 2_370n],
    ]);
    return payment;
  };

  test("EUR 250.00 of a customer are KWD 82.559 for the merchant, mid to the nearest even", () => {
    expect(-captured().sheet.of(PENDING, "KWD")).toBe(80_189n);
  });

  test("pays out what the provider's step allows and leaves the rest", () => {
    const payment = captured();
    payment.available(80_189n, "KWD");
    const payable = (-payment.sheet.of(AVAILABLE, "KWD") / 10n) * 10n;
    expect(payable).toBe(80_180n);
    payment.apply([AVAILABLE, HOLD, "KWD", payable], [HOLD, "clearing:payout", "KWD", payable]);
    expect(-payment.sheet.of(AVAILABLE, "KWD")).toBe(9n);
  });

  test("JPY 1,000,000 over dollars are KWD 2,058.291 at mid, from the unrounded pivot", () => {
    const toUsd = parsePrice("149.25") as Rate;
    const first: Rate = { numerator: toUsd.denominator, denominator: toUsd.numerator, base: "to" };
    const second: Rate = { ...(parsePrice("0.30720") as Rate), base: "from" };
    const over = cross(first, second);
    expect(convert(1_000_000n, over, { from: 0, to: 3 }, 150n)).toEqual({
      mid: 2_058_291n,
      net: 2_027_417n,
      spread: 30_874n,
    });
    // By way of 0.67 dollars, rounded, a hundred yen would be 0.205824 dinars instead of 0.205829.
    expect(convert(100n, over, { from: 0, to: 6 }, 0n).mid).toBe(205_829n);
  });
});
