// Pasts that never happened, each consistent in itself: what a lane's inputs lead to is the only witness against them.

import { createHash } from "node:crypto";
import type { InputRecord } from "../../src/kafka/port.ts";
import type { Told } from "./damages.ts";
import { DAMAGED_HOLDER } from "./damages.ts";
import type { ForgedLane, ForgedOutcome, Row } from "./forge.ts";

/** name, what is changed, what is told and nothing else */
export type Forgery = readonly [name: string, change: (lane: ForgedLane) => void, told: Told];

// Finding one's way -------------------------------------------------------------------------------------------------------

function found<One>(what: string, one: One | undefined): One {
  if (one === undefined) throw new Error(`the lane has no ${what}`);
  return one;
}

/** The last outcome of that type of the damaged holder, if need be with that code. */
function outcomeOf(lane: ForgedLane, type: string, code: string | null = null): ForgedOutcome {
  const isIt = ({ message }: ForgedOutcome): boolean =>
    message.type === type && message.holderId === DAMAGED_HOLDER && (code === null || message.reason?.code === code);
  return found(type, lane.outcomes.findLast(isIt));
}

/** 16 bytes of a case id with dashes, as the database prints them. */
function uuidOf({ message }: ForgedOutcome): string {
  let bits = 0n;
  for (const char of (message.caseId ?? "").split("_")[1] ?? "") {
    bits = bits * 32n + BigInt("0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(char));
  }
  const hex = bits.toString(16).padStart(32, "0");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

const caseOf = (lane: ForgedLane, outcome: ForgedOutcome): Row =>
  found(
    "such a case",
    lane.cases.find((row) => row["case_id"] === uuidOf(outcome)),
  );

const linesOf = (lane: ForgedLane, outcome: ForgedOutcome): Row[] =>
  lane.lines.filter((line) => line["case_id"] === uuidOf(outcome));

const accountOf = (lane: ForgedLane, path: string): Row =>
  found(
    path,
    lane.balances.find((row) => row["path"] === path),
  );

const own = (kind: string): string => `liability:customer:${DAMAGED_HOLDER}:${kind}`;
const number = (row: Row, name: string): number => row[name] as number;

/** Changes the state that a case remembers of its last event, and stands in. */
function setState(row: Row, state: string): void {
  const lines = String(row["history"]).split("\n");
  const last = found("history", lines.at(-1)).split("|");
  last[5] = state;
  row["history"] = [...lines.slice(0, -1), last.join("|")].join("\n");
  row["state"] = state;
}

function lineBetween(lane: ForgedLane, outcome: ForgedOutcome, debit: string, credit: string, amount: number): Row {
  return {
    lane: lane.lane,
    block: outcome.block,
    debit: accountOf(lane, debit)["account"],
    credit: accountOf(lane, credit)["account"],
    amount,
    case_id: uuidOf(outcome),
    currency: "EUR",
    posting: "P17",
  };
}

// Money -------------------------------------------------------------------------------------------------------------------

const MONEY: readonly Forgery[] = [
  [
    "a refusal that was not due",
    (lane) => {
      const outcome = outcomeOf(lane, "transfer.completed");
      const refused = { type: "transfer.rejected", status: "rejected", lines: 0 };
      Object.assign(outcome.message, refused, { reason: { category: "funds", code: "insufficient_funds" } });
      lane.lines = lane.lines.filter((line) => line["case_id"] !== uuidOf(outcome));
      const row = caseOf(lane, outcome);
      setState(row, "rejected");
      row["data"] = null;
    },
    {
      outcomes_decided_anew: 'says type "transfer.rejected"; decided anew "transfer.completed"',
      lines_decided_anew: "is not there; decided anew",
    },
  ],
  [
    "an acceptance that was not due",
    (lane) => {
      const outcome = outcomeOf(lane, "transfer.rejected", "account_frozen");
      Object.assign(outcome.message, { type: "transfer.completed", status: "completed", reason: null, lines: 1 });
      const line = lineBetween(lane, outcome, own("available"), "asset:bank:main", 10);
      const at = lane.lines.findIndex(({ block }) => number({ block }, "block") >= outcome.block);
      lane.lines.splice(at, 0, line);
      const row = caseOf(lane, outcome);
      setState(row, "completed");
      row["data"] = { c: { S: "EUR" }, v: { amount: "10" } };
    },
    {
      outcomes_decided_anew: 'decided anew {category: "account", code: "account_frozen"}',
      lines_decided_anew: "; decided anew ",
    },
  ],
  [
    "a refusal for another reason",
    (lane) => {
      outcomeOf(lane, "transfer.rejected", "account_frozen").message.reason = {
        category: "account",
        code: "account_closed",
      };
    },
    { outcomes_decided_anew: 'code: "account_closed"}; decided anew' },
  ],
  [
    "another amount in lines that balance",
    (lane) => {
      const [line] = linesOf(lane, outcomeOf(lane, "transfer.completed"));
      Object.assign(found("line", line), { amount: number(line as Row, "amount") + 1 });
    },
    { lines_decided_anew: "EUR from " },
  ],
  [
    "a line between other accounts of the same holder",
    (lane) => {
      const line = linesOf(lane, outcomeOf(lane, "hold.captured")).at(-1);
      Object.assign(found("line", line), { debit: accountOf(lane, own("available"))["account"] });
    },
    { lines_decided_anew: "by P16_capture of case" },
  ],
  [
    "another house account",
    (lane) => {
      const [line] = linesOf(lane, outcomeOf(lane, "transfer.completed"));
      const paths = ["asset:bank:main", "revenue:processing_fee"].map((path) => accountOf(lane, path)["account"]);
      const other = found(
        "other account",
        paths.find((id) => id !== line?.["debit"]),
      );
      Object.assign(found("line", line), { debit: other });
    },
    { lines_decided_anew: "; decided anew 8 EUR from " },
  ],
  [
    "a posting of another name",
    (lane) => {
      const [line] = linesOf(lane, outcomeOf(lane, "transfer.completed"));
      Object.assign(found("line", line), { posting: "P16_hold" });
    },
    { lines_decided_anew: "by P16_hold of case" },
  ],
  [
    "two lines of a block in another order",
    (lane) => {
      const first = lane.lines.findIndex((line, at) => line["block"] === lane.lines[at + 1]?.["block"]);
      const [one, other] = [lane.lines[first] as Row, lane.lines[first + 1] as Row];
      lane.lines.splice(first, 2, other, one);
    },
    { lines_decided_anew: "line 0 is " },
  ],
];

const ACCOUNTS: readonly Forgery[] = [
  [
    "another floor",
    (lane) => void Object.assign(accountOf(lane, own("available")), { floor_minor: -5_000 }),
    { accounts_decided_anew: "has floorMinor -5000; decided anew 0" },
  ],
  [
    "a floor that has gone",
    (lane) => void Object.assign(accountOf(lane, own("available")), { floor_minor: null }),
    { accounts_decided_anew: "has floorMinor null; decided anew 0" },
  ],
  [
    "a frozen account",
    (lane) => void Object.assign(accountOf(lane, own("available")), { status: "frozen" }),
    { accounts_decided_anew: "has status frozen; decided anew open" },
  ],
  [
    "another currency of an account that nobody has used",
    (lane) => void Object.assign(accountOf(lane, `liability:merchant:${DAMAGED_HOLDER}:pending`), { currency: "USD" }),
    { accounts_decided_anew: "has currency USD; decided anew EUR" },
  ],
  [
    "an account opened in another block",
    (lane) => void Object.assign(accountOf(lane, own("hold")), { opened_block: 1 }),
    { accounts_decided_anew: "has openedBlock 1; decided anew " },
  ],
];

function putAside(lane: ForgedLane, block: number, record: InputRecord, detail: string): void {
  const of = found(
    "block",
    lane.blocks.find((row) => row["block"] === block),
  );
  const value = record.value as Buffer;
  const letter = found("dead letter", lane.letters[0]);
  const key = String(record.key);
  const sha256 = createHash("sha256").update(value).digest("hex");
  const said = { reason: "invalid_field", detail, offset: record.offset, sha256, size: value.length, value };
  const appendedAt = BigInt(record.appendedAtMs) * 1_000n;
  const message = { ...letter.message, ...said, appendedAt, recordedAt: BigInt(timeOf(of)) * 1_000n };
  lane.letters.push({ block, key, message });
  lane.quarantine.push({
    ...found("row", lane.quarantine[0]),
    record_offset: Number(record.offset),
    block,
    recorded_at: of["recorded_at"],
    reason: "invalid_field",
    detail,
    key,
    sha256: `\\x${sha256}`,
    size: value.length,
    value: `\\x${value.toString("hex")}`,
  });
}

// Answers -----------------------------------------------------------------------------------------------------------------

const ANSWERS: readonly Forgery[] = [
  [
    "an outcome of another amount",
    (lane) => {
      const { message } = outcomeOf(lane, "hold.placed");
      message.amounts = { held: { currency: "EUR", scale: 2, minor: "777" } };
    },
    { outcomes_decided_anew: 'minor: "777"' },
  ],
  [
    "an outcome of another time",
    (lane) => void (outcomeOf(lane, "transfer.completed").message.recordedAt += 1_000n),
    { outcomes_decided_anew: "says recordedAt " },
  ],
  [
    "a repeat that was answered as new",
    (lane) => {
      const outcome = outcomeOf(lane, "intent.repeated");
      Object.assign(outcome.message, { type: "transfer.completed", repeatOf: null, lines: 1 });
      const line = lineBetween(lane, outcome, "asset:bank:main", own("available"), 7_000);
      const at = lane.lines.findLastIndex(({ block }) => number({ block }, "block") <= outcome.block);
      lane.lines.splice(at + 1, 0, line);
      const row = caseOf(lane, outcome);
      const again = String(row["history"]).split("\n").at(-1)?.split("|") ?? [];
      const offset = outcome.message.outcomeId.split("-")[2];
      again.splice(2, 3, offset ?? "", String(outcome.block), String(outcome.message.sequence));
      const lines = String(row["history"]).split("\n");
      row["history"] = [lines[0], again.join("|"), ...lines.slice(1)].join("\n");
    },
    {
      outcomes_decided_anew: 'decided anew "intent.repeated"',
      lines_decided_anew: "7000 EUR from ",
    },
  ],
  [
    "a conflict that was answered as a repeat",
    (lane) => {
      const first = outcomeOf(lane, "intent.repeated").message.repeatOf;
      const { message } = outcomeOf(lane, "transfer.rejected", "idempotency_conflict");
      Object.assign(message, { type: "intent.repeated", reason: null, repeatOf: first });
    },
    { outcomes_decided_anew: 'decided anew {category: "identity", code: "idempotency_conflict"}' },
  ],
  [
    "a repeat of another outcome",
    (lane) => {
      const { message } = outcomeOf(lane, "intent.repeated");
      message.repeatOf = { lane: lane.lane, sequence: (message.repeatOf?.sequence ?? 0n) + 1n };
    },
    { outcomes_decided_anew: "says repeatOf " },
  ],
  [
    "an intent that was put aside and was fine",
    (lane) => {
      const outcome = found("outcome", lane.outcomes.pop());
      lane.lines = lane.lines.filter((line) => line["case_id"] !== uuidOf(outcome));
      lane.cases = lane.cases.filter((row) => row["case_id"] !== uuidOf(outcome));
      const record = found("intent", lane.intents.at(-1));
      putAside(lane, outcome.block, record, "from: no control characters");
    },
    {
      quarantine_decided_anew: "is put aside as invalid_field; decided anew it can be understood",
      outcomes_decided_anew: " outcomes; decided anew ",
      lines_decided_anew: "is not there; decided anew 8 EUR",
    },
  ],
  [
    "a record put aside for another reason",
    (lane) => {
      const letter = found("dead letter", lane.letters[0]);
      letter.message.reason = "too_large";
      const row = found(
        "row",
        lane.quarantine.find((one) => BigInt(number(one, "record_offset")) === letter.message.offset),
      );
      row["reason"] = "too_large";
    },
    { quarantine_decided_anew: "is put aside as too_large; decided anew as undecodable" },
  ],
  [
    "a block that decided by another flow",
    (lane) => void Object.assign(found("block", lane.blocks.at(-1)), { flows: [1, 2, 3] }),
    { cases_decided_anew: "it says that it decided by flows 1, 2, 3" },
  ],
];

// Cases -------------------------------------------------------------------------------------------------------------------

/** Of a hold that nobody has captured or released. */
const heldCase = (lane: ForgedLane): Row =>
  found(
    "held case",
    lane.cases.find((row) => row["state"] === "held"),
  );

const CASES: readonly Forgery[] = [
  [
    "another state",
    (lane) => {
      const outcome = outcomeOf(lane, "hold.captured");
      Object.assign(outcome.message, { status: "released" });
      const row = caseOf(lane, outcome);
      const lines = String(row["history"]).replaceAll("|captured|", "|released|");
      Object.assign(row, { history: lines, state: "released" });
      const refused = lane.outcomes.findLast(({ message }) => message.caseId === outcome.message.caseId);
      found("refusal", refused).message.status = "released";
    },
    { outcomes_decided_anew: 'says status "released"; decided anew "captured"' },
  ],
  [
    "other data",
    (lane) => {
      const data = heldCase(lane)["data"] as { v: Record<string, string> };
      data.v["held"] = "5";
    },
    { cases_decided_anew: "held: 5" },
  ],
  [
    "a fingerprint by which an honest retry is a conflict",
    (lane) => {
      const row = heldCase(lane);
      row["history"] = String(row["history"]).replace(/[A-Za-z0-9_-]{22}\|$/, `${"A".repeat(22)}|`);
    },
    { cases_decided_anew: "remembers " },
  ],
  [
    "a key under which nothing was sent",
    (lane) => {
      const row = caseOf(lane, outcomeOf(lane, "intent.rejected", "invalid_state"));
      const lines = String(row["history"]).split("\n");
      row["history"] = lines.slice(0, -1).join("\n");
      Object.assign(row, { history: `${lines.slice(0, -1).join("\n")}\n${lines.at(-1)?.replace(/\|[^|]*$/, "|x")}` });
    },
    { cases_decided_anew: "remembers ", cases_equal_outcomes: "which says key" },
  ],
];

// Time --------------------------------------------------------------------------------------------------------------------

/** The block in which a timer of the damaged lane fired alone. */
function timerBlock(lane: ForgedLane): Row {
  const isAlone = (row: Row): boolean => row["timers"] !== 0 && row["intents_from"] === row["intents_next"];
  return found("block of timers alone", lane.blocks.find(isAlone));
}

function setTime(lane: ForgedLane, block: Row, ms: number): void {
  block["recorded_at"] = new Date(ms).toISOString();
  for (const one of lane.outcomes) if (one.block === block["block"]) one.message.recordedAt = BigInt(ms) * 1_000n;
}

const timeOf = (row: Row): number => Date.parse(String(row["recorded_at"]));

const TIME: readonly Forgery[] = [
  [
    "a timer that fired too early",
    (lane) => {
      const block = timerBlock(lane);
      const before = found(
        "block",
        lane.blocks.find((row) => row["block"] === number(block, "block") - 1),
      );
      setTime(lane, block, timeOf(before) + 1);
    },
    { timers_not_early: "timer expiry of case", time_decided_anew: "decided anew not before" },
  ],
  [
    "a timer that overtook an input",
    (lane) => {
      const late = timerBlock(lane);
      const isBefore = (row: Row): boolean =>
        number(row, "block") < number(late, "block") && row["intents_from"] !== row["intents_next"];
      const early = found("block before", lane.blocks.findLast(isBefore));
      const fired = lane.outcomes.filter(
        ({ block, message }) => block === late["block"] && message.outcomeId.startsWith("t-"),
      );
      const cases = new Set(fired.map(uuidOf));
      // Timers come first in a block.
      for (const outcome of fired) {
        outcome.block = number(early, "block");
        outcome.message.recordedAt = BigInt(timeOf(early)) * 1_000n;
      }
      const others = lane.outcomes.filter((outcome) => !fired.includes(outcome));
      lane.outcomes = [...fired, ...others].sort((one, other) => one.block - other.block);
      const isFired = (line: Row): boolean => line["block"] === late["block"] && cases.has(String(line["case_id"]));
      const lines = lane.lines.filter(isFired);
      lane.lines = [...lines, ...lane.lines.filter((line) => !isFired(line))];
      for (const line of lines) line["block"] = early["block"];
      lane.lines.sort((one, other) => number(one, "block") - number(other, "block"));
      for (const row of lane.cases.filter((one) => cases.has(String(one["case_id"])))) {
        row["history"] = String(row["history"]).replace(/(timer\.expiry\|t\|\d+\|)\d+/, `$1${early["block"]}`);
      }
      const flows = new Set([...(early["flows"] as number[]), ...(late["flows"] as number[])]);
      Object.assign(early, { timers: late["timers"], flows: [...flows].sort((one, other) => one - other) });
      Object.assign(late, { timers: 0, flows: [] });
    },
    {
      timers_overtake_nothing: "comes behind timer expiry",
      timers_not_early: "timer expiry of case",
      time_decided_anew: "decided anew",
    },
  ],
  [
    "a block of another moment",
    (lane) => {
      const block = found("block", lane.blocks.at(-1));
      setTime(lane, block, timeOf(block) + 1);
    },
    { time_decided_anew: "decided anew" },
  ],
  [
    "a timer that waits for another moment",
    (lane) => {
      const row = heldCase(lane);
      const data = row["data"] as { t: Record<string, number> };
      data.t["expiry"] = number(data.t, "expiry") + 60_000;
      const timer = found(
        "timer",
        lane.timers.find((one) => one["case_id"] === row["case_id"]),
      );
      timer["due_at"] = new Date(Date.parse(String(timer["due_at"])) + 60_000).toISOString();
    },
    { timers_decided_anew: "is none that its case arms", cases_decided_anew: "expiry: " },
  ],
  [
    "a timer that is forgotten, and its case does not know of it",
    (lane) => {
      const row = heldCase(lane);
      delete (row["data"] as { t?: unknown }).t;
      lane.timers = lane.timers.filter((one) => one["case_id"] !== row["case_id"]);
    },
    { timers_decided_anew: "is missing", cases_decided_anew: "has data " },
  ],
];

export const FORGERIES: readonly Forgery[] = [...MONEY, ...ACCOUNTS, ...ANSWERS, ...CASES, ...TIME];
