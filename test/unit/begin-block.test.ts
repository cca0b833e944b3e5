// What a block asks before it is decided: all of it in one round trip, however much its batch concerns.

import { expect, test } from "vitest";
import { byteaArray, int4Array, int8Array } from "../../src/store/arrays.ts";
import { beginBlock } from "../../src/store/blocks.ts";
import type { ArrivedMessage } from "../../src/store/crossing.ts";
import type { Connection, Result, Step } from "../../src/store/database.ts";

const LOCKED = { epoch: 4n, block: 9n, digest: Buffer.alloc(32), clock_at: "2026-01-01 00:00:00+00" };

/** A connection that remembers its round trips, and answers each statement by its name. */
class Asked {
  readonly flights: string[][] = [];
  values: readonly unknown[] = [];
  readonly #rows: Readonly<Record<string, Record<string, unknown>[]>>;

  constructor(rows: Readonly<Record<string, Record<string, unknown>[]>>) {
    this.#rows = { lock_lane: [LOCKED], ...rows };
  }

  get connection(): Connection {
    const flight = async (steps: readonly Step[]): Promise<Result[]> => {
      this.flights.push(steps.map(({ statement }) => statement.name.replace("millrace_", "")));
      this.values = steps.at(-1)?.values ?? [];
      return steps.map(({ statement }) => ({
        rows: this.#rows[statement.name.replace("millrace_", "")] ?? [],
      })) as unknown as Result[];
    };
    const run = async (statement: Step["statement"], values: Step["values"]): Promise<Result | undefined> => {
      return (await flight([{ statement, values }]))[0];
    };
    return { flight, run } as unknown as Connection;
  }
}

function message(sequence: bigint, recordedAtMicros: bigint): ArrivedMessage {
  return { fromLane: 5, sequence, offset: 100n + sequence, recordedAtMicros, value: Buffer.from(`m${sequence}`) };
}

const CONCERNED = { caseIds: ["0".repeat(32)], paths: ["liab:merchant:ann:available"] };

/** Values as they are compared: each behind its length. */
function framed(...values: readonly Buffer[]): Buffer {
  const lengths = values.map(({ length }) => Buffer.from([0, 0, 0, length]));
  return Buffer.concat(values.flatMap((value, at) => [lengths[at] as Buffer, value]));
}

const READS = ["begin", "lock_lane", "read_cases", "read_balances"];

test("messages of other lanes are looked for with the rest, each unbroken run of one lane at once", async () => {
  const asked = new Asked({});
  const messages = [
    message(7n, 3_000n),
    message(8n, 1_000n),
    { ...message(3n, 2_000n), fromLane: 6 },
    message(9n, 2_000n),
  ];
  const after = [message(11n, 2_000n), message(9n, 2_000n)];
  const situation = await beginBlock(asked.connection, 2, CONCERNED, [...messages, ...after]);
  expect(asked.flights).toEqual([[...READS, "read_unsent"]]);
  const [seven, eight, three, nine, eleven] = [7n, 8n, 3n, 9n, 11n].map((sequence) => message(sequence, 0n).value) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const runs = byteaArray([framed(seven, eight, nine), framed(three), framed(eleven), framed(nine)]);
  const spans = [int8Array([7n, 3n, 11n, 9n]), int8Array([9n, 3n, 11n, 9n])];
  expect(asked.values).toEqual([2, int4Array([5, 6, 5, 5]), ...spans, runs, 1_000n, 3_000n]);
  expect(situation?.unsent).toEqual(new Set());
});

test("of a run that is not as it was sent each message is looked for, and those that were not sent are told", async () => {
  const asked = new Asked({ read_unsent: [{ at: 1n }] });
  const messages = [message(7n, 3_000n), message(8n, 1_000n), message(9n, 2_000n)];
  const situation = await beginBlock(asked.connection, 2, CONCERNED, messages);
  expect(asked.flights).toEqual([[...READS, "read_unsent"], ["read_unsent"]]);
  const spans = [int8Array([7n, 8n, 9n]), int8Array([7n, 8n, 9n])];
  const alone = byteaArray(messages.map(({ value }) => framed(value)));
  expect(asked.values).toEqual([2, int4Array([5, 5, 5]), ...spans, alone, 1_000n, 3_000n]);
  expect(situation?.unsent).toEqual(new Set([107n]));
});

test("a message of a time that no block can have was not sent, and neither asks the database nor widens what is asked", async () => {
  const latest = 253_402_300_799_999_000n;
  const asked = new Asked({});
  const messages = [
    message(6n, 2n ** 63n - 1n),
    message(7n, 3_000n),
    message(8n, -1n),
    message(9n, latest + 1n),
    message(10n, 1_000n),
  ];
  const situation = await beginBlock(asked.connection, 2, CONCERNED, messages);
  expect([asked.values[2], ...asked.values.slice(5)]).toEqual([int8Array([7n, 10n]), 1_000n, 3_000n]);
  expect(situation?.unsent).toEqual(new Set([106n, 108n, 109n]));

  const edges = new Asked({});
  await beginBlock(edges.connection, 2, CONCERNED, [message(1n, 0n), message(2n, latest)]);
  expect(edges.values.slice(5)).toEqual([0n, latest]);

  const none = new Asked({});
  const alone = await beginBlock(none.connection, 2, CONCERNED, [message(1n, -(2n ** 63n))]);
  expect(none.flights).toEqual([READS]);
  expect(alone?.unsent).toEqual(new Set([101n]));
});

test("without such messages nothing is asked for them", async () => {
  const asked = new Asked({});
  const situation = await beginBlock(asked.connection, 2, CONCERNED);
  expect(asked.flights).toEqual([READS]);
  expect(situation?.unsent).toEqual(new Set());
});
