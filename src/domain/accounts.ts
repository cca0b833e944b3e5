// The chart of accounts: which account paths exist, whose they are and on which side they grow. House accounts are
// listed one by one with a fixed number, those at a provider stand once for each provider; holders' accounts are templates
// with the holder's id in the middle. Nothing is remembered of the accounts that were asked for: finding a path's template
// costs less than keeping a table of a hundred thousand strings alive, which the collector has to walk through again and
// again.

import { isHolderId } from "./holder.ts";
import type { Fault, Located } from "./located.ts";
import { type Fields, Reading } from "./reading.ts";

export const ACCOUNT_CLASSES = [
  "asset",
  "liability",
  "clearing",
  "suspense",
  "memo",
  "position",
  "revenue",
  "expense",
  "income",
  "equity",
] as const;
export type AccountClass = (typeof ACCOUNT_CLASSES)[number];

/** The side on which a balance is shown as positive. */
export type NormalSide = "debit" | "credit";

/** Who may touch an account: an intent that names it, too, or flows alone, of their own accord. What a flow sets aside it
 *  must find again, whatever its holder asks for in between. */
export type OpenTo = "intents" | "flows";

/** No floor, one row per lane. `number` is part of account ids: fixed for ever. */
export type HouseAccount = {
  readonly kind: "house";
  readonly path: string;
  readonly number: number;
  readonly class: AccountClass;
  readonly side: NormalSide;
  readonly openTo: OpenTo;
};

/** Written in the holder's home lane only. `floorMinor` is the chart's default: the lowest balance in the normal sign. */
export type HolderAccount = {
  readonly kind: "holder";
  readonly path: string;
  readonly holderId: string;
  readonly class: AccountClass;
  readonly side: NormalSide;
  readonly floorMinor: bigint;
  readonly openTo: OpenTo;
};

export type HolderTemplate = {
  /** `liability:customer:{holder}:available` */
  readonly path: string;
  readonly class: AccountClass;
  readonly side: NormalSide;
  readonly floorMinor: bigint;
  readonly openTo: OpenTo;
};

export type Provider = { readonly name: string; readonly number: number };

const HOLDER = "{holder}";
const PROVIDER = "{provider}";
const SEGMENT = "[a-z][a-z0-9_]*";
const HOUSE_PATH = new RegExp(`^${SEGMENT}(:(${SEGMENT}|\\{provider\\}))+$`);
const HOLDER_PATH = new RegExp(`^(${SEGMENT}:)+\\{holder\\}(:${SEGMENT})+$`);
/** Of an account and of a provider alone: the number of an account at a provider is made of both. */
const NUMBER_MAX = 255;

/** Templates with what follows the holder, under what leads to it: so few that comparing each costs less than cutting the end
 *  off a path, to look it up by. */
type Branch = { readonly prefix: string; readonly endings: readonly Ending[] };
type Ending = { readonly suffix: string; readonly of: HolderTemplate };

export class Chart {
  readonly house: readonly HouseAccount[];
  readonly templates: readonly HolderTemplate[];
  readonly providers: readonly Provider[];
  readonly #houseByPath: ReadonlyMap<string, HouseAccount>;
  readonly #houseKeys: ReadonlyMap<string, Map<string, string>>;
  readonly #branches: readonly Branch[];
  readonly #reservedHouse: ReadonlySet<string>;
  readonly #reservedEndings: readonly string[];

  constructor(
    house: readonly HouseAccount[],
    templates: readonly HolderTemplate[],
    providers: readonly Provider[] = [],
  ) {
    this.house = house;
    this.templates = templates;
    this.providers = providers;
    this.#houseByPath = new Map(house.map((account) => [account.path, account]));
    this.#houseKeys = new Map(house.map((account) => [account.path, new Map()]));
    this.#branches = branchesOf(templates);
    const isReserved = ({ openTo }: { readonly openTo: OpenTo }): boolean => openTo === "flows";
    this.#reservedHouse = new Set(house.filter(isReserved).map(({ path }) => path));
    const endings = templates.filter(isReserved).map(({ path }) => path.split(HOLDER)[1] ?? "");
    this.#reservedEndings = [...new Set(endings)];
  }

  /** `<path> <currency>` of a house account, always the same text: looked up by, it need not be put together and hashed for
   *  every line. As many are kept as there are house accounts and currencies. Null: the path is not the house's. */
  houseKey(path: string, currency: string): string | null {
    const byCurrency = this.#houseKeys.get(path);
    if (byCurrency === undefined) return null;
    let key = byCurrency.get(currency);
    if (key === undefined) {
      key = `${path} ${currency}`;
      byCurrency.set(currency, key);
    }
    return key;
  }

  /** The account at this path, or null when the chart has none: the refusal `unknown_account`. */
  resolve(path: string): HouseAccount | HolderAccount | null {
    return this.#houseByPath.get(path) ?? this.#match(path);
  }

