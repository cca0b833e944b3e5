// The Kafka broker's jars, by Maven, once per user and version.
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { makeFolder } from "../folders.ts";
import { withLock } from "./lock.ts";
import { cacheDir, makeWhole } from "./places.ts";
import { runToEnd } from "./processes.ts";
import { findMaven } from "./toolchain.ts";
import { StackUnavailable } from "./unavailable.ts";

export const KAFKA_VERSION = "4.1.1";
const DOWNLOAD_WAIT_MS = 600_000;
const COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

// The broker brings slf4j's interface without a backend, and runs mute without one; 1.7 is the one it is built for.
const POM = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId>
  <artifactId>local-broker</artifactId>
  <version>${KAFKA_VERSION}</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;

const jarsDir = (): string => join(cacheDir(), `kafka-${KAFKA_VERSION}`);

/** True when `up` needs no Maven any more. */
export function jarsAreCached(): boolean {
  return existsSync(join(jarsDir(), `kafka_2.13-${KAFKA_VERSION}.jar`));
}

/** @param pomDir the folder of this stack that gets the pom.xml
 *  @returns the folder with the jars; the first call of a user downloads about 43 MB
 *  @throws  StackUnavailable without Maven, or when it cannot download */
export async function kafkaJars(pomDir: string, say: (line: string) => void): Promise<string> {
  const dir = jarsDir();
  if (jarsAreCached()) return dir;
  const maven = findMaven();
  // Maven's own repository is not safe for two writers, so the first uses of several processes go one after another.
  await withLock(`${dir}.lock`, DOWNLOAD_WAIT_MS, () => {
    removeUnfinished(dir);
    return makeWhole(dir, async (beside) => {
      say(`fetching Apache Kafka ${KAFKA_VERSION} by Maven into ${dir} (43 MB, once)`);
      makeFolder(pomDir);
      writeFileSync(join(pomDir, "pom.xml"), POM);
      await copyJars(maven, pomDir, beside);
    });
  });
  return dir;
}

/** Downloads whose process was killed. Whoever holds the lock is the only one that downloads. */
function removeUnfinished(dir: string): void {
  const unfinished = readdirSync(dirname(dir), { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && entry.name.startsWith(`${basename(dir)}.`),
  );
  for (const entry of unfinished) rmSync(join(dirname(dir), entry.name), { recursive: true, force: true });
}

async function copyJars(maven: string, pomDir: string, into: string): Promise<void> {
  const quiet = ["-q", "-B", "--strict-checksums", "-f", join(pomDir, "pom.xml")];
  const copy = [COPY_JARS, "-DincludeScope=runtime", `-DoutputDirectory=${into}`];
  const { status, output } = await runToEnd(maven, [...quiet, ...copy], {});
  if (status === 0 && existsSync(join(into, `kafka_2.13-${KAFKA_VERSION}.jar`))) return;
  const why = output.split("\n").find((line) => line.includes("ERROR")) ?? "it gave no reason";
  throw new StackUnavailable(
    `Maven could not fetch the Kafka jars (${why.trim()})`,
    `make a Maven repository reachable and try again; \`mvn -f ${join(pomDir, "pom.xml")} ${COPY_JARS}\` shows more`,
  );
}
