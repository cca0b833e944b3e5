// Opens the second ledger of a lane, with what it asks the database when something cannot be decided anew.

import { casePages, type LaneStanding, linePages, readCasesAt } from "../../store/audit.ts";
import { changesAccounts } from "../second-ledger/flows.ts";
import type { LaneLedger } from "../second-ledger/ledger.ts";
import type { Changes, LineSum } from "../second-ledger/taken-over.ts";
import type { LaneWork } from "./parts.ts";
import { SecondAudit } from "./second.ts";
import { tableStream } from "./stream.ts";

const ROWS_A_PAGE = 5_000;

/** @returns null when nothing is to be decided anew */
export function openSecond(work: LaneWork, standing: LaneStanding, ledger: LaneLedger | null): SecondAudit | null {
  const { second, rows } = work.parts;
  if (second === null) return null;
  const { lane } = standing.head;
  const of = {
    lane,
    standing,
    readCases: (ids: readonly string[]) => readCasesAt(rows, lane, ids),
    readSums: (from: bigint) => sumLines(work, standing, from),
    readChanges: () => findChanges(work, lane),
  };
  return new SecondAudit(work, second, of, ledger);
}

async function sumLines({ parts }: LaneWork, { head }: LaneStanding, from: bigint): Promise<LineSum[]> {
  const sums = new Map<bigint, { account: bigint; debits: bigint; credits: bigint }>();
  const sumOf = (account: bigint) => {
    const sum = sums.get(account) ?? { account, debits: 0n, credits: 0n };
    sums.set(account, sum);
    return sum;
  };
  const lines = tableStream(linePages(parts.rows, head.lane, { from, until: head.block }, ROWS_A_PAGE));
  for (let page = await lines.takePage(); page !== null; page = await lines.takePage()) {
    for (const { debit, credit, amount } of page) {
      sumOf(debit).debits += amount;
      sumOf(credit).credits += amount;
    }
  }
  return [...sums.values()];
}

/** Cases that changed an account say so by their flow; which account is in their intent, so all of the holder's count. */
async function findChanges({ parts }: LaneWork, lane: number): Promise<Changes> {
  const changing = new Set(parts.second?.rules.flows.filter(changesAccounts).map(({ number }) => number));
  const changes = new Map<string, bigint>();
  const cases = tableStream(casePages(parts.rows, lane, ROWS_A_PAGE));
  for (let page = await cases.takePage(); page !== null; page = await cases.takePage()) {
    for (const { flow, state, holderId, history } of page) {
      if (!changing.has(flow) || state === "rejected") continue;
      const block = BigInt(history.split("\n").at(-1)?.split("|")[3] ?? "0");
      if (block > (changes.get(holderId) ?? 0n)) changes.set(holderId, block);
    }
  }
  return changes;
}
