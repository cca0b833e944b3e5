// Java and Maven, as this machine has them.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { StackUnavailable } from "./unavailable.ts";

const JAVA_MAJOR_MIN = 17;
const INSTALL_JAVA =
  "install a JDK 17 or newer (Debian: apt install openjdk-17-jdk-headless; macOS: brew install openjdk)";
const INSTALL_MAVEN = "install Maven (Debian: apt install maven; macOS: brew install maven)";

/** @returns the command of a Java of at least 17
 *  @throws StackUnavailable when there is none, or only an older one */
export function findJava(): string {
  const home = process.env["JAVA_HOME"];
  const candidates = home === undefined || home === "" ? ["java"] : [join(home, "bin", "java"), "java"];
  let tooOld: number | null = null;
  for (const command of candidates) {
    const major = javaMajor(command);
    if (major !== null && major >= JAVA_MAJOR_MIN) return command;
    tooOld ??= major;
  }
  if (tooOld !== null) throw new StackUnavailable(`Java ${tooOld} is too old for the Kafka broker`, INSTALL_JAVA);
  throw new StackUnavailable("Java was not found on PATH or in JAVA_HOME", INSTALL_JAVA);
}

/** "17.0.15" is 17, "1.8.0_392" is 8, "21" is 21. */
function javaMajor(command: string): number | null {
  const done = spawnSync(command, ["-version"], { encoding: "utf8" });
  const version = /version "(\d+)(?:\.(\d+))?/.exec(`${done.stderr ?? ""}${done.stdout ?? ""}`);
  if (done.status !== 0 || version === null) return null;
  return version[1] === "1" ? Number(version[2]) : Number(version[1]);
}

/** @throws StackUnavailable when Maven is not on PATH */
export function findMaven(): string {
  const done = spawnSync("mvn", ["--version"], { encoding: "utf8" });
  if (done.error === undefined && done.status === 0) return "mvn";
  throw new StackUnavailable(
    "Maven (`mvn`) was not found on PATH, and the Kafka jars are not in the cache yet",
    INSTALL_MAVEN,
  );
}
