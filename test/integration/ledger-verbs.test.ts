// `ledger` and `case` against a running service: what they say is compared with sums of lines made here, the slow way.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, cliRows } from "../support/cli.ts";
import { available, BANK, Producing } from "../support/intents.ts";
import { startTestService, type TestService } from "../support/service.ts";

const HOLDERS = ["cust_1", "cust_2", "cust_3", "cust_4", "cust_5", "cust_6"];
const producing = new Producing();

let system: TestService;
let published = 0;
beforeAll(async () => {
  system = await startTestService({ prefix: "ledger-verbs" });
  await settle(HOLDERS.map((holder) => producing.accountOpen(holder)));
  await settle(HOLDERS.map((holder, index) => producing.payIn(holder, 1_000 * (index + 1))));
});
afterAll(() => system?.stop());

type Row = Record<string, string> & Record<string, unknown>;
const rows = async (...argv: readonly string[]): Promise<Row[]> => (await cliRows(system, argv)) as Row[];
const run = (...argv: readonly string[]) => cli(system, argv);

/** Publishes and waits for as many outcomes. */
async function settle(intents: Parameters<TestService["publish"]>[0]): Promise<void> {
  await system.publish(intents);
  published += intents.length;
  await system.readOutcomes({ until: published });
}

async function cut(): Promise<string> {
  return (await run("ledger", "cut")).stdout.trim();
}

/** Sums of every account over the lines of the database up to a cut, from the first line on. */
async function sumsUpTo(text: string): Promise<Map<string, { debits: bigint; credits: bigint }>> {
  const blocks = new Map(text.split(",").map((part) => part.split(":").map(Number) as [number, number]));
  const lines = await system.query(
    `select l.lane, l.block::int as block, l.amount::text as amount, l.currency, d.path as debit, k.path as credit from line l
     join balance d on d.lane = l.lane and d.account = l.debit join balance k on k.lane = l.lane and k.account = l.credit`,
  );
  const sums = new Map<string, { debits: bigint; credits: bigint }>();
  const of = (path: unknown, currency: unknown) => {
    const name = `${path} ${currency}`;
    const sum = sums.get(name) ?? { debits: 0n, credits: 0n };
    sums.set(name, sum);
    return sum;
  };
  for (const { lane, block, amount, currency, debit, credit } of lines) {
    if ((block as number) > (blocks.get(lane as number) ?? 0)) continue;
    of(debit, currency).debits += BigInt(amount as string);
    of(credit, currency).credits += BigInt(amount as string);
  }
  return sums;
}

const balances = async (...argv: readonly string[]) =>
  new Map((await rows("ledger", "balances", ...argv)).map((row) => [`${row["account"]} ${row["currency"]}`, row]));

describe("ledger balance", () => {
  test("is in the account's normal sign, amounts as digits", async () => {
    expect(await rows("ledger", "balance", available("cust_2"))).toEqual([
      {
        account: available("cust_2"),
        currency: "EUR",
        balanceMinor: "2000",
        debitsMinor: "0",
        creditsMinor: "2000",
      },
    ]);
  });

  test("sums a house account over its lanes, which are several", async () => {
    const lanes = await system.query(`select lane from balance where path = $1`, [BANK]);
    expect(lanes.length).toBeGreaterThan(1);
    expect(await rows("ledger", "balance", BANK)).toEqual([
      { account: BANK, currency: "EUR", balanceMinor: "21000", debitsMinor: "21000", creditsMinor: "0" },
    ]);
  });

  test("has a row per currency of a house path", async () => {
    const yen = { currency: "JPY", scale: 0, minor: "5" };
    await settle([
      producing.accountOpen("cust_1", { account: "liability:customer:cust_1:unapplied", currency: "JPY" }),
      producing.payIn("cust_1", 0, { to: "liability:customer:cust_1:unapplied", amount: yen }),
    ]);
    expect((await rows("ledger", "balance", BANK)).map((row) => [row["currency"], row["balanceMinor"]])).toEqual([
      ["EUR", "21000"],
      ["JPY", "5"],
    ]);
    const people = await run("ledger", "balance", BANK);
    expect(people.stdout).toMatch(/EUR +210\.00 +210\.00 +0\.00\n/);
    expect(people.stdout).toMatch(/JPY +5 +5 +0\n/);
  });

  test("says of an untouched house account that it is zero, without a row", async () => {
    const ran = await run("ledger", "balance", "revenue:fx_spread", "--json");
    expect([ran.code, ran.stdout]).toEqual([0, ""]);
    expect(ran.stderr).toContain("it is zero in every currency");
  });

  test("refuses a path that the chart does not have with the nearest that it has", async () => {
    const ran = await run("ledger", "balance", "asset:bank:mian");
    expect([ran.code, ran.stdout]).toEqual([1, ""]);
    expect(ran.stderr).toContain("did you mean asset:bank:main?");
  });

  test("refuses a holder's account that nobody has opened", async () => {
    const ran = await run("ledger", "balance", available("nobody"));
    expect([ran.code, ran.stdout]).toEqual([1, ""]);
    expect(ran.stderr).toContain("nobody has opened");
  });

  test("cannot write, whoever the database takes it for", async () => {
    const { withDatabase } = await import("../../src/cli/database.ts");
    const { databaseUrl } = system.addresses;
    const access = { config: system.config, databaseUrl, verb: "test", mode: "read" } as const;
    await expect(withDatabase(access, (connection) => connection.plain("delete from lease"))).rejects.toThrow(
      /read-only/,
    );
  });
});

