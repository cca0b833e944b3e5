// JSON lines: the form is judged, the content is not.
import { describe, expect, test } from "vitest";
import { Currencies } from "../../src/domain/currencies.ts";
import { parseCaseId } from "../../src/domain/ids.ts";
import type { CurrencyCode } from "../../src/domain/money.ts";
import { type IntentLineRules, LINE_CHARS_MAX, parseIntentLine } from "../../src/workload/intents.ts";
import { formatTime, parseTime } from "../../src/workload/intents-time.ts";

const RULES: IntentLineRules = {
  currencies: new Currencies([
    { code: "CZK" as CurrencyCode, name: "Czech koruna", scale: 2 },
    { code: "KWD" as CurrencyCode, name: "Kuwaiti dinar", scale: 3 },
  ]),
  caseKinds: new Map([
    ["account_open", "acc"],
    ["transfer_create", "trf"],
  ]),
  runAtMs: Date.UTC(2026, 10, 20),
};

const TRANSFER = {
  type: "transfer_create",
  holderId: "cust_12",
  sourceId: "t-1",
  from: "asset:bank:main",
  to: "liability:customer:cust_12:available",
  amount: { currency: "CZK", minor: "70000" },
  occurredAt: "1993-01-05T00:00:00Z",
};

const LATER_FIELDS = [
  "method",
  "captureMode",
  "tokenRef",
  "provider",
  "tenant",
  "settlementCurrency",
  "quoteId",
  "fxBasis",
  "side",
  "lockSeconds",
  "decision",
  "principal",
  "reason",
];

function parsed(line: object | string, rules = RULES) {
  const result = parseIntentLine(typeof line === "string" ? line : JSON.stringify(line), rules);
  if (result.kind === "faults") throw new Error(JSON.stringify(result.faults));
  return result.intent;
}

function faultsOf(line: object | string): string[] {
  const result = parseIntentLine(typeof line === "string" ? line : JSON.stringify(line), RULES);
  if (result.kind === "intent") return [];
  return result.faults.map(({ field, found, expected }) => `${field}: ${found}, not ${expected}`);
}

describe("a line that is well formed", () => {
  test("becomes a message with every field", () => {
    const line = { ...TRANSFER, caseId: "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C", reference: "cash in", metadata: { k: "v" } };
    expect(parsed(line)).toEqual({
      ...line,
      amount: { currency: "CZK", minor: "70000", scale: 2 },
      occurredAt: BigInt(Date.UTC(1993, 0, 5)) * 1000n,
      floorMinor: "0",
      idempotencyKey: null,
      account: null,
      currency: null,
      change: null,
      final: null,
      correlationId: null,
      causationId: null,
      traceparent: null,
      ...Object.fromEntries(LATER_FIELDS.map((field) => [field, null])),
    });
  });

  test("may carry what payments, refunds, quotes and operators' decisions need", () => {
    const texts = Object.fromEntries(LATER_FIELDS.map((field) => [field, `some ${field}`]));
    expect(parsed({ ...TRANSFER, ...texts, lockSeconds: 60 })).toMatchObject({ ...texts, lockSeconds: 60n });
    expect(faultsOf({ ...TRANSFER, lockSeconds: 1.5, method: 7 })).toEqual([
      "method: 7, not a string or null",
      "lockSeconds: 1.5, not a whole number of seconds, or null",
    ]);
  });

  test("has floor 0 when none is given, and no floor when it is null", () => {
    expect(parsed(TRANSFER).floorMinor).toBe("0");
    expect(parsed({ ...TRANSFER, floorMinor: null }).floorMinor).toBeNull();
    expect(parsed({ ...TRANSFER, floorMinor: "-500" }).floorMinor).toBe("-500");
  });

  test("takes the scale of its currency, 0 when the currency is unknown, its own when it has one", () => {
    const scaleOf = (amount: object) => parsed({ ...TRANSFER, amount }).amount?.scale;
    expect(scaleOf({ currency: "KWD", minor: "1" })).toBe(3);
    expect(scaleOf({ currency: "XQQ", minor: "1" })).toBe(0);
    expect(scaleOf({ currency: "KWD", minor: "1", scale: 7 })).toBe(7);
  });

  test.each([
    ["a negative amount", { amount: { currency: "CZK", minor: "-1" } }],
    ["39 digits", { amount: { currency: "CZK", minor: "9".repeat(39) } }],
    ["an amount that is no number", { amount: { currency: "CZK", minor: "much" } }],
    ["an unknown currency", { amount: { currency: "", minor: "5" } }],
    ["a case id of rubbish", { caseId: "rubbish" }],
    ["a holder that is reserved", { holderId: "house" }],
    ["an empty holder", { holderId: "" }],
    ["a type that nobody knows", { type: "transfer_teleport" }],
  ])("goes out as it is with %s: the service answers it", (_name, change) => {
    expect(parsed({ ...TRANSFER, ...change })).toMatchObject(change);
  });
});

