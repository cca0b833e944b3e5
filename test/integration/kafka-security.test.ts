// Getting into a real broker that asks for a login, a certificate, or both; and what is said when it does not let us in.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAdmin } from "../../src/kafka/admin.ts";
import { type KafkaAccess, type KafkaSettings, KafkaUnreachable } from "../../src/kafka/port.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import { openLaneWriter } from "../../src/kafka/writer.ts";
import { openWorld, runVerb, startInstance } from "../support/processes.ts";
import { PASSWORD, type SecureBroker, startSecureBroker, USER } from "../support/secure-broker.ts";
import { testStack } from "../support/stack.ts";

let broker: SecureBroker;
beforeAll(async () => {
  broker = await startSecureBroker();
});
afterAll(() => broker?.stop());

function settings(address: string, access: KafkaAccess): KafkaSettings {
  return { brokers: [address], clientId: "security", access, log: () => undefined };
}

/** Of a broker that says nothing of what it takes us for: that is told at the deadline, not at once. */
const silent = (kafka: KafkaSettings): KafkaSettings => ({ ...kafka, connectDeadlineMs: 2_000 });

const pem = (path: string): string => readFileSync(path, "utf8");
const trusted = () => ({ ca: pem(broker.caFile), cert: null, key: null });
const login = (mechanism: "plain" | "scram-sha-256" | "scram-sha-512", password = PASSWORD) => ({
  mechanism,
  user: USER,
  password,
});

/** Everything that lanes and tools do: topics, a fenced writer, a producer, and reading back through the fetch connection. */
async function useIt(kafka: KafkaSettings, topic: string): Promise<string | null> {
  const admin = await openAdmin(kafka);
  await admin.createTopics([{ topic, partitions: 1, settings: {} }]);
  const producer = await openProducer(kafka);
  await producer.send(topic, 0, [{ key: null, value: Buffer.from("from a tool") }]);
  await producer.close();
  const writer = await openLaneWriter(kafka, { id: topic, targets: [{ topic, partition: 0 }] });
  await writer.append(topic, [{ key: null, value: Buffer.from("from a lane") }]);
  await writer.close();
  const tail = await admin.tail(topic, 0);
  await admin.close();
  return tail.record?.value?.toString() ?? null;
}

async function turnedAway(kafka: KafkaSettings): Promise<KafkaUnreachable> {
  const startedAtMs = performance.now();
  const error = await openAdmin(kafka).then(
    () => new Error("it was let in"),
    (refused: unknown) => refused as Error,
  );
  expect(error).toBeInstanceOf(KafkaUnreachable);
  // A wrong password does not become right: trying on would only lock the account.
  expect(performance.now() - startedAtMs).toBeLessThan(5_000);
  return error as KafkaUnreachable;
}

describe("a broker that asks who we are", () => {
  test.each(["plain", "scram-sha-256", "scram-sha-512"] as const)("lets us in by %s, encrypted", async (mechanism) => {
    const kafka = settings(broker.saslTls, { tls: trusted(), login: login(mechanism) });
    expect(await useIt(kafka, `tls-${mechanism}`)).toBe("from a lane");
  });

  test("lets us in by scram-sha-256 without encryption, where it says so", async () => {
    expect(await useIt(settings(broker.sasl, { tls: null, login: login("scram-sha-256") }), "no-tls")).toBe(
      "from a lane",
    );
  });

  test("lets us in by a certificate of our own, and asks for it", async () => {
    const own = { cert: pem(broker.clientCertFile), key: pem(broker.clientKeyFile) };
    const kafka = settings(broker.mutualTls, { tls: { ...trusted(), ...own }, login: null });
    expect(await useIt(kafka, "mutual")).toBe("from a lane");
    await expect(openAdmin(settings(broker.mutualTls, { tls: trusted(), login: null }))).rejects.toThrow(
      KafkaUnreachable,
    );
  });
});

describe("what is wrong is told at once, and never the password", () => {
  test.each(["plain", "scram-sha-512"] as const)("a wrong password by %s", async (mechanism) => {
    const error = await turnedAway(settings(broker.sasl, { tls: null, login: login(mechanism, "hunter2") }));
    expect(error.message).toMatch(/does not let us in \(SASL .*authentication failed/i);
    expect(error.remedy).toContain("kafkaPassword");
    expect(`${error.message}${error.remedy}${error.stack}`).not.toContain("hunter2");
  });

  test("a certificate that nobody vouches for", async () => {
    const none = { ca: null, cert: null, key: null };
    const error = await turnedAway(settings(broker.saslTls, { tls: none, login: login("plain") }));
    expect(error.message).toMatch(/does not let us in \(.*self[- _]signed/i);
    expect(error.remedy).toContain("kafkaTlsCaFile");
  });

  test("a login where none is asked for, and none where one is", async () => {
    const open = testStack().kafkaBrokers.split(",")[0] as string;
    const error = await turnedAway(settings(open, { tls: null, login: login("plain") }));
    expect(error.message).toMatch(/does not let us in/);
    await expect(openAdmin(silent(settings(broker.sasl, { tls: null, login: null })))).rejects.toMatchObject({
      remedy: expect.stringContaining("kafkaSasl"),
    });
  });

  test("TLS where there is none", async () => {
    const open = testStack().kafkaBrokers.split(",")[0] as string;
    const refused = openAdmin(silent(settings(open, { tls: trusted(), login: null })));
    await expect(refused).rejects.toThrow(KafkaUnreachable);
  });
});

test("the whole service works through TLS and SCRAM, with the password in a file, and logs nothing of it", async () => {
  const passwordFile = join(broker.dir, "password");
  writeFileSync(passwordFile, `${PASSWORD}\n`);
  const world = await openWorld({
    lanes: 2,
    stack: { ...testStack(), kafkaBrokers: broker.saslTls },
    environment: {
      MILLRACE_KAFKA_TLS: "true",
      MILLRACE_KAFKA_TLS_CA_FILE: broker.caFile,
      MILLRACE_KAFKA_SASL: "scram-sha-512",
      MILLRACE_KAFKA_USER: USER,
      MILLRACE_KAFKA_PASSWORD_FILE: passwordFile,
      MILLRACE_LOG_LEVEL: "debug",
    },
  });
  const instance = await startInstance(world, "secure");
  await runVerb(world, ["load", "--profile", "transfers", "--count", "200", "--holders", "10"]);
  const outcomes = await runVerb(world, ["outcomes", "--from-beginning", "--until-idle", "2", "--json"]);
  expect(outcomes.stdout.trim().split("\n")).toHaveLength(200);
  await runVerb(world, ["verify"]);
  const explained = await runVerb(world, ["config", "explain"]);
  expect(await instance.stop()).toBe(0);
  expect(`${JSON.stringify(instance.log)}${explained.stdout}`).not.toContain(PASSWORD);
});