describe("ledger --as-of", () => {
  test("a cut stays as it was while more is booked, and is the sum of its lines", async () => {
    const before = await cut();
    const then = await balances("--as-of", before);
    await settle(HOLDERS.flatMap((holder) => [producing.payIn(holder, 77), producing.payOut(holder, 33)]));
    await settle([producing.accountOpen("late_1"), producing.payIn("late_1", 9)]);
    const after = await cut();
    expect(after).not.toBe(before);
    expect(await balances("--as-of", before)).toEqual(then);
    expect(then.has(`${available("late_1")} EUR`)).toBe(false);
    for (const text of [before, after]) {
      const sums = await sumsUpTo(text);
      const shown = await balances("--as-of", text);
      expect(shown.size).toBeGreaterThan(6);
      for (const [name, row] of shown) {
        const { debits, credits } = sums.get(name) ?? { debits: 0n, credits: 0n };
        expect([name, row["debitsMinor"], row["creditsMinor"]]).toEqual([name, `${debits}`, `${credits}`]);
      }
      for (const name of sums.keys()) expect(shown.has(name)).toBe(true);
    }
    expect(await balances()).toEqual(await balances("--as-of", after));
    const [one] = await rows("ledger", "balance", available("cust_3"), "--as-of", before);
    expect(one).toEqual(then.get(`${available("cust_3")} EUR`));
    const late = await run("ledger", "balance", available("late_1"), "--as-of", before);
    expect([late.code, late.stdout]).toEqual([1, ""]);
    expect(late.stderr).toContain("nobody had then opened");
  });

  test("a time is the blocks recorded up to it", async () => {
    const [last] = await system.query(`select max(recorded_at) as at from block`);
    const at = new Date(last?.["at"] as Date).toISOString();
    const then = await balances();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await settle([producing.payIn("cust_1", 1)]);
    expect(await balances("--as-of", at)).toEqual(then);
    expect(await balances("--as-of", "2020-01-01")).toEqual(new Map());
    const told = await run("ledger", "balances", "--as-of", at);
    expect(told.stderr).toMatch(/as of cut 0:\d+,1:\d+,2:\d+,3:\d+/);
  });

  test("refuses what is no cut, and cuts that the ledger does not have", async () => {
    for (const [asOf, code, says] of [
      ["yesterday", 2, "expected a cut like 0:12,1:40 or a time"],
      ["0:1,0:2", 2, "names lane 0 once"],
      ["0:0,1:0", 1, "does not say where lane 2, 3 stands"],
      ["0:0,1:0,2:0,3:0,4:0", 1, "there is no lane 4"],
      ["0:99999,1:0,2:0,3:0", 1, "lane 0 has"],
    ] as const) {
      const ran = await run("ledger", "balances", "--as-of", asOf);
      expect([asOf, ran.code, ran.stdout]).toEqual([asOf, code, ""]);
      expect(ran.stderr).toContain(says);
    }
  });

  test("refuses a cut behind which blocks are archived", async () => {
    const { detachPartition } = await import("../../src/store/sql/detach-partition.ts");
    const day = `block_${new Date().toISOString().slice(0, 10).replaceAll("-", "")}`;
    await system.query(detachPartition("block", day));
    try {
      const ran = await run("ledger", "balances", "--as-of", "0:0,1:0,2:0,3:0");
      expect(ran.code).toBe(1);
      expect(ran.stderr).toContain("are archived");
    } finally {
      const [next] = await system.query(`select current_date::text as lo, (current_date + 1)::text as hi`);
      await system.query(
        `alter table block attach partition ${day} for values from ('${next?.["lo"]} 00:00:00+00') to ('${next?.["hi"]} 00:00:00+00')`,
      );
    }
  });
});

