// Both sides held against each other: each kind of fault is found and named, and what is not one is told apart.
import { describe, expect, test } from "vitest";
import { keyOfTxid, txidOf as txidOfGateway } from "../../src/gateways/providers/instanet/txid.ts";
import { Findings, type Invariant, SIDES_INVARIANTS } from "../../src/workload/audit/findings.ts";
import {
  type AskedEffect,
  type BookedCase,
  compareSides,
  type Effect,
  type Sides,
  type SidesTally,
} from "../../src/workload/audit/sides.ts";
import { readRecord, txidOf } from "../../src/workload/audit/sides-read.ts";

function effect(key: string, kind: string, minor: bigint, change: Partial<Effect> = {}): Effect {
  const base = {
    provider: "cardco",
    key,
    kind,
    effect: "done",
    currency: "EUR",
    minor,
    reference: "mer_1.pay_1",
    recall: "",
  } as const;
  return { ...base, ...change };
}

function asked(key: string, minor: bigint | null, change: Partial<AskedEffect> = {}): AskedEffect {
  const [caseId = ""] = key.split("/");
  const { holderId = "mer_1" } = change;
  return {
    lane: 0,
    holderId,
    caseId,
    uuid: caseId,
    idempotencyKey: key,
    names: [`cardco ${holderId} ${key}`, `instanet ${txidOf(key, holderId)}`],
    currency: minor === null ? null : "EUR",
    minor,
    recall: "",
    ...change,
  };
}

function booked(caseId: string, minor: bigint, change: Partial<BookedCase> = {}): BookedCase {
  return {
    lane: 0,
    uuid: caseId,
    caseId,
    state: "captured",
    stands: "at_rest",
    parent: null,
    booked: minor === 0n ? new Map() : new Map([["EUR", minor]]),
    ...change,
  };
}

function instanet(key: string, kind: string, minor: bigint, change: Partial<Effect> = {}): Effect {
  return effect(txidOf(key, "mer_1"), kind, minor, { provider: "instanet", reference: "", ...change });
}

/** A card payment that was increased, captured in two parts and given back in part by a child; a charge of which the payer
 *  paid too much, which a child gave back; a payout that came back; a transfer that its payer's bank asked for and got; a debit;
 *  and one that was refunded and came back. */
function clean(): { effects: Effect[]; asked: AskedEffect[]; cases: BookedCase[] } {
  return {
    effects: [
      effect("pay_1/auth/1", "authorization", 900n),
      effect("pay_1/inc/1", "increment", 100n),
      effect("pay_1/cap/1", "capture", 600n),
      effect("pay_1/cap/2", "capture", 300n),
      effect("pay_1/void/1", "void", 100n),
      effect("rfd_1/refund/1", "refund", 250n),
      instanet("psh_1/charge", "charges", 501n),
      instanet("brt_1/return/1", "returns", 501n),
      instanet("pyo_1/payout", "payouts", 70n),
      instanet("pyo_1/payout", "payouts", 70n, { effect: "undone" }),
      instanet("btr_1/charge", "charges", 400n),
      instanet("btr_1/charge", "charges", 400n, { effect: "recalled", recall: "r1" }),
      instanet("brc_1/answer", "recalls", 400n, { recall: "r1" }),
      instanet("dbt_1/debit", "debits", 80n),
      instanet("dbt_1/mandate", "mandates", 1n),
      instanet("dbt_2/debit", "debits", 90n),
      instanet("brf_2/return/2", "returns", 30n),
      instanet("dbt_2/debit", "debits", 90n, { effect: "undone" }),
    ],
    asked: [
      asked("pay_1/auth/1", 1_000n),
      asked("pay_1/inc/1", 100n),
      asked("pay_1/cap/1", 600n),
      asked("pay_1/cap/2", 300n),
      asked("pay_1/void/1", null),
      asked("rfd_1/refund/1", 250n),
      asked("psh_1/charge", 500n),
      asked("brt_1/return/1", 501n),
      asked("pyo_1/payout", 70n),
      asked("btr_1/charge", 400n),
      asked("brc_1/answer", 400n, { recall: "r1" }),
      asked("dbt_1/debit", 80n),
      asked("dbt_1/mandate", 80n),
      asked("dbt_2/debit", 90n),
      asked("brf_2/return/2", 30n),
    ],
    cases: [
      booked("pay_1", 900n),
      booked("rfd_1", -250n, { parent: "pay_1" }),
      booked("psh_1", 0n),
      booked("brt_1", 0n, { parent: "psh_1" }),
      booked("pyo_1", 0n),
      booked("dbt_1", 80n),
      booked("dbt_2", 0n),
      booked("brf_2", -30n, { parent: "dbt_2" }),
      booked("btr_1", 400n),
      booked("brc_1", -400n, { parent: "btr_1" }),
    ],
  };
}

