// millrace case: one case with everything that happened to it.

import type { Command } from "commander";
import { topicNames } from "../config/config.ts";
import { loadDeclared } from "../declared/load.ts";
import { caseUuid, printCaseId } from "../domain/case-search.ts";
import type { HistoryEntry } from "../domain/history.ts";
import type { Codec } from "../kafka/codec.ts";
import type { Connection } from "../store/database.ts";
import type { OutboxMessage } from "../store/outbox.ts";
import { type Promotion, readPromotions } from "../store/promotions.ts";
import { readCase, readCommandsOf, readOutcomesFrom, type StoredCase } from "../store/reads-case.ts";
import { outcomeLine } from "../workload/outcomes-json.ts";
import { registerDecide } from "./case-decide.ts";
import { registerList } from "./case-list.ts";
import { messagesIfReachable } from "./codec-optional.ts";
import { type CliContext, withExamples } from "./context.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { LINE_COLUMNS, lineCells, lineFields } from "./ledger-lines.ts";
import type { Column, Fields, Output } from "./output.ts";
import { isoTime, position } from "./rows.ts";
import { usageCheck } from "./usage.ts";

export function register(program: Command, context: CliContext): void {
  const verb = program
    .command("case <ID>")
    .summary("a case: its states, inputs, outcomes and lines")
    .description(
      [
        "Prints a case: states with times, inputs with topic, partition and offset, what it asked of gateways, outcomes, lines.",
        "ID is <kind>_<ULID> or a UUID. With --json one object.",
        "Outcomes are shown while the outbox keeps them; later their sequence, by which the topic has them.",
      ].join("\n"),
    )
    .action((id: string) => showCase(context, id));
  registerList(verb, context);
  registerDecide(verb, context);
  withExamples(
    verb,
    "millrace case trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C",
    "millrace case pay_01JD3Z7Q6R8W2V5K9T0M4N1B7C --json",
  );
}

async function showCase(context: CliContext, id: string): Promise<void> {
  const usage = usageCheck();
  const uuid = caseUuid(id);
  if (uuid === null) usage.fault(`ID: found "${id}", expected <kind>_<ULID> or a UUID`);
  const config = await context.config([], usage);
  const { databaseUrl, schemaRegistryUrl } = await context.addresses(config, ["databaseUrl", "schemaRegistryUrl"]);
  // Outcomes can be named without being read, so a registry that is away is no reason to show nothing.
  const codec = (await messagesIfReachable(context, config, schemaRegistryUrl))?.codec ?? null;
  const topics = topicNames(config);
  const shown = await withDatabase({ config, databaseUrl, verb: "case", mode: "read" }, async (connection) => {
    const cases = await readCase(connection, uuid as string);
    const promotions = await readPromotions(connection);
    const read = async (one: StoredCase) => ({
      one,
      promotion: promotions.find(({ name, version }) => `${name}@${version}` === one.flow) ?? null,
      outcomes: await outcomesOf(connection, codec, one),
      commands: codec === null ? [] : await commandsOf(connection, codec, one, uuid as string),
    });
    return Promise.all(cases.map(read));
  });
  if (shown.length === 0) {
    const message = `no case ${id}: it was never created, was refused for its id alone, or its day is archived`;
    throw new CommandFailed(EXIT.failed, message);
  }
  const { currencies } = loadDeclared(config.schemasDir, config.flowsDir);
  for (const { one, ...sent } of shown) {
    const told = tellCase(one, uuid as string, sent, topics);
    if (context.out.json) context.out.row(told, "");
    else
      printCase(
        context.out,
        told,
        one.lines.map((line) => lineCells(line, currencies)),
      );
  }
}

/** Outcomes of the case's events in their order; null stands for one that cannot be read any more. */
type CaseOutcomes = readonly { readonly entry: HistoryEntry; readonly found: readonly Fields[] | null }[];

async function outcomesOf(connection: Connection, codec: Codec | null, one: StoredCase): Promise<CaseOutcomes> {
  const outcomes: { entry: HistoryEntry; found: readonly Fields[] | null }[] = [];
  for (const [index, entry] of one.history.entries()) {
    if (entry.sequence === null) continue;
    const next = one.history.slice(index + 1).find((later) => later.sequence !== null)?.sequence ?? null;
    const messages = codec === null ? [] : await readOutcomesFrom(connection, one.lane, entry.sequence, entry.block);
    const mine = messages.filter(({ sequence }) => next === null || sequence < next);
    outcomes.push({ entry, found: codec === null ? null : await decoded(codec, mine) });
  }
  return outcomes;
}

/** The outcomes of one event lie behind each other and share its input, which begins their ids. */
async function decoded(codec: Codec, messages: readonly OutboxMessage[]): Promise<readonly Fields[] | null> {
  const found: Fields[] = [];
  for (const { value } of messages) {
    const outcome = await codec.decoders.outcome.read(value);
    const first = (found[0]?.["outcomeId"] as string | undefined) ?? outcome.outcomeId;
    if (outcome.outcomeId !== first && !outcome.outcomeId.startsWith(`${first}-`)) break;
    found.push(JSON.parse(outcomeLine(outcome)) as Fields);
  }
  return found.length === 0 ? null : found;
}

/** What it asked of gateways. */
async function commandsOf(connection: Connection, codec: Codec, one: StoredCase, uuid: string): Promise<Fields[]> {
  const commands: Fields[] = [];
  for (const { value, block } of await readCommandsOf(connection, one)) {
    const command = await codec.decoders.command.read(value);
    if (caseUuid(command.caseId) !== uuid) continue;
    const { sequence, call, op, attempt, idempotencyKey, notAfter, payload } = command;
    const told = { sequence: position(sequence), block: position(block), call, op, attempt, idempotencyKey };
    commands.push({ ...told, notAfter: isoTime(Number(notAfter / 1000n)), payload });
  }
  return commands;
}

