// A provider's list of events over real HTTP, read for what no webhook told: by one process at a time, on from where the last
// one came, with a provider that is away, cannot say yet, or says what nobody can read.

import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { homeLane } from "../../src/domain/holder.ts";
import { parseCaseId } from "../../src/domain/ids.ts";
import { EventDesk } from "../../src/gateways/event-desk.ts";
import { Fitting } from "../../src/gateways/fitting.ts";
import { MissedEvents } from "../../src/gateways/missed-events.ts";
import { openCardco } from "../../src/gateways/providers/cardco/gateway.ts";
import type { HttpProvider } from "../../src/gateways/providers/http-provider.ts";
import { type HttpServer, startHttpServer } from "../../src/http/server.ts";
import { DECLARED } from "../support/ledger.ts";
import { CASE, descriptorOf } from "../support/providers.ts";
import { waitFor } from "../support/wait.ts";

const LANES = 4;
const LANE = homeLane("cardco", LANES);
const OURS = { lane: LANE, epoch: 3n };
const PATIENCE_MS = 20;
const PAGE = 2;

/** What the provider's list holds, and what it says of each key. */
const list: unknown[] = [];
const operations = new Map<string, unknown>();
const asked = { lists: [] as (string | null)[], untils: [] as string[], operations: 0 };
/** what the provider answers to every question about an operation, other than what it shows */
let answersAll: { status: number; body: unknown } | null = null;
let holdsKeeping: Promise<void> | null = null;
let answersList = (body: unknown): { status: number; body: unknown } => ({ status: 200, body });

const positions = new Map<string, string>();
let epoch = OURS.epoch;
const reports: string[] = [];
const told: string[] = [];

let theirs: HttpServer;
let provider: HttpProvider;

beforeAll(async () => {
  const reply = (status: number, body: unknown) => {
    return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  };
  theirs = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    bodyBytesMax: 4_096,
    requestMs: 2_000,
    routes: [
      {
        method: "GET",
        path: "/cardco/v1/operations",
        handle: ({ query }) => {
          asked.operations += 1;
          if (answersAll !== null) return reply(answersAll.status, answersAll.body);
          const found = operations.get(query.get("key") ?? "");
          return found === undefined ? reply(404, { error: { code: "not_found", message: "no" } }) : reply(200, found);
        },
      },
      {
        method: "GET",
        path: "/cardco/v1/events",
        handle: ({ query }) => {
          expect(query.get("delivered")).toBe("false");
          asked.lists.push(query.get("after"));
          asked.untils.push(query.get("until") ?? "");
          const from = Number(query.get("after") || 0);
          const next = Math.min(from + PAGE, list.length);
          const page = { events: list.slice(from, next), next: String(next), has_more: next < list.length };
          const { status, body } = answersList(page);
          return reply(status, body);
        },
      },
    ],
  });
  provider = openCardco({
    name: "cardco",
    baseUrl: `http://127.0.0.1:${theirs.port}`,
    callsMax: 4,
    descriptor: descriptorOf("cardco"),
    secret: (name) => `the ${name}`,
    events: { called: () => undefined, unreadable: (op) => void told.push(`unreadable ${op}`) },
    nowMs: Date.now,
    random: () => 0,
  });
});
afterAll(async () => {
  provider?.close();
  await theirs?.close();
});
beforeEach(() => {
  for (const one of [list, asked.lists, asked.untils, reports, told]) one.length = 0;
  operations.clear();
  positions.clear();
  [asked.operations, epoch] = [0, OURS.epoch];
  answersList = (body) => ({ status: 200, body });
  [answersAll, holdsKeeping] = [null, null];
});

/** An event about an authorization, which the provider shows as approved when it is asked. */
function happened(seq: number, isShown = true): void {
  const key = `${CASE}/auth/${seq}`;
  const amount = { currency: "EUR", minor: "1001" };
  const one = { id: `op_${seq}`, key, reference: `mer_7.${CASE}`, status: "approved", amount, reason: null };
  list.push({ id: `evt_${seq}`, type: "authorization.approved", operation: one });
  if (isShown) operations.set(key, one);
}

