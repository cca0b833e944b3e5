// The gateways without a broker: what the scripted provider says, and what a lane's gateway makes of it.

import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Provider } from "../../src/gateways/contract.ts";
import { Gateways, type GatewaysParts } from "../../src/gateways/gateways.ts";
import {
  LaneGateway,
  type LaneGatewayParts,
  NOT_SERVED,
  type ProviderFigures,
} from "../../src/gateways/lane-gateway.ts";
import { ScriptProvider } from "../../src/gateways/script.ts";
import { Slots } from "../../src/gateways/slots.ts";
import type { CommandMessage, ReportMessage } from "../../src/kafka/codec-messages.ts";
import type { GroupOffset, InputRecord, Producer, RawRecord, TopicAdmin } from "../../src/kafka/port.ts";
import { SharedProducer } from "../../src/kafka/shared-producer.ts";
import { CardLane } from "../support/card-lane.ts";
import { DECLARED } from "../support/ledger.ts";
import { intent } from "../support/unchecked.ts";
import { waitFor } from "../support/wait.ts";
import { codecWith, MemoryRegistry, SCHEMAS } from "./codec-fixtures.ts";

const codec = codecWith(new MemoryRegistry());
const AN_HOUR_MICROS = 3_600_000_000n;

function command(change: Partial<CommandMessage> = {}): CommandMessage {
  const caseId = "pay_01JD3Z7Q6R8W2V5K9T0M4N1B7C";
  return {
    lane: 3,
    sequence: 0n,
    block: 1n,
    commandId: `${caseId}/authorize/1`,
    caseId,
    holderId: "mer_7",
    call: "authorize",
    attempt: 1,
    idempotencyKey: `${caseId}/auth/1`,
    notAfter: BigInt(Date.now()) * 1000n + AN_HOUR_MICROS,
    timeoutMs: 20_000,
    payload: { amount: "1001", currency: "EUR", token: "tok_1", provider: "script", seq: "1" },
    traceparent: null,
    op: "card.authorize",
    readOnly: false,
    ...change,
  };
}

const TROUBLED = { seed: "s", troublePercent: 100, lateMs: 1000 };

describe("the scripted provider", () => {
  test("lets everything succeed at once without trouble", () => {
    const provider = new ScriptProvider({ seed: "s", troublePercent: 0, lateMs: 1000 });
    expect(provider.execute(command())).toEqual([
      {
        result: "approved",
        observation: "auth/1/approved",
        payload: { seq: "1", approved: "1001" },
        afterMs: 0,
        isUnasked: false,
      },
    ]);
    const capture = command({ op: "card.capture", call: "capture", payload: { amount: "60", seq: "2" } });
    expect(provider.execute(capture)[0]).toMatchObject({ result: "ok", payload: { amount: "60", seq: "2" } });
  });

  test("says the same of a key whoever is asked and how often, and another thing of another", () => {
    const told = (seed: string, caseId: string) =>
      JSON.stringify(new ScriptProvider({ ...TROUBLED, seed }).execute(command({ caseId })));
    const cases = Array.from({ length: 200 }, (_, index) => `pay_${index}`);
    for (const id of cases) expect(told("s", id)).toBe(told("s", id));
    expect(new Set(cases.map((id) => told("s", id).replaceAll(/"afterMs":\d+/g, ""))).size).toBeGreaterThan(8);
    expect(cases.some((id) => told("s", id) !== told("t", id))).toBe(true);
  });

  test("makes as much trouble as it was told to", () => {
    const provider = new ScriptProvider({ ...TROUBLED, troublePercent: 30 });
    const smooth = Array.from({ length: 5000 }, (_, index) => provider.execute(command({ caseId: `pay_${index}` })));
    const troubled = smooth.filter((tells) => tells.length !== 1 || tells[0]?.result !== "approved");
    expect(troubled.length / 5000).toBeGreaterThan(0.25);
    expect(troubled.length / 5000).toBeLessThan(0.35);
  });

  test("answers only what the flows take, with every field that they read", () => {
    for (const flow of DECLARED.flows.filter(({ calls }) => calls.some(({ to }) => to.kind === "gateway"))) {
      for (const { name, to, results } of flow.calls) {
        if (to.kind !== "gateway") throw new Error(`${name} goes to another holder`);
        const seen = new Set<string>();
        for (let attempt = 1; attempt <= 3; attempt++) {
          for (let one = 0; one < 500; one++) {
            const { op, readOnly } = to;
            const asked = command({ caseId: `pay_${one}`, call: name, op, readOnly, attempt });
            const answers = readOnly
              ? new ScriptProvider(TROUBLED).ask(asked)
              : new ScriptProvider(TROUBLED).execute(asked);
            for (const answer of answers) {
              seen.add(answer.result);
              const event = results.find(({ result }) => result === answer.result)?.event;
              expect(event, `${flow.name} ${name} ${answer.result}`).toBeDefined();
              const fields = flow.events.find((shape) => shape.event === event)?.fields ?? [];
              for (const field of fields) expect(Object.keys(answer.payload), `${event}`).toContain(field.name);
            }
          }
        }
        expect(seen.size, name).toBeGreaterThan(1);
      }
    }
  });

  test("knows nothing of what it is asked to do too late, nor of an operation that it has not learned", () => {
    const provider = new ScriptProvider(TROUBLED);
    expect(provider.ask(command())).toMatchObject([{ result: "unknown" }]);
    expect(provider.execute(command({ op: "bank.collect" }))).toMatchObject([{ result: "unknown" }]);
  });
});

