// What fault tests send: generated lines with all that the deduplication has to tell apart, and the load generator as a
// process that runs beside the test.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { formatCaseId, newCaseId } from "../../src/domain/ids.ts";
import { runVerb, startVerb, type World } from "./processes.ts";

const BANK = "asset:bank:main";

export type MixOptions = {
  readonly holders: number;
  /** names the holders, so that two loads of one world do not open the same accounts */
  readonly run: string;
};

const EARLIER_MAX = 2_000;
/** Holders with an account that takes no euros. */
const REFUSING = 10;

/** JSON lines without end: accounts opened, then transfers in, out, and to other holders, a few of whose accounts are
 *  in another currency and refuse. Of 100 transfers about 20 ask for more than is there, 5 are sent a second time a while later, and
 *  2 reuse a case id with another amount. */
export function* mixedLines({ holders, run }: MixOptions): Generator<string, never> {
  const random = seeded(holders);
  for (let holder = 0; holder < holders; holder++) yield openLine(`${run}_${holder}`);
  for (let holder = 0; holder < REFUSING; holder++) yield openLine(`${run}_${holder}`, "hold", "CZK");
  const earlier: string[] = [];
  for (let made = 0; ; ) {
    const chance = random();
    const known = earlier[Math.floor(random() * earlier.length)];
    if (chance < 0.05 && known !== undefined) yield known;
    else if (chance < 0.07 && known !== undefined) yield known.replace(/"minor":"\d+"/, '"minor":"123456789"');
    else {
      const holder = `${run}_${Math.floor(random() * holders)}`;
      const minor = 1 + Math.floor(random() * 50_000);
      const way = random();
      const other = Math.floor(random() * holders);
      let line = transferLine(holder, minor, way < 0.5 ? "out" : "in");
      if (way < 0.25) line = acrossLine(holder, minor, `${run}_${other}`);
      if (way < 0.03) line = acrossLine(holder, minor, `${run}_${other % REFUSING}`, "hold");
      earlier[made++ % EARLIER_MAX] = line;
      yield line;
    }
  }
}

export function openLine(holderId: string, name: "available" | "hold" = "available", currency = "EUR"): string {
  const account = `liability:customer:${holderId}:${name}`;
  return JSON.stringify({ ...common("account_open", "acc", holderId), account, currency, floorMinor: "0" });
}

export function transferLine(holderId: string, minor: number, way: "in" | "out"): string {
  const own = `liability:customer:${holderId}:available`;
  const accounts = way === "in" ? { from: BANK, to: own } : { from: own, to: BANK };
  const amount = { currency: "EUR", minor: String(minor) };
  return JSON.stringify({ ...common("transfer_create", "trf", holderId), ...accounts, amount });
}

/** To an account of another holder, or by chance of the same. */
export function acrossLine(
  holderId: string,
  minor: number,
  to: string,
  name: "available" | "hold" = "available",
): string {
  const accounts = { from: `liability:customer:${holderId}:available`, to: `liability:customer:${to}:${name}` };
  const amount = { currency: "EUR", minor: String(minor) };
  return JSON.stringify({ ...common("transfer_create", "trf", holderId), ...accounts, amount });
}

/** For flows/hold.flow.yaml of the tests, as the one below. */
export function holdLine(holderId: string, minor: number): string {
  const amount = { currency: "EUR", minor: String(minor) };
  return JSON.stringify({ ...common("hold_place", "hld", holderId), amount });
}

/** @param hold a line that places a hold */
export function captureLine(hold: string): string {
  const { holderId, caseId } = JSON.parse(hold) as { holderId: string; caseId: string };
  const occurredAt = new Date().toISOString();
  return JSON.stringify({ type: "hold_capture", holderId, caseId, idempotencyKey: "capture-1", occurredAt });
}

function common(type: string, kind: string, holderId: string): Record<string, string> {
  const now = Date.now();
  const caseId = formatCaseId(newCaseId(kind, now, randomBytes(10)));
  return { type, holderId, sourceId: caseId, caseId, occurredAt: new Date(now).toISOString() };
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Publishes lines and waits until all are acknowledged. */
export async function publishLines(world: World, lines: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-lines-"));
  try {
    const file = join(folder, "lines.jsonl");
    writeFileSync(file, `${lines.join("\n")}\n`);
    await runVerb(world, ["load", "--from", file]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export type Load = {
  /** Ends the load and waits until all that it sent is acknowledged.
   *  @throws Error when it is not */
  stop(): Promise<void>;
};

const INTERRUPTED = 130;
const CHUNK_LINES = 100;

/** Sends mixed lines at a rate while the test goes on. */
export function startLoad(world: World, options: MixOptions, perSecond: number): Load {
  const verb = startVerb(world, ["load", "--from", "-", "--rate", String(perSecond)]);
  // Pulled by the reader: a pipe that is full lets nothing be made in advance.
  const lines = Readable.from(inChunks(mixedLines(options)));
  lines.pipe(verb.stdin);
  return {
    stop: async () => {
      verb.interrupt();
      const { code, stderr } = await verb.ended;
      lines.destroy();
      if (code !== INTERRUPTED) throw new Error(`load ended with ${code}: ${stderr}`);
    },
  };
}

function* inChunks(lines: Iterator<string, never>): Generator<string> {
  for (;;) yield Array.from({ length: CHUNK_LINES }, () => `${lines.next().value}\n`).join("");
}

/** The auditor's word on the whole. */
export async function verify(world: World): Promise<void> {
  await runVerb(world, ["verify"]);
}