function follow(): MissedEvents {
  const fitting = new Fitting(DECLARED.flows);
  const owner = { holderId: "mer_7", flow: "card@1.0.0", currencies: ["EUR"] };
  const desk = new EventDesk(provider, {
    lanes: LANES,
    ownersOf: async (uuid) => (uuid === parseCaseId(CASE)?.uuid ? [owner] : []),
    callFor: (flow, op) => fitting.callFor(flow, op),
    fits: (flow, about, answer) => fitting.fitsFlow(flow, about, answer),
    report: async (lane, { caseId }, { observation, isUnasked }) => {
      reports.push(`${lane === homeLane("mer_7", LANES)} ${caseId === CASE} ${observation} ${isUnasked}`);
    },
    failed: (_, error) => void told.push(String(error)),
  });
  const missed = new MissedEvents({
    desks: [desk],
    lanes: LANES,
    patienceMs: PATIENCE_MS,
    positions: {
      read: async (lane, name) => positions.get(`${lane} ${name}`) ?? "",
      keep: async (owned, { provider: name, from, to }) => {
        if (holdsKeeping !== null) await holdsKeeping;
        if (owned.epoch !== epoch) return "not_ours";
        if ((positions.get(`${owned.lane} ${name}`) ?? "") !== from) return "moved";
        positions.set(`${owned.lane} ${name}`, to);
        return "kept";
      },
    },
    events: {
      missedEvent: (_, result) => void told.push(result),
      missedEventsUnread: (name) => void told.push(`${name} unread`),
      missedEventPassedOver: (_, eventId, at) => void told.push(`passed over ${eventId} behind "${at}"`),
    },
    nowMs: Date.now,
  });
  onTestFinished(() => missed.stop());
  return missed;
}

/** @returns what lets positions be kept again */
function holdKeeping(): () => void {
  let release = (): void => undefined;
  holdsKeeping = new Promise((resolve) => {
    release = resolve;
  });
  return release;
}

const position = (): string | undefined => positions.get(`${LANE} cardco`);
const approved = (seq: number): string => `true true auth/${seq}/approved:1001 true`;

test("what no webhook told is reported, page by page at once, and the position kept behind each page", async () => {
  for (const seq of [1, 2, 3]) happened(seq);
  list.push({ id: "evt_x", type: "invoice.paid", operation: { key: "another system's" } }, "nonsense");
  const began = Date.now();
  follow().took(OURS);
  await waitFor("the whole list", () => position() === "5");
  expect([...reports].sort()).toEqual([1, 2, 3].map(approved));
  expect([...told].sort()).toEqual(["not_ours", "not_ours", "taken", "taken", "taken"]);
  expect(asked.lists.slice(0, 3)).toEqual(["", "2", "4"]);
  const [until = ""] = asked.untils;
  expect(Date.parse(until)).toBeGreaterThan(began - 5_000);
  expect(Date.parse(until)).toBeLessThanOrEqual(Date.now() - PATIENCE_MS);
  happened(6);
  await waitFor("what happened later", () => position() === "6");
  expect(reports.length).toBe(4);
});

test("whoever takes the lane goes on from the position, and a list is read by the owner of its lane alone", async () => {
  for (const seq of [1, 2, 3]) happened(seq);
  const first = follow();
  first.took({ ...OURS, lane: (LANE + 1) % LANES });
  await new Promise((resolve) => setTimeout(resolve, 3 * PATIENCE_MS));
  expect(asked.lists).toEqual([]);
  first.took(OURS);
  await waitFor("the first owner", () => position() === "3");
  first.gaveBack(LANE);
  await new Promise((resolve) => setTimeout(resolve, 2 * PATIENCE_MS));
  asked.lists.length = 0;
  happened(4);
  await new Promise((resolve) => setTimeout(resolve, 3 * PATIENCE_MS));
  expect(asked.lists).toEqual([]);
  follow().took(OURS);
  await waitFor("the next owner", () => position() === "4");
  expect(asked.lists[0]).toBe("3");
  expect(reports).toEqual([1, 2, 3, 4].map(approved));
});

test("a list that a person sets back is read again from there, whether it is at its end or on its way", async () => {
  for (const seq of [1, 2, 3]) happened(seq);
  follow().took(OURS);
  await waitFor("the whole list", () => position() === "3");
  positions.set(`${LANE} cardco`, "");
  await waitFor("the list again", () => position() === "3" && told.length === 6);
  const release = holdKeeping();
  happened(4);
  await waitFor("the page to be looked into", () => told.length === 7);
  positions.set(`${LANE} cardco`, "2");
  holdsKeeping = null;
  release();
  await waitFor("the end of the list", () => position() === "4");
  expect(asked.lists.filter((after) => after === "2")).toHaveLength(3);
  expect(reports).toEqual([1, 2, 3, 4].map(approved));
});

