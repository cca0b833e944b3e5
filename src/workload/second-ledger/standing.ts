// Where a lane stands against where its inputs lead: balances, timers and cases as the tables have them.

import { type BalanceRow, type CaseRow, type LaneStanding, timeMs } from "../../store/audit.ts";
import { forgottenTimers, iso } from "./block.ts";
import { dataOf } from "./case-book.ts";
import type { Difference } from "./invariants.ts";
import type { LaneLedger, SecondAccount, SecondTimer } from "./ledger.ts";
import { timerKey } from "./ledger.ts";

/** @param rows every balance of the lane, as of the block that the ledger stands at */
export function compareAccounts(ledger: LaneLedger, rows: readonly BalanceRow[]): Difference[] {
  const wrong: Difference[] = [];
  const differs = (text: string): void => void wrong.push({ invariant: "accounts_decided_anew", text });
  const left = new Map([...ledger.accounts.values()].map((account) => [account.id, account]));
  for (const row of rows) {
    const account = left.get(row.account);
    left.delete(row.account);
    if (account === undefined)
      differs(`account ${row.account} ${row.path} ${row.currency} is none that its inputs open`);
    else for (const text of differencesOf(account, row)) differs(`account ${row.account} ${row.path} ${text}`);
  }
  for (const { id, path, currency } of left.values()) differs(`account ${id} ${path} ${currency} is not there`);
  return wrong;
}

function differencesOf(account: SecondAccount, row: BalanceRow): string[] {
  return (["path", "currency", "floorMinor", "status", "debits", "credits", "openedBlock"] as const).flatMap((field) =>
    row[field] === account[field] ? [] : [`has ${field} ${row[field]}; decided anew ${account[field]}`],
  );
}

/** @param standing as of the block that the ledger stands at */
export function compareTimers(ledger: LaneLedger, { head, timers }: LaneStanding): Difference[] {
  const wrong: Difference[] = forgottenTimers(ledger);
  const differs = (text: string): void => void wrong.push({ invariant: "timers_decided_anew", text });
  const left = new Map(ledger.timers);
  for (const { dueAt, caseId, name } of timers) {
    const [dueMs, uuid] = [timeMs(dueAt), caseId.replaceAll("-", "")];
    // One that was armed in a block that was believed is not known before its case is named.
    const mayBeOlder = ledger.takenOverAt > 0n && !ledger.cases.has(uuid);
    if (!left.delete(timerKey({ dueMs, uuid, name })) && !mayBeOlder) {
      differs(`timer ${name} of case ${uuid}, due ${iso(dueMs)}, is none that its case arms`);
    }
  }
  for (const { dueMs, uuid, name } of left.values())
    differs(`timer ${name} of case ${uuid}, due ${iso(dueMs)}, is missing`);
  const stands: SecondTimer = {
    dueMs: timeMs(head.timerDueAt),
    uuid: head.timerCaseId.replaceAll("-", ""),
    name: head.timerName,
  };
  if (ledger.firedTo !== null && timerKey(stands) !== timerKey(ledger.firedTo)) {
    differs(`the last timer fired is ${timerKey(stands)} to the head; decided anew ${timerKey(ledger.firedTo)}`);
  }
  return wrong;
}

export type CaseVerdict = { readonly isMovedOn: boolean; readonly text: string | null };

/** What a case remembers of blocks behind the ledger's is left aside, and then its state and data of today say nothing. */
export function judgeCase({ cases, block: until, takenOverAt }: LaneLedger, row: CaseRow): CaseVerdict {
  const known = cases.look(row.caseId);
  const remembered = row.history === "" ? [] : row.history.split("\n");
  const upTo = remembered.findIndex((line) => blockOf(line) > until);
  const isMovedOn = upTo !== -1;
  const history = (isMovedOn ? remembered.slice(0, upTo) : remembered).join("\n");
  const say = (text: string | null): CaseVerdict => ({ isMovedOn, text });
  if (known === undefined) {
    // Of a ledger that was taken over, a case that no input has named since is as it was.
    const isOlder = takenOverAt > 0n && blockOf(remembered[0] ?? "") <= takenOverAt;
    return say(upTo === 0 || isOlder ? null : "is none that its inputs open");
  }
  const ours = known.history.join("\n");
  if (history !== ours)
    return say(
      `remembers ${JSON.stringify(firstOther(history, ours))}; decided anew ${JSON.stringify(firstOther(ours, history))}`,
    );
  if (row.kind !== known.kind) return say(`is of kind ${row.kind}; decided anew ${known.kind}`);
  if (row.flow !== known.flow.number) return say(`lives by flow ${row.flow}; decided anew ${known.flow.number}`);
  if (row.holderId !== known.holderId) return say(`is of ${row.holderId}; decided anew ${known.holderId}`);
  if (row.occurredAtMicros !== known.occurredAt) {
    return say(`is of time ${row.occurredAtMicros}; decided anew ${known.occurredAt}`);
  }
  if (isMovedOn || !known.isDataKnown) return say(null);
  if (row.state !== known.state) return say(`is in state ${row.state}; decided anew ${known.state}`);
  const [data, expected] = [dataText(row.data), dataText(dataOf(known))];
  return say(data === expected ? null : `has data ${data}; decided anew ${expected}`);
}

function blockOf(line: string): bigint {
  const block = line.split("|")[3] ?? "";
  return /^\d{1,19}$/.test(block) ? BigInt(block) : 0n;
}

/** The first line of a text that another does not have in its place. */
function firstOther(text: string, other: string): string | null {
  const others = other.split("\n");
  return text.split("\n").find((line, index) => line !== others[index]) ?? null;
}

function dataText(data: unknown): string {
  if (typeof data !== "object" || data === null) return data === null ? "{}" : String(data);
  const entries = Object.entries(data).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([name, part]) => `${name}: ${typeof part === "object" ? dataText(part) : String(part)}`).join(", ")}}`;
}
