// millrace fx positions: what conversions have made of the house's currencies, up to one cut.

import { loadDeclared } from "../declared/load.ts";
import type { Currencies } from "../domain/currencies.ts";
import { formatCut } from "../domain/cut.ts";
import { formatDecimal } from "../domain/decimal.ts";
import { type Deal, identityOf, PositionBook, type PositionReport, type Valuation } from "../domain/fx/positions.ts";
import type { RateSnapshot } from "../domain/fx/rates.ts";
import { roundQuotient } from "../domain/fx/rounding.ts";
import type { Connection } from "../store/database.ts";
import { rateBookAt } from "../store/rates.ts";
import { type DealRow, readDeals } from "../store/reads-fx.ts";
import { readCutSpan, readHouseBalances, readPresentCut } from "../store/reads-ledger.ts";
import type { CliContext } from "./context.ts";
import { requireLanes, withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import type { PositionsOptions } from "./fx.ts";
import type { Column, Output } from "./output.ts";
import { ratesVersion } from "./rates-list.ts";
import { position } from "./rows.ts";
import { usageCheck } from "./usage.ts";

const HOME = "EUR";
const POSITION = "fx:position";
const ROUNDING = "pnl:rounding";

/** What the ledger says up to a cut. */
type Read = {
  readonly cut: string;
  readonly book: PositionBook;
  /** by `from to currency`: what was taken from whoever gave `from` for `to` */
  readonly spreads: ReadonlyMap<string, bigint>;
  readonly rounding: ReadonlyMap<string, bigint>;
  /** balances of the position accounts, by currency: what the lines must come to */
  readonly balances: ReadonlyMap<string, bigint>;
};

/** @throws CommandFailed 1 when positions and lines differ, or the identity does not hold */
export async function showPositions(context: CliContext, options: PositionsOptions): Promise<void> {
  const usage = usageCheck();
  const wanted = usage.wholeNumber("--at-version", options.atVersion, {
    default: -1,
    min: 0,
    max: 999_999_999_999_999,
  });
  const config = await context.config([], usage);
  const home = options.in ?? HOME;
  const { currencies } = loadDeclared(config.schemasDir, config.flowsDir);
  if (currencies.scaleOf(home) === null) throw new CommandFailed(EXIT.usage, `--in: "${home}" is no currency here`);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  await withDatabase({ config, databaseUrl, verb: "fx", mode: "read" }, async (connection) => {
    const version = await ratesVersion(connection, wanted);
    const rates = await rateBookAt(connection, version);
    const read = await readLedger(connection, home, currencies);
    print(context.out, read, { home, version, currencies, value: valuation(rates, home, currencies) });
  });
}

async function readLedger(connection: Connection, home: string, currencies: Currencies): Promise<Read> {
  const { cut, nowMs } = await readPresentCut(connection);
  requireLanes(cut.size);
  const span = await readCutSpan(connection, cut);
  const sums = async (path: string): Promise<Map<string, bigint>> => {
    const rows = await readHouseBalances(connection, span, { path });
    return new Map(rows.map(({ currency, debits, credits }) => [currency, credits - debits]));
  };
  const balances = await sums(POSITION);
  const rounding = await sums(ROUNDING);
  const book = new PositionBook(home);
  const spreads = new Map<string, bigint>();
  const versions = new Map<bigint, RateSnapshot>();
  for await (const rows of together(readDeals(connection, cut, nowMs))) {
    const deal = dealOf(rows);
    let then = versions.get(deal.ratesVersion);
    if (then === undefined) {
      then = await rateBookAt(connection, deal.ratesVersion);
      versions.clear(); // deals come in the order of time: what was before is hardly asked for again
      versions.set(deal.ratesVersion, then);
    }
    book.add(deal, valuation(then, home, currencies));
    addSpreads(spreads, deal, rows);
  }
  return { cut: formatCut(cut), book, spreads, rounding, balances };
}

/** The rows of one posting of one case. */
async function* together(rows: AsyncIterable<DealRow>): AsyncGenerator<DealRow[]> {
  let group: DealRow[] = [];
  for await (const row of rows) {
    const [first] = group;
    const isNext =
      first !== undefined &&
      (first.lane !== row.lane ||
        first.block !== row.block ||
        first.caseId !== row.caseId ||
        first.posting !== row.posting);
    if (isNext) {
      yield group;
      group = [];
    }
    group.push(row);
  }
  if (group.length > 0) yield group;
}

function dealOf(rows: readonly DealRow[]): Deal {
  const legs = new Map<string, bigint>();
  for (const { currency, position: minor } of rows) legs.set(currency, (legs.get(currency) ?? 0n) + minor);
  return { legs, ratesVersion: rows[0]?.ratesVersion ?? 0n };
}

/** Whoever gave a currency made us long in it. */
function addSpreads(spreads: Map<string, bigint>, { legs }: Deal, rows: readonly DealRow[]): void {
  const given = [...legs].find(([, minor]) => minor > 0n)?.[0] ?? "?";
  const taken = [...legs].find(([, minor]) => minor < 0n)?.[0] ?? "?";
  for (const { currency, spread } of rows) {
    const key = `${given} ${taken} ${currency}`;
    if (spread !== 0n) spreads.set(key, (spreads.get(key) ?? 0n) + spread);
  }
}

/** At mid, by the last rate that is known, dead or not: what is held must be worth something. A withdrawn one is none. */
function valuation(rates: RateSnapshot, home: string, currencies: Currencies): Valuation {
  return (minor, currency) => {
    const found = rates.find(currency, home, Number.NEGATIVE_INFINITY);
    if (found === null) return null;
    const { numerator, denominator } = found.rate;
    const up = 10n ** BigInt(currencies.scaleOf(home) ?? 0);
    const down = 10n ** BigInt(currencies.scaleOf(currency) ?? 0);
    return roundQuotient("half_even", minor * numerator * up, denominator * down);
  };
}

type Shown = {
  readonly home: string;
  readonly version: bigint;
  readonly currencies: Currencies;
  readonly value: Valuation;
};

const COLUMNS: readonly Column[] = [
  { key: "currency", title: "Currency" },
  { key: "position", title: "Position", align: "right" },
  { key: "averageCost", title: "Average cost", align: "right" },
  { key: "cost", title: "Cost", align: "right" },
  { key: "value", title: "Worth", align: "right" },
  { key: "realised", title: "Realised", align: "right" },
  { key: "unrealised", title: "Unrealised", align: "right" },
];

function print(out: Output, read: Read, shown: Shown): void {
  const { rows, swept } = read.book.report(shown.value);
  const identity = identityOf(rows, swept);
  printPositions(out, rows, shown);
  printSpreads(out, read, shown);
  for (const [currency, minor] of read.rounding) {
    const text = `rounding result ${formatDecimal(minor, shown.currencies.scaleOf(currency) ?? 0)} ${currency}`;
    out.row({ kind: "rounding", currency, minor }, text);
  }
  const faults = faultsOf(read, rows, identity);
  const { home, version } = shown;
  const fields = {
    home,
    version: position(version),
    cut: read.cut,
    sweptMinor: swept,
    ...identity,
    holds: faults.length === 0,
  };
  const worth = identity === null ? "?" : formatDecimal(identity.worth, shown.currencies.scaleOf(home) ?? 0);
  out.row(
    { kind: "identity", ...fields },
    `all positions are worth ${worth} ${home}: the result that was not swept yet`,
  );
  if (faults.length > 0) throw new CommandFailed(EXIT.failed, faults.join("\n"));
  const unvalued = rows.filter(({ value }) => value === null).map(({ currency }) => currency);
  if (unvalued.length > 0) out.warn(`no rate to ${home}, so not valued: ${unvalued.join(", ")}`);
}

function printPositions(out: Output, rows: readonly PositionReport[], { home, currencies }: Shown): void {
  const inHome = (minor: bigint | null): string | null =>
    minor === null ? null : formatDecimal(minor, currencies.scaleOf(home) ?? 0);
  if (out.json) {
    for (const { currency, position: minor, cost, value, realised, unrealised } of rows) {
      const results = { costMinor: cost, valueMinor: value, realisedMinor: realised, unrealisedMinor: unrealised };
      out.row({ kind: "position", currency, positionMinor: minor, home, ...results }, "");
    }
    return;
  }
  out.table(
    COLUMNS,
    rows.map((row) => ({
      currency: row.currency,
      position: formatDecimal(row.position, currencies.scaleOf(row.currency) ?? 0),
      averageCost: averageCost(row, home, currencies),
      cost: inHome(row.cost),
      value: inHome(row.value),
      realised: inHome(row.realised),
      unrealised: inHome(row.unrealised),
    })),
  );
}

const AVERAGE_DECIMALS = 6;

/** Units of the home currency for one unit; for eyes. */
function averageCost(
  { currency, position: minor, cost }: PositionReport,
  home: string,
  currencies: Currencies,
): string | null {
  if (minor === 0n) return null;
  const up = 10n ** BigInt((currencies.scaleOf(currency) ?? 0) + AVERAGE_DECIMALS);
  const down = (minor < 0n ? -minor : minor) * 10n ** BigInt(currencies.scaleOf(home) ?? 0);
  return formatDecimal(roundQuotient("half_even", (minor < 0n ? -cost : cost) * up, down), AVERAGE_DECIMALS);
}

function printSpreads(out: Output, { spreads }: Read, { currencies }: Shown): void {
  for (const [key, minor] of [...spreads].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const [from = "", to = "", currency = ""] = key.split(" ");
    const text = `spread revenue ${from} to ${to}: ${formatDecimal(minor, currencies.scaleOf(currency) ?? 0)} ${currency}`;
    out.row({ kind: "spread", from, to, currency, minor }, text);
  }
}

function faultsOf(
  { book, balances }: Read,
  rows: readonly PositionReport[],
  identity: ReturnType<typeof identityOf>,
): string[] {
  const faults: string[] = [];
  const byCurrency = new Map(rows.map(({ currency, position: minor }) => [currency, minor]));
  for (const currency of new Set([...balances.keys(), ...byCurrency.keys()])) {
    const [balance, lines] = [balances.get(currency) ?? 0n, byCurrency.get(currency) ?? 0n];
    if (balance !== lines)
      faults.push(
        `${POSITION} has ${balance} minor units of ${currency}, its lines come to ${lines}: are some of them archived?`,
      );
  }
  if (identity !== null && identity.worth !== identity.result)
    faults.push(
      `positions are worth ${identity.worth} minor units of ${book.home}, the result not swept is ${identity.result}`,
    );
  for (const { legs } of book.unvalued)
    faults.push(`a deal in ${[...legs.keys()].join(", ")} has no rate of its time to ${book.home}`);
  return faults;
}