test("an owner from before keeps no position, and reads no more", async () => {
  happened(1);
  epoch = 4n;
  follow().took(OURS);
  await waitFor("the event to be taken", () => reports.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 5 * PATIENCE_MS));
  expect([position(), asked.lists.length]).toEqual([undefined, 1]);
});

test("an event that the provider cannot say anything of yet holds its page, and what was taken is not asked about again", async () => {
  happened(1);
  happened(2, false);
  follow().took(OURS);
  await waitFor("a second try", () => told.filter((one) => one === "not_shown").length >= 2);
  expect([position(), reports]).toEqual([undefined, [approved(1)]]);
  happened(2);
  list.pop();
  await waitFor("the page to be done with", () => position() === "2");
  expect(reports).toEqual([1, 2].map(approved));
  expect(told).toContain("repeated");
});

test("an event of which the provider never shows anything is passed over, which is told, and no other with it", async () => {
  happened(1, false);
  const missed = follow();
  missed.took(OURS);
  await waitFor("it to be asked about some times", () => told.filter((one) => one === "not_shown").length >= 8);
  // It joins a page that is held, and has tries of its own.
  happened(2, false);
  happened(3);
  await waitFor("the first to be passed over", () => told.includes('passed over evt_1 behind ""'));
  expect([position(), told.filter((one) => one === "passed_over").length]).toEqual([undefined, 1]);
  happened(2);
  list.pop();
  await waitFor("the list to go on", () => position() === "3");
  expect(told.filter((one) => one.startsWith("passed over"))).toEqual(['passed over evt_1 behind ""']);
  expect(reports).toEqual([2, 3].map(approved));
});

test("nothing is passed over for an outage, of the provider's or of ours", async () => {
  happened(1);
  answersAll = { status: 503, body: {} };
  const missed = follow();
  missed.took(OURS);
  await waitFor("more tries than an event has", () => told.filter((one) => one === "failed").length > 12);
  expect([position(), told.filter((one) => one.startsWith("passed"))]).toEqual([undefined, []]);
  expect(missed.behindMs().get("cardco")).toBeGreaterThan(10 * PATIENCE_MS);
  answersAll = null;
  // The circuit of payments is open by then, and the list is read all the same.
  expect(provider.circuit).toBe("open");
  const lists = asked.lists.length;
  await waitFor("the list to be read meanwhile", () => asked.lists.length > lists + 1);
  await waitFor("the event to be taken", () => position() === "1", 15_000);
  expect(reports).toEqual([approved(1)]);
  await waitFor("the end of the list", () => (missed.behindMs().get("cardco") ?? 1e9) < 5 * PATIENCE_MS);
}, 20_000);

test("an owner from before in the same process leaves the new one alone", async () => {
  happened(1);
  const release = holdKeeping();
  const missed = follow();
  missed.took(OURS);
  await waitFor("the old owner to keep its position", () => reports.length === 1);
  epoch = 4n;
  missed.took({ ...OURS, epoch });
  holdsKeeping = null;
  await waitFor("the new owner", () => position() === "1");
  release();
  happened(2);
  await waitFor("the new owner to read on", () => position() === "2");
});

test("a stop waits for no provider that hangs, and nothing is read behind it", async () => {
  happened(1);
  const release = holdKeeping();
  const missed = follow();
  missed.took(OURS);
  await waitFor("it to be under way", () => reports.length === 1);
  const began = performance.now();
  await missed.stop();
  expect(performance.now() - began).toBeLessThan(3_000);
  missed.took(OURS);
  release();
  const lists = asked.lists.length;
  await new Promise((resolve) => setTimeout(resolve, 5 * PATIENCE_MS));
  expect([asked.lists.length, [...missed.behindMs()]]).toEqual([lists, []]);
});

test("a list that cannot be asked for, or not be read, moves nothing and is read again", async () => {
  happened(1);
  const answers = [
    { status: 500, body: {} },
    { status: 404, body: { error: { code: "not_found", message: "no list" } } },
    { status: 200, body: { events: "many", next: "1", has_more: false } },
    { status: 200, body: { events: [], next: 7, has_more: false } },
  ];
  answersList = (body) => answers.shift() ?? { status: 200, body };
  follow().took(OURS);
  await waitFor("the list to be read", () => position() === "1");
  expect(told.filter((one) => one === "cardco unread").length).toBeGreaterThanOrEqual(3);
  expect(told).toContain("unreadable events");
  expect(reports).toEqual([approved(1)]);
});