type Told = Fields & {
  readonly caseId: string;
  /** how its version came into force; null when it came with a release */
  readonly promotion: PromotionFields | null;
  readonly timers: Fields;
  readonly states: readonly Fields[];
  readonly inputs: readonly Fields[];
  readonly commands: readonly Fields[];
  readonly outcomes: readonly Fields[];
};

type PromotionFields = {
  readonly promotedAt: string;
  readonly principal: string;
  readonly reason: string;
  readonly reportHash: string;
};

type Sent = {
  readonly outcomes: CaseOutcomes;
  readonly commands: readonly Fields[];
  readonly promotion: Promotion | null;
};

type InputTopics = { readonly intents: string; readonly reports: string };

function tellCase(one: StoredCase, uuid: string, { outcomes, commands, promotion }: Sent, topics: InputTopics): Told {
  const timeOf = (block: bigint): string | null => {
    const ms = one.timesMs.get(block);
    return ms === undefined ? null : isoTime(ms);
  };
  return {
    caseId: printCaseId(uuid, one.kind),
    uuid: printCaseId(uuid, ""),
    lane: one.lane,
    holderId: one.holderId,
    flow: one.flow,
    promotion: promotion === null ? null : promotionFields(promotion),
    state: one.state,
    occurredAt: isoTime(one.occurredAtMs),
    ...knownOf(one.data),
    states: one.history.map(({ state, event, block }) => ({
      state,
      event,
      block: position(block),
      recordedAt: timeOf(block),
    })),
    inputs: one.history.map((entry) => inputOf(entry, one.lane, topics)),
    commands,
    outcomes: outcomes.flatMap(({ entry, found }) => found ?? [named(entry, one.lane)]),
    lines: one.lines.map(lineFields),
  };
}

function promotionFields({ promotedAtMs, principal, reason, reportHash }: Promotion): PromotionFields {
  return { promotedAt: isoTime(promotedAtMs), principal, reason, reportHash };
}

type StoredData = {
  readonly c?: Fields;
  readonly v?: Fields;
  readonly w?: Fields;
  readonly t?: Readonly<Record<string, number>>;
};

/** What the case knows, by its flow's names: currencies, amounts in minor units, and when its timers are due. */
function knownOf(data: unknown): { currencies: Fields; values: Fields; timers: Fields } {
  const { c: currencies = {}, v: numbers = {}, w: words = {}, t: due = {} } = (data ?? {}) as StoredData;
  const timers = Object.fromEntries(Object.entries(due).map(([name, dueMs]) => [name, isoTime(dueMs)]));
  return { currencies, values: { ...numbers, ...words }, timers };
}

/** Sources of events that lie in no topic. */
const NOWHERE: readonly string[] = ["k", "m"];

/** A timer's place in its order is when it was due; what another case of the holder caused, and a message within the
 *  lane, are in no topic: `from` says where they come from. */
function inputOf({ event, source, offset, block, key }: HistoryEntry, lane: number, topics: InputTopics): Fields {
  if (source === "t") return { event, dueAt: isoTime(Number(offset)), block: position(block) };
  if (NOWHERE.includes(source)) return { event, from: key, block: position(block) };
  const topic = source === "i" ? topics.intents : topics.reports;
  return {
    event,
    topic,
    partition: lane,
    offset: position(offset),
    block: position(block),
    [source === "i" ? "idempotencyKey" : "observation"]: key === "" ? null : key,
  };
}

/** An outcome that the outbox does not keep any more. */
function named(entry: HistoryEntry, lane: number): Fields {
  return { lane, sequence: position(entry.sequence as bigint), block: position(entry.block) };
}

// For people --------------------------------------------------------------------------------------------------------------

const columns = (...keys: readonly string[]): readonly Column[] => keys.map((key) => ({ key, title: key }));

function printCase(out: Output, told: Told, lines: readonly Fields[]): void {
  const { caseId, lane, holderId, flow, state, occurredAt, promotion } = told;
  out.row(
    told,
    [
      `${out.paint("bold", caseId)}  ${state}`,
      `  flow ${flow}, holder ${holderId}, lane ${lane}, occurred ${occurredAt}`,
      ...(promotion === null
        ? []
        : [`  version promoted ${promotion.promotedAt} by ${promotion.principal}: ${promotion.reason}`]),
      ...Object.entries(told.timers).map(([name, dueAt]) => `  waits for timer ${name}, due ${dueAt}`),
    ].join("\n"),
  );
  const section = (title: string, of: readonly Column[], rows: readonly Fields[]): void => {
    out.row({}, `\n${out.paint("bold", title)}${rows.length === 0 ? ": none" : ""}`);
    if (rows.length > 0) out.table(of, rows);
  };
  section("States", columns("state", "event", "block", "recordedAt"), told.states);
  section(
    "Inputs",
    columns("event", "topic", "partition", "offset", "dueAt", "idempotencyKey", "observation", "from"),
    told.inputs,
  );
  section("Commands", columns("sequence", "call", "op", "attempt", "idempotencyKey"), told.commands);
  const outcomes = told.outcomes.map((outcome) => ({ ...outcome, reason: reasonText(outcome["reason"]) }));
  section("Outcomes", columns("sequence", "type", "status", "reason", "outcomeId"), outcomes);
  section(
    "Lines",
    LINE_COLUMNS.filter(({ key }) => key !== "case"),
    lines,
  );
}

function reasonText(reason: unknown): string | null {
  if (typeof reason !== "object" || reason === null) return null;
  const { category, code } = reason as { category: string; code: string };
  return `${category}: ${code}`;
}
