// A lane in memory for card payments: fixed rates and parameters, reports of the provider, and a sheet of all balances that
// also takes lines of steps that no flow does yet.

import { type Books, type CaseRecord, type Command, type Line, type Outcome } from "../../src/domain/books.ts";
import { decideReport } from "../../src/domain/decide/decide.ts";
import { parsePrice, type Rate, reverse } from "../../src/domain/fx/fx.ts";
import type { RateBook } from "../../src/domain/fx/rates.ts";
import { formatCaseId, parseCaseId } from "../../src/domain/ids.ts";
import type { ParameterBook, ParamValue } from "../../src/domain/parameters/parameters.ts";
import { NO_ROUTES, type Routes } from "../../src/domain/routes/routes.ts";
import type { NewIntent } from "../../src/kafka/codec-messages.ts";
import { MemoryLane, NOW_MS } from "./ledger.ts";

/** `["EURUSD", "1.0850"]`: what stands before is the base. */
export type Prices = Readonly<Record<string, string>>;

export function fixedRates(prices: Prices, version = 1n): RateBook {
  const rates = new Map<string, Rate>();
  for (const [pair, price] of Object.entries(prices)) {
    const read = parsePrice(price);
    if (read === null) throw new Error(`${price} is no price`);
    const rate: Rate = { ...read, base: "from" };
    rates.set(pair, rate).set(`${pair.slice(3)}${pair.slice(0, 3)}`, reverse(rate));
  }
  return { version, usable: (from, to) => rates.get(`${from}${to}`) ?? null };
}

export type Parameters = Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;

export function fixedParameters(parameters: Parameters, routes: Routes = NO_ROUTES): ParameterBook {
  return { version: 1, overlay: (flow) => parameters[flow] ?? null, routes };
}

/** debit, credit, currency, minor units */
export type LineText = readonly [debit: string, credit: string, currency: string, minor: bigint];

export type Told = {
  readonly call: string;
  readonly result: string;
  readonly payload?: Readonly<Record<string, string>>;
  readonly observation?: string;
  readonly attempt?: number;
};

export class CardLane extends MemoryLane {
  prices: Prices = {};
  parameters: Parameters = {};
  routes: Routes = NO_ROUTES;
  readonly commands: Command[] = [];
  #reports = 0n;
  #commandsNext = 0n;

  override open(nowMs = NOW_MS): Books {
    const books = super.open(nowMs);
    const rates = fixedRates(this.prices);
    return {
      ...books,
      rates,
      parameters: fixedParameters(this.parameters, this.routes),
      commandsNext: this.#commandsNext,
    };
  }

  override block<T>(work: (books: Books) => T, nowMs = NOW_MS): T {
    return super.block((books) => {
      const result = work(books);
      this.commands.push(...books.commands);
      this.#commandsNext = books.commandsNext;
      return result;
    }, nowMs);
  }

  /** The provider tells something of a case, in a block of its own. */
  report(caseId: string, holderId: string, told: Told, nowMs = NOW_MS): readonly Outcome[] {
    const offset = this.#reports++;
    const { call, result, payload = {}, observation = `${call} ${result} ${offset}`, attempt } = told;
    const id = parseCaseId(caseId);
    if (id === null) throw new Error(`${caseId} is no case id`);
    const last = this.commands.filter((one) => one.call === call && one.caseId === formatCaseId(id)).at(-1);
    return this.block((books) => {
      decideReport(books, {
        kind: "report",
        id: `r-${this.lane}-${offset}`,
        source: "r",
        offset,
        report: {
          holderId,
          caseId: id,
          call,
          attempt: attempt ?? last?.attempt ?? 0,
          result,
          observation,
          payload,
          occurredAtMicros: BigInt(nowMs) * 1000n,
          from: null,
        },
      });
      return [...books.outcomes];
    }, nowMs);
  }

  /** Every intent in a block of its own. @returns the outcomes */
  ask(message: NewIntent): readonly Outcome[] {
    return this.decide([message])[0]?.outcomes ?? [];
  }

  /** Runs `work` and gives the lines that it caused. */
  linesOf(work: () => void): LineText[] {
    const before = this.lines.length;
    work();
    return this.lines.slice(before).map(textOfLine);
  }

  commandOf(call: string): Command {
    const found = this.commands.filter((one) => one.call === call).at(-1);
    if (found === undefined) throw new Error(`no command ${call}; there are ${this.commands.map((one) => one.call)}`);
    return found;
  }

  children(kind: string): CaseRecord[] {
    return [...this.open().cases.values()].filter((one) => one.kind === kind);
  }
}

export function textOfLine({ debit, credit, currency, minor }: Line): LineText {
  return [debit.path, credit.path, currency, minor];
}

/** Debits less credits of every account and currency that is not zero. */
export class Sheet {
  readonly #sums = new Map<string, bigint>();

  add(lines: readonly LineText[]): this {
    for (const [debit, credit, currency, minor] of lines) {
      this.#move(debit, currency, minor);
      this.#move(credit, currency, -minor);
    }
    return this;
  }

  balances(): Record<string, bigint> {
    return Object.fromEntries([...this.#sums].filter(([, sum]) => sum !== 0n).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  of(account: string, currency: string): bigint {
    return this.#sums.get(`${account} ${currency}`) ?? 0n;
  }

  #move(account: string, currency: string, minor: bigint): void {
    const name = `${account} ${currency}`;
    this.#sums.set(name, (this.#sums.get(name) ?? 0n) + minor);
  }
}
