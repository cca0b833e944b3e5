// Rates and parameters as they stood for a block, read when a block first wants them and kept from then on.

import { type RateRow, ratePages, readParameterTexts } from "../../store/audit.ts";
import type { Connection } from "../../store/database.ts";
import type { SecondFlow } from "../second-ledger/flows.ts";
import { overlaysOf } from "../second-ledger/parameters.ts";
import { SecondRates } from "../second-ledger/rates.ts";
import type { Tree } from "../second-ledger/tree.ts";
import type { AskRate, WorldOf } from "../second-ledger/world.ts";

export type VersionSources = {
  /** rates of versions with `after < version <= until`, older ones first */
  readonly rates: (after: bigint, until: bigint) => Promise<readonly RateRow[]>;
  /** the text of each version of parameters */
  readonly parameters: () => Promise<ReadonlyMap<bigint, string>>;
};

const RATES_A_PAGE = 5_000;

export function sourcesIn(connection: Connection): VersionSources {
  return {
    rates: async (after, until) => {
      const pager = ratePages(connection, { after, until }, RATES_A_PAGE);
      const rows: RateRow[] = [];
      for (;;) {
        const page = await pager.page(rows.at(-1) ?? null);
        rows.push(...page);
        if (page.length < RATES_A_PAGE) return rows;
      }
    },
    parameters: () => readParameterTexts(connection),
  };
}

export class Versions {
  readonly #sources: VersionSources;
  readonly #rates = new SecondRates();
  #parameters: ReadonlyMap<bigint, string> = new Map();
  readonly #trees = new Map<bigint, Tree>();

  constructor(sources: VersionSources) {
    this.#sources = sources;
  }

  /** @param flows that the block went by: rates are only read for those that ask for them */
  async asks(
    of: { readonly ratesVersion: bigint; readonly parametersVersion: bigint },
    flows: readonly SecondFlow[],
  ): Promise<WorldOf["asks"]> {
    const rate = of.ratesVersion > 0n && flows.some(asksForRates) ? await this.#ratesAt(of.ratesVersion) : NO_RATE;
    return { rate, overlay: overlaysOf(await this.#parametersAt(of.parametersVersion)) };
  }

  async #ratesAt(version: bigint): Promise<AskRate> {
    const { readTo } = this.#rates;
    if (version > readTo) this.#rates.add(await this.#sources.rates(readTo, version), version);
    return this.#rates.at(version);
  }

  /** @throws Error when a block names a version that there is not */
  async #parametersAt(version: bigint): Promise<Tree | null> {
    if (version === 0n) return null;
    const known = this.#trees.get(version);
    if (known !== undefined) return known;
    if (!this.#parameters.has(version)) this.#parameters = await this.#sources.parameters();
    const text = this.#parameters.get(version);
    if (text === undefined)
      throw new Error(`there is no version ${version} of the parameters, by which a block was decided`);
    const tree = JSON.parse(text) as Tree;
    this.#trees.set(version, tree);
    return tree;
  }
}

const NO_RATE: AskRate = () => null;

const asking = new WeakMap<SecondFlow, boolean>();

function asksForRates(flow: SecondFlow): boolean {
  const known = asking.get(flow) ?? /\bfx\.(usable|lock|convert|cost)\(/.test(JSON.stringify(flow.spec));
  asking.set(flow, known);
  return known;
}
