// A year of a real bank's account movements as intents. The data set is public research data without a stated licence
// (PKDD'99 "Berka"), so it is read where it lies and never copied here.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FILE = fileURLToPath(new URL("../../../shared/data/berka/replay_visible.csv", import.meta.url));

export function hasBerka(): boolean {
  return existsSync(FILE);
}

export type Berka = {
  /** JSON lines in the form that `load` takes, in the bank's order */
  readonly lines: readonly string[];
  /** the bank's own last balance of each account, in hellers */
  readonly balances: ReadonlyMap<string, bigint>;
};

export function accountPath(account: string): string {
  return `liability:customer:cust_${account}:available`;
}

/** Every account is opened without a floor (some go below zero); a movement is a transfer with the bank, and the part
 *  that the bank rounded away or added is one with `pnl:rounding`. */
export function readBerka(): Berka {
  const rows = readFileSync(FILE, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(","));
  const lines: string[] = [];
  const balances = new Map<string, bigint>();
  for (const [, transId, account, date, direction, amount, balanceAfter, rounding] of rows as string[][]) {
    const holderId = `cust_${account}`;
    const own = accountPath(account as string);
    const occurredAt = `${date}T00:00:00Z`;
    if (!balances.has(account as string)) {
      lines.push(
        JSON.stringify({
          type: "account_open",
          holderId,
          sourceId: "open",
          account: own,
          currency: "CZK",
          floorMinor: null,
          occurredAt: "1993-01-01T00:00:00Z",
        }),
      );
    }
    const transfer = (sourceId: string, from: string, to: string, minor: string, reference: string): string =>
      JSON.stringify({
        type: "transfer_create",
        holderId,
        sourceId,
        from,
        to,
        amount: { currency: "CZK", minor },
        occurredAt,
        reference,
      });
    const [from, to] = direction === "CREDIT" ? ["asset:bank:main", own] : [own, "asset:bank:main"];
    lines.push(transfer(`t-${transId}`, from as string, to as string, amount as string, direction as string));
    const rounded = BigInt(rounding as string);
    if (rounded > 0n) lines.push(transfer(`r-${transId}`, "pnl:rounding", own, rounded.toString(), "rounding"));
    if (rounded < 0n) lines.push(transfer(`r-${transId}`, own, "pnl:rounding", (-rounded).toString(), "rounding"));
    balances.set(account as string, BigInt(balanceAfter as string));
  }
  return { lines, balances };
}
