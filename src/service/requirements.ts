// What has to be there before the first block: a database with lanes, and topics that fit them.

import { type Config, topicNames } from "../config/config.ts";
import type { TopicAdmin } from "../kafka/port.ts";
import type { Connection } from "../store/database.ts";
import { countLanes } from "../store/setup.ts";

/** The database or the topics are not those that `migrate` makes. */
export class NotSetUp extends Error {
  override name = "NotSetUp";
}

/** A topic has another number of partitions than there are lanes. */
export class LanesDisagree extends Error {
  override name = "LanesDisagree";
}

/** @throws NotSetUp */
export async function findLanes(session: Connection): Promise<number> {
  const lanes = await countLanes(session).catch((error: Error) => {
    throw new NotSetUp(`the database is not set up (${error.message}); run \`millrace migrate\``);
  });
  if (lanes === 0) throw new NotSetUp("the database has no lanes; run `millrace migrate`");
  return lanes;
}

/** @throws NotSetUp | LanesDisagree */
export async function assertTopics(admin: TopicAdmin, config: Config, lanes: number): Promise<void> {
  const names = topicNames(config);
  const counts = await admin.partitionCounts(Object.values(names));
  for (const topic of Object.values(names)) {
    const partitions = counts.get(topic);
    if (partitions === undefined) throw new NotSetUp(`topic ${topic} does not exist; run \`millrace migrate\``);
    if (partitions !== lanes) {
      throw new LanesDisagree(
        `topic ${topic} has ${partitions} partitions and there are ${lanes} lanes; changing the number of lanes is an operation of its own, not a setting`,
      );
    }
  }
  for (const topic of [names.intents, names.reports]) {
    const type = (await admin.topicSettings(topic)).get("message.timestamp.type");
    if (type === "LogAppendTime") continue;
    throw new NotSetUp(
      `topic ${topic} has message.timestamp.type=${type}; set it to LogAppendTime: the append time is the lane's clock`,
    );
  }
}
