// The relay of a lane with nothing to publish, or less than there has to be. What it publishes is proven on a real broker.
import { expect, test } from "vitest";
import type { Head } from "../../src/domain/head.ts";
import type { LaneWriter } from "../../src/kafka/port.ts";
import { LaneRelay, type LaneRelayParts } from "../../src/relay/lane-relay.ts";

const HEAD = { epoch: 1n, outcomesNext: 0n, commandsNext: 0n, deadLettersNext: 0n } as Head;
const CLOSED_WITHIN_MS = 200;

const writer: LaneWriter = {
  producerId: 1n,
  producerEpoch: 0,
  tails: new Map(),
  append: () => Promise.reject(new Error("there is nothing to append")),
  close: async () => undefined,
};

const nothing = (): void => undefined;
const parts: LaneRelayParts = {
  store: {
    isOurs: async () => true,
    marks: async () => new Map(),
    messages: async () => [],
    blockDigest: async () => null,
    mark: async () => undefined,
  },
  events: { published: nothing, opened: nothing, reopening: nothing, producerChanged: nothing },
  topics: { outcomes: "o", commands: "c", deadLetters: "d" },
  openWriter: async () => writer,
  readTail: () => Promise.reject(new Error("there is no tail")),
  crossing: {
    outlets: async () => [],
    messages: async () => [],
    send: () => Promise.reject(new Error("there is nothing to send")),
    sent: nothing,
    waits: nothing,
  },
  batchRecordsMax: 10,
  batchBytesMax: 1_000,
  reopenMs: 3_600_000,
  markMs: 60_000,
  halt: nothing,
  fenced: nothing,
  crash: (error) => {
    throw error;
  },
};

test("closes at once when nothing is there to publish, so that its lane goes to the next owner", async () => {
  const relay = new LaneRelay(0, HEAD, parts);
  relay.start();
  expect(await relay.opened).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const began = performance.now();
  await relay.close();
  expect(performance.now() - began).toBeLessThan(CLOSED_WITHIN_MS);
});

test.each([0n, 2n])(
  "publishes nothing and halts its lane when message %s of four is not in the outbox",
  async (gone) => {
    const there = [0n, 1n, 2n, 3n].filter((sequence) => sequence !== gone);
    const halts: unknown[] = [];
    const appended: unknown[] = [];
    const relay = new LaneRelay(
      0,
      { ...HEAD, outcomesNext: 4n },
      {
        ...parts,
        store: {
          ...parts.store,
          messages: async (_lane, _topic, from, until) =>
            there
              .filter((sequence) => sequence >= from && sequence < until)
              .map((sequence) => ({ sequence, key: "k", value: Buffer.from("v") })),
        },
        openWriter: async () => ({
          ...writer,
          append: (...batch) => {
            appended.push(batch);
            return new Promise(() => undefined);
          },
        }),
        halt: (_lane, cause, evidence) => void halts.push([cause, evidence["missingSequence"]]),
      },
    );
    relay.start();
    expect(await relay.opened).toBe(false);
    expect(halts).toEqual([["outbox_gap", gone]]);
    expect(appended).toEqual([]);
  },
);
