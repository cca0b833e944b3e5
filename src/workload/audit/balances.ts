// What lines add up to, by account, and the balances against it. Blocks go on while an audit runs, so balances are read in
// a snapshot that also says at which block they stand, and the lines up to there are added first.

import type { NormalSide } from "../../domain/accounts.ts";
import { homeLane } from "../../domain/holder.ts";
import { type BalanceRow, type LineRow, linePages, readBalances, type Standing } from "../../store/audit.ts";
import type { LaneWork } from "./parts.ts";
import { tableStream } from "./stream.ts";

/** Account ids carry their lane in the bits from here up; the house's are negative. */
const LANE_SHIFT = 40n;
const LINES_A_PAGE = 5_000;
const NOTHING = { debits: 0n, credits: 0n, currency: "", isForced: false };

type Sum = { debits: bigint; credits: bigint; readonly currency: string; isForced: boolean };

export class LaneBalances {
  readonly #work: LaneWork;
  readonly #lane: number;
  readonly #first: bigint;
  readonly #sums = new Map<bigint, Sum>();

  /** @param first the first audited block: what older accounts had before it is not known */
  constructor(work: LaneWork, lane: number, first: bigint) {
    this.#work = work;
    this.#lane = lane;
    this.#first = first;
  }

  add(lines: readonly LineRow[]): void {
    const { findings, parts } = this.#work;
    for (const line of lines) {
      const isForced = parts.forcedPostings.has(line.posting);
      const debit = this.#sumOf(line, line.debit);
      const credit = this.#sumOf(line, line.credit);
      debit.debits += line.amount;
      credit.credits += line.amount;
      if (isForced) debit.isForced = credit.isForced = true;
      if (line.amount <= 0n || line.debit === line.credit) {
        const text = `${this.#placeOf(line)} books ${line.amount} from ${line.credit} to ${line.debit}`;
        findings.problem("currencies_sum_to_zero", text);
      }
    }
    findings.checked("currencies_sum_to_zero", lines.length);
    findings.checked("rows_in_their_lane", lines.length);
  }

  #sumOf(line: LineRow, account: bigint): Sum {
    let sum = this.#sums.get(account);
    if (sum === undefined) {
      sum = { ...NOTHING, currency: line.currency };
      this.#sums.set(account, sum);
      if (laneOf(account) !== this.#lane) {
        const text = `${this.#placeOf(line)} touches account ${account} of lane ${laneOf(account)}`;
        this.#work.findings.problem("rows_in_their_lane", text);
      }
    }
    if (sum.currency !== line.currency) {
      const text = `${this.#placeOf(line)} books ${line.currency} on account ${account}, which is in ${sum.currency}`;
      this.#work.findings.problem("currencies_sum_to_zero", text);
    }
    return sum;
  }

  #placeOf(line: LineRow): string {
    return `lane ${this.#lane} block ${line.block}: line ${line.index}`;
  }

  /** @param auditedTo the block up to which lines were added */
  async compare(auditedTo: bigint): Promise<void> {
    const { parts, findings } = this.#work;
    // Rows are held until the lines between the audited block and theirs are added: as many as the lane has accounts.
    const rows: BalanceRow[] = [];
    const standing = await readBalances(parts.snapshots, this.#lane, (row) => rows.push(row));
    await this.#addLinesBetween(auditedTo, standing.block);
    const totals = new Map<string, bigint>();
    for (const row of rows) {
      this.#compareRow(row, standing);
      totals.set(row.currency, (totals.get(row.currency) ?? 0n) + row.debits - row.credits);
    }
    for (const [account, { debits, credits }] of this.#sums) {
      const text = `lane ${this.#lane}: account ${account} has lines (${debits} debits, ${credits} credits) and no balance`;
      findings.problem("balances_equal_lines", text);
    }
    for (const [currency, total] of totals) {
      findings.expect("currencies_sum_to_zero", total === 0n, () => {
        return `lane ${this.#lane}: the balances in ${currency} sum to ${total}`;
      });
    }
    findings.expect("balances_equal_lines", BigInt(rows.length) === standing.accounts, () => {
      return `lane ${this.#lane}: the head counts ${standing.accounts} accounts, and there are ${rows.length} balances`;
    });
  }

  async #addLinesBetween(after: bigint, until: bigint): Promise<void> {
    if (until <= after) return;
    const span = { from: after + 1n, until };
    const lines = tableStream(linePages(this.#work.parts.rows, this.#lane, span, LINES_A_PAGE));
    for (let line = await lines.peek(); line !== null; line = await lines.peek()) {
      this.add([line]);
      lines.advance();
    }
  }

  #compareRow(row: BalanceRow, standing: Standing): void {
    const { findings, tally } = this.#work;
    const place = `lane ${this.#lane}: account ${row.account} ${row.path} ${row.currency}`;
    const sum = this.#sums.get(row.account) ?? NOTHING;
    this.#sums.delete(row.account);
    const isOlder = row.openedBlock < this.#first;
    const isSum = sum.debits === row.debits && sum.credits === row.credits;
    const mayBeSum = isOlder && sum.debits <= row.debits && sum.credits <= row.credits;
    if (isOlder) tally.balancesInPart += 1n;
    findings.expect("balances_equal_lines", isSum || mayBeSum, () => {
      const made = `its lines make ${sum.debits} and ${sum.credits}`;
      return `${place} has ${row.debits} debits and ${row.credits} credits; ${made}`;
    });
    if (sum.currency !== "" && sum.currency !== row.currency) {
      findings.problem("currencies_sum_to_zero", `${place} has lines in ${sum.currency}`);
    }
    if (row.openedBlock > standing.block || row.openedBlock < 1n) {
      findings.problem("balances_equal_lines", `${place} was opened in block ${row.openedBlock}, which does not exist`);
    }
    this.#judgePlace(row, place);
    this.#judgeFloor(row, place, sum.isForced || isOlder);
  }

  #judgePlace(row: BalanceRow, place: string): void {
    const found = this.#work.parts.chart.resolve(row.path);
    const isOurs = laneOf(row.account) === this.#lane;
    const isHome =
      found === null || found.kind === "house"
        ? row.account < 0n
        : row.account > 0n && homeLane(found.holderId, this.#work.lanes) === this.#lane;
    this.#work.findings.expect("rows_in_their_lane", isOurs && isHome, () => {
      if (found === null) return `${place} is not in the chart of accounts`;
      const home =
        found.kind === "house"
          ? "is the house's"
          : `has its home in lane ${homeLane(found.holderId, this.#work.lanes)}`;
      return `${place} ${home}, and its id is of lane ${laneOf(row.account)}`;
    });
  }

  #judgeFloor(row: BalanceRow, place: string, isForced: boolean): void {
    if (row.floorMinor === null) return;
    const side: NormalSide = this.#work.parts.chart.resolve(row.path)?.side ?? "credit";
    const balance = side === "debit" ? row.debits - row.credits : row.credits - row.debits;
    this.#work.findings.expect("floors_held", balance >= row.floorMinor || isForced, () => {
      return `${place} stands at ${balance}, below its floor of ${row.floorMinor}, and no forced posting took it there`;
    });
  }
}

function laneOf(account: bigint): number {
  return Number((account < 0n ? -account : account) >> LANE_SHIFT);
}