  /** Whether it ends like an account that is open to flows alone, or is one of the house: cheaper than to resolve it, and
   *  a path that only looks like one is in no chart. */
  isReserved(path: string): boolean {
    if (this.#reservedHouse.has(path)) return true;
    for (const ending of this.#reservedEndings)
      if (path.endsWith(ending)) return this.resolve(path)?.openTo === "flows";
    return false;
  }

  #match(path: string): HolderAccount | null {
    for (const { prefix, endings } of this.#branches) {
      if (!path.startsWith(prefix)) continue;
      const end = path.indexOf(":", prefix.length);
      if (end === -1) continue;
      const template = endings.find(({ suffix }) => suffix.length === path.length - end && path.endsWith(suffix));
      const holderId = path.slice(prefix.length, end);
      if (template === undefined || !isHolderId(holderId)) continue;
      const { class: accountClass, side, floorMinor, openTo } = template.of;
      return { kind: "holder", path, holderId, class: accountClass, side, floorMinor, openTo };
    }
    return null;
  }
}

function branchesOf(templates: readonly HolderTemplate[]): Branch[] {
  const branches = new Map<string, Map<string, HolderTemplate>>();
  for (const template of templates) {
    const [prefix = "", suffix = ""] = template.path.split(HOLDER);
    const branch = branches.get(prefix) ?? new Map<string, HolderTemplate>();
    branches.set(prefix, branch.set(suffix, template));
  }
  return [...branches].map(([prefix, bySuffix]) => ({
    prefix,
    endings: [...bySuffix].map(([suffix, of]) => ({ suffix, of })),
  }));
}

/** Reads the chart's file: `apiVersion: chart/v1`, `kind: Chart`, and the lists `house`, `holder` and, where there are
 *  any, `providers`. */
export function parseChart(root: Located): { chart: Chart; faults: readonly Fault[] } {
  const reading = new Reading();
  const file = reading.fields(root, "the chart", {
    required: ["apiVersion", "kind", "house", "holder"],
    optional: ["providers"],
  });
  reading.word(file?.get("apiVersion"), "apiVersion", ["chart/v1"]);
  reading.word(file?.get("kind"), "kind", ["Chart"]);
  const providers = readProviders(reading, file?.get("providers"));
  const declared = readHouse(reading, file?.get("house"));
  const templates = readTemplates(reading, file?.get("holder"));
  const house = declared.flatMap((account) => atProviders(account, providers));
  return { chart: new Chart(house, templates, providers), faults: reading.faults };
}

function readProviders(reading: Reading, list: Located | undefined): Provider[] {
  const providers: Provider[] = [];
  for (const node of reading.items(list, "providers") ?? []) {
    const row = reading.fields(node, "a provider", { required: ["number", "name", "meaning"] });
    const number = reading.integer(row?.get("number"), "number", 1, NUMBER_MAX);
    const name = reading.textLike(row?.get("name"), "name", new RegExp(`^${SEGMENT}$`), "small letters and digits");
    reading.text(row?.get("meaning"), "meaning");
    if (number === null || name === null) continue;
    if (providers.some((other) => other.number === number))
      reading.fault(node.place, `number ${number} is given twice`);
    if (providers.some((other) => other.name === name)) reading.fault(node.place, `${name} is declared twice`);
    providers.push({ name, number });
  }
  return providers;
}

/** An account whose path names the provider stands once for each; any other as it is. */
function atProviders(account: HouseAccount, providers: readonly Provider[]): HouseAccount[] {
  if (!account.path.includes(PROVIDER)) return [account];
  return providers.map(({ name, number }) => ({
    ...account,
    path: account.path.replace(PROVIDER, name),
    number: number * (NUMBER_MAX + 1) + account.number,
  }));
}

function readHouse(reading: Reading, list: Located | undefined): HouseAccount[] {
  const accounts: HouseAccount[] = [];
  for (const node of reading.items(list, "house") ?? []) {
    const keys = { required: ["number", "path", "class", "side", "meaning"], optional: ["open_to"] };
    const row = reading.fields(node, "a house account", keys);
    const number = reading.integer(row?.get("number"), "number", 1, NUMBER_MAX);
    const path = reading.textLike(
      row?.get("path"),
      "path",
      HOUSE_PATH,
      "words joined by colons, {provider} among them",
    );
    const nature = readNature(reading, row);
    if (number === null || path === null || nature === null) continue;
    if (accounts.some((other) => other.number === number)) reading.fault(node.place, `number ${number} is given twice`);
    if (accounts.some((other) => other.path === path)) reading.fault(node.place, `${path} is declared twice`);
    accounts.push({ kind: "house", path, number, ...nature });
  }
  return accounts;
}

function readTemplates(reading: Reading, list: Located | undefined): HolderTemplate[] {
  const templates: HolderTemplate[] = [];
  for (const node of reading.items(list, "holder") ?? []) {
    const keys = { required: ["path", "class", "side", "floorMinor", "meaning"], optional: ["open_to"] };
    const row = reading.fields(node, "a holder's account", keys);
    const path = reading.textLike(
      row?.get("path"),
      "path",
      HOLDER_PATH,
      "words joined by colons with {holder} between",
    );
    const floor = reading.textLike(row?.get("floorMinor"), "floorMinor", /^-?[0-9]{1,38}$/, "digits of minor units");
    const nature = readNature(reading, row);
    if (path === null || floor === null || nature === null) continue;
    if (templates.some((other) => other.path === path)) reading.fault(node.place, `${path} is declared twice`);
    templates.push({ path, floorMinor: BigInt(floor), ...nature });
  }
  return templates;
}

type Nature = { class: AccountClass; side: NormalSide; openTo: OpenTo };

function readNature(reading: Reading, row: Fields | null): Nature | null {
  reading.text(row?.get("meaning"), "meaning");
  const accountClass = reading.word(row?.get("class"), "class", ACCOUNT_CLASSES);
  const side = reading.word(row?.get("side"), "side", ["debit", "credit"]);
  const openTo = reading.word(row?.get("open_to"), "open_to", ["intents", "flows"]) ?? "intents";
  return accountClass === null || side === null ? null : { class: accountClass, side, openTo };
}
