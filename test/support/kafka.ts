// What tests of Kafka share: topics of their own, a sink that remembers, and the broker's death.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { onTestFinished } from "vitest";
import { openAdmin } from "../../src/kafka/admin.ts";
import { connectClient } from "../../src/kafka/client.ts";
import { openPartitionReader } from "../../src/kafka/partitions.ts";
import type { KafkaSettings, LaneSink, OutgoingRecord, Run, TopicAdmin } from "../../src/kafka/port.ts";
import { BROKER } from "../../src/stack/broker.ts";
import { stackUp } from "../../src/stack/stack.ts";
import { testStack } from "./stack.ts";

export type LogLine = { readonly level: string; readonly fields: Record<string, unknown>; readonly message: string };

/** Settings for the shared broker. Lines that the code under test logs go to `lines`. */
export function kafkaSettings(lines: LogLine[] = []): KafkaSettings {
  return {
    brokers: testStack().kafkaBrokers.split(","),
    clientId: "test",
    log: (level, fields, message) => lines.push({ level, fields, message }),
  };
}

/** Closes it when the test is over, however it ends. */
export function closing<Closable extends { close(): Promise<void> }>(opened: Closable): Closable {
  onTestFinished(() => opened.close());
  return opened;
}

export async function testAdmin(): Promise<TopicAdmin> {
  return closing(await openAdmin(kafkaSettings()));
}

/** A new topic with append time. */
export async function freshTopic(partitions: number, settings: Record<string, string> = {}): Promise<string> {
  const topic = `test-${randomBytes(6).toString("hex")}`;
  const admin = await openAdmin(kafkaSettings());
  await admin.createTopics([
    { topic, partitions, settings: { "message.timestamp.type": "LogAppendTime", ...settings } },
  ]);
  await admin.close();
  return topic;
}

/** Records `from`, `from + 1`, … with the number as value. */
export function numbered(from: number, count: number): OutgoingRecord[] {
  return Array.from({ length: count }, (_, i) => ({ key: Buffer.from("k"), value: Buffer.from(String(from + i)) }));
}

export type RememberingSink = LaneSink & {
  readonly runs: Run[];
  readonly caughtUps: { topic: string; nextOffset: bigint; startedAtMs: number }[];
  readonly outOfRanges: { topic: string; wantedOffset: bigint }[];
  readonly unreadables: { topic: string; offset: bigint; reason: string }[];
  isFull: boolean;
  values(topic?: string): string[];
};

export function rememberingSink(): RememberingSink {
  return {
    runs: [],
    caughtUps: [],
    outOfRanges: [],
    unreadables: [],
    isFull: false,
    hasRoom(): boolean {
      return !this.isFull;
    },
    received(run): void {
      this.runs.push(run);
    },
    caughtUp(topic, nextOffset, startedAtMs): void {
      this.caughtUps.push({ topic, nextOffset, startedAtMs });
    },
    outOfRange(topic, wantedOffset): void {
      this.outOfRanges.push({ topic, wantedOffset });
    },
    unreadable(topic, offset, reason): void {
      this.unreadables.push({ topic, offset, reason });
    },
    values(topic): string[] {
      const runs = this.runs.filter((run) => topic === undefined || run.topic === topic);
      return runs.flatMap((run) => run.records.map(({ value }) => String(value)));
    },
  };
}

/** Waits until `check` is true.
 *  @throws Error naming `what` after `timeoutMs` */
export async function until(what: string, check: () => boolean, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!check()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for: ${what}`);
    await sleep(5);
  }
}

/** True when the broker is a process that tests may kill. */
export function ownsBroker(): boolean {
  return testStack().mode === "native";
}

function brokerPid(): number {
  const [mark] = BROKER.strays(testStack().dir);
  if (mark === undefined) throw new Error("the broker's process cannot be found");
  return mark.pid;
}

export function killBroker(): void {
  process.kill(brokerPid(), "SIGKILL");
}

/** Stops the broker's process in its tracks; the answer lets it go on. */
export function freezeBroker(): () => void {
  const pid = brokerPid();
  process.kill(pid, "SIGSTOP");
  return () => process.kill(pid, "SIGCONT");
}

export async function startBroker(): Promise<void> {
  await stackUp({ dir: testStack().dir, say: () => {} });
}

/** Deletes what lies before `offset`, as retention would. */
export async function deleteBefore(topic: string, partition: number, offset: bigint): Promise<void> {
  const client = await connectClient(kafkaSettings(), { topics: [topic] });
  const topics = [{ topic, partitions: [{ partition, offset: offset.toString() }] }];
  await client.call(client.leaderOrThrow(topic, partition), (broker) => broker.deleteRecords({ topics }));
  await client.close();
}

/** All visible values of a partition, by a reader of its own. */
export async function valuesIn(topic: string, partition: number): Promise<string[]> {
  const admin = await openAdmin(kafkaSettings());
  const { low, end } = await admin.bounds(topic, partition);
  await admin.close();
  const reader = await openPartitionReader(kafkaSettings(), [{ topic, partition, offset: low }]);
  const values: string[] = [];
  for (let at = low; at < end; ) {
    for (const { records, nextOffset } of await reader.next(1_000)) {
      values.push(...records.map(({ value }) => String(value)));
      at = nextOffset;
    }
  }
  await reader.close();
  return values;
}

/** KafkaJS's own client, as a stranger's program would use it. */
export function strangersKafka(): Kafka {
  return new Kafka({ clientId: "stranger", brokers: testStack().kafkaBrokers.split(","), logLevel: logLevel.NOTHING });
}