describe("a case id that is left out", () => {
  test("is derived from the run's time, type, holder, account and source id", () => {
    const { caseId } = parsed(TRANSFER);
    expect(parseCaseId(caseId)).toMatchObject({ kind: "trf", timeMs: RULES.runAtMs });
    expect(parsed(TRANSFER).caseId).toBe(caseId);
    expect(parsed({ ...TRANSFER, occurredAt: "2001-01-01T00:00:00Z" }).caseId).toBe(caseId);
  });

  test.each([
    ["source id", { sourceId: "t-2" }],
    ["holder", { holderId: "cust_13" }],
    ["type", { type: "account_open" }],
    ["account", { account: "liability:customer:cust_12:available" }],
  ])("differs with the %s", (_name, change) => {
    expect(parsed({ ...TRANSFER, ...change }).caseId).not.toBe(parsed(TRANSFER).caseId);
  });

  test("bears the kind of the flow that the method names", () => {
    const caseKinds = new Map([
      ["payment_create", "dbt"],
      ["payment_create bank_debit", "dbt"],
      ["payment_create card", "pay"],
    ]);
    const kindOf = (method?: string): string | undefined =>
      parseCaseId(parsed({ ...TRANSFER, type: "payment_create", method }, { ...RULES, caseKinds }).caseId)?.kind;
    expect([kindOf("card"), kindOf("bank_debit"), kindOf("cash"), kindOf()]).toEqual(["pay", "dbt", "dbt", "dbt"]);
  });

  test("differs from run to run", () => {
    expect(parsed(TRANSFER, { ...RULES, runAtMs: RULES.runAtMs + 1 }).caseId).not.toBe(parsed(TRANSFER).caseId);
  });

  test("needs a source id in a create; an unknown type goes without", () => {
    const { sourceId: _left, ...without } = TRANSFER;
    expect(faultsOf(without)).toEqual(["caseId: neither caseId nor sourceId, not one of them in a create"]);
    expect(parsed({ ...without, type: "payment_capture" }).caseId).toBeNull();
  });
});

