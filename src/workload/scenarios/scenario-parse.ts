// Reads a file of scenarios, and names every fault of it with its place.

import { parseDurationMs } from "../../domain/flow/duration.ts";
import type { Fault, Located, LocatedFile, Place } from "../../domain/located.ts";
import { type Fields as Keys, Reading } from "../../domain/reading.ts";
import type {
  Expected,
  ExpectedBalance,
  Fields,
  Given,
  GivenAccount,
  GivenParameter,
  GivenRate,
  GivenRoutes,
  GivenValue,
  Scenario,
  ScenarioFile,
  Step,
  StepEvent,
  Word,
  Words,
} from "./scenario.ts";

export type ReadScenarios = { readonly file: ScenarioFile | null; readonly faults: readonly Fault[] };

export function parseScenarios(located: LocatedFile): ReadScenarios {
  if (located.root === null) return { file: null, faults: located.faults };
  const reading = new ScenarioReading();
  const file = reading.file(located.root);
  const faults = [...located.faults, ...reading.faults];
  return { file: faults.length === 0 ? file : null, faults };
}

const MONDAY_MORNING = Date.UTC(2026, 2, 2, 10);
const AMOUNT = /^([A-Z0-9]{2,12}) (-?\d{1,60})$/;
const AMOUNT_FORM = "a currency and minor units, such as `EUR 1050`";
const EVENTS = ["intent", "report", "after", "timer"] as const;