type Found = { readonly problems: Partial<Record<Invariant, readonly string[]>>; readonly tally: SidesTally };

function compare(sides: Sides): Found {
  const findings = new Findings();
  const tally = compareSides(findings, sides);
  const failed = findings.list((name) => SIDES_INVARIANTS.has(name)).filter(({ ok }) => !ok);
  return { problems: Object.fromEntries(failed.map(({ invariant, problems }) => [invariant, problems])), tally };
}

const NOTHING = { underWay: [], withPerson: [], disputed: [] };

test("finds nothing where both sides say the same", () => {
  expect(compare(clean())).toEqual({ problems: {}, tally: NOTHING });
});

/** What is wrong, what it takes, and what is said of it. */
const FAULTS: readonly (readonly [string, (sides: ReturnType<typeof clean>) => void, Found["problems"]])[] = [
  [
    "an effect that no case asked for",
    ({ effects }) => effects.push(effect("pay_9/cap/1", "capture", 5n)),
    { effects_asked_for: ["no command asked for it: cardco capture pay_9/cap/1 done 5 EUR"] },
  ],
  [
    "an effect that was asked for by a case of this id, of another holder",
    ({ effects }) => effects.push(effect("pay_1/cap/1", "capture", 600n, { reference: "mer_2.pay_1" })),
    { effects_asked_for: ["no command asked for it: cardco capture pay_1/cap/1 done 600 EUR"] },
  ],
  [
    "an effect for another amount",
    ({ effects, cases }) => {
      effects[2] = effect("pay_1/cap/1", "capture", 601n);
      cases[0] = booked("pay_1", 901n);
    },
    { effects_asked_for: ["pay_1 asked for 600 EUR, and this was done: cardco capture pay_1/cap/1 done 601 EUR"] },
  ],
  [
    "more approved than was asked for",
    ({ effects }) => {
      effects[0] = effect("pay_1/auth/1", "authorization", 1_001n);
    },
    {
      effects_asked_for: [
        "pay_1 asked for 1000 EUR, and this was done: cardco authorization pay_1/auth/1 done 1001 EUR",
      ],
    },
  ],
  [
    "a charge paid in another currency",
    ({ effects, cases }) => {
      effects[6] = instanet("psh_1/charge", "charges", 501n, { currency: "USD" });
      cases[2] = booked("psh_1", 0n, {
        booked: new Map([
          ["USD", 501n],
          ["EUR", -501n],
        ]),
      });
    },
    {
      effects_asked_for: [
        `psh_1 asked for 500 EUR, and this was done: instanet charges ${txidOf("psh_1/charge", "mer_1")} done 501 USD`,
      ],
    },
  ],
  [
    "two effects under one key",
    ({ effects, cases }) => {
      effects.push(effect("rfd_1/refund/1", "refund", 250n));
      cases[1] = booked("rfd_1", -500n, { parent: "pay_1" });
    },
    {
      effects_once: [
        "done more than once: cardco refund rfd_1/refund/1 done 250 EUR; cardco refund rfd_1/refund/1 done 250 EUR",
      ],
    },
  ],
  [
    "more taken back than was done",
    ({ effects, cases }) => {
      effects.push(effect("pay_1/cap/2", "capture", 301n, { effect: "undone" }));
      cases[0] = booked("pay_1", 599n);
    },
    {
      effects_once: [
        "more came back than was done: cardco capture pay_1/cap/2 done 300 EUR; cardco capture pay_1/cap/2 undone 301 EUR",
      ],
    },
  ],
  [
    "a case that says it was charged, of which the provider knows nothing",
    ({ cases }) => cases.push(booked("pay_2", 77n)),
    {
      bookings_equal_effects: [
        "pay_2 (captured): booked without an effect: booked 77 EUR, done 0 EUR: nothing was done",
      ],
    },
  ],
  [
    "a payout that the provider made and no case says",
    ({ effects, asked: commands, cases }) => {
      effects.push(instanet("pyo_2/payout", "payouts", 70n));
      commands.push(asked("pyo_2/payout", 70n));
      cases.push(booked("pyo_2", 0n, { state: "ended" }));
    },
    {
      bookings_equal_effects: [
        `pyo_2 (ended): done and not booked: booked 0 EUR, done -70 EUR: instanet payouts ${txidOf("pyo_2/payout", "mer_1")} done 70 EUR`,
      ],
    },
  ],
  [
    "a case that booked another amount than was done",
    ({ cases }) => {
      cases[5] = booked("dbt_1", 81n);
    },
    {
      bookings_equal_effects: [
        expect.stringContaining("dbt_1 (captured): another amount: booked 81 EUR, done 80 EUR: instanet debits "),
      ] as unknown as string[],
    },
  ],
  [
    "a request of a payer's bank that no case answered",
    ({ effects }) => effects.push(instanet("btr_1/charge", "charges", 9n, { effect: "recalled", recall: "r2" })),
    {
      bookings_equal_effects: [
        expect.stringContaining(
          "brc_1 (captured): asked for by the payer's bank and not answered: r2: instanet charges ",
        ),
      ] as unknown as string[],
    },
  ],
  [
    "an answer that is said to be given and that the provider does not have",
    ({ effects }) =>
      effects.splice(
        effects.findIndex(({ kind }) => kind === "recalls"),
        1,
        instanet("brc_1/answer", "charges", 0n, { effect: "undone" }),
      ),
    {
      bookings_equal_effects: [
        expect.stringContaining("asked for by the payer's bank and not answered: r1"),
      ] as unknown as string[],
    },
  ],
  [
    "an effect for a case that is not there",
    ({ cases }) => cases.splice(5, 1),
    { bookings_equal_effects: [expect.stringMatching(/^dbt_1 is not there: /)] as unknown as string[] },
  ],
];

