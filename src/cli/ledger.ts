// millrace ledger: balances now and as of a cut, lines, and whether it all sums to zero.

import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import { nearestName } from "../config/suggest.ts";
import { loadDeclared } from "../declared/load.ts";
import type { HolderAccount, HouseAccount } from "../domain/accounts.ts";
import { type AsOf, formatCut, parseAsOf } from "../domain/cut.ts";
import { homeLane } from "../domain/holder.ts";
import {
  type BalanceSums,
  type CutSpan,
  CutUnreadable,
  readCutAt,
  readCutSpan,
  readHolderBalance,
  readHolderBalances,
  readHouseBalances,
  readPresentCut,
} from "../store/reads-ledger.ts";
import { type CliContext, withExamples } from "./context.ts";
import { requireLanes, withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { printLines } from "./ledger-lines.ts";
import { printTrialBalance } from "./ledger-trial.ts";
import { BALANCE_COLUMNS, balanceRow, type Ledger } from "./ledger-view.ts";
import { isoTime, LIMIT, position, printRows, type Row, readLimit } from "./rows.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

type AsOfOptions = { readonly asOf?: string };
type BalancesOptions = AsOfOptions & { readonly prefix?: string; readonly limit?: string };

const AS_OF = [
  "--as-of <CUT|TIME>",
  "a cut as `ledger cut` prints it, or a time like 2026-11-20T10:00:00Z (a date alone is its first moment)",
] as const;
const PAGE_ROWS = 1_000;

export function register(program: Command, context: CliContext): void {
  const summary = "balances now and as of a cut, lines, trial balance";
  const verb = program.command("ledger").summary(summary).description(`${summary}.`);
  withExamples(verb, "millrace ledger balance asset:bank:main", "millrace ledger trial-balance --json");
  registerBalances(verb, context);
  const lines = verb
    .command("lines <PATH>")
    .summary("what moved an account")
    .description(
      "The lines of an account, newest last; a holder's account with its balance after each. With --limit the newest N.",
    )
    .option(LIMIT, "only the newest N lines")
    .action((path: string, options: { limit?: string }) => {
      const usage = usageCheck();
      const limit = readLimit(usage, options.limit);
      return withLedger(context, usage, (ledger) =>
        printLines(context.out, ledger, knownAccount(ledger, path), { path, limit }),
      );
    });
  withExamples(lines, "millrace ledger lines liability:customer:cust_12:available --limit 20");
  const trial = verb
    .command("trial-balance")
    .summary("whether everything sums to zero")
    .description(
      "Debits and credits of all accounts of one moment, by house path or kind of holders' account, with a total a currency. Exit 1 unless every currency sums to zero.",
    )
    .action(() => withLedger(context, usageCheck(), (ledger) => printTrialBalance(context.out, ledger)));
  withExamples(trial, "millrace ledger trial-balance");
  const cut = verb
    .command("cut")
    .summary("the present cut, for --as-of")
    .description("The present cut: the last block of each lane, read in one statement. For --as-of.")
    .action(() => withLedger(context, usageCheck(), async (ledger) => printCut(context, ledger)));
  withExamples(cut, "millrace ledger cut", "millrace ledger balances --as-of $(millrace ledger cut)");
}

function registerBalances(verb: Command, context: CliContext): void {
  const balance = verb
    .command("balance <PATH>")
    .summary("the balance of an account")
    .description(
      [
        "The balance of an account in its normal sign, a row a currency; house accounts are summed over lanes.",
        "A house account that no line has touched yet is zero in every currency: no row, exit 0.",
        "A path that the chart does not have, or a holder's account that nobody has opened: exit 1.",
      ].join("\n"),
    )
    .option(...AS_OF)
    .action((path: string, options: AsOfOptions) => showBalance(context, path, options));
  withExamples(
    balance,
    "millrace ledger balance asset:bank:main --json",
    "millrace ledger balance liability:customer:cust_12:available --as-of 2026-11-20T10:00:00Z",
  );
  const balances = verb
    .command("balances")
    .summary("balances of all accounts")
    .description("Balances of all accounts of one cut: the house's first, then holders', each in the order of paths.")
    .option("--prefix <P>", "only paths that begin so")
    .option(...AS_OF)
    .option(LIMIT, "at most N rows")
    .action((options: BalancesOptions) => showBalances(context, options));
  withExamples(
    balances,
    "millrace ledger balances --prefix liability:customer:",
    "millrace ledger balances --as-of 0:12,1:40 --json",
  );
}

async function withLedger<Answer>(
  context: CliContext,
  usage: UsageCheck,
  work: (ledger: Ledger) => Promise<Answer>,
): Promise<Answer> {
  const config: Config = await context.config([], usage);
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  const declared = loadDeclared(config.schemasDir, config.flowsDir);
  return withDatabase({ config, databaseUrl, verb: "ledger", mode: "read" }, async (connection) => {
    const { cut, nowMs } = await readPresentCut(connection);
    requireLanes(cut.size);
    try {
      return await work({ connection, declared, present: cut, nowMs });
    } catch (error) {
      if (error instanceof CutUnreadable) throw new CommandFailed(EXIT.failed, error.message);
      throw error;
    }
  });
}

// Accounts ----------------------------------------------------------------------------------------------------------------

function knownAccount({ declared }: Ledger, path: string): HouseAccount | HolderAccount {
  const { chart } = declared;
  const place = chart.resolve(path);
  if (place !== null) return place;
  const known = [...chart.house, ...chart.templates].map((account) => account.path);
  const nearest = nearestName(path, known);
  const hint = nearest === null ? "" : `; did you mean ${nearest}?`;
  const message = `the chart has no account ${path}${hint}\nholders' accounts look like ${chart.templates[0]?.path ?? ""}`;
  throw new CommandFailed(EXIT.failed, message);
}

// Cuts --------------------------------------------------------------------------------------------------------------------

function readAsOf(usage: UsageCheck, text: string | undefined): AsOf | null {
  if (text === undefined) return null;
  const asOf = parseAsOf(text);
  if (asOf.kind === "fault") usage.fault(`--as-of: found "${text}", expected ${asOf.expected}`);
  return asOf;
}

async function spanOf(context: CliContext, ledger: Ledger, asOf: AsOf | null): Promise<CutSpan> {
  if (asOf?.kind !== "time") return readCutSpan(ledger.connection, asOf?.kind === "cut" ? asOf.cut : ledger.present);
  const cut = await readCutAt(ledger.connection, asOf.atMs);
  context.out.note(`as of cut ${formatCut(cut)}`);
  return readCutSpan(ledger.connection, cut);
}

async function printCut(context: CliContext, { present, nowMs }: Ledger): Promise<void> {
  const cut = formatCut(present);
  const blocks = [...present.values()].reduce((sum, block) => sum + block, 0n);
  const at = blocks === 0n ? null : isoTime(nowMs);
  context.out.row({ cut, lanes: present.size, blocks: position(blocks), at }, cut);
}

// Balances ----------------------------------------------------------------------------------------------------------------

async function showBalance(context: CliContext, path: string, options: AsOfOptions): Promise<void> {
  const usage = usageCheck();
  const asOf = readAsOf(usage, options.asOf);
  await withLedger(context, usage, async (ledger) => {
    const { connection, present } = ledger;
    const place = knownAccount(ledger, path);
    const span = await spanOf(context, ledger, asOf);
    if (place.kind === "house") {
      const sums = await readHouseBalances(connection, span, { path });
      if (sums.length === 0) context.out.note(`no line has touched ${path} yet: it is zero in every currency`);
      await printRows(context.out, BALANCE_COLUMNS, rowsOf(ledger, sums));
      return;
    }
    const sums = await readHolderBalance(connection, span, homeLane(place.holderId, present.size), path);
    if (sums === null) {
      throw new CommandFailed(EXIT.failed, `nobody ${asOf === null ? "has" : "had then"} opened ${path}`);
    }
    await printRows(context.out, BALANCE_COLUMNS, rowsOf(ledger, [sums]));
  });
}

async function* rowsOf(ledger: Ledger, sums: Iterable<BalanceSums> | AsyncIterable<BalanceSums>): AsyncGenerator<Row> {
  for await (const one of sums) yield balanceRow(ledger, one);
}

async function showBalances(context: CliContext, options: BalancesOptions): Promise<void> {
  const usage = usageCheck();
  const asOf = readAsOf(usage, options.asOf);
  const limit = readLimit(usage, options.limit);
  const prefix = options.prefix ?? "";
  await withLedger(context, usage, async (ledger) => {
    // Many pages, one cut: whatever is booked meanwhile is taken off again.
    const span = await spanOf(context, ledger, asOf);
    const rows = async function* (): AsyncGenerator<Row> {
      yield* rowsOf(ledger, await readHouseBalances(ledger.connection, span, { prefix }));
      yield* rowsOf(ledger, readHolderBalances(ledger.connection, span, prefix, PAGE_ROWS));
    };
    const count = await printRows(context.out, BALANCE_COLUMNS, rows(), limit);
    if (count === 0) context.out.note(`no account${prefix === "" ? "" : ` that begins with ${prefix}`} has a balance`);
  });
}