class ScenarioReading extends Reading {
  file(root: Located): ScenarioFile | null {
    const keys = { required: ["apiVersion", "flow", "scenarios"], optional: ["untaken"] };
    const row = this.fields(root, "a file of scenarios", keys);
    this.word(row?.get("apiVersion"), "apiVersion", ["scenarios/v1"]);
    const flow = this.text(row?.get("flow"), "flow");
    const items = this.items(row?.get("scenarios"), "scenarios") ?? [];
    const scenarios = items.flatMap((item) => this.#scenario(item) ?? []);
    for (const [index, { name, place, from }] of scenarios.entries()) {
      const before = scenarios.slice(0, index).map((one) => one.name);
      if (before.includes(name)) this.fault(place, `"${name}" is told twice`);
      if (from !== null && !before.includes(from.text))
        this.fault(from.place, `no scenario above is called "${from.text}"`);
    }
    const untaken = (this.items(row?.get("untaken"), "untaken") ?? []).flatMap((item) => this.#untaken(item) ?? []);
    return flow === null ? null : { flow, scenarios, untaken };
  }

  #untaken(node: Located): Word | null {
    const row = this.fields(node, "a way that nothing takes", { required: ["way", "reason"] });
    this.text(row?.get("reason"), "reason");
    return this.#word(row?.get("way"), "way");
  }

  #scenario(node: Located): Scenario | null {
    const row = this.fields(node, "a scenario", { required: ["name", "steps"], optional: ["from", "given"] });
    const name = this.text(row?.get("name"), "name");
    const given = this.#given(row?.get("given"));
    const from = this.#word(row?.get("from"), "from");
    const steps = (this.items(row?.get("steps"), "steps") ?? []).flatMap((item) => this.#step(item) ?? []);
    return name === null ? null : { place: node.place, name, from, given, steps };
  }

  // Given -------------------------------------------------------------------------------------------------------------

  #given(node: Located | undefined): Given {
    const optional = ["now", "holder", "accounts", "rates", "parameters", "routes"];
    const row = node === undefined ? null : this.fields(node, "given", { required: [], optional });
    const now = this.text(row?.get("now"), "now");
    const nowMs = now === null ? MONDAY_MORNING : Date.parse(now);
    if (Number.isNaN(nowMs) && node !== undefined) this.fault(node.place, "now must be a time, quoted");
    const accounts = this.items(row?.get("accounts"), "accounts") ?? [];
    return {
      nowMs,
      holder: this.text(row?.get("holder"), "holder") ?? "m1",
      accounts: accounts.flatMap((one) => this.#account(one) ?? []),
      rates: this.#named(row?.get("rates"), "rates").flatMap(([pair, value, place]) => this.#rate(pair, value, place)),
      parameters: this.#named(row?.get("parameters"), "parameters").map(([name, value, place]): GivenParameter => {
        return { place, name, value: this.#value(value) };
      }),
      routes: this.#named(row?.get("routes"), "routes").map(([method, node, place]): GivenRoutes => {
        const providers = this.items(node, "routes") ?? [];
        return { place, method, providers: providers.flatMap((one) => this.text(one, "a provider") ?? []) };
      }),
    };
  }

  #account(node: Located): GivenAccount | null {
    const row = this.fields(node, "an account", { required: ["path", "holds"], optional: ["floor", "status"] });
    const path = this.text(row?.get("path"), "path");
    const holds = this.#amount(row?.get("holds"), "holds");
    const floor = row?.get("floor");
    const isNone = floor?.kind === "scalar" && floor.value === "none";
    const status = this.word(row?.get("status"), "status", ["open", "frozen", "closed"] as const) ?? "open";
    if (path === null || holds === null) return null;
    const { currency, minor } = holds;
    const floorMinor = BigInt(isNone ? 0 : (this.integer(floor, "floor", -1e12, 1e12) ?? 0));
    return { place: node.place, path, currency, balance: minor, floor: isNone ? null : floorMinor, status };
  }

  #rate(pair: string, node: Located, place: Place): GivenRate[] {
    if (!/^[A-Z]{6}$/.test(pair)) this.fault(place, `a pair must be two currencies, such as EURUSD; found "${pair}"`);
    const price = this.textLike(node, "a rate", /^(\d+(\.\d+)?|none)$/, "a quoted decimal number, or none");
    const [from, to] = [pair.slice(0, 3), pair.slice(3)];
    return price === null ? [] : [{ place, from, to, price: price === "none" ? null : price }];
  }

  // Steps -------------------------------------------------------------------------------------------------------------

  #step(node: Located): Step | null {
    const optional = [...EVENTS, "case", "holder", "with", "key", "attempt", "observation", "expect"];
    const row = this.fields(node, "a step", { required: [], optional });
    if (row === null) return null;
    const event = this.#event(node.place, row);
    const expected = this.#expected(node.place, row.get("expect"));
    if (event === null) return null;
    const name = this.text(row.get("case"), "case") ?? "case";
    return { place: node.place, case: name, holder: this.text(row.get("holder"), "holder"), event, expected };
  }

  #event(place: Place, row: Keys): StepEvent | null {
    const kinds = EVENTS.filter((kind) => row.has(kind));
    const [kind] = kinds;
    if (kind === undefined || kinds.length > 1) return this.fault(place, `a step has one of ${EVENTS.join(", ")}`);
    const text = this.text(row.get(kind), kind);
    if (text === null) return null;
    const fields = this.#fields(row.get("with"));
    switch (kind) {
      case "intent":
        return { kind, type: text, fields, key: this.text(row.get("key"), "key") };
      case "report": {
        const [call = "", result] = text.split(".");
        if (result === undefined) return this.fault(place, "report must be a call and a result: authorize.approved");
        const attempt = this.integer(row.get("attempt"), "attempt", 0, 1000);
        return { kind, call, result, fields, attempt, observation: this.text(row.get("observation"), "observation") };
      }
      case "after": {
        const durationMs = parseDurationMs(text);
        return durationMs === null
          ? this.fault(place, `after must be a duration, such as PT15M`)
          : { kind, durationMs };
      }
      default:
        return { kind: "timer", name: text };
    }
  }

  #fields(node: Located | undefined): Fields {
    return new Map(
      this.#named(node, "with").map(([name, value, place]) => [name, { place, value: this.#value(value) }]),
    );
  }

  // Expectations --------------------------------------------------------------------------------------------------------

  #expected(place: Place, node: Located | undefined): Expected {
    const optional = ["state", "states", "outcomes", "lines", "commands", "balances"];
    const row = node === undefined ? null : this.fields(node, "expect", { required: [], optional });
    const own = node?.place ?? place;
    return {
      place: own,
      state: this.#word(row?.get("state"), "state"),
      states: this.#named(row?.get("states"), "states").flatMap(([flow, value]) => {
        const word = this.#word(value, "a state");
        return word === null ? [] : [{ ...word, flow }];
      }),
      outcomes: this.#words(row?.get("outcomes"), "outcomes", own),
      lines: this.#words(row?.get("lines"), "lines", own),
      commands: this.#words(row?.get("commands"), "commands", own),
      balances: this.#named(row?.get("balances"), "balances").flatMap(([path, value, at]) => {
        const amount = this.#amount(value, "a balance");
        return amount === null ? [] : [{ place: at, path, ...amount } satisfies ExpectedBalance];
      }),
    };
  }

  #word(node: Located | undefined, what: string): Word | null {
    const text = this.text(node, what);
    return text === null || node === undefined ? null : { place: node.place, text };
  }

  #words(node: Located | undefined, what: string, place: Place): Words {
    const items = this.items(node, what) ?? [];
    return { place: node?.place ?? place, words: items.flatMap((item) => this.#word(item, `one of ${what}`) ?? []) };
  }

  #named(node: Located | undefined, what: string): (readonly [string, Located, Place])[] {
    if (node === undefined) return [];
    return (this.entries(node, what) ?? []).map(({ key, keyPlace, value }) => [key, value, keyPlace] as const);
  }

  #amount(node: Located | undefined, what: string): { currency: string; minor: bigint } | null {
    const text = this.textLike(node, what, AMOUNT, AMOUNT_FORM);
    const parts = text === null ? null : AMOUNT.exec(text);
    return parts === null ? null : { currency: parts[1] as string, minor: BigInt(parts[2] as string) };
  }

  #value(node: Located): GivenValue {
    if (node.kind === "scalar") return node.value;
    if (node.kind === "list") return this.fault(node.place, "a value is a word, a number or a table of numbers");
    const entries = node.entries.map(({ key, value }) => [key, this.integer(value, key, -1e15, 1e15) ?? 0] as const);
    return Object.fromEntries(entries);
  }
}