/** Of a schema that this release has not written by. */
const NEWER_ID = 44;
const APPENDED_MS = 1_700_000_000_000;

type Made = {
  readonly gateway: LaneGateway;
  readonly reports: ReportMessage[];
  readonly said: string[];
  readonly answered: string[];
  give(...commands: readonly CommandMessage[]): void;
};

function makeGateway(
  providers: readonly Provider[],
  append?: () => Promise<void>,
  by = codec,
  freshFrom = 0n,
  kept: { readonly before?: readonly bigint[]; readonly keep?: LaneGatewayParts["keepUnavailable"] } = {},
): Made {
  const reports: ReportMessage[] = [];
  const said: string[] = [];
  const answered: string[] = [];
  let next = 40n;
  const gateway = new LaneGateway({
    lane: 3,
    from: { offset: next, sequence: null },
    freshFrom,
    unavailable: new Set(kept.before),
    keepUnavailable: kept.keep ?? (async () => true),
    codec: by,
    providers: new Map(providers.map((provider) => [provider.name, provider])),
    slots: new Map(
      providers.flatMap(({ name, callsMax }) => (callsMax === undefined ? [] : [[name, new Slots(callsMax)]])),
    ),
    fits: (_asked, { result }) => result !== "nonsense",
    append: async (_lane, records: readonly RawRecord[]) => {
      await append?.();
      for (const { value } of records) reports.push(await codec.decoders.report.read(value as Buffer));
    },
    events: {
      notServed: (provider) => said.push(`not served ${provider}`),
      failed: (provider, op) => said.push(`failed ${provider} ${op}`),
      taken: () => undefined,
      answered: (provider, result) => answered.push(`${provider} ${result}`),
      waitsForSchema: (lane) => said.push(`waits ${lane}`),
      triedAgain: (lane) => said.push(`tried again ${lane}`),
    },
    unreadable: (lane, offset) => said.push(`unreadable ${lane} ${offset}`),
    expired: () => said.push("expired"),
    roomFreed: () => undefined,
  });
  onTestFinished(() => gateway.close());
  const give = (...commands: readonly CommandMessage[]): void => {
    const records = commands.map((one, index) => ({
      offset: next + BigInt(index),
      appendedAtMs: APPENDED_MS,
      key: Buffer.from(one.holderId),
      value: codec.encoders.command.encode(one),
    }));
    const fromOffset = next;
    next += BigInt(commands.length);
    gateway.received({ lane: 3, topic: "commands", fromOffset, nextOffset: next, records, bytes: 1, logEnd: next });
  };
  return { gateway, reports, said, answered, give };
}

const answering = (name: string, ...answers: readonly { result: string; afterMs: number }[]): Provider => {
  const told = answers.map((one) => ({ ...one, observation: one.result, payload: {}, isUnasked: one.afterMs > 0 }));
  return { name, execute: () => told, ask: () => [{ ...(told[0] as (typeof told)[0]), result: "asked" }] };
};

const OTHER_CASE = "pay_01JD3Z7Q6R8W2V5K9T0M4N1B7D";

/** A provider that answers each case when it is let. */
function holding(name: string, callsMax?: number) {
  const put: string[] = [];
  const held = new Map<string, () => void>();
  const execute: Provider["execute"] = ({ caseId, call }) => {
    put.push(`${caseId} ${call}`);
    return new Promise((resolve) => {
      const told = { result: "done", observation: `${caseId}/${call}`, payload: {}, afterMs: 0, isUnasked: false };
      held.set(caseId, () => resolve([told]));
    });
  };
  const provider: Provider = { name, execute, ask: () => [], ...(callsMax === undefined ? {} : { callsMax }) };
  return { provider, put, let: (caseId: string): void => held.get(caseId)?.() };
}

