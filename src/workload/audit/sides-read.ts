// Reads both sides: commands from the outbox, cases with what they booked, and the record of the sandbox that plays the
// providers. Nothing here judges.

import { createHash } from "node:crypto";
import { loadFlowText } from "../../declared/load.ts";
import type { Chart } from "../../domain/accounts.ts";
import { printCaseId } from "../../domain/case-search.ts";
import type { Flow } from "../../domain/flow/flow.ts";
import type { Decoder } from "../../kafka/codec.ts";
import type { CommandMessage, OfBlock } from "../../kafka/codec-messages.ts";
import { messagePages, readCut, readFlowSources } from "../../store/audit.ts";
import { type BookedCaseRow, readBookedCases } from "../../store/audit-sides.ts";
import type { Connection } from "../../store/database.ts";
import { uuidOf } from "./audit.ts";
import type { AskedEffect, BookedCase, Effect, Sides } from "./sides.ts";
import { tableStream } from "./stream.ts";

const MESSAGES_A_PAGE = 2_000;

export type SidesFrom = {
  readonly rows: Connection;
  readonly chart: Chart;
  readonly command: Decoder<OfBlock<CommandMessage>>;
  /** the sandbox's address */
  readonly url: string;
  /** for which its record is waited for */
  readonly timeoutMs: number;
};

/** The record is read behind the bookings and before the commands: what a case has booked was done before, and what was done
 *  was asked for before.
 *  @throws SideMissing */
export async function readSides({ rows, chart, command, url, timeoutMs }: SidesFrom): Promise<Sides> {
  const flows = await readProviderFlows(rows, chart);
  const lanes = (await readCut(rows)).map(({ lane }) => lane);
  const cases: BookedCase[] = [];
  for (const lane of lanes) {
    const found = await readBookedCases(rows, lane, [...flows.keys()]);
    cases.push(...bookedCases(lane, found, flows));
  }
  const effects = readRecord(await fetchRecord(url, timeoutMs));
  const asked: AskedEffect[] = [];
  for (const { lane, commandsNext } of await readCut(rows)) {
    asked.push(...(await readCommands(rows, lane, commandsNext, command)));
  }
  return { effects, asked, cases };
}

async function readCommands(
  rows: Connection,
  lane: number,
  next: bigint,
  command: SidesFrom["command"],
): Promise<AskedEffect[]> {
  const messages = tableStream(messagePages(rows, lane, "commands", { from: 0n, next }, MESSAGES_A_PAGE));
  const asked: AskedEffect[] = [];
  let read = 0n;
  for (const { value } of await messages.takeWhile(() => true)) {
    const message = await command.read(value);
    if (!message.readOnly) asked.push(askedOf(message));
    read += 1n;
  }
  if (read < next) throw new SideMissing(`${next - read} commands of lane ${lane} have left the outbox with their day`);
  return asked;
}

/** Flows that have to do with providers, by number, with how their cases stand in each state. */
async function readProviderFlows(
  rows: Connection,
  chart: Chart,
): Promise<ReadonlyMap<number, ReadonlyMap<string, BookedCase["stands"]>>> {
  const sources = await readFlowSources(rows);
  const flows = sources.map(({ ref, number, source }) => ({ number, flow: loadFlowText(ref, source, chart) }));
  const ofProviders = flows.filter(({ flow }) => flow.calls.some(({ to }) => to.kind === "gateway"));
  return new Map(ofProviders.map(({ number, flow }) => [number, standingsOf(flow)]));
}

function standingsOf({ states }: Flow): ReadonlyMap<string, BookedCase["stands"]> {
  return new Map(
    states.map(({ name, kind, human }) => {
      const isAtRest = kind === "quiescent" || kind === "final";
      return [name, human ? "with_person" : isAtRest ? "at_rest" : "under_way"];
    }),
  );
}

