// The gateways with a real broker: a backlog that waited longer than its calls may take, what `/metrics` and `/readyz` say,
// and commands that cannot be read or are not there any more.

import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { databaseSettings } from "../../src/service/dependencies.ts";
import { connect } from "../../src/store/database.ts";
import { keepEventPosition, readEventPosition, setEventPosition } from "../../src/store/event-position.ts";
import { keepUnavailable, readUnavailable } from "../../src/store/unavailable.ts";
import { caseId } from "../support/intents.ts";
import { deleteBefore, testAdmin } from "../support/kafka.ts";
import { type Instance, setUpTestService, type TestService, waitFor } from "../support/service.ts";
import { intent } from "../support/unchecked.ts";

/** That of `authorize`, and a second. */
const TIMEOUT_MS = 21_000;
const HOLDER = "mer_1";
/** at home in another lane */
const STRANGER = "mer_2";

let system: TestService;
beforeAll(async () => {
  system = await setUpTestService({
    prefix: "gateways",
    config: { roles: ["lanes"], providers: ["script"], scriptTroublePercent: 0 },
  });
});
afterAll(() => system?.stop());

function payment(holder = HOLDER): NewIntent {
  const amount = { currency: "EUR", scale: 2, minor: "1001" };
  return intent(holder, "payment_create", {
    caseId: caseId("pay", Date.now()),
    method: "card",
    captureMode: "manual",
    provider: "script",
    tokenRef: "tok_1",
    settlementCurrency: "EUR",
    amount,
  });
}

async function page(path: string, { httpPort }: Instance): Promise<string> {
  return (await fetch(`http://127.0.0.1:${httpPort}${path}`)).text();
}

test("calls are made of a backlog that waited longer than they may take", async () => {
  const alone = await system.start();
  await system.publish([payment()]);
  await system.readOutcomes({ until: 1 });
  await sleep(TIMEOUT_MS);
  await alone.stop();
  const instance = await system.start("with-gateways", { roles: ["lanes", "gateways"] });
  const outcomes = await system.readOutcomes({ until: 2 });
  expect(outcomes.map(({ type }) => type)).toEqual(["payment.received", "payment.authorized"]);
  const told = await page("/metrics", instance);
  expect(told).toContain('millrace_gateway_commands_total{provider="script"} 1');
  expect(told).toContain('millrace_gateway_answers_total{provider="script",result="approved"} 1');
  expect(told).toContain('millrace_gateway_in_flight_commands{provider="script"} 0');
  expect(told).toContain('millrace_gateway_oldest_seconds{provider="script"} 0');
  expect(JSON.parse(await page("/readyz", instance))).toEqual({ status: "ok", reasons: [] });
}, 90_000);

const commandsOf = async (lane: number) => {
  const admin = await testAdmin();
  const bounds = await admin.bounds(system.topics.commands, lane);
  const group = `${system.config.topicPrefix}millrace-gateways`;
  return { ...bounds, position: await admin.groupOffset(group, system.topics.commands, lane) };
};

test("a quiet lane's position passes the markers of takeovers, and those that retention takes are no loss", async () => {
  const lane = homeLane(HOLDER, system.lanes);
  await waitFor("the position is behind the markers", async () => {
    const { end, position } = await commandsOf(lane);
    return position?.offset === end && position.note === "1";
  });
  const before = (await commandsOf(lane)).end;
  const [running] = system.instances as [Instance];
  await running.stop();
  const alone = await system.start("lanes-alone");
  await waitFor("a takeover's marker", async () => (await commandsOf(lane)).end > before);
  await alone.stop();
  for (let each = 0; each < system.lanes; each++) {
    await deleteBefore(system.topics.commands, each, (await commandsOf(each)).end);
  }
  await system.start("again-with-gateways", { roles: ["lanes", "gateways"] });
  await system.publish([payment()]);
  const outcomes = await system.readOutcomes({ until: 4 });
  expect(outcomes.slice(2).map(({ type }) => type)).toEqual(["payment.received", "payment.authorized"]);
  expect(await system.query("select * from halt")).toEqual([]);
}, 90_000);

const answers = (provider: string, result: string): string =>
  `millrace_gateway_answers_total{provider="${provider}",result="${result}"} 1`;

test("what was not sent is kept before its case hears of it, and said again by who reads the command again", async () => {
  const lane = homeLane(HOLDER, system.lanes);
  const group = `${system.config.topicPrefix}millrace-gateways`;
  const { end } = await commandsOf(lane);
  await system.publish([{ ...payment(), provider: "cardco" }]);
  const outcomes = await system.readOutcomes({ until: 6 });
  expect(outcomes.slice(4).map(({ type, reason }) => [type, reason?.code ?? null])).toEqual([
    ["payment.received", null],
    ["payment.failed", "provider_unavailable"],
  ]);
  const [kept, ...others] = await system.query("select lane, sequence from call_unavailable");
  expect([kept?.["lane"], others]).toEqual([lane, []]);
  const [running] = system.instances as [Instance];
  await running.stop();
  // As if it had been killed before it wrote its position.
  const note = String(kept?.["sequence"]);
  await (await testAdmin()).publishGroupOffsets(group, [
    { topic: system.topics.commands, partition: lane, offset: end, note },
  ]);
  const successor = await system.start("successor", { roles: ["lanes", "gateways"] });
  await waitFor("it is said again", async () =>
    (await page("/metrics", successor)).includes(answers("not_served", "unavailable")),
  );
});

