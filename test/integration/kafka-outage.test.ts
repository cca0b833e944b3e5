import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { KafkaUnreachable, type LaneWriter, type Producer } from "../../src/kafka/port.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import { openReader } from "../../src/kafka/reader.ts";
import { openLaneWriter } from "../../src/kafka/writer.ts";
import {
  closing,
  freezeBroker,
  freshTopic,
  kafkaSettings,
  killBroker,
  type LogLine,
  numbered,
  ownsBroker,
  rememberingSink,
  startBroker,
  until,
  valuesIn,
} from "../support/kafka.ts";

const LANES = [0, 1, 2, 3];
const PER_BATCH = 50;
// How long a killed broker needs to recover what all the tests before this one left on it is not what is tested here.
const AWAY_MAX_MS = 100_000;

/** A reader, a producer that feeds it, and a lane's writer, all at work. `finish` ends the work and checks that nothing
 *  was lost, doubled or reordered. */
async function atWork(lines: LogLine[] = []): Promise<{ batches: () => number; finish: () => Promise<void> }> {
  const settings = kafkaSettings(lines);
  const input = await freshTopic(LANES.length);
  const output = await freshTopic(1);
  const producer = closing(await openProducer(settings, { deadlineMs: AWAY_MAX_MS }));
  const targets = [{ topic: output, partition: 0 }];
  const writer = closing(await openLaneWriter(settings, { id: output, targets, appendDeadlineMs: AWAY_MAX_MS }));
  const reader = await openReader(settings, [input], { partitionMaxBytes: 16_384 });
  onTestFinished(() => reader.stop());
  const sinks = LANES.map(() => rememberingSink());
  for (const lane of LANES) reader.open(lane, new Map([[input, 0n]]), sinks[lane] ?? rememberingSink());
  const work = { isOver: false, batches: 0 };
  const sending = LANES.map((lane) => repeat(work, (i) => sendTo(producer, input, lane, i)));
  const appending = repeat(work, (i) => appendTo(writer, output, i));
  return {
    batches: () => work.batches,
    finish: async () => {
      work.isOver = true;
      const sent = await Promise.all(sending);
      const appended = await appending;
      for (const lane of LANES) {
        const expected = numbers((sent[lane] ?? 0) * PER_BATCH);
        await until(`lane ${lane} to be read`, () => (sinks[lane]?.values().length ?? 0) >= expected.length);
        expect(sinks[lane]?.values()).toEqual(expected);
        expect(await valuesIn(input, lane)).toEqual(expected);
      }
      expect(await valuesIn(output, 0)).toEqual(numbers(appended * PER_BATCH));
    },
  };
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const sendTo = (producer: Producer, topic: string, lane: number, i: number): Promise<unknown> =>
  producer.send(topic, lane, numbered(i * PER_BATCH, PER_BATCH));
const appendTo = (writer: LaneWriter, topic: string, i: number): Promise<unknown> =>
  writer.append(topic, numbered(i * PER_BATCH, PER_BATCH));

/** @returns how many times it was done */
async function repeat(
  work: { isOver: boolean; batches: number },
  once: (i: number) => Promise<unknown>,
): Promise<number> {
  for (let i = 0; ; i++) {
    if (work.isOver) return i;
    await once(i);
    work.batches++;
    await sleep(5);
  }
}

test.skipIf(!ownsBroker())(
  "loses, doubles and reorders nothing when the broker is killed and started again",
  async () => {
    const lines: LogLine[] = [];
    const { batches, finish } = await atWork(lines);
    await until("some work", () => batches() > 100);
    killBroker();
    const opening = await openLaneWriter(kafkaSettings(), {
      id: "while-away",
      targets: [{ topic: "any", partition: 0 }],
      openDeadlineMs: 1_000,
    }).catch((error: unknown) => error);
    expect(opening).toBeInstanceOf(KafkaUnreachable);
    await startBroker();
    const before = batches();
    const backMs = performance.now();
    await until("work to go on", () => batches() > before + 100);
    expect(performance.now() - backMs).toBeLessThan(5_000);
    await finish();
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
    // A broker that is away is said once and then every few seconds, not with each of some hundred tries.
    expect(lines.filter(({ level }) => level === "warn").length).toBeLessThan(20);
    expect(lines.some(({ message }) => message === "fetches are answered again")).toBe(true);
  },
);

test.skipIf(!ownsBroker())(
  "gives up a connection that is silent for 5 s, and repeats what may have arrived",
  async () => {
    const { batches, finish } = await atWork();
    await until("some work", () => batches() > 100);
    const goOn = freezeBroker();
    try {
      await sleep(7_000);
    } finally {
      goOn();
    }
    const before = batches();
    await until("work to go on", () => batches() > before + 100);
    await finish();
  },
);