describe("a lane's gateway", () => {
  test("reports under the case's holder, call and attempt, in the order of the commands", async () => {
    const { reports, give, gateway } = makeGateway([answering("script", { result: "approved", afterMs: 0 })]);
    give(command(), command({ attempt: 2 }), command({ caseId: "pay_2" }));
    await sleep(20);
    expect(
      reports.map(({ holderId, call, caseId, attempt, result }) => ({ holderId, call, caseId, attempt, result })),
    ).toEqual([
      { holderId: "mer_7", call: "authorize", caseId: command().caseId, attempt: 1, result: "approved" },
      { holderId: "mer_7", call: "authorize", caseId: command().caseId, attempt: 2, result: "approved" },
      { holderId: "mer_7", call: "authorize", caseId: "pay_2", attempt: 1, result: "approved" },
    ]);
    expect(gateway.position.offset).toBe(43n);
    expect(gateway.isIdle).toBe(true);
  });

  test("keeps its position in front of a command of which something is still to be told", async () => {
    const late = answering("script", { result: "unknown", afterMs: 0 }, { result: "approved", afterMs: 3_600_000 });
    const { reports, give, gateway } = makeGateway([late]);
    give(command());
    await sleep(20);
    expect(reports.map(({ result }) => result)).toEqual(["unknown"]);
    expect(gateway.position.offset).toBe(40n);
    gateway.hurry();
    await sleep(20);
    expect(reports.map(({ result, attempt }) => [result, attempt])).toEqual([
      ["unknown", 1],
      ["approved", 0],
    ]);
    expect(gateway.position.offset).toBe(41n);
  });

  test("moves its position over markers behind the last command once nothing is left to tell, and not before", async () => {
    const late = answering("script", { result: "unknown", afterMs: 0 }, { result: "approved", afterMs: 3_600_000 });
    const { give, gateway } = makeGateway([late]);
    gateway.caughtUp("commands", 40n);
    expect(gateway.position).toEqual({ offset: 40n, sequence: null });
    give(command({ sequence: 7n }));
    await sleep(20);
    gateway.caughtUp("commands", 44n);
    expect(gateway.position.offset).toBe(40n);
    gateway.hurry();
    await sleep(20);
    expect(gateway.position).toEqual({ offset: 41n, sequence: 8n });
    gateway.caughtUp("commands", 44n);
    expect(gateway.position).toEqual({ offset: 44n, sequence: 8n });
    gateway.caughtUp("commands", 43n); // an answer from before
    expect(gateway.position.offset).toBe(44n);
  });

  test("keeps its position in front of what cannot be read, whatever is behind it", () => {
    const { gateway } = makeGateway([]);
    gateway.unreadable("commands", 40n, "the batch's checksum is wrong");
    gateway.caughtUp("commands", 44n);
    expect(gateway.position.offset).toBe(40n);
  });

  test("counts what is with a provider and what waits for its turn, and since when the oldest does", async () => {
    const hanging: Provider = { name: "hanging", execute: () => new Promise(() => undefined), ask: () => [] };
    const { give, gateway } = makeGateway([hanging]);
    give(...Array.from({ length: 3 }, () => command({ payload: { provider: "hanging" } })));
    await sleep(20);
    const figures = new Map<string, ProviderFigures>();
    gateway.addTo(figures);
    expect(Object.fromEntries(figures)).toEqual({ hanging: { inFlight: 3, sinceMs: APPENDED_MS } });
  });

  test("halts its lane for a batch that cannot be read", () => {
    const { gateway, said } = makeGateway([]);
    gateway.unreadable("commands", 40n, "the batch's checksum is wrong");
    expect(said).toEqual(["unreadable 3 40"]);
    expect(gateway.position.offset).toBe(40n);
  });

  test("keeps its position in front of what could not be appended", async () => {
    const refused = (): Promise<void> => Promise.reject(new Error("stopped"));
    const { give, gateway, said } = makeGateway([answering("script", { result: "ok", afterMs: 0 })], refused);
    give(command());
    await sleep(20);
    expect(said).toEqual(["tried again 3"]);
    expect(gateway.position.offset).toBe(40n);
  });

  test("only asks about a command behind its deadline, and about one that only asks", async () => {
    const { reports, give } = makeGateway([answering("script", { result: "done", afterMs: 0 })]);
    give(command({ notAfter: BigInt(Date.now() - 1) * 1000n }), command({ readOnly: true }));
    await sleep(20);
    expect(reports.map(({ result }) => result)).toEqual(["asked", "asked"]);
  });

  test("makes the calls of a backlog that is older than their timeout, while their keys are known", async () => {
    const lane = new CardLane();
    const decidedMs = Date.now() - 3_600_000;
    for (const holderId of ["mer_1", "mer_2"]) {
      const amount = { currency: "EUR", scale: 2, minor: "1001" };
      const payment = { type: "payment_create", method: "card", provider: "script", tokenRef: "tok_1", amount };
      lane.decide([intent(holderId, payment.type, { ...payment, settlementCurrency: "EUR" })], decidedMs, decidedMs);
    }
    const waited = lane.commands.map(({ notAfterMicros: notAfter, ...one }) => ({
      ...one,
      lane: 3,
      block: 1n,
      notAfter,
    }));
    expect(waited.map(({ call, timeoutMs }) => [call, timeoutMs])).toEqual([
      ["authorize", 20_000],
      ["authorize", 20_000],
    ]);
    const { reports, give } = makeGateway([answering("script", { result: "approved", afterMs: 0 })]);
    give(...waited);
    await sleep(20);
    expect(reports.map(({ result }) => result)).toEqual(["approved", "approved"]);
  });

  test("waits for a provider no longer than the call says, and goes on with the case's next command", async () => {
    const never = new Promise<never>(() => undefined);
    const slow: Provider = { name: "slow", execute: () => never, ask: () => [] };
    const { reports, give, gateway } = makeGateway([slow, answering("script", { result: "approved", afterMs: 0 })]);
    give(command({ payload: { provider: "slow" }, timeoutMs: 30 }), command());
    await sleep(10);
    expect(reports).toEqual([]);
    await sleep(60);
    expect(reports.map(({ result }) => result)).toEqual(["unknown", "approved"]);
    expect(gateway.position.offset).toBe(42n);
  });

  test("lets no case wait for another's provider, and its position for all of them", async () => {
    const waiting = holding("slow");
    const { reports, give, gateway } = makeGateway([
      waiting.provider,
      answering("script", { result: "approved", afterMs: 0 }),
    ]);
    give(command({ payload: { provider: "slow" }, sequence: 7n }), command({ caseId: OTHER_CASE, sequence: 8n }));
    await sleep(20);
    expect(reports.map(({ caseId }) => caseId)).toEqual([OTHER_CASE]);
    expect(gateway.position).toEqual({ offset: 40n, sequence: null });
    waiting.let(command().caseId);
    await sleep(20);
    expect(reports.map(({ caseId }) => caseId)).toEqual([OTHER_CASE, command().caseId]);
    expect(gateway.position).toEqual({ offset: 42n, sequence: 9n });
  });

  test("puts the commands of one case one after the other, whatever the others do meanwhile", async () => {
    const waiting = holding("slow");
    const { give } = makeGateway([waiting.provider]);
    const of = (caseId: string, call: string) => command({ caseId, call, payload: { provider: "slow" } });
    give(of("pay_1", "a"), of("pay_2", "a"), of("pay_1", "b"), of("pay_1", "c"), of("pay_2", "b"));
    await sleep(20);
    expect(waiting.put).toEqual(["pay_1 a", "pay_2 a"]);
    waiting.let("pay_1");
    await sleep(20);
    expect(waiting.put).toEqual(["pay_1 a", "pay_2 a", "pay_1 b"]);
    waiting.let("pay_2");
    waiting.let("pay_1");
    await sleep(20);
    expect(waiting.put.slice(3).sort()).toEqual(["pay_1 c", "pay_2 b"]);
  });

  test("puts no more to a provider at once than it takes, and counts the time of the others from their turn", async () => {
    const waiting = holding("slow", 2);
    const { reports, give } = makeGateway([waiting.provider, answering("script", { result: "ok", afterMs: 0 })]);
    const of = (caseId: string, provider = "slow") => command({ caseId, payload: { provider }, timeoutMs: 80 });
    give(...["pay_1", "pay_2", "pay_3"].map((id) => of(id)), of("pay_4", "script"));
    await sleep(50);
    expect([waiting.put.length, reports.length]).toEqual([2, 1]);
    waiting.let("pay_2");
    await sleep(50);
    // pay_1 has run out of time, pay_3 has only begun.
    expect(reports.map(({ caseId, result }) => [caseId, result])).toEqual([
      ["pay_4", "ok"],
      ["pay_2", "done"],
      ["pay_1", "unknown"],
    ]);
    waiting.let("pay_3");
    await sleep(20);
    expect(reports.at(-1)).toMatchObject({ caseId: "pay_3", result: "done" });
  });

  test("puts nothing any more once it is closed, of what waited for its turn neither", async () => {
    const waiting = holding("slow", 1);
    const { give, gateway } = makeGateway([waiting.provider]);
    const of = (caseId: string) => command({ caseId, payload: { provider: "slow" } });
    give(of("pay_1"), of("pay_2"), of("pay_1"));
    await sleep(10);
    gateway.close();
    waiting.let("pay_1");
    await sleep(20);
    expect(waiting.put.length).toBe(1);
    expect(gateway.position.offset).toBe(40n);
  });

  test("reads no more commands than it may hold beside each other", async () => {
    const waiting = holding("slow");
    const { give } = makeGateway([waiting.provider]);
    give(...Array.from({ length: 2_500 }, (_, at) => command({ caseId: `pay_${at}`, payload: { provider: "slow" } })));
    await sleep(50);
    expect(waiting.put.length).toBe(2_000);
    waiting.let("pay_7");
    await sleep(20);
    expect(waiting.put.length).toBe(2_001);
  });

  test("calls unknown what no case could take, and says so", async () => {
    const { reports, give, said } = makeGateway([answering("script", { result: "nonsense", afterMs: 0 })]);
    give(command());
    await sleep(20);
    expect(reports.map(({ result }) => result)).toEqual(["unknown"]);
    expect(said).toEqual(["failed script card.authorize"]);
  });

  test("calls unknown what a provider that is not served, or one that fails, would have said", async () => {
    const failing: Provider = {
      name: "failing",
      execute: () => Promise.reject(new Error("no")),
      ask: () => {
        throw new Error("no");
      },
    };
    const { reports, give, said, gateway } = makeGateway([failing]);
    give(command(), command({ payload: { provider: "failing" } }));
    give(command({ payload: { provider: "failing" }, readOnly: true }));
    await sleep(20);
    expect(reports.map(({ result }) => result)).toEqual(["unknown", "unknown", "unknown"]);
    expect(said).toEqual(["not served script", "failed failing card.authorize", "failed failing card.authorize"]);
    expect(gateway.position.offset).toBe(43n);
  });

  test("calls unavailable what certainly was not begun, where the case knows the word and the command is new", async () => {
    const away = answering("away", { result: "unavailable", afterMs: 0 });
    const routed = (provider: string) => ({ amount: "1001", currency: "EUR", provider, seq: "1", route: "1" });
    const asked = [
      command({ payload: routed("away") }),
      command({ payload: routed("nobody") }),
      // a case of an earlier version does not say which choice it is; a question is no operation
      command({ payload: { provider: "away", seq: "1" } }),
      command({ payload: routed("away"), readOnly: true }),
      command({ payload: routed("nobody"), readOnly: true }),
    ];
    const { reports, give } = makeGateway([away]);
    give(...asked);
    await sleep(20);
    const answers = ["unavailable", "unavailable", "unknown", "asked", "unknown"];
    expect(reports.map(({ result }) => result)).toEqual(answers);
    expect(reports[1]).toMatchObject({ payload: { seq: "1" }, observation: "authorize/1/unavailable" });
    // The lane was opened behind these: whoever served it before may have put them to the provider.
    const again = makeGateway([away], undefined, codec, 1_000n);
    again.give(...asked);
    await sleep(20);
    expect(again.reports.map(({ result }) => result)).toEqual(["unknown", "unknown", "unknown", "asked", "unknown"]);
  });

  test("tells that nothing was sent only once it is kept for whoever reads the command again, and the rest at once", async () => {
    const away = answering("away", { result: "unavailable", afterMs: 0 });
    let done: (isOurs: boolean) => void = () => undefined;
    const keeping = new Promise<boolean>((resolve) => (done = resolve));
    const kept: unknown[] = [];
    const keep: LaneGatewayParts["keepUnavailable"] = (calls) => {
      kept.push(calls);
      return keeping;
    };
    const routed = { provider: "away", seq: "1", route: "1" };
    const notAfter = 1_800_000_000_000_000n;
    const { reports, give, gateway } = makeGateway([away], undefined, codec, 0n, { keep });
    give(command({ sequence: 7n, payload: routed, notAfter }));
    await sleep(20);
    expect(kept).toEqual([[{ sequence: 7n, notAfterMs: 1_800_000_000_000 }]]);
    expect([reports, gateway.position.offset]).toEqual([[], 40n]);
    done(true);
    await sleep(20);
    expect([reports.map(({ result }) => result), gateway.position.offset]).toEqual([["unavailable"], 41n]);
  });

  test("says nothing more of a lane that is another's by the time that it would say that nothing was sent", async () => {
    const away = answering("away", { result: "unavailable", afterMs: 0 });
    const keep = async (): Promise<boolean> => false;
    const { reports, give, gateway } = makeGateway([away], undefined, codec, 0n, { keep });
    give(command({ payload: { provider: "away", seq: "1", route: "1" } }));
    await sleep(20);
    expect([reports, gateway.position.offset, gateway.hasRoom()]).toEqual([[], 40n, false]);
  });

  test("sends nothing for a command of which its predecessor said so, though the provider can be reached, and says it again", async () => {
    const put: bigint[] = [];
    const back: Provider = {
      ...answering("back", { result: "approved", afterMs: 0 }),
      execute: ({ sequence }) => {
        put.push(sequence);
        return [{ result: "approved", observation: "auth/1/approved", payload: {}, afterMs: 0, isUnasked: false }];
      },
    };
    const payload = { provider: "back", seq: "1", route: "1" };
    const { reports, give, gateway } = makeGateway([back], undefined, codec, 1_000n, { before: [7n] });
    give(command({ sequence: 7n, payload }), command({ sequence: 8n, payload }));
    await sleep(20);
    expect(put).toEqual([8n]);
    expect(reports.map(({ result }) => result)).toEqual(["unavailable", "approved"]);
    expect(reports[0]).toMatchObject({ payload: { seq: "1" }, observation: "authorize/1/unavailable" });
    expect(gateway.position.offset).toBe(42n);
  });

  test("tells all that came before what cannot be read, late answers too, and halts its lane then", async () => {
    let append: () => void = () => undefined;
    const appended = new Promise<void>((resolve) => (append = resolve));
    const late = answering("script", { result: "unknown", afterMs: 0 }, { result: "approved", afterMs: 3_600_000 });
    const { reports, give, said, gateway } = makeGateway([late], () => appended);
    give(command());
    gateway.unreadable("commands", 41n, "the batch's checksum is wrong");
    await sleep(20);
    expect([said, gateway.position.offset]).toEqual([[], 40n]);
    append();
    await sleep(20);
    expect(reports.map(({ result }) => result)).toEqual(["unknown", "approved"]);
    expect([said, gateway.position.offset]).toEqual([["unreadable 3 41"], 41n]);
  });

  test("halts its lane for bytes that are no command, and puts nothing behind them to anybody", async () => {
    const { reports, give, said, gateway } = makeGateway([answering("script", { result: "ok", afterMs: 0 })]);
    give(command());
    await sleep(20);
    const records = [{ offset: 41n, appendedAtMs: 0, key: null, value: Buffer.from("rubbish") }];
    gateway.received({ lane: 3, topic: "c", fromOffset: 41n, nextOffset: 42n, records, bytes: 1, logEnd: 42n });
    give(command());
    await sleep(20);
    expect(gateway.hasRoom()).toBe(false);
    expect(said).toEqual(["unreadable 3 41"]);
    expect(reports).toHaveLength(1);
    expect(gateway.position.offset).toBe(41n);
  });

  test("waits for a schema that the registry does not give out, and passes over nothing for it", async () => {
    const registry = new MemoryRegistry();
    registry.schemas.set(NEWER_ID, new Error("registry away"));
    const value = codec.encoders.command.encode(command());
    value.writeInt32BE(NEWER_ID, 1);
    const provider = answering("script", { result: "ok", afterMs: 0 });
    const { reports, said, gateway } = makeGateway([provider], undefined, codecWith(registry));
    const records = [{ offset: 40n, appendedAtMs: APPENDED_MS, key: null, value }];
    gateway.received({ lane: 3, topic: "c", fromOffset: 40n, nextOffset: 41n, records, bytes: 1, logEnd: 41n });
    await sleep(50);
    expect(gateway.schemaWaitSinceMs).not.toBeNull();
    expect([said, reports.length, gateway.position.offset]).toEqual([["waits 3"], 0, 40n]);
    registry.schemas.set(NEWER_ID, SCHEMAS.command);
    await sleep(400);
    expect([gateway.schemaWaitSinceMs, reports.length, gateway.position.offset]).toEqual([null, 1, 41n]);
  });

  test("tells by provider what is not told yet, and since when nothing is", async () => {
    let answer: (told: readonly []) => void = () => undefined;
    const slow: Provider = { name: "slow", execute: () => new Promise((resolve) => (answer = resolve)), ask: () => [] };
    const late = answering("script", { result: "unknown", afterMs: 0 }, { result: "approved", afterMs: 3_600_000 });
    const { give, gateway, answered } = makeGateway([slow, late]);
    const figures = () => {
      const found = new Map<string, ProviderFigures>();
      gateway.addTo(found);
      return Object.fromEntries(found);
    };
    give(command(), command({ payload: { provider: "nobody" } }), command({ payload: { provider: "slow" } }));
    await sleep(20);
    expect(figures()).toEqual({
      script: { inFlight: 1, sinceMs: null },
      slow: { inFlight: 1, sinceMs: APPENDED_MS },
    });
    expect(answered).toEqual(["script unknown", `${NOT_SERVED} unknown`]);
    answer([]);
    await sleep(20);
    expect(figures()).toEqual({ script: { inFlight: 1, sinceMs: null } });
    gateway.hurry();
    await sleep(20);
    expect(figures()).toEqual({});
    expect(answered.at(-1)).toBe("script approved");
  });
});