describe("a line that is not well formed", () => {
  test("tells every fault at once, with its field", () => {
    const line = { ...TRANSFER, holderId: 7, amount: { currency: "CZK", minor: 5 }, metadata: { k: 1 }, final: "yes" };
    expect(faultsOf(line)).toEqual([
      "holderId: 7, not a string",
      "amount.minor: 5, not a string of digits",
      'final: "yes", not true, false or null',
      "metadata.k: 1, not a string",
    ]);
  });

  test.each([
    ["no JSON", "{nope", /^: something else/],
    [
      "UTF-16",
      Buffer.from("{}", "utf16le").toString(),
      /^: a NUL, which no text has .*, not a JSON object on one line, in UTF-8$/,
    ],
    [
      "lists within lists",
      `{"type":${"[".repeat(20_000)}${"]".repeat(20_000)},"holderId":"a","occurredAt":"2026-01-01T00:00:00Z"}`,
      /^type: what is nested too deep to be shown, not a string$/,
    ],
    ["a list", "[]", /^: \[\], not a JSON object/],
    ["null", "null", /^: null, not a JSON object/],
    ["a field that does not exist", { ...TRANSFER, ammount: {} }, /^ammount: such a field, not one of type/],
    ["a day that does not exist", { ...TRANSFER, occurredAt: "2026-02-30T00:00:00Z" }, /^occurredAt/],
    ["a time without a zone", { ...TRANSFER, occurredAt: "2026-02-03T00:00:00" }, /^occurredAt/],
    ["no time", { ...TRANSFER, occurredAt: undefined }, /^occurredAt: nothing, not a time such as/],
    ["an amount without currency", { ...TRANSFER, amount: { minor: "1" } }, /^amount.currency: nothing/],
    ["an amount with more", { ...TRANSFER, amount: { currency: "CZK", minor: "1", major: "1" } }, /^amount.major/],
    ["an amount that is a number", { ...TRANSFER, amount: 7 }, /^amount: 7, not \{"currency"/],
    ["a floor that is a number", { ...TRANSFER, floorMinor: 0 }, /^floorMinor: 0, not a string of digits, or null/],
    ["a line beyond a message", "x".repeat(LINE_CHARS_MAX + 1), /^: 1000001 characters, not at most 1000000/],
  ])("is refused for %s", (_name, line, expected) => {
    expect(faultsOf(line)).toEqual([expect.stringMatching(expected)]);
  });

  test("fields of an object's prototype are no fields", () => {
    expect(
      faultsOf(`{"__proto__":{"type":"account_open"},"holderId":"a","occurredAt":"2026-01-01T00:00:00Z"}`),
    ).toEqual([expect.stringMatching(/^__proto__: such a field/), "type: nothing, not a string"]);
  });
});

describe("times", () => {
  test.each([
    ["1993-01-05T00:00:00Z", "1993-01-05T00:00:00Z"],
    ["2026-11-20T10:00:00.5Z", "2026-11-20T10:00:00.500Z"],
    ["2026-11-20T10:00:00.123456Z", "2026-11-20T10:00:00.123456Z"],
    ["2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z"],
    ["1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"],
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"],
  ])("%s is printed as %s", (text, printed) => {
    expect(formatTime(parseTime(text) as bigint)).toBe(printed);
  });

  test.each(["2026-11-20", "2026-11-20T24:00:00Z", "2026-11-20T10:60:00Z", "2026-13-01T00:00:00Z", "now", ""])(
    "%j is none",
    (text) => {
      expect(parseTime(text)).toBeNull();
    },
  );
});

describe("a line with a card number", () => {
  const CARD = "4242 4242 4242 4242";

  test.each(["sourceId", "from", "reference", "tokenRef", "idempotencyKey"])(
    "in %s is refused by the field",
    (field) => {
      expect(faultsOf({ ...TRANSFER, [field]: CARD })).toEqual([
        `${field}: what reads as a card number, not send the token that stands for it`,
      ]);
    },
  );

  test("in metadata is refused, as a name, as a value and as a secret", () => {
    for (const metadata of [{ [CARD]: "a" }, { a: CARD }, { cvv: "123" }]) {
      expect(faultsOf({ ...TRANSFER, metadata })).toHaveLength(1);
    }
  });

  test("is never quoted by what is said about it", () => {
    const lines = [
      { ...TRANSFER, [CARD]: 1 },
      { ...TRANSFER, amount: CARD },
      { ...TRANSFER, amount: { currency: 4_242_424_242_424_242, minor: 1, [CARD]: 2 } },
      { ...TRANSFER, metadata: { [CARD]: 1 } },
      `{"reference":"${CARD}" "to"}`,
      `"${CARD}"`,
      `${CARD}`,
    ];
    for (const line of lines) {
      const said = faultsOf(line).join("\n");
      expect(said).not.toBe("");
      expect(said.replace(/\*{4}4242/g, "")).not.toMatch(/4242/);
    }
  });
});
