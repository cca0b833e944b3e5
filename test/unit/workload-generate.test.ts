// Made-up load: the same for a seed, accepted where it should be, and refused in every way where it should not.
import { describe, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { Undecodable } from "../../src/kafka/codec.ts";
import type { IntentMessage } from "../../src/kafka/codec-messages.ts";
import type { GeneratePlan } from "../../src/workload/generate/generate.ts";
import { openProfile, PROFILES } from "../../src/workload/generate/profiles.ts";
import { Random, zipfPicker } from "../../src/workload/generate/random.ts";
import type { Outbound } from "../../src/workload/load/pump.ts";
import { codecWith, MemoryRegistry } from "./codec-fixtures.ts";

const codec = codecWith(new MemoryRegistry());
const LANES = 4;
const PLAN: GeneratePlan = {
  count: 5_000,
  seed: 7,
  holders: 50,
  zipf: 0,
  runAtMs: Date.UTC(2026, 10, 20),
  rate: 1_000,
};

async function generate(profile: string, change: Partial<GeneratePlan> = {}): Promise<Outbound[]> {
  const source = openProfile(profile, { ...PLAN, ...change }, { encoder: codec.encoders.intent, lanes: LANES });
  const all: Outbound[] = [];
  for (let chunk = await source.next(); chunk !== null; chunk = await source.next()) all.push(...chunk);
  return all;
}

const bytesOf = (all: readonly Outbound[]): string =>
  all.map(({ partition, record }) => `${partition} ${record.key} ${record.value.toString("hex")}`).join("\n");

function decodable(all: readonly Outbound[]): IntentMessage[] {
  return all.flatMap(({ record }) => {
    try {
      return codec.decoders.intent.needs(record.value) === null ? [codec.decoders.intent.decode(record.value)] : [];
    } catch (error) {
      if (error instanceof Undecodable) return [];
      throw error;
    }
  });
}

describe.each(PROFILES)("profile %s", (profile) => {
  test("makes as many as asked for, openings included", async () => {
    expect(await generate(profile)).toHaveLength(5_000);
    expect(await generate(profile, { count: 1 })).toHaveLength(1);
    expect(await generate(profile, { count: 777, holders: 2_000 })).toHaveLength(777);
  });

  test("is the same for a seed and run time, and another for another", async () => {
    const first = bytesOf(await generate(profile));
    expect(bytesOf(await generate(profile))).toBe(first);
    expect(bytesOf(await generate(profile, { seed: 8 }))).not.toBe(first);
    expect(bytesOf(await generate(profile, { runAtMs: PLAN.runAtMs + 1 }))).not.toBe(first);
  });
});

describe("transfers", () => {
  test("open every holder's account first, each in its home lane under its key", async () => {
    const all = await generate("transfers");
    const intents = decodable(all);
    expect(intents.slice(0, 50).every(({ type }) => type === "account_open")).toBe(true);
    expect(intents.slice(50).every(({ type }) => type === "transfer_create")).toBe(true);
    for (const [at, { holderId }] of intents.entries()) {
      expect(all[at]).toMatchObject({ partition: homeLane(holderId, LANES), record: { key: Buffer.from(holderId) } });
    }
  });

  test("never take more than the holder has, in either direction", async () => {
    const balances = new Map<string, bigint>();
    let outgoing = 0;
    for (const { from, to, amount } of decodable(await generate("transfers")).slice(50)) {
      const minor = BigInt(amount?.minor ?? 0);
      if (from === "asset:bank:main") balances.set(String(to), (balances.get(String(to)) ?? 0n) + minor);
      else {
        outgoing += 1;
        const left = (balances.get(String(from)) ?? 0n) - minor;
        expect(left).toBeGreaterThanOrEqual(0n);
        balances.set(String(from), left);
      }
    }
    expect(outgoing).toBeGreaterThan(1_000);
  });

  test("carry the time at which they are to be sent, and a number", async () => {
    const intents = decodable(await generate("transfers"));
    expect(intents[1_000]).toMatchObject({ sourceId: "t-1000", occurredAt: BigInt(PLAN.runAtMs + 1_000) * 1000n });
  });

  test("differ in their case ids", async () => {
    expect(new Set(decodable(await generate("transfers")).map(({ caseId }) => caseId)).size).toBe(5_000);
  });
});

describe("transfers from holder to holder", () => {
  /** holders' currencies, and of what follows the openings how much is changed */
  async function changedOf(change: Partial<GeneratePlan>) {
    const intents = decodable(await generate("p2p", change));
    const opened = intents.filter(({ type }) => type === "account_open");
    const own = new Map(opened.map(({ account, currency }) => [account, currency]));
    const sent = intents.filter(({ from, type }) => type === "transfer_create" && from !== "asset:bank:main");
    for (const { from, to, amount, settlementCurrency } of sent) {
      expect([own.get(from), own.get(to)]).toEqual([amount?.currency, settlementCurrency ?? amount?.currency]);
      expect(from).not.toBe(to);
    }
    const changed = sent.filter(({ settlementCurrency }) => settlementCurrency !== null);
    expect(changed.every(({ amount }) => BigInt(amount?.minor ?? 0) >= 100n)).toBe(true);
    return { currencies: new Set(own.values()), share: changed.length / sent.length };
  }

  test("have one currency, unless a share of them is to be changed", async () => {
    expect(await changedOf({})).toEqual({ currencies: new Set(["EUR"]), share: 0 });
    const some = await changedOf({ fxPercent: 30 });
    expect(some.currencies).toEqual(new Set(["EUR", "USD"]));
    expect(some.share).toBeGreaterThan(0.27);
    expect(some.share).toBeLessThan(0.33);
    expect((await changedOf({ fxPercent: 100, holders: 51 })).share).toBe(1);
  });

  test("make do with few holders", async () => {
    expect((await changedOf({ fxPercent: 50, holders: 2 })).share).toBe(1);
    expect((await changedOf({ fxPercent: 50, holders: 3 })).share).toBeGreaterThan(0.4);
  });
});

describe("wallet payments", () => {
  test("ask for no more than was put in, and no capture for more than was set aside", async () => {
    const intents = decodable(await generate("wallets"));
    const paid = new Map<string, bigint>();
    const kinds = new Set<string>();
    for (const { type, captureMode, caseId, from, to, amount } of intents) {
      kinds.add(captureMode ?? type);
      const minor = BigInt(amount?.minor ?? 0);
      if (type === "transfer_create") paid.set(String(to), minor);
      if (type === "payment_capture") expect(minor <= (paid.get(String(caseId)) ?? 0n)).toBe(true);
      if (type !== "payment_create") continue;
      paid.set(String(caseId), minor);
      const left = (paid.get(String(from)) ?? 0n) - minor;
      expect(left).toBeGreaterThanOrEqual(0n);
      paid.set(String(from), left);
    }
    expect([...kinds].sort()).toEqual(["automatic", "manual", "payment_cancel", "payment_capture", "transfer_create"]);
  });

  test("are captured or given up wherever the load ends", async () => {
    for (let count = 60; count < 120; count++) {
      const intents = decodable(await generate("wallets", { count }));
      const asked = (wanted: RegExp) => intents.filter(({ type }) => wanted.test(type)).map(({ caseId }) => caseId);
      const manual = intents.filter(({ captureMode }) => captureMode === "manual").map(({ caseId }) => caseId);
      expect(asked(/capture|cancel/).sort()).toEqual(manual.sort());
    }
  });
});

describe("payments of every method", () => {
  test("are of every method, at its provider, with all that may follow, and with no case id twice", async () => {
    const intents = decodable(await generate("methods"));
    const made = intents.filter(({ type }) => type === "payment_create" || type === "payout_create");
    const pairs = new Set(made.map(({ type, method, provider }) => `${method ?? type} ${provider}`));
    const banks = ["instant_push", "bank_debit", "bank_transfer", "crypto", "payout_create"];
    const all = [...banks.map((method) => `${method} instanet`), "card cardco", "bnpl cardco", "wallet null"];
    expect([...pairs].sort()).toEqual(all.sort());
    const follows = new Map<string, Set<string>>();
    const methods = new Map(made.map(({ caseId, method }) => [caseId, method]));
    for (const { type, caseId } of intents) {
      const method = String(methods.get(caseId));
      follows.set(method, (follows.get(method) ?? new Set()).add(type));
    }
    for (const method of ["card", "bnpl", "instant_push", "bank_transfer"])
      expect(follows.get(method), method).toContain("refund_create");
    for (const method of ["card", "bnpl", "wallet"]) expect(follows.get(method), method).toContain("payment_capture");
    const repeats = intents.filter(({ type, method }) => type === "payment_create" && method !== "card");
    expect(new Set(repeats.map(({ caseId }) => caseId)).size).toBe(repeats.length);
  });

  test("capture and give back no more than was ordered", async () => {
    const left = new Map<string, bigint>();
    for (const { type, caseId, amount, captureMode } of decodable(await generate("orders"))) {
      const minor = BigInt(amount?.minor ?? 0);
      if (type === "payment_create") left.set(`${caseId} ${captureMode}`, minor);
      if (type === "payment_capture") expect(minor <= (left.get(`${caseId} manual`) ?? 0n)).toBe(true);
      if (type === "payment_capture") left.set(`${caseId} manual`, minor);
      if (type !== "refund_create") continue;
      expect(minor <= (left.get(`${caseId} manual`) ?? left.get(`${caseId} automatic`) ?? 0n)).toBe(true);
    }
  });
});

describe("a mixed day", () => {
  test("holds repeats, conflicts, records without key, in the wrong lane and of rubbish", async () => {
    const all = await generate("mixed", { count: 20_000 });
    const seen = new Map<string, string>();
    const counts = { repeats: 0, conflicts: 0, keyless: 0, astray: 0, strangers: 0, undecodable: 0 };
    counts.undecodable = all.length - decodable(all).length;
    for (const { partition, record } of all) {
      if (record.key === null) counts.keyless += 1;
      const [intent] = decodable([{ partition, record }]);
      if (intent === undefined || record.key === null) continue;
      if (String(record.key) !== intent.holderId) counts.strangers += 1;
      else if (partition !== homeLane(intent.holderId, LANES)) counts.astray += 1;
      const text = record.value.toString("hex");
      const earlier = seen.get(String(intent.caseId));
      if (earlier === text) counts.repeats += 1;
      else if (earlier !== undefined) counts.conflicts += 1;
      else seen.set(String(intent.caseId), text);
    }
    for (const [name, count] of Object.entries(counts)) expect(count, name).toBeGreaterThan(0);
    const sum = Object.values(counts).reduce((total, count) => total + count, 0);
    expect(sum).toBeLessThan(all.length * 0.1);
  });
});

describe("chance", () => {
  test("gives the same numbers for a seed and evenly spread ones", () => {
    const [one, same, other] = [new Random(1), new Random(1), new Random(2)];
    const draw = (random: Random): number[] => Array.from({ length: 10_000 }, () => random.below(10));
    const numbers = draw(one);
    expect(draw(same)).toEqual(numbers);
    expect(draw(other)).not.toEqual(numbers);
    for (let digit = 0; digit < 10; digit++) {
      expect(Math.abs(numbers.filter((number) => number === digit).length - 1_000)).toBeLessThan(150);
    }
  });

  test("with an exponent prefers the first, in proportion to 1 / (n + 1) ^ exponent", () => {
    const random = new Random(3);
    const pick = zipfPicker(1_000, 1);
    const counts = new Map<number, number>();
    for (let at = 0; at < 100_000; at++) {
      const number = pick(random);
      counts.set(number, (counts.get(number) ?? 0) + 1);
    }
    const first = counts.get(0) ?? 0;
    expect(first / (counts.get(1) ?? 1)).toBeGreaterThan(1.8);
    expect(first / (counts.get(1) ?? 1)).toBeLessThan(2.2);
    expect(Math.max(...counts.keys())).toBeLessThan(1_000);
  });

  test("a payout asks for no more than its merchant was given, and a few are canceled", async () => {
    const intents = decodable(await generate("payouts"));
    const left = new Map<string, bigint>();
    const created = new Set<string>();
    for (const { type, holderId, caseId, amount } of intents) {
      const minor = BigInt(amount?.minor ?? 0);
      if (type === "transfer_create") left.set(holderId, minor);
      if (type === "payout_cancel") expect(created).toContain(caseId);
      if (type !== "payout_create") continue;
      created.add(String(caseId));
      left.set(holderId, (left.get(holderId) ?? 0n) - minor);
      expect(left.get(holderId)).toBeGreaterThanOrEqual(0n);
    }
    expect(new Set(intents.map(({ type }) => type))).toEqual(
      new Set(["transfer_create", "payout_create", "payout_cancel"]),
    );
  });
});