const READER: GatewaysParts["reader"] = {
  open: () => undefined,
  close: () => undefined,
  wake: () => undefined,
  silentMs: () => 0,
  stop: async () => undefined,
};

describe("the gateways of a process", () => {
  function makeGateways(admin: Partial<TopicAdmin>, more: Partial<GatewaysParts> = {}) {
    const halted: unknown[] = [];
    const opened: unknown[] = [];
    const said: string[] = [];
    const gateways = new Gateways({
      reader: { ...READER, open: (lane, offsets) => void opened.push([lane, ...offsets]) },
      admin: { publishGroupOffsets: async () => undefined, ...admin } as TopicAdmin,
      codec,
      providers: [answering("script")],
      commandsTopic: "commands",
      producer: new SharedProducer("reports", async () => {
        throw new Error("nothing is told here");
      }),
      group: "group",
      fits: () => true,
      events: {
        taken: () => undefined,
        answered: () => undefined,
        notServed: () => undefined,
        failed: () => undefined,
        waitsForSchema: () => undefined,
        triedAgain: (lane) => void said.push(`tried again ${lane}`),
      },
      publishedTo: async () => 0n,
      unavailable: { read: async () => new Set(), keep: async () => true },
      ...more,
      halt: (lane, evidence) => void halted.push([lane, evidence]),
    });
    onTestFinished(() => gateways.stop(0));
    return { gateways, halted, opened, said };
  }

  const firstLeft = (value: Buffer | null): InputRecord => ({ offset: 42n, appendedAtMs: 0, key: null, value });
  const inLog = (sequence: bigint): InputRecord => firstLeft(codec.encoders.command.encode(command({ sequence })));
  /** What becomes of a lane whose log begins at 41, which ends at 50. */
  async function opened(known: GroupOffset | null, left: InputRecord | null, low = 41n) {
    const made = makeGateways(
      { groupOffset: async () => known, bounds: async () => ({ low, end: 50n }), first: async () => left },
      { publishedTo: async () => 6n },
    );
    await made.gateways.open({ lane: 3, epoch: 1n });
    return { from: made.opened, halted: made.halted };
  }

  test.for<[string, GroupOffset | null, InputRecord | null, bigint]>([
    ["where they were", { offset: 45n, note: "5" }, null, 45n],
    ["at the first that is left", { offset: 41n, note: "" }, null, 41n],
    ["behind markers that left the log", { offset: 40n, note: "5" }, inLog(5n), 41n],
    ["behind what comes again", { offset: 40n, note: "5" }, inLog(3n), 41n],
    ["behind all that was published, of which nothing is left", { offset: 40n, note: "6" }, null, 41n],
    ["at the lane's first command", null, inLog(0n), 41n],
    ["in a log that was made anew", { offset: 60n, note: "5" }, inLog(5n), 41n],
  ])("go on %s", async ([, known, left, from]) => {
    expect(await opened(known, left)).toEqual({ from: [[3, ["commands", from]]], halted: [] });
  });

  test("go on at the first record of a log that nothing has left, whatever was known of it", async () => {
    const atFirst = { from: [[3, ["commands", 0n]]], halted: [] };
    expect(await opened(null, inLog(7n), 0n)).toEqual(atFirst);
    expect(await opened({ offset: 60n, note: "5" }, inLog(7n), 0n)).toEqual(atFirst);
  });

  test("keep with the position which command is the first that is not done", async () => {
    const marked: unknown[] = [];
    const { gateways } = makeGateways({
      groupOffset: async () => ({ offset: 40n, note: "5" }),
      bounds: async () => ({ low: 41n, end: 50n }),
      first: async () => inLog(5n),
      publishGroupOffsets: async (group, offsets) => void marked.push([group, ...offsets]),
    });
    await gateways.open({ lane: 3, epoch: 1n });
    await gateways.stop(0);
    expect(marked).toEqual([["group", { topic: "commands", partition: 3, offset: 41n, note: "5" }]]);
  });

  test.for<[string, GroupOffset | null, InputRecord | null, bigint, string]>([
    ["the next that is left is a later one", { offset: 40n, note: "5" }, inLog(6n), 40n, "commands 5 to 5 are gone"],
    ["more was published and nothing is left", { offset: 40n, note: "5" }, null, 40n, "commands 5 to 5 are gone"],
    ["what is left is no command", { offset: 40n, note: "5" }, firstLeft(null), 40n, "what is left is no command"],
    ["it has no form", { offset: 40n, note: "5" }, firstLeft(Buffer.from("x")), 40n, "what is left is no command"],
    ["somebody else set the position", { offset: 40n, note: "" }, inLog(5n), 40n, "commands 0 to 4 are gone"],
    ["no position is known", null, inLog(5n), 41n, "commands 0 to 4 are gone"],
    ["no position is known and nothing is left", null, null, 41n, "commands 0 to 5 are gone"],
  ])("halt a lane whose commands left the log before they were done: %s", async ([, known, left, offset, gone]) => {
    const reason = `the log begins at 41: ${gone}, and nothing says that they are done`;
    const evidence = { topic: "commands", partition: 3, offset, group: "group", reason };
    expect(await opened(known, left)).toEqual({ from: [], halted: [[3, evidence]] });
  });

  test("ask what was said to be unavailable from the first command on that is not done", async () => {
    const asked: unknown[] = [];
    const { gateways } = makeGateways(
      { groupOffset: async () => ({ offset: 45n, note: "5" }), bounds: async () => ({ low: 41n, end: 50n }) },
      {
        unavailable: {
          read: async (lane, from) => {
            asked.push([lane, from]);
            return new Set<bigint>();
          },
          keep: async () => true,
        },
      },
    );
    await gateways.open({ lane: 3, epoch: 1n });
    expect(asked).toEqual([[3, 5n]]);
  });

  test("tell that nothing was sent once the database says that it is kept, which is asked again, and never when it is not", async () => {
    const payload = { provider: "nobody", seq: "1", route: "1" };
    const value = codec.encoders.command.encode(command({ payload }));
    const records = [{ offset: 0n, appendedAtMs: 0, key: Buffer.from("mer_7"), value }];
    const read = { lane: 3, topic: "commands", fromOffset: 0n, nextOffset: 1n, records, bytes: 1, logEnd: 1n };
    const told = async (...answers: readonly (boolean | Error)[]): Promise<string[]> => {
      const happened: string[] = [];
      const left = [...answers];
      const keep: GatewaysParts["unavailable"]["keep"] = async ({ epoch }, calls) => {
        const answer = left.shift();
        happened.push(`${answer} for epoch ${epoch} and ${calls.length}`);
        if (typeof answer === "boolean") return answer;
        throw new Error("the database is away");
      };
      const send: Producer["send"] = async () => {
        happened.push("told");
        return { baseOffset: 0n };
      };
      const { gateways } = makeGateways(
        { groupOffset: async () => null, bounds: async () => ({ low: 0n, end: 0n }) },
        {
          reader: { ...READER, open: (_lane, _offsets, sink) => void setImmediate(() => sink.received(read)) },
          producer: new SharedProducer("reports", async () => ({ send, close: async () => undefined })),
          unavailable: { read: async () => new Set(), keep },
        },
      );
      await gateways.open({ lane: 3, epoch: 6n });
      await waitFor("the last answer", () => left.length === 0);
      await sleep(20);
      return happened;
    };
    const away = new Error("away");
    expect(await told(away, true)).toEqual([`${away} for epoch 6 and 1`, "true for epoch 6 and 1", "told"]);
    expect(await told(false)).toEqual(["false for epoch 6 and 1"]);
  });

  test("tell what many webhooks say of one lane at once, one batch after the other", async () => {
    const told: string[] = [];
    const inFlight = new Set<number>();
    const send: Producer["send"] = async (_topic, partition, records) => {
      expect(inFlight).not.toContain(partition);
      inFlight.add(partition);
      await sleep(1);
      inFlight.delete(partition);
      told.push(...records.map(({ value }) => `${partition} ${value}`));
      return { baseOffset: 0n };
    };
    const open = async (): Promise<Producer> => ({ send, close: async () => undefined });
    const { gateways } = makeGateways({}, { producer: new SharedProducer("reports", open) });
    const all = Array.from({ length: 20 }, (_, at) => ({ lane: at % 2, text: String(at) }));
    await Promise.all(
      all.map(({ lane, text }) => gateways.report(lane, { key: Buffer.from("mer_7"), value: Buffer.from(text) })),
    );
    expect(told.sort()).toEqual(all.map(({ lane, text }) => `${lane} ${text}`).sort());
  });

  test("are not ready when a lane's commands cannot be read for long, and say of which", async () => {
    vi.useFakeTimers({ toFake: ["performance", "setTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    let isAway = true;
    const { gateways, opened, said } = makeGateways({
      groupOffset: async () => {
        if (isAway) throw new Error("away");
        return { offset: 41n, note: "" };
      },
      bounds: async () => ({ low: 41n, end: 50n }),
    });
    const opening = gateways.open({ lane: 3, epoch: 1n });
    await sleep0();
    expect([said.length, gateways.reasons()]).toEqual([1, []]);
    vi.advanceTimersByTime(6_000);
    expect(gateways.reasons()).toEqual(["the commands of lane 3 cannot be read"]);
    gateways.close(3);
    expect(gateways.reasons()).toEqual([]);
    isAway = false;
    await gateways.open({ lane: 3, epoch: 1n });
    expect([opened, gateways.reasons()]).toEqual([[[3, ["commands", 41n]]], []]);
    void opening;
  });

  test("tell of every provider that they serve, and of those that they do not as one", () => {
    const { gateways } = makeGateways({});
    const none = { inFlight: 0, sinceMs: null };
    expect(Object.fromEntries(gateways.figures())).toEqual({ script: none, [NOT_SERVED]: none });
  });
});

/** What is waiting to run has run. */
const sleep0 = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