test("an owner from before cannot keep any more that nothing was sent, and so cannot say it", async () => {
  const lane = homeLane(HOLDER, system.lanes);
  const [row] = await system.query("select epoch from lane where lane = $1", [lane]);
  const epoch = BigInt(String(row?.["epoch"]));
  const calls = [{ sequence: 900n, notAfterMs: Date.now() + 60_000 }];
  const late = [{ sequence: 901n, notAfterMs: Date.now() - 7_200_000 }];
  const settings = databaseSettings(system.config, system.addresses.databaseUrl, "millrace_service");
  const connection = await connect(settings, "service");
  const kept = () => readUnavailable(connection, lane, 900n);
  expect(await keepUnavailable(connection, { lane, epoch: epoch - 1n }, calls, Date.now())).toBe(false);
  expect(await kept()).toEqual(new Set());
  expect(await keepUnavailable(connection, { lane, epoch }, [...calls, ...late], Date.now())).toBe(true);
  expect(await keepUnavailable(connection, { lane, epoch }, calls, Date.now())).toBe(true);
  expect(await kept()).toEqual(new Set([900n]));
  await connection.close();
});

test("nobody undoes how far a provider's list of events is read: no owner from before, and no page under way that a person's word overtook", async () => {
  const lane = homeLane(HOLDER, system.lanes);
  const [row] = await system.query("select epoch from lane where lane = $1", [lane]);
  const epoch = BigInt(String(row?.["epoch"]));
  const settings = databaseSettings(system.config, system.addresses.databaseUrl, "millrace_service");
  const connection = await connect(settings, "service");
  const keep = (at: bigint, from: string, to: string) =>
    keepEventPosition(connection, { lane, epoch: at }, { provider: "cardco", from, to }, Date.now());
  expect(await readEventPosition(connection, lane, "cardco")).toBe("");
  expect(await keep(epoch, "", "evt_7")).toBe("kept");
  expect(await keep(epoch - 1n, "evt_7", "evt_1")).toBe("not_ours");
  expect(await readEventPosition(connection, lane, "cardco")).toBe("evt_7");
  expect(await keep(epoch, "evt_7", "evt_9")).toBe("kept");
  expect(await readEventPosition(connection, lane, "cardco")).toBe("evt_9");
  // Set back by a person while a page was looked into: what follows is not kept.
  expect(await setEventPosition(connection, "cardco", "evt_3", Date.now())).toBe("evt_9");
  expect(await keep(epoch, "evt_9", "evt_12")).toBe("moved");
  expect(await readEventPosition(connection, lane, "cardco")).toBe("evt_3");
  expect(await readEventPosition(connection, lane, "instanet")).toBe("");
  await connection.close();
});

test("who keeps that nothing was sent while the lane changes hands waits, and then cannot: the new owner has read already", async () => {
  const lane = 99; // nobody's, so that no instance is fenced
  await system.query("insert into lane (lane, epoch) values ($1, 1)", [lane]);
  const settings = databaseSettings(system.config, system.addresses.databaseUrl, "millrace_service");
  const connection = await connect(settings, "service");
  const taking = new pg.Client({ connectionString: system.addresses.databaseUrl });
  await taking.connect();
  try {
    await taking.query(`begin; update millrace.lane set epoch = 2 where lane = ${lane}`);
    const calls = [{ sequence: 0n, notAfterMs: Date.now() + 60_000 }];
    const keeping = keepUnavailable(connection, { lane, epoch: 1n }, calls, Date.now());
    const waiting = `select from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like '%call_unavailable%'`;
    await Promise.race([keeping, waitFor("it waits", async () => (await system.query(waiting)).length > 0)]);
    await taking.query("commit");
    expect(await keeping).toBe(false);
    expect(await readUnavailable(connection, lane, 0n)).toEqual(new Set());
  } finally {
    await Promise.all([taking.end(), connection.close()]);
    await system.query("delete from lane where lane = $1", [lane]);
  }
});

test("commands that cannot be read halt their lane, and nothing is ready until somebody has looked", async () => {
  const lane = homeLane(HOLDER, system.lanes);
  const [instance] = system.instances as [Instance];
  const rubbish = { key: null, value: Buffer.from("no command") };
  const { baseOffset } = await system.producer.send(system.topics.commands, lane, [rubbish]);
  const halts = () => system.query("select lane, cause, evidence from halt");
  await waitFor("the lane halts", async () => (await halts()).length > 0);
  const [halt] = await halts();
  expect(halt).toMatchObject({ lane, cause: "commands_unreadable" });
  expect(halt?.["evidence"]).toMatchObject({
    topic: system.topics.commands,
    partition: lane,
    offset: String(baseOffset),
  });
  await waitFor("readiness", async () => (await page("/readyz", instance)).includes(`lane ${lane} is halted`));
  const told = `millrace_lane_halted{lane="${lane}",cause="commands_unreadable"} 1`;
  await waitFor("the metric", async () => (await page("/metrics", instance)).includes(told));
}, 60_000);

test("a command that left the log before anybody read it halts its lane, though no record of it is left", async () => {
  const lane = homeLane(STRANGER, system.lanes);
  expect(lane).not.toBe(homeLane(HOLDER, system.lanes));
  const [running] = system.instances as [Instance];
  await running.stop();
  const alone = await system.start("lanes-alone-again");
  await system.publish([payment(STRANGER)]);
  await system.readOutcomes({ until: 7 });
  await alone.stop();
  const { end } = await commandsOf(lane);
  await deleteBefore(system.topics.commands, lane, end);
  await system.start("too-late", { roles: ["lanes", "gateways"] });
  const halts = () => system.query("select cause, evidence from halt where lane = $1", [lane]);
  await waitFor("the lane halts", async () => (await halts()).length > 0);
  const [halt] = await halts();
  const reason = expect.stringContaining("commands 0 to 0 are gone, and nothing says that they are done");
  expect(halt).toMatchObject({ cause: "commands_unreadable", evidence: { partition: lane, reason } });
}, 60_000);
