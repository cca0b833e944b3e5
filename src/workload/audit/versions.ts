// Rates, parameters, routes and settings as they stood for a block, read when a block first wants them and kept from then on.

import { type RateRow, ratePages } from "../../store/audit.ts";
import type { Connection } from "../../store/database.ts";
import { type ParameterTexts, readParameterTexts } from "../../store/parameters.ts";
import type { SecondFlow } from "../second-ledger/flows.ts";
import { overlaysOf } from "../second-ledger/parameters.ts";
import { SecondRates } from "../second-ledger/rates.ts";
import { routesOf } from "../second-ledger/routes.ts";
import { readSettings, type SecondSettings } from "../second-ledger/rules.ts";
import type { Tree } from "../second-ledger/tree.ts";
import type { AskRate, WorldOf } from "../second-ledger/world.ts";

export type VersionSources = {
  /** rates of versions with `after < version <= until`, older ones first */
  readonly rates: (after: bigint, until: bigint) => Promise<readonly RateRow[]>;
  /** each version of parameters */
  readonly parameters: () => Promise<ReadonlyMap<bigint, ParameterTexts>>;
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

type Said = {
  readonly overlays: Tree | null;
  readonly settings: SecondSettings | null;
  readonly routes: Tree | null;
};

const NOTHING_SAID: Said = { overlays: null, settings: null, routes: null };

export class Versions {
  readonly #sources: VersionSources;
  readonly #rates = new SecondRates();
  #parameters: ReadonlyMap<bigint, ParameterTexts> = new Map();
  readonly #said = new Map<bigint, Said>();

  constructor(sources: VersionSources) {
    this.#sources = sources;
  }

  /** @param flows that the block went by: rates are only read for those that ask for them */
  async asks(
    of: { readonly ratesVersion: bigint; readonly parametersVersion: bigint },
    flows: readonly SecondFlow[],
  ): Promise<WorldOf["asks"]> {
    const rate = of.ratesVersion > 0n && flows.some(asksForRates) ? await this.#ratesAt(of.ratesVersion) : NO_RATE;
    const { overlays, routes } = await this.#parametersAt(of.parametersVersion);
    return { rate, overlay: overlaysOf(overlays), route: routesOf(routes) };
  }

  /** @returns null when the settings of then were not written down
   *  @throws Error when there is no such version; Unreadable */
  async settings(parametersVersion: bigint): Promise<SecondSettings | null> {
    return (await this.#parametersAt(parametersVersion)).settings;
  }

  async #ratesAt(version: bigint): Promise<AskRate> {
    const { readTo } = this.#rates;
    if (version > readTo) this.#rates.add(await this.#sources.rates(readTo, version), version);
    return this.#rates.at(version);
  }

  /** @throws Error when a block names a version that there is not */
  async #parametersAt(version: bigint): Promise<Said> {
    if (version === 0n) return NOTHING_SAID;
    const known = this.#said.get(version);
    if (known !== undefined) return known;
    if (!this.#parameters.has(version)) this.#parameters = await this.#sources.parameters();
    const texts = this.#parameters.get(version);
    if (texts === undefined)
      throw new Error(`there is no version ${version} of the parameters, by which a block was decided`);
    const settings = texts.settings === null ? null : readSettings(JSON.parse(texts.settings) as Tree);
    const routes = texts.routes === null ? null : (JSON.parse(texts.routes) as Tree);
    const said = { overlays: JSON.parse(texts.overlays) as Tree, settings, routes };
    this.#said.set(version, said);
    return said;
  }
}

const NO_RATE: AskRate = () => null;

const asking = new WeakMap<SecondFlow, boolean>();

function asksForRates(flow: SecondFlow): boolean {
  const known = asking.get(flow) ?? /\bfx\.(usable|lock|convert|cost)\(/.test(JSON.stringify(flow.spec));
  asking.set(flow, known);
  return known;
}
