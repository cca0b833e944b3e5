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
    return { flight } as unknown as Connection;
  }
}

function message(sequence: bigint, recordedAtMicros: bigint): ArrivedMessage {
  return { fromLane: 5, sequence, offset: 100n + sequence, recordedAtMicros, value: Buffer.from(`m${sequence}`) };
}

const CONCERNED = { caseIds: ["0".repeat(32)], paths: ["liab:merchant:ann:available"] };

test("messages of other lanes are looked for with the rest, and tell which their senders have not sent", async () => {
  const asked = new Asked({ read_unsent: [{ at: 1n }, { at: 3n }] });
  const messages = [message(7n, 3_000n), message(8n, 1_000n), message(9n, 2_000n)];
  const situation = await beginBlock(asked.connection, 2, CONCERNED, messages);
  expect(asked.flights).toEqual([["begin", "lock_lane", "read_cases", "read_balances", "read_unsent"]]);
  const values = messages.map(({ value }) => value);
  const arrays = [int4Array([5, 5, 5]), int8Array([7n, 8n, 9n]), byteaArray(values)];
  expect(asked.values).toEqual([2, ...arrays, 1_000n, 3_000n]);
  expect(situation?.unsent).toEqual(new Set([107n, 109n]));
});

test("a message of a time that no block can have was not sent, and neither asks the database nor widens what is asked", async () => {
  const latest = 253_402_300_799_999_000n;
  const asked = new Asked({ read_unsent: [{ at: 2n }] });
  const messages = [
    message(6n, 2n ** 63n - 1n),
    message(7n, 3_000n),
    message(8n, -1n),
    message(9n, latest + 1n),
    message(10n, 1_000n),
  ];
  const situation = await beginBlock(asked.connection, 2, CONCERNED, messages);
  expect([asked.values[2], ...asked.values.slice(4)]).toEqual([int8Array([7n, 10n]), 1_000n, 3_000n]);
  expect(situation?.unsent).toEqual(new Set([106n, 108n, 109n, 110n]));

  const edges = new Asked({});
  await beginBlock(edges.connection, 2, CONCERNED, [message(1n, 0n), message(2n, latest)]);
  expect(edges.values.slice(4)).toEqual([0n, latest]);

  const none = new Asked({});
  const alone = await beginBlock(none.connection, 2, CONCERNED, [message(1n, -(2n ** 63n))]);
  expect(none.flights).toEqual([["begin", "lock_lane", "read_cases", "read_balances"]]);
  expect(alone?.unsent).toEqual(new Set([101n]));
});

test("without such messages nothing is asked for them", async () => {
  const asked = new Asked({});
  const situation = await beginBlock(asked.connection, 2, CONCERNED);
  expect(asked.flights).toEqual([["begin", "lock_lane", "read_cases", "read_balances"]]);
  expect(situation?.unsent).toEqual(new Set());
});
