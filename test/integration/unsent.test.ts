// Whether messages of other lanes lie in their senders' outboxes as they arrived, asked of a real Postgres.
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ArrivedMessage, askUnsent, unsentOf } from "../../src/store/crossing.ts";
import { type Connection, connect } from "../../src/store/database.ts";
import { migrateDatabase } from "../../src/store/migrate.ts";
import { readUnsent } from "../../src/store/sql/crossing.ts";
import { ROOT } from "../support/source.ts";
import { freshDatabase } from "../support/stack.ts";

const LIMITS = { connectTimeoutMs: 5_000, statementTimeoutMs: 10_000, lockTimeoutMs: 5_000 };
const LANE = 2;
const SENT_AT_MICROS = 1_767_225_600_000_000n;

let service: Connection;
beforeAll(async () => {
  const url = await freshDatabase();
  await migrateDatabase(url, join(ROOT, "schemas/database"));
  service = await connect({ ...LIMITS, role: null, applicationName: "unsent", url }, "service");
  await service.plain(
    `insert into outbox (lane, topic, to_lane, sequence, recorded_at, block, key, value)
     select l, 3, ${LANE}, s, to_timestamp(${SENT_AT_MICROS / 1_000_000n}), 1, 'k', convert_to(l || '-' || s, 'UTF8')
     from generate_series(0, 3) l, generate_series(0, 9) s`,
  );
});
afterAll(() => service.close());

function arrived(fromLane: number, sequence: bigint, value = `${fromLane}-${sequence}`): ArrivedMessage {
  const offset = BigInt(fromLane) * 100n + sequence;
  return { fromLane, sequence, offset, recordedAtMicros: SENT_AT_MICROS, value: Buffer.from(value) };
}

async function unsent(...messages: readonly ArrivedMessage[]): Promise<readonly bigint[]> {
  const question = askUnsent(LANE, messages);
  const rows = question === null ? [] : (await service.run(readUnsent, question.step.values)).rows;
  return [...(await unsentOf(service, LANE, messages, question, rows))];
}

test("what was sent is found, in whatever order the lanes' messages come, also twice", async () => {
  const messages = [arrived(0, 3n), arrived(1, 7n), arrived(0, 4n), arrived(3, 0n), arrived(1, 8n), arrived(0, 6n)];
  expect(await unsent(...messages, arrived(0, 3n), arrived(0, 4n))).toEqual([]);
});

test("within a run only the message that differs is named", async () => {
  expect(await unsent(arrived(1, 2n), arrived(1, 3n, "1-4"), arrived(1, 4n), arrived(0, 1n))).toEqual([103n]);
});

test("a message that was never sent is named, and not those before it", async () => {
  expect(await unsent(arrived(1, 8n), arrived(1, 9n), arrived(1, 10n), arrived(9, 0n))).toEqual([110n, 900n]);
});

test("two messages that only together have the bytes of two that were sent are not those", async () => {
  expect(await unsent(arrived(2, 5n, "2-52-"), arrived(2, 6n, "6"))).toEqual([205n, 206n]);
});

test("a message under the time of another is not looked for there", async () => {
  const late = { ...arrived(0, 5n), recordedAtMicros: SENT_AT_MICROS + 1n };
  expect(await unsent(late)).toEqual([5n]);
});
