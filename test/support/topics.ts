// What fault tests do to topics, as an operator's tools do it.
import { type Admin, Kafka, logLevel } from "kafkajs";
import { expect, onTestFinished } from "vitest";
import { EXIT } from "../../src/cli/exit.ts";
import { type Instance, openHalts, runVerb, type World } from "./processes.ts";
import { waitFor } from "./wait.ts";
import { publishLines } from "./workload.ts";

export async function openTopicsAdmin(world: World): Promise<Admin> {
  const admin = strangersKafka(world).admin();
  await admin.connect();
  onTestFinished(() => admin.disconnect());
  return admin;
}

/** KafkaJS's own client, as a stranger's program would use it. */
export function strangersKafka(world: World): Kafka {
  return new Kafka({ clientId: "operator", brokers: [...world.kafkaBrokers], logLevel: logLevel.NOTHING });
}

/** Deletes a topic and makes it anew, as it was set up. */
export async function remakeTopic(world: World, admin: Admin, topic: string): Promise<void> {
  await admin.deleteTopics({ topics: [topic] });
  await waitFor(`${topic} to be gone`, async () => !(await admin.listTopics()).includes(topic));
  await runVerb(world, ["migrate"]);
}

/** The end of a partition. */
export async function endOf(admin: Admin, topic: string, partition: number): Promise<string> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return offsets.find((one) => one.partition === partition)?.high ?? "";
}

/** Waits for exactly these halts, each as `lane: cause`, with the instance alive. */
export async function untilHalted(world: World, halts: readonly string[], instance: Instance): Promise<void> {
  let seen: string[] = [];
  await waitFor(
    () => `halts ${halts.join(", ")}; there are ${seen.join(", ")}; ${JSON.stringify(instance.log.slice(-5))}`,
    async () => {
      seen = await openHalts(world);
      return seen.length >= halts.length;
    },
  );
  expect(seen).toEqual(halts);
  expect(instance.exitCode()).toBe(null);
}

/** Every lane with the same cause. */
export function everyLane(world: World, cause: string): string[] {
  return Array.from({ length: world.lanes }, (_, lane) => `${lane}: ${cause}`);
}

/** Publishes and waits until every lane has taken all there is, none halted. */
export async function goesOn(world: World, lines: readonly string[]): Promise<void> {
  await publishLines(world, lines);
  const admin = await openTopicsAdmin(world);
  let seen = "";
  await waitFor(
    () => `every lane to take all there is; ${seen}`,
    async () => {
      const ends = await admin.fetchTopicOffsets(world.topics.intents);
      const heads = await world.query("select lane, intents_next::text as next from lane order by lane");
      seen = `ends ${JSON.stringify(ends)}, heads ${JSON.stringify(heads)}, halts ${await openHalts(world)}`;
      return heads.every(({ lane, next }) => ends.find(({ partition }) => partition === lane)?.high === next);
    },
  );
  expect(await openHalts(world)).toEqual([]);
}

/** Goes the way out that `lane show` names: the very command that it prints.
 *  @param offset where it leaves the choice to the operator */
export async function takeWayOut(world: World, lane: number, offset = "0"): Promise<void> {
  const { stdout } = await runVerb(world, ["lane", "show", String(lane)], [EXIT.ok, EXIT.halted]);
  const command = /go on with: millrace (.+)$/m.exec(stdout)?.[1];
  if (command === undefined) throw new Error(`lane show names no way out:\n${stdout}`);
  const words = command.replace('"…"', "mended").replace("OFFSET", offset).split(" ");
  await runVerb(world, words);
}
