// What one input sets off by itself comes to an end. Flows that go round are kept here, each refused for its own reason;
// where they would do so within one event, the core's own bound is shown to be what they would have met.

import { describe, expect, test } from "vitest";
import { roundsOf } from "../../src/domain/flow/check/rounds.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { replaceOnce } from "../support/faulty.ts";
import { euros, Producing } from "../support/intents.ts";
import { LANES, NOW_MS } from "../support/ledger.ts";
import { MemoryProduction } from "../support/memory-lane.ts";
import { type Change, WHOLE_FLOWS, wholeFlows, wholeRules } from "../support/whole-flows.ts";

const HOLDER = "mer_1";
const make = new Producing(() => NOW_MS);

type Replaced = readonly [file: string, old: string, by: string];

const replacing =
  (...all: readonly Replaced[]): Change =>
  (name, text) =>
    all.reduce((now, [file, old, by]) => (`${file}.flow.yaml` === name ? replaceOnce(now, old, by) : now), text);

const roundsIn = (change: Change): string[] => roundsOf(wholeFlows(change)).map(({ what }) => what);

const DONE = '[{ do: [{ set: { done: "data.done + event.amount" } }], to: stay }]';
const TOLD = "{ emit: portion.paid }, { tell: done, amount: data.amount }],\n            to: paid";
const SPAWN = "{ spawn: portion, amount: intent.amount.minor }";
const spawns = (count: number): string => Array.from({ length: count }, () => SPAWN).join("\n              - ");

/** A case of parcel asks for a portion of 1. */
async function portionOf(change: Change): Promise<string[]> {
  const lane = new MemoryProduction(HOLDER, wholeRules(change));
  expect(homeLane(HOLDER, LANES)).toBe(lane.lane);
  const caseId = make.caseId("par");
  const common = { holderId: HOLDER, caseId, occurredAt: BigInt(NOW_MS) * 1_000n };
  const sent = [
    make.payIn(HOLDER, 5_000),
    { ...common, type: "parcel_create", amount: euros(5_000) },
    { ...common, type: "parcel_portion", idempotencyKey: "k-1", amount: euros(1) },
  ];
  for (const one of sent) lane.append(Buffer.from(HOLDER), lane.codec.encoders.intent.encode(one), NOW_MS);
  await lane.commit(NOW_MS);
  const messages = lane.blocks.flatMap(({ outcomes }) => outcomes.messages);
  return messages.map(({ value }) => lane.codec.decoders.outcome.decode(value).type);
}

test("lets pass flows that open, tell and ask each other to an end", async () => {
  expect(roundsOf(WHOLE_FLOWS)).toEqual([]);
  // A provider's word stands between.
  const failed =
    '[{ do: [{ set: { left: "data.left + event.amount" } }, { spawn: portion, amount: event.amount }], to: stay }]';
  const again = ["parcel", '[{ do: [{ set: { left: "data.left + event.amount" } }], to: stay }]', failed] as const;
  expect(roundsIn(replacing(again))).toEqual([]);
  // How often a call is made again on its own answers is looked at elsewhere.
  const asked = "        - { call: credit }\n      events:\n        transfer.accepted:";
  const refused = [
    "transfer",
    asked,
    `${asked.replace("accepted", "refused")}\n          - { to: sent }\n        transfer.accepted:`,
  ] as const;
  expect(roundsIn(replacing(refused)).filter((what) => what.startsWith("transfer"))).toEqual([]);
});

describe("refuses", () => {
  const around: readonly (readonly [what: string, change: Change, says: RegExp])[] = [
    [
      "a child that tells its parent at once, which opens another",
      replacing(["parcel", DONE, DONE.replace("}], to", "}, { spawn: portion, amount: event.amount }], to")]),
      /^portion opening sets itself off again \(parcel child\.portion\.done → portion opening\): nothing from outside|^parcel child\.portion\.done sets itself off again/,
    ],
    [
      "the same behind a choice",
      replacing(
        ["parcel", DONE, DONE.replace("to: stay", "to: more")],
        [
          "parcel",
          "    closed: { kind: final }",
          '    more: { kind: choice, entry: [{ spawn: portion, amount: "min(data.done, 1)" }], always: [{ to: packed }] }\n    closed: { kind: final }',
        ],
      ),
      /child\.portion\.done → portion opening|portion opening → parcel child\.portion\.done/,
    ],
    [
      "a child that opens one like itself",
      replacing(["portion", TOLD, TOLD.replace("}],", "}, { spawn: portion, amount: data.amount }],")]),
      /^portion opening sets itself off again \(portion opening\)/,
    ],
  ];
  test.each(around)("%s, which would end the process", async (_what, change, says) => {
    expect(roundsIn(change)).toEqual([expect.stringMatching(says)]);
    await expect(portionOf(change)).rejects.toThrow(/sets off more than the 64 events that are checked/);
  });

  test("a message whose receiver sends it on", () => {
    const calls = `  calls:
    on:
      message: gift_credit
      holder: case.holder
      with: { account: event.account, amount: data.amount, currency: S, note: event.note }
      results: { accepted: on.accepted, refused: on.refused }
  states:`;
    const change = replacing(
      ["gift_credit", "  states:", calls],
      ["gift_credit", "amounts: { received: data.amount } }]", "amounts: { received: data.amount } }, { call: on }]"],
    );
    expect(roundsIn(change)).toEqual([
      expect.stringMatching(/^gift_credit opening sets itself off again \(gift_credit opening\): nothing from outside/),
    ]);
  });

  test("more events in one than the core takes, and no fewer", async () => {
    const most = replacing(["parcel", SPAWN, spawns(32)]); // each opens a case, which tells
    expect(roundsIn(most)).toEqual([]);
    expect((await portionOf(most)).filter((type) => type === "portion.paid")).toHaveLength(32);
    const more = replacing(["parcel", SPAWN, spawns(33)]);
    expect(roundsIn(more)).toEqual([
      "parcel intent.parcel_portion may set off 66 events of other cases, and at most 64 are one step",
    ]);
    await expect(portionOf(more)).rejects.toThrow(/sets off more than the 64 events/);
  });
});

test("an older parent that opens another child whenever today's tells it is refused too", () => {
  const [old] = wholeFlows(
    replacing(
      ["parcel", "version: 1.0.0", "version: 0.9.0"],
      ["parcel", DONE, DONE.replace("}], to", "}, { spawn: portion, amount: event.amount }], to")],
    ),
  ).filter(({ name }) => name === "parcel");
  expect(old).toBeDefined();
  const rounds = roundsOf(WHOLE_FLOWS, old === undefined ? [] : [old]);
  expect(rounds).toHaveLength(1);
  expect(rounds[0]?.flow.name).toBe("portion"); // which can be changed
  expect([...(rounds[0]?.flows ?? [])]).toContain(old);
});
