// Forges the past of a lane so that its form holds: what a damage changes is written into a copy of the database and of the
// outgoing topics with every sequence, hash, digest, stamp and balance made anew. Only who decides the inputs anew can see
// that this never happened.

import pg from "pg";
import type { DeadLetterMessage, OutcomeMessage } from "../../src/kafka/codec-messages.ts";
import type { InputRecord } from "../../src/kafka/port.ts";
import type { BlockRow, LineRow } from "../../src/store/audit.ts";
import { timeMs } from "../../src/store/audit.ts";
import {
  digestOfBlock,
  hashOfLines,
  hashOfMessages,
  hashOfRecord,
  NO_DIGEST,
} from "../../src/workload/audit/hashes.ts";
import { copiedTopic, damagedCopy, recordsIn } from "./audit.ts";
import type { TestService } from "./service.ts";

type Changeable<Of> = { -readonly [Name in keyof Of]: Of[Name] };
/** As `to_jsonb` makes it: names of the database, bytes as `\x…`. */
export type Row = Record<string, unknown>;
export type ForgedOutcome = { block: number; readonly message: Changeable<OutcomeMessage> };
export type ForgedLetter = { block: number; key: string; readonly message: Changeable<DeadLetterMessage> };

/** Everything of one lane, in its order; change what you like. */
export type ForgedLane = {
  readonly lane: number;
  readonly blocks: Row[];
  lines: Row[];
  outcomes: ForgedOutcome[];
  readonly letters: ForgedLetter[];
  cases: Row[];
  readonly balances: Row[];
  timers: Row[];
  quarantine: Row[];
  /** the lane's intents, which nobody changes */
  readonly intents: readonly InputRecord[];
};

export type Forged = {
  readonly databaseUrl: string;
  readonly topics: { readonly outcomes: string; readonly deadLetters: string };
  readonly drop: () => Promise<void>;
};

