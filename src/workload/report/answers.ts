// The reader of answers: a process of its own, so that a busy generator does not read late and reading does not slow the
// generator. It takes the time at which a fetch has brought records before it decodes them.

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openAdmin } from "../../kafka/admin.ts";
import type { CodecSettings } from "../../kafka/codec.ts";
import { type KafkaPlace, type KafkaSettings, placeOf } from "../../kafka/port.ts";
import type { AnswerKind, Answers, LoadMeter } from "./meter.ts";

export type AnswerStart = { readonly topic: string; readonly partition: number; readonly offset: string };

/** Outcomes are known by case and key; stamps (`bench echo`) by the number in their value. */
export type AnswerOrder = {
  readonly kafka: KafkaPlace;
  readonly starts: readonly AnswerStart[];
  readonly what:
    | { readonly kind: "stamps" }
    | {
        readonly kind: "outcomes";
        readonly source: Pick<CodecSettings, "schemas" | "ids">;
        readonly registryUrl: string;
        readonly deadLetters: string;
      };
};

/** From the reader's process. */
export type AnswerMessage =
  | { readonly kind: "ready" }
  | ({ readonly kind: "answers"; readonly learned: readonly AnswerKind[] } & Answers)
  | { readonly kind: "aside"; readonly atMs: number; readonly reasons: Readonly<Record<string, number>> }
  | { readonly kind: "failed"; readonly message: string };

/** The answers cannot be read: what they would have shown is not known. */
export class AnswersLost extends Error {
  override name = "AnswersLost";
}

const MAIN = fileURLToPath(new URL("./answers-main.js", import.meta.url));
const READY_MAX_MS = 30_000;
const LOOK_MS = 50;
/** After the last dead letter: one that is not ours could end the wait too early. */
const SETTLE_MS = 500;

export class AnswerReader {
  readonly #child: ChildProcess;
  /** all that were told so far: some may be told before a meter follows */
  readonly #kinds: AnswerKind[] = [];
  #meter: LoadMeter | null = null;
  #isReady = false;
  #isStopped = false;
  #failure: AnswersLost | null = null;
  #lastMs = performance.now();

  private constructor(order: AnswerOrder) {
    this.#child = fork(MAIN, [], { stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "advanced" });
    this.#child.on("message", (message) => this.#take(message as AnswerMessage));
    this.#child.once("error", (error) => this.#fail(error.message));
    this.#child.once("close", (code) => this.#fail(`its process has ended with ${code}`));
    this.#child.send(order);
  }

  /** Reads what comes from now on; resolves when the reader waits for it.
   *  @param topics all of them are read from their end
   *  @throws AnswersLost | KafkaUnreachable */
  static async open(kafka: KafkaSettings, topics: readonly string[], what: AnswerOrder["what"]): Promise<AnswerReader> {
    const starts = await ends(kafka, topics);
    const reader = new AnswerReader({ kafka: placeOf(kafka), starts, what });
    const until = performance.now() + READY_MAX_MS;
    while (!reader.#isReady) {
      if (performance.now() > until) reader.#fail("it was not ready within 30 s");
      if (reader.#failure !== null) throw reader.#failure;
      await later(LOOK_MS);
    }
    return reader;
  }

  /** From now on answers go to `meter`. */
  follow(meter: LoadMeter): void {
    meter.learn(this.#kinds);
    this.#meter = meter;
  }

  #take(message: AnswerMessage): void {
    if (message.kind === "ready") this.#isReady = true;
    else if (message.kind === "failed") this.#fail(message.message);
    else if (message.kind === "aside") {
      this.#meter?.putAside(message.reasons, message.atMs);
      this.#lastMs = performance.now();
    } else {
      this.#kinds.push(...message.learned);
      this.#meter?.learn(message.learned);
      if ((this.#meter?.answered(message) ?? 0) > 0) this.#lastMs = performance.now();
    }
  }

  #fail(why: string): void {
    if (this.#isStopped) return;
    this.#failure ??= new AnswersLost(`the reader of answers: ${why}`);
  }

  /** @throws AnswersLost when the reader has ended */
  assertReads(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Waits until everything that was sent is answered or put aside, or until nothing has come for `idleMs`.
   *  @param check is called again and again and may throw to end the wait
   *  @throws AnswersLost */
  async settle(idleMs: number, stop: AbortSignal | null, check: () => void = () => {}): Promise<void> {
    const meter = this.#meter;
    this.#lastMs = performance.now();
    while (meter !== null && stop?.aborted !== true) {
      this.assertReads();
      check();
      const silentMs = performance.now() - this.#lastMs;
      if (meter.open === 0 && (meter.waiting === 0 || silentMs > SETTLE_MS)) return;
      if (silentMs > idleMs) return;
      await later(LOOK_MS);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#child.kill("SIGKILL");
  }
}

async function ends(kafka: KafkaSettings, topics: readonly string[]): Promise<AnswerStart[]> {
  const admin = await openAdmin(kafka);
  try {
    const starts: AnswerStart[] = [];
    for (const [topic, count] of await admin.partitionCounts(topics)) {
      for (let partition = 0; partition < count; partition++) {
        starts.push({ topic, partition, offset: (await admin.bounds(topic, partition)).end.toString() });
      }
    }
    return starts;
  } finally {
    await admin.close();
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
