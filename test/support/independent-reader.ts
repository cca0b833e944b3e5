// A stranger's proof over the topics: it knows what docs and schemas say (a sequence per lane, an outcomeId that names the
// input) and shares no code with what it judges. KafkaJS's consumer reads, uncommitted too, because what is appended is
// seen by everybody; Avro is read with the schema that the registry has under the id of each message.
import { randomBytes } from "node:crypto";
import avro from "avsc";
import { Kafka, logLevel } from "kafkajs";
import { onTestFinished } from "vitest";
import { standing, type World } from "./processes.ts";
import { waitFor } from "./wait.ts";

export type ReadOutcome = {
  readonly lane: number;
  readonly sequence: number;
  readonly block: number;
  readonly outcomeId: string;
  readonly type: string;
  readonly caseId: string | null;
  readonly sourceId: string | null;
  readonly holderId: string;
  readonly intentType: string | null;
  readonly reason: { readonly code: string } | null;
  readonly repeatOf: { readonly lane: number; readonly sequence: number } | null;
};

type Seen = { readonly partition: number; readonly offset: number; readonly value: Buffer };

export type IndependentReader = {
  /** Waits until every input that is in the topic now has an answer or a dead letter and every transfer that was sent to
   *  another holder its end, and a moment longer for what should not come. */
  settled(deadlineMs?: number): Promise<void>;
  /** What is wrong with all that was read, a sentence each. */
  faults(): Promise<string[]>;
  /** in the order of each lane */
  outcomes(): Promise<ReadOutcome[]>;
  /** intents that were read, repeats too */
  readonly inputs: () => number;
};

const AFTER_MS = 300;
/** what the id of an outcome that answers an input looks like: its partition and offset */
const INPUT_ID = /^i-(\d+)-(\d+)$/;

export async function openIndependentReader(world: World): Promise<IndependentReader> {
  const { intents, outcomes, deadLetters } = world.topics;
  const kafka = new Kafka({
    clientId: "independent-reader",
    brokers: [...world.kafkaBrokers],
    logLevel: logLevel.NOTHING,
    retry: { retries: 1_000, initialRetryTime: 50, maxRetryTime: 400 },
  });
  // By place: after a rebalance (a broker that restarts) KafkaJS reads from the beginning again; an offset is one record.
  const seen = new Map<string, Map<string, Seen>>([intents, outcomes, deadLetters].map((topic) => [topic, new Map()]));
  const consumer = kafka.consumer({
    groupId: `independent-${randomBytes(6).toString("hex")}`,
    readUncommitted: true,
    maxWaitTimeInMs: 100,
  });
  const admin = kafka.admin();
  onTestFinished(() => Promise.all([consumer.disconnect(), admin.disconnect()]).then(() => undefined));
  await Promise.all([consumer.connect(), admin.connect()]);
  await consumer.subscribe({ topics: [...seen.keys()], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: true,
    eachBatch: async ({ batch }) => {
      for (const { offset, value } of batch.messages) {
        const one = { partition: batch.partition, offset: Number(offset), value: value as Buffer };
        seen.get(batch.topic)?.set(placeOf(one), one);
      }
    },
  });
  const decode = decoder(world);
  const of = (topic: string): ReadonlyMap<string, Seen> => seen.get(topic) as Map<string, Seen>;
  const each = (topic: string): Seen[] => [...of(topic).values()];
  const readOutcomes = async (): Promise<ReadOutcome[]> =>
    await Promise.all(inOrder(each(outcomes)).map(async ({ value }) => (await decode(value)) as ReadOutcome));
  return {
    inputs: () => of(intents).size,
    outcomes: readOutcomes,
    settled: async (deadlineMs = 60_000) => {
      const ends = (await admin.fetchTopicOffsets(intents)).reduce((sum, { high }) => sum + Number(high), 0);
      const counts = (): number[] => [intents, outcomes, deadLetters].map((topic) => of(topic).size);
      const told = (): string =>
        `${ends} inputs read and answered; read, outcomes, dead letters: ${counts().join(", ")}`;
      await waitFor(
        told,
        async () => {
          const [read = 0, answered = 0, dead = 0] = counts();
          if (read < ends || answered + dead < ends) return false;
          // Timers are answered too: which outcomes answer an input is looked up once there are enough of them.
          const outcomes = await readOutcomes();
          if (outcomes.filter(({ outcomeId }) => INPUT_ID.test(outcomeId)).length + dead < ends) return false;
          const { submitted, ended } = transfersOf(outcomes);
          return [...submitted].every((caseId) => ended.has(caseId));
        },
        deadlineMs,
      ).catch(async (error: Error) => {
        throw new Error(`${error.message}\n${await standing(world)}`, { cause: error });
      });
      await new Promise((resolve) => setTimeout(resolve, AFTER_MS));
    },
    faults: async () => {
      const answers = inOrder(each(outcomes));
      const dead = inOrder(each(deadLetters));
      const read = (some: readonly Seen[]) =>
        Promise.all(some.map(async (one) => ({ ...one, message: await decode(one.value) })));
      return judge(inOrder(each(intents)), await read(answers), (await read(dead)) as unknown as ReadDeadLetter[]);
    },
  };
}