export async function forge(system: TestService, lane: number, change: (lane: ForgedLane) => void): Promise<Forged> {
  const { databaseUrl, drop } = await damagedCopy(system.addresses.databaseUrl, []);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query("set search_path = millrace; set session_replication_role = replica; set timezone = 'UTC'");
    const forged = await readLane(client, system, lane);
    change(forged);
    const sealed = seal(forged, system);
    await writeLane(client, forged, sealed);
    const outcomes = await copiedTopic(system, system.topics.outcomes, lane, () => sealed.outcomes.map(recordOf));
    const deadLetters = await copiedTopic(system, system.topics.deadLetters, lane, () => sealed.letters.map(recordOf));
    return { databaseUrl, topics: { outcomes, deadLetters }, drop };
  } catch (error) {
    await client.end();
    await drop();
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

const recordOf = ({ key, value }: Message) => ({ key: Buffer.from(key), value });

async function readLane(client: pg.Client, system: TestService, lane: number): Promise<ForgedLane> {
  const rows = async (table: string, order: string, where = "true"): Promise<Row[]> => {
    const sql = `select to_jsonb(t) as row from ${table} t where lane = $1 and ${where} order by ${order}`;
    return (await client.query<{ row: Row }>(sql, [lane])).rows.map(({ row }) => row);
  };
  const { outcome, deadLetter } = system.codec.decoders;
  const sent = await rows("outbox", "topic, sequence");
  return {
    lane,
    blocks: await rows("block", "block"),
    lines: await rows("line", "block, index"),
    outcomes: sent
      .filter((row) => row["topic"] === 0)
      .map((row) => ({ block: Number(row["block"]), message: { ...outcome.decode(bytesOf(row["value"])) } })),
    letters: sent
      .filter((row) => row["topic"] === 2)
      .map((row) => ({
        block: Number(row["block"]),
        key: String(row["key"]),
        message: { ...deadLetter.decode(bytesOf(row["value"])) },
      })),
    cases: await rows("case_state", "case_id"),
    balances: await rows("balance", "account"),
    timers: await rows("timer", "due_at, case_id"),
    quarantine: await rows("quarantine", "record_offset"),
    intents: await recordsIn(system, system.topics.intents, lane),
  };
}

function bytesOf(hex: unknown): Buffer {
  return Buffer.from(String(hex).slice(2), "hex");
}

type Message = {
  readonly block: Row;
  readonly topic: number;
  readonly sequence: number;
  readonly key: string;
  readonly value: Buffer;
};
type Sealed = { readonly outcomes: readonly Message[]; readonly letters: readonly Message[] };

/** Gives everything its number, hash and sum anew. */
function seal(lane: ForgedLane, system: TestService): Sealed {
  const renumbered = new Map<string, number>();
  const inOrder = lane.blocks.flatMap((block) => lane.outcomes.filter((one) => one.block === block["block"]));
  inOrder.forEach(({ message }, sequence) => renumbered.set(String(message.sequence), sequence));
  for (const { message } of inOrder) renumber(message, renumbered);
  for (const row of lane.cases) row["history"] = renumberedHistory(String(row["history"]), renumbered);
  addUp(lane);
  const sealed = { outcomes: [] as Message[], letters: [] as Message[] };
  let previous: Buffer = NO_DIGEST;
  for (const block of lane.blocks) previous = sealBlock(lane, system, block, previous, sealed);
  return sealed;
}

function renumber(message: Changeable<OutcomeMessage>, numbers: ReadonlyMap<string, number>): void {
  message.sequence = BigInt(numbers.get(String(message.sequence)) ?? -1);
  if (message.repeatOf === null) return;
  message.repeatOf = { ...message.repeatOf, sequence: BigInt(numbers.get(String(message.repeatOf.sequence)) ?? -1) };
}

function renumberedHistory(history: string, numbers: ReadonlyMap<string, number>): string {
  const renumberedLine = (line: string): string => {
    const parts = line.split("|");
    if (parts[4] !== "") parts[4] = String(numbers.get(parts[4] ?? "") ?? parts[4]);
    return parts.join("|");
  };
  return history.split("\n").map(renumberedLine).join("\n");
}

function addUp({ balances, lines }: ForgedLane): void {
  for (const row of balances) {
    const sum = (side: string): string =>
      lines
        .filter((line) => line[side] === row["account"])
        .reduce((total, line) => total + BigInt(String(line["amount"])), 0n)
        .toString();
    row["debits"] = sum("debit");
    row["credits"] = sum("credit");
  }
}

function sealBlock(
  lane: ForgedLane,
  system: TestService,
  block: Row,
  previous: Buffer,
  sealed: Sealed & { outcomes: Message[]; letters: Message[] },
): Buffer {
  const { outcome, deadLetter } = system.codec.encoders;
  const number = block["block"] as number;
  const lines = lane.lines.filter((line) => line["block"] === number);
  lines.forEach((line, index) => Object.assign(line, { index, recorded_at: block["recorded_at"] }));
  block["outcomes_from"] = sealed.outcomes.length;
  block["dead_letters_from"] = sealed.letters.length;
  const outcomes = lane.outcomes
    .filter((one) => one.block === number)
    .map(({ message }, at): Message => {
      const value = outcome.encode({ ...message, block: BigInt(number) });
      return { block, topic: 0, sequence: sealed.outcomes.length + at, key: message.holderId, value };
    });
  const letters = lane.letters
    .filter((one) => one.block === number)
    .map(({ message, key }, at): Message => {
      const sequence = sealed.letters.length + at;
      const value = deadLetter.encode({ ...message, block: BigInt(number), sequence: BigInt(sequence) });
      return { block, topic: 2, sequence, key, value };
    });
  sealed.outcomes.push(...outcomes);
  sealed.letters.push(...letters);
  const values = [...outcomes, ...letters].map(({ value }) => value);
  Object.assign(block, {
    lines: lines.length,
    outcomes_next: sealed.outcomes.length,
    dead_letters_next: sealed.letters.length,
  });
  const linesHash = hashOfLines(lines.map(lineRow));
  const messagesHash = hashOfMessages(values);
  const digest = digestOfBlock(
    lane.lane,
    timeMs(block["recorded_at"] as string),
    blockRow(block, { previous, linesHash, messagesHash }),
    {
      intents: lastHash(lane.intents, BigInt(block["intents_next"] as number)),
      reports: Buffer.alloc(0),
    },
  );
  for (const value of values) digest.copy(value, 5, 0, 8);
  const hex = (bytes: Buffer): string => `\\x${bytes.toString("hex")}`;
  Object.assign(block, {
    previous_digest: hex(previous),
    digest: hex(digest),
    lines_hash: hex(linesHash),
    messages_hash: hex(messagesHash),
  });
  return digest;
}

function lineRow(line: Row): LineRow {
  const number = (name: string): bigint => BigInt(line[name] as number);
  return {
    debit: number("debit"),
    credit: number("credit"),
    amount: number("amount"),
    currency: line["currency"],
    caseId: String(line["case_id"]).replaceAll("-", ""),
    posting: line["posting"],
  } as LineRow;
}

function blockRow(block: Row, made: { previous: Buffer; linesHash: Buffer; messagesHash: Buffer }): BlockRow {
  const number = (name: string): bigint => BigInt(block[name] as number);
  return {
    block: number("block"),
    intentsFrom: number("intents_from"),
    intentsNext: number("intents_next"),
    reportsFrom: number("reports_from"),
    reportsNext: number("reports_next"),
    timers: block["timers"],
    lines: block["lines"],
    outcomesNext: number("outcomes_next"),
    commandsNext: number("commands_next"),
    deadLettersNext: number("dead_letters_next"),
    ratesVersion: number("rates_version"),
    parametersVersion: number("parameters_version"),
    previousDigest: made.previous,
    linesHash: made.linesHash,
    messagesHash: made.messagesHash,
  } as BlockRow;
}

function lastHash(records: readonly InputRecord[], next: bigint): Buffer {
  const last = records.findLast(({ offset }) => offset < next);
  return last === undefined ? Buffer.alloc(0) : hashOfRecord(last);
}

async function writeLane(client: pg.Client, forged: ForgedLane, { outcomes, letters }: Sealed): Promise<void> {
  const { lane, blocks, lines, cases, balances, timers, quarantine } = forged;
  const outbox = [...outcomes, ...letters].map(({ block, topic, sequence, key, value }) => ({
    lane,
    topic,
    to_lane: -1,
    sequence,
    recorded_at: block["recorded_at"],
    block: block["block"],
    key,
    value: `\\x${value.toString("hex")}`,
  }));
  const tables = {
    block: blocks,
    line: lines,
    outbox,
    case_state: cases,
    balance: balances,
    timer: timers,
    quarantine,
  };
  for (const [table, rows] of Object.entries(tables)) {
    await client.query(`delete from ${table} where lane = $1`, [lane]);
    const sql = `insert into ${table} select * from jsonb_populate_recordset(null::millrace.${table}, $1::jsonb)`;
    await client.query(sql, [JSON.stringify(rows)]);
  }
  await client.query(
    `update lane l set digest = b.digest, now_at = b.recorded_at, outcomes_next = b.outcomes_next,
       dead_letters_next = b.dead_letters_next from block b where b.lane = l.lane and b.block = l.block and l.lane = $1`,
    [lane],
  );
  const marks = [outcomes.length, 0, letters.length].map((count) => count - 1);
  await client.query(
    "update relay_cursor set published_sequence = ($2::bigint[])[topic + 1] where lane = $1 and topic <> 1",
    [lane, marks],
  );
}