function bookedCases(
  lane: number,
  rows: readonly BookedCaseRow[],
  flows: ReadonlyMap<number, ReadonlyMap<string, BookedCase["stands"]>>,
): BookedCase[] {
  const found = new Map<string, BookedCase & { readonly booked: Map<string, bigint> }>();
  for (const { caseId, kind, flow, state, parent, currency, minor } of rows) {
    const one = found.get(caseId) ?? {
      lane,
      uuid: caseId.replaceAll("-", ""),
      caseId: printCaseId(caseId, kind),
      state,
      // A create that was refused left a case in a state of no flow.
      stands: flows.get(flow)?.get(state) ?? "at_rest",
      parent: parent === null ? null : uuidOf(parent),
      booked: new Map<string, bigint>(),
    };
    found.set(caseId, one);
    if (currency !== null && minor !== null) one.booked.set(currency, BigInt(minor));
  }
  return [...found.values()];
}

// Commands ----------------------------------------------------------------------------------------------------------------

function askedOf({ lane, holderId, caseId, idempotencyKey, payload }: CommandMessage): AskedEffect {
  const { amount = null, currency = null, recall = "" } = payload;
  return {
    lane,
    holderId,
    caseId,
    uuid: uuidOf(caseId),
    idempotencyKey,
    names: [`cardco ${holderId} ${idempotencyKey}`, `instanet ${txidOf(idempotencyKey, holderId)}`],
    currency,
    minor: amount === null ? null : BigInt(amount),
    recall,
  };
}

/** An id at instanet as docs/adding-a-provider.md has it: the key with `-s` for `/` and `-` and two hex digits for what an
 *  id may not have, `-h`, and 66 bits of the holder's hash. */
export function txidOf(idempotencyKey: string, holderId: string): string {
  const letters = [...idempotencyKey].map((letter) => {
    if (/[A-Za-z0-9_]/.test(letter)) return letter;
    return letter === "/" ? "-s" : `-${(letter.codePointAt(0) ?? 0).toString(16).padStart(2, "0")}`;
  });
  return `${letters.join("")}-h${createHash("sha256").update(holderId).digest("base64url").slice(0, 11)}`;
}

// The record --------------------------------------------------------------------------------------------------------------

/** One of both sides is not there to be compared: the record cannot be had, or is none, or the commands are gone. */
export class SideMissing extends Error {
  override readonly name = "SideMissing";
}

async function fetchRecord(url: string, timeoutMs: number): Promise<string> {
  const asked = new URL("/sandbox/record", url);
  try {
    const answer = await fetch(asked, { signal: AbortSignal.timeout(timeoutMs) });
    if (answer.status !== 200) throw new SideMissing(`it answered ${answer.status}`);
    return await answer.text();
  } catch (error) {
    throw new SideMissing(`no record from ${asked}: ${(error as Error).message}`, { cause: error });
  }
}

/** @param text lines of JSON as docs/sandbox.md has them
 *  @throws SideMissing naming the line */
export function readRecord(text: string): Effect[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw new SideMissing("the record breaks off in its last line");
  return lines.map((line, index) => {
    const effect = effectIn(line);
    if (effect === null) throw new SideMissing(`line ${index + 1} of the record is no effect`);
    return effect;
  });
}

const EFFECTS: ReadonlySet<unknown> = new Set(["done", "undone", "disputed", "recalled"]);

function effectIn(line: string): Effect | null {
  let read: unknown;
  try {
    read = JSON.parse(line);
  } catch {
    return null;
  }
  const fields = objectOf(read);
  const amount = objectOf(fields["amount"]);
  const { provider, kind, effect, reference = "", recall = "" } = fields;
  const key = fields["key"] ?? fields["txid"];
  const { currency, minor } = amount;
  const texts = [provider, kind, reference, recall, key, currency, minor];
  const isRead =
    texts.every((one) => typeof one === "string") && EFFECTS.has(effect) && /^\d{1,40}$/.test(String(minor));
  if (!isRead) return null;
  return { provider, key, kind, effect, reference, recall, currency, minor: BigInt(minor as string) } as Effect;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