test.each(FAULTS)("finds %s", (_what, damage, problems) => {
  const sides = clean();
  damage(sides);
  expect(compare(sides)).toEqual({ problems, tally: NOTHING });
});

describe("tells apart", () => {
  test.each([
    ["with_person", { withPerson: ["pay_1"] }],
    ["under_way", { underWay: ["pay_1"] }],
  ] as const)("what differs and is %s", (stands, told) => {
    const sides = clean();
    sides.cases[1] = booked("rfd_1", 0n, { parent: "pay_1", stands });
    expect(compare(sides)).toEqual({ problems: {}, tally: { ...NOTHING, ...told } });
  });

  test("what a payer disputes", () => {
    const sides = clean();
    sides.effects.push(effect("pay_1/cap/1", "capture", 600n, { effect: "disputed" }));
    expect(compare(sides)).toEqual({ problems: {}, tally: { ...NOTHING, disputed: ["pay_1"] } });
  });

  test("a charge that was paid twice, and both times booked", () => {
    const sides = clean();
    sides.effects.push(instanet("psh_1/charge", "charges", 501n));
    sides.cases[2] = booked("psh_1", 501n);
    expect(compare(sides)).toEqual({ problems: {}, tally: NOTHING });
  });
});

describe("the record", () => {
  const line = {
    provider: "cardco",
    key: "k",
    kind: "capture",
    effect: "done",
    amount: { currency: "EUR", minor: "5" },
    at: "2026-11-26T00:00:00.000Z",
    reference: "mer_1.pay_1",
    payment: "authorizations/mer_1.pay_1",
  };

  test("is read effect by effect", () => {
    expect(readRecord("")).toEqual([]);
    expect(readRecord(`${JSON.stringify(line)}\n`)).toEqual([effect("k", "capture", 5n)]);
    const { key: txid, ...rest } = line;
    expect(readRecord(`${JSON.stringify({ ...rest, txid, provider: "instanet" })}\n`)).toEqual([
      effect("k", "capture", 5n, { provider: "instanet" }),
    ]);
  });

  test.each([
    ["no JSON", "{"],
    ["no object", "null"],
    ["no key", JSON.stringify({ ...line, key: undefined })],
    ["an effect of another kind", JSON.stringify({ ...line, effect: "made" })],
    ["an amount below zero", JSON.stringify({ ...line, amount: { currency: "EUR", minor: "-5" } })],
    ["an amount that is a number", JSON.stringify({ ...line, amount: { currency: "EUR", minor: 5 } })],
    ["no currency", JSON.stringify({ ...line, amount: { minor: "5" } })],
    ["a list for an amount", JSON.stringify({ ...line, amount: ["EUR", "5"] })],
  ])("is refused with %s, and the line named", (_what, text) => {
    expect(() => readRecord(`${JSON.stringify(line)}\n${text}\n`)).toThrow("line 2 of the record is no effect");
  });

  test("is refused when it breaks off", () => {
    expect(() => readRecord(JSON.stringify(line))).toThrow("breaks off");
  });
});

test("names transactions as the gateway does", () => {
  for (const key of ["psh_01JD/charge", "x-y.z/return/1", "0192f0c4-0000-7000-8000-000000000001/pay"]) {
    expect(txidOf(key, "mer_1")).toBe(txidOfGateway(key, "mer_1"));
  }
  expect(keyOfTxid(txidOf("psh_01JD/charge", "mer_1"))?.key).toBe("psh_01JD/charge");
});