function placeOf({ partition, offset }: Seen): string {
  return `${partition} ${offset}`;
}

function inOrder(records: readonly Seen[]): Seen[] {
  return [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

// Judgement ---------------------------------------------------------------------------------------------------------------

type ReadRecord = Seen & { readonly message: Record<string, unknown> };
type ReadDeadLetter = Seen & { readonly message: { readonly partition: number; readonly offset: number } };

/** Per lane: sequences without repeat or gap, blocks that do not go back, and one answer or dead letter an input. */
function judge(inputs: readonly Seen[], answers: readonly ReadRecord[], dead: readonly ReadDeadLetter[]): string[] {
  const faults: string[] = [];
  const next = new Map<number, number>();
  const blocks = new Map<number, number>();
  const answered = new Map<string, number>();
  const count = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const { partition, offset, message } of answers) {
    const outcome = message as unknown as ReadOutcome;
    const place = `outcome at ${partition}/${offset}`;
    const wanted = next.get(partition) ?? 0;
    if (outcome.lane !== partition) faults.push(`${place} is of lane ${outcome.lane}`);
    if (outcome.sequence !== wanted) faults.push(`${place} has sequence ${outcome.sequence} where ${wanted} belongs`);
    if (outcome.block < (blocks.get(partition) ?? 0)) faults.push(`${place} goes back to block ${outcome.block}`);
    next.set(partition, outcome.sequence + 1);
    blocks.set(partition, outcome.block);
    const input = INPUT_ID.exec(outcome.outcomeId);
    if (input !== null) count(answered, `${input[1]} ${input[2]}`);
  }
  for (const { message } of dead) count(answered, `${message.partition} ${message.offset}`);
  for (const input of inputs) {
    const times = answered.get(placeOf(input)) ?? 0;
    if (times !== 1) faults.push(`the input at ${input.partition}/${input.offset} was answered ${times} times`);
    answered.delete(placeOf(input));
  }
  for (const place of answered.keys()) faults.push(`an answer names the input ${place}, which does not exist`);
  const { submitted, ended } = transfersOf(answers.map(({ message }) => message as unknown as ReadOutcome));
  for (const [caseId, times] of ended) if (times > 1) faults.push(`${caseId} was completed or failed ${times} times`);
  for (const caseId of submitted) if (!ended.has(caseId)) faults.push(`${caseId} was submitted and has no end`);
  return faults;
}

/** Cases that were sent to another holder, and how often each came to an end. */
function transfersOf(outcomes: readonly ReadOutcome[]): { submitted: Set<string>; ended: Map<string, number> } {
  const submitted = new Set<string>();
  const ended = new Map<string, number>();
  for (const { type, caseId } of outcomes) {
    if (type === "transfer.submitted") submitted.add(String(caseId));
    if (type === "transfer.completed" || type === "transfer.failed")
      ended.set(String(caseId), (ended.get(String(caseId)) ?? 0) + 1);
  }
  return { submitted, ended };
}

// Avro --------------------------------------------------------------------------------------------------------------------

const MAGIC_BYTES = 5;

function decoder(world: World): (value: Buffer) => Promise<Record<string, unknown>> {
  const types = new Map<number, Promise<avro.Type>>();
  const fetchType = async (id: number): Promise<avro.Type> => {
    const answer = await fetch(`${world.schemaRegistryUrl}/schemas/ids/${id}`);
    const { schema } = (await answer.json()) as { schema: string };
    return avro.Type.forSchema(JSON.parse(schema) as avro.Schema, { wrapUnions: false });
  };
  const decode = async (value: Buffer): Promise<Record<string, unknown>> => {
    const id = value.readUInt32BE(1);
    const type = types.get(id) ?? fetchType(id);
    types.set(id, type);
    return (await type).fromBuffer(value.subarray(MAGIC_BYTES)) as Record<string, unknown>;
  };
  // Whoever waits for the last answer looks through all of them again and again.
  const decoded = new WeakMap<Buffer, Promise<Record<string, unknown>>>();
  return (value) => {
    const message = decoded.get(value) ?? decode(value);
    decoded.set(value, message);
    return message;
  };
}
