// The reader of a benchmark: a process of its own, so that reading is not measured as part of what is read.

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openAdmin } from "../../kafka/admin.ts";
import { type KafkaPlace, placeOf } from "../../kafka/port.ts";
import { assertWanted, BenchFailed, type BenchSite } from "./bench.ts";

export type ReaderOrder = {
  readonly kafka: KafkaPlace;
  readonly topic: string;
  /** by partition, as digits */
  readonly offsets: readonly string[];
  /** records to read in all */
  readonly count: number;
};

export type ReaderResult = {
  readonly count: number;
  /** milliseconds since the epoch */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** how many came in each second since the epoch, in order; seconds without any are left out */
  readonly bySecond: readonly (readonly [second: number, count: number])[];
};

export type ReaderMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly count: number }
  | { readonly kind: "done"; readonly result: ReaderResult };

const MAIN = fileURLToPath(new URL("./reader-main.js", import.meta.url));
const SILENT_MAX_MS = 60_000;
const LOOK_MS = 500;

export class ReaderProcess {
  readonly #child: ChildProcess;
  readonly #order: ReaderOrder;
  readonly #site: BenchSite;
  #ready = false;
  #count = 0;
  #result: ReaderResult | null = null;
  #ended = false;
  #lastMs = performance.now();
  #wake: () => void = () => {};

  private constructor(site: BenchSite, order: ReaderOrder) {
    this.#site = site;
    this.#order = order;
    this.#child = fork(MAIN, [], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#child.on("message", (message) => this.#read(message as ReaderMessage));
    this.#child.once("close", () => {
      this.#ended = true;
      this.#wake();
    });
    this.#child.send(order);
  }

  /** Reads from the end that the topic has now; resolves when the reader waits for records. */
  static async open(site: BenchSite, wish: Omit<ReaderOrder, "kafka" | "offsets">): Promise<ReaderProcess> {
    const { kafka } = site;
    const admin = await openAdmin(kafka);
    const partitions = (await admin.partitionCounts([wish.topic])).get(wish.topic) ?? 0;
    const offsets: string[] = [];
    for (let at = 0; at < partitions; at++) offsets.push((await admin.bounds(wish.topic, at)).end.toString());
    await admin.close();
    const reader = new ReaderProcess(site, { ...wish, kafka: placeOf(kafka), offsets });
    await reader.#until(
      () => reader.#ready,
      () => {},
    );
    return reader;
  }

  /** @param check is called twice a second and may throw to end the wait
   *  @throws BenchFailed when nothing has come for a minute */
  async done(check: () => void = () => {}): Promise<ReaderResult> {
    this.#lastMs = performance.now();
    await this.#until(() => this.#result !== null, check);
    return this.#result as ReaderResult;
  }

  #read(message: ReaderMessage): void {
    if (message.kind === "ready") this.#ready = true;
    else if (message.kind === "done") this.#result = message.result;
    else if (message.count > this.#count) {
      this.#count = message.count;
      this.#lastMs = performance.now();
    }
    this.#wake();
  }

  async #until(reached: () => boolean, check: () => void): Promise<void> {
    while (!reached()) {
      if (this.#ended) throw new BenchFailed("the reader has ended");
      if (performance.now() - this.#lastMs > SILENT_MAX_MS) {
        throw new BenchFailed(`${this.#count} of ${this.#order.count} records in ${this.#order.topic}, then none`);
      }
      assertWanted(this.#site);
      check();
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, LOOK_MS);
      });
      clearTimeout(timer);
    }
  }

  /** Ends after this many records instead: for when only the end tells how many there are. */
  finishAt(count: number): void {
    this.#child.send({ finishAt: count });
  }

  stop(): void {
    if (!this.#ended) this.#child.kill("SIGKILL");
  }
}