describe("ledger balances", () => {
  test("gives every account once over many pages, the house's first; a limit and a prefix narrow it", async () => {
    const many = Array.from({ length: 2_300 }, (_, index) => producing.accountOpen(`many_${index}`));
    await settle(many);
    const all = await rows("ledger", "balances", "--prefix", "liability:customer:many_");
    const paths = all.map((row) => row["account"]);
    expect(paths.length).toBe(2_300);
    expect(new Set(paths)).toEqual(new Set(many.map((intent) => intent.account)));
    expect((await rows("ledger", "balances", "--limit", "3")).map((row) => row["account"])).toEqual([
      BANK,
      BANK,
      expect.stringMatching(/^liability:/),
    ]);
    expect((await rows("ledger", "balances", "--prefix", "asset:")).map((row) => row["account"])).toEqual([BANK, BANK]);
  });
});

describe("ledger lines", () => {
  test("end in the balance, newest last, and a limit takes the newest", async () => {
    const path = available("cust_4");
    for (let index = 0; index < 5; index++) {
      await settle([producing.payIn("cust_4", 10 + index), producing.payOut("cust_4", 3)]);
    }
    const all = await rows("ledger", "lines", path);
    const [balance] = await rows("ledger", "balance", path);
    expect(all.at(-1)?.["balanceMinor"]).toBe(balance?.["balanceMinor"]);
    let running = 0n;
    for (const line of all) {
      running += BigInt(line["amountMinor"] as string) * (line["credit"] === path ? 1n : -1n);
      expect(line["balanceMinor"]).toBe(`${running}`);
    }
    expect(await rows("ledger", "lines", path, "--limit", "3")).toEqual(all.slice(-3));
    expect(await rows("ledger", "lines", path, "--limit", "999")).toEqual(all);
    expect(all[0]).toEqual({
      lane: expect.any(Number),
      block: expect.any(Number),
      index: expect.any(Number),
      recordedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      debit: BANK,
      credit: path,
      currency: "EUR",
      amountMinor: "4000",
      caseId: expect.stringMatching(/^trf_/),
      posting: "P17",
      balanceMinor: "4000",
    });
  });

  test("of a house account are those of all lanes in the order of time", async () => {
    const all = await rows("ledger", "lines", BANK);
    const [{ count = 0 } = {}] = await system.query(`select count(*)::int as count from line`);
    expect(all.length).toBe(count);
    expect(new Set(all.map((line) => line["lane"])).size).toBeGreaterThan(1);
    const times = all.map((line) => line["recordedAt"] as string);
    expect(times).toEqual([...times].sort());
    expect(await rows("ledger", "lines", BANK, "--limit", "7")).toEqual(all.slice(-7));
    expect(all[0]).not.toHaveProperty("balanceMinor");
  });

  test("of a large account come in pages that join", async () => {
    await settle(Array.from({ length: 2_100 }, () => producing.payIn("cust_5", 1)));
    const all = await rows("ledger", "lines", available("cust_5"));
    const places = all.map((line) => `${line["block"]}/${line["index"]}`);
    expect(new Set(places).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(2_100);
    const [balance] = await rows("ledger", "balance", available("cust_5"));
    expect(all.at(-1)?.["balanceMinor"]).toBe(balance?.["balanceMinor"]);
  });

  test("of an untouched account are none; of an unknown one, exit 1", async () => {
    const untouched = await run("ledger", "lines", "equity:capital", "--json");
    expect([untouched.code, untouched.stdout]).toEqual([0, ""]);
    expect((await run("ledger", "lines", "nothing:here")).code).toBe(1);
    expect((await run("ledger", "lines", available("nobody"))).code).toBe(1);
  });
});

describe("ledger trial-balance", () => {
  test("has a row per kind of account and a total per currency that is zero", async () => {
    const all = await rows("ledger", "trial-balance");
    expect(all.map((row) => `${row["account"]} ${row["currency"]}`)).toEqual([
      `${BANK} EUR`,
      "liability:customer:{holder}:available EUR",
      `${BANK} JPY`,
      "liability:customer:{holder}:unapplied JPY",
      "total EUR",
      "total JPY",
    ]);
    for (const total of all.slice(-2)) {
      expect([total["balanceMinor"], total["debitsMinor"]]).toEqual(["0", total["creditsMinor"]]);
    }
    const [{ count = 0 } = {}] = await system.query(
      `select count(*)::int as count from balance where account > 0 and currency = 'EUR'`,
    );
    expect(all[1]?.["accounts"]).toBe(count);
  });

  test("exits 1 and names the currency when it does not sum to zero", async () => {
    const change = (by: number) =>
      system.query(`update balance set debits = debits + $1 where path = $2`, [by, available("cust_6")]);
    await change(1);
    try {
      const ran = await run("ledger", "trial-balance");
      expect(ran.code).toBe(1);
      expect(ran.stderr).toMatch(/EUR does not sum to zero: debits \d+, credits \d+\n/);
    } finally {
      await change(-1);
    }
    expect((await run("ledger", "trial-balance")).code).toBe(0);
  });
});

describe("case", () => {
  test("tells states with times, inputs with their places, outcomes and lines", async () => {
    const intent = producing.payIn("cust_1", 250, { sourceId: "s-1" });
    await settle([intent]);
    const [shown] = (await rows("case", intent.caseId as string)) as unknown as Record<string, unknown[]>[];
    expect(shown).toMatchObject({
      caseId: intent.caseId,
      holderId: "cust_1",
      flow: "transfer@1.1.0",
      state: "completed",
      values: { amount: "250" },
      states: [{ state: "completed", event: "transfer_create", recordedAt: expect.stringMatching(/Z$/) }],
      outcomes: [{ type: "transfer.completed", caseId: intent.caseId, sourceId: "s-1", status: "completed" }],
      lines: [{ debit: BANK, credit: available("cust_1"), amountMinor: "250", caseId: intent.caseId }],
    });
    const [input] = (shown?.["inputs"] ?? []) as Record<string, unknown>[];
    expect(input).toMatchObject({ topic: system.topics.intents, partition: shown?.["lane"] });
    const [outcome] = (shown?.["outcomes"] ?? []) as Record<string, unknown>[];
    expect(outcome?.["outcomeId"]).toBe(`i-${shown?.["lane"]}-${input?.["offset"]}`);
    const uuid = shown?.["uuid"] as unknown as string;
    expect(await rows("case", uuid)).toEqual([shown]);
    expect(await rows("case", uuid.toUpperCase())).toEqual([shown]);
    const people = await run("case", uuid);
    expect(people.stdout).toContain(`${intent.caseId}  completed`);
    expect(people.stdout).toContain("transfer.completed");
  });

  test("tells a refused create with its reason, and no lines", async () => {
    const intent = producing.payOut("cust_1", 10_000_000);
    await settle([intent]);
    expect(await rows("case", intent.caseId as string)).toMatchObject([
      {
        state: "rejected",
        lines: [],
        outcomes: [{ type: "transfer.rejected", reason: { category: "funds", code: "insufficient_funds" } }],
      },
    ]);
    expect((await run("case", intent.caseId as string)).stdout).toContain("funds: insufficient_funds");
  });

  test("names outcomes by their sequence once the outbox has dropped them, and without a registry", async () => {
    const intent = producing.payIn("cust_2", 1);
    await settle([intent]);
    const id = intent.caseId as string;
    const [whole] = await rows("case", id);
    const { lane, sequence, block } = ((whole?.["outcomes"] ?? []) as Record<string, unknown>[])[0] ?? {};
    const named = [{ lane, sequence, block }];
    const away = await cli(system, ["case", id, "--json"], { SCHEMA_REGISTRY_URL: "http://127.0.0.1:1" });
    expect([away.code, away.rows()[0]?.["outcomes"]]).toEqual([0, named]);
    expect(away.stderr).toContain("messages cannot be decoded");
    await system.query(`delete from outbox where lane = $1 and topic = 0 and sequence = $2`, [lane, sequence]);
    expect((await rows("case", id))[0]?.["outcomes"]).toEqual(named);
  });

  test("one id with two holders is two cases", async () => {
    const intent = producing.payIn("cust_1", 4);
    const homes = await system.query(
      `select lane, path from balance where path like 'liability:customer:cust_%:available'`,
    );
    const own = homes.find(({ path }) => path === available("cust_1"))?.["lane"];
    const other = homes.find(({ lane }) => lane !== own)?.["path"] as string;
    const holderId = other.split(":")[2] as string;
    await settle([intent, { ...intent, holderId, to: other }]);
    const shown = await rows("case", intent.caseId as string);
    expect(new Set(shown.map((one) => one["holderId"]))).toEqual(new Set(["cust_1", holderId]));
  });

  test("exits 1 for an id that no lane knows, 2 for what is no id", async () => {
    const unknown = await run("case", producing.caseId("trf"));
    expect([unknown.code, unknown.stdout]).toEqual([1, ""]);
    expect(unknown.stderr).toContain("no case");
    expect((await run("case", "trf_nonsense")).code).toBe(2);
  });
});

test("without a ledger, every verb says to migrate; without a database, where it should be", async () => {
  const { freshDatabase } = await import("../support/stack.ts");
  const empty = { ...system, addresses: { ...system.addresses, databaseUrl: await freshDatabase() } };
  for (const argv of [
    ["ledger", "cut"],
    ["case", producing.caseId("trf")],
    ["lane", "list"],
    ["quarantine", "list"],
  ]) {
    const ran = await cli(empty, argv);
    expect([argv, ran.code]).toEqual([argv, 1]);
    expect(ran.stderr).toContain("millrace migrate");
  }
  const gone = { ...system, addresses: { ...system.addresses, databaseUrl: "postgres://a:b@127.0.0.1:1/none" } };
  const ran = await cli(gone, ["ledger", "cut"]);
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain("127.0.0.1:1/none");
});
