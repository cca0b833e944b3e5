import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KAFKA_VERSION, kafkaJars } from "../../src/stack/jars.ts";
import { withLock } from "../../src/stack/lock.ts";
import { claimFolder, makeWhole } from "../../src/stack/places.ts";
import { choosePort, freePort, isFree } from "../../src/stack/ports.ts";
import { endProcess, isAlive, markOf } from "../../src/stack/processes.ts";
import { assertRoom } from "../../src/stack/room.ts";
import { StackUnavailable } from "../../src/stack/unavailable.ts";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "millrace-parts-"));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const DEAD = { pid: 999_999_999, startedAt: "never" };

describe("withLock", () => {
  test("lets one holder in at a time, in one process and under contention", async () => {
    const path = join(dir, "lock");
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 5 }, () => withLock(path, 10_000, work)));
    expect(most).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  test("takes over from a holder that died, also when several wait for it", async () => {
    const path = join(dir, "lock");
    writeFileSync(path, JSON.stringify(DEAD));
    let most = 0;
    let inside = 0;
    const work = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 4 }, () => withLock(path, 10_000, work)));
    expect(most).toBe(1);
  });

  test("names the living holder that it waited for in vain", async () => {
    const path = join(dir, "lock");
    writeFileSync(path, JSON.stringify(markOf(process.pid)));
    await expect(withLock(path, 100, async () => undefined)).rejects.toThrow(`process ${process.pid} holds ${path}`);
  });
});

describe("processes", () => {
  test("a pid with another start time is another process, and is not ended", async () => {
    const child = spawn("sleep", ["60"]);
    const mark = markOf(child.pid ?? 0);
    if (mark === null) throw new Error("the child has no mark");
    expect(isAlive(mark)).toBe(true);
    await endProcess({ ...mark, startedAt: "earlier" }, "SIGKILL", 0);
    expect(isAlive(mark)).toBe(true);
    await endProcess(mark, "SIGTERM", 5_000);
    expect(isAlive(mark)).toBe(false);
  });

  test("one that does not hear, and one that is stopped, are ended all the same", async () => {
    const deaf = spawn("sh", ["-c", "trap '' TERM; while :; do sleep 0.1; done"]);
    const stopped = spawn("sleep", ["60"]);
    stopped.kill("SIGSTOP");
    for (const child of [deaf, stopped]) {
      const mark = markOf(child.pid ?? 0);
      if (mark === null) throw new Error("the child has no mark");
      await endProcess(mark, "SIGTERM", 300);
      expect(isAlive(mark)).toBe(false);
    }
  });
});

describe("ports", () => {
  test("a named port that is taken is refused with the option that names another", async () => {
    const port = await freePort();
    const server = createServer().listen(port, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      await expect(choosePort(null, port, "--pg-port")).rejects.toThrow(`port ${port} is taken by another process`);
      await expect(choosePort(null, port, "--pg-port")).rejects.toThrow("--pg-port");
      expect(await choosePort(port, null, null)).not.toBe(port);
    } finally {
      server.close();
    }
  });

  test("the last port is taken again while it is free", async () => {
    const port = await freePort();
    expect(await isFree(port)).toBe(true);
    expect(await choosePort(port, null, null)).toBe(port);
  });
});

describe("folders", () => {
  test("made by several at once, a folder is there once and whole", async () => {
    const made = join(dir, "made");
    const fill = (text: string) => async (beside: string) => writeFileSync(join(beside, "file"), text);
    await Promise.all(["a", "b", "c"].map((text) => makeWhole(made, fill(text))));
    expect(["a", "b", "c"]).toContain(readFileSync(join(made, "file"), "utf8"));
  });

  test("given up half way, it is not there at all", async () => {
    const made = join(dir, "made");
    const fail = async (): Promise<void> => {
      throw new Error("no network");
    };
    await expect(makeWhole(made, fail)).rejects.toThrow("no network");
    expect(existsSync(made)).toBe(false);
  });

  test("somebody else's files under a name of ours are left alone", () => {
    const theirs = join(dir, "postgres");
    mkdirSync(join(theirs, "data"), { recursive: true });
    expect(() => claimFolder(theirs)).toThrow("exists and is not of a stack");
    expect(existsSync(join(theirs, "data"))).toBe(true);
    claimFolder(join(dir, "kafka"));
    expect(() => claimFolder(join(dir, "kafka"))).not.toThrow();
  });
});

describe("kafkaJars", () => {
  // A Maven that notes its calls, and copies the broker's jar as slowly as a network would.
  const mavenThat = (ends: string): void => {
    const out = 'for word in "$@"; do case $word in -DoutputDirectory=*) out=${word#-DoutputDirectory=} ;; esac; done';
    const script = `#!/bin/sh\n[ "$1" = --version ] && exit 0\necho call >> ${dir}/calls\n${out}\n${ends}\n`;
    writeFileSync(join(dir, "mvn"), script, { mode: 0o755 });
    vi.stubEnv("PATH", `${dir}:${process.env["PATH"]}`);
    vi.stubEnv("XDG_CACHE_HOME", join(dir, "cache"));
  };

  afterEach(() => vi.unstubAllEnvs());

  test("several first uses at once download once", async () => {
    mavenThat(`sleep 0.3; touch "$out/kafka_2.13-${KAFKA_VERSION}.jar"`);
    const places = await Promise.all([1, 2, 3].map((stack) => kafkaJars(join(dir, `stack-${stack}`), () => undefined)));
    expect(new Set(places).size).toBe(1);
    expect(readFileSync(join(dir, "calls"), "utf8")).toBe("call\n");
    expect(readdirSync(join(dir, "cache", "millrace"))).toEqual([`kafka-${KAFKA_VERSION}`]);
  });

  test("a download that fails half way leaves nothing behind, and says Maven's reason", async () => {
    mavenThat(`touch "$out/kafka_2.13-${KAFKA_VERSION}.jar"; echo "[ERROR] no route to host"; exit 1`);
    const attempt = kafkaJars(dir, () => undefined);
    await expect(attempt).rejects.toThrow("Maven could not fetch the Kafka jars ([ERROR] no route to host)");
    expect(readdirSync(join(dir, "cache", "millrace"))).toEqual([]);
  });
});

describe("assertRoom", () => {
  const GIB = 1024 ** 3;
  const all = ["kafka", "postgres", "registry"] as const;

  test("says in one sentence that memory or disk is short, and what to do", () => {
    const noMemory = () => assertRoom(dir, { memory: GIB / 4, disk: 100 * GIB }, all);
    expect(noMemory).toThrow(StackUnavailable);
    expect(noMemory).toThrow(
      /too little memory: 256 MB is free, and the stack needs \d+ MB to start: end other programs/,
    );
    expect(() => assertRoom(dir, { memory: 8 * GIB, disk: GIB / 4 }, all)).toThrow(
      /too little disk: 256 MB is free in/,
    );
  });

  test("is content with what is enough, with what the system does not tell, and when nothing is to start", () => {
    expect(() => assertRoom(dir, { memory: 4 * GIB, disk: 10 * GIB }, all)).not.toThrow();
    expect(() => assertRoom(dir, { memory: null, disk: null }, all)).not.toThrow();
    expect(() => assertRoom(dir, { memory: 0, disk: 0 }, [])).not.toThrow();
  });
});
