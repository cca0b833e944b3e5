// What an expression may ask of the world: parameters and rates as they stood for the block, the chart, and quotes.

import type { Bookings } from "./bookings.ts";
import type { SecondCase } from "./case-book.ts";
import { placeOf } from "./chart.ts";
import { type Value, whole, wordOf } from "./evaluate.ts";
import { converted, costOf, lockOf, type SecondRate } from "./exchange.ts";
import type { SecondFlow } from "./flows.ts";
import type { SecondIntent } from "./intent.ts";
import { pieceOf, quoteUuid, whyNotQuote } from "./quotes.ts";
import type { AskRoute } from "./routes.ts";
import type { SecondRules } from "./rules.ts";
import { at } from "./tree.ts";
import { plainValue } from "./values.ts";

/** Who asks, and the cases as they stand within its event. */
export type Asker = {
  readonly one: SecondCase;
  readonly bookings: Bookings;
  /** null where no intent is decided */
  readonly intent: SecondIntent | null;
  readonly look: (uuid: string) => SecondCase | undefined;
};

/** The rate of a pair, if one is good enough for a conversion at that time. */
export type AskRate = (from: string, to: string, nowMs: number) => SecondRate | null;

/** What is laid over a flow's parameter for a case; undefined: nothing. */
export type AskOverlay = (one: SecondCase, name: string) => Value | undefined;

export type WorldOf = {
  readonly asks: { readonly rate: AskRate; readonly overlay: AskOverlay; readonly route: AskRoute };
  readonly flows: readonly number[];
  readonly nowMs: number;
};

export class World {
  readonly rules: SecondRules;
  /** numbers of the versions that the block says it went by */
  readonly #flows: readonly number[];
  readonly #rate: AskRate;
  readonly #overlay: AskOverlay;
  readonly #route: AskRoute;
  readonly #nowMs: number;

  constructor(rules: SecondRules, of: WorldOf) {
    const { asks, flows, nowMs } = of;
    this.rules = rules;
    this.#flows = flows;
    this.#rate = asks.rate;
    this.#overlay = asks.overlay;
    this.#route = asks.route;
    this.#nowMs = nowMs;
  }

  /** Of several versions the newest that the block went by. */
  versionOf(isWanted: (flow: SecondFlow) => boolean): SecondFlow | undefined {
    const wanted = this.rules.flows.filter(isWanted);
    return wanted.findLast(({ number }) => this.#flows.includes(number)) ?? wanted.at(-1);
  }

  param(one: SecondCase, name: string): Value | undefined {
    const declared = at(one.flow.spec, "params", name);
    const written = at(declared, "default");
    return this.#overlay(one, name) ?? (written === undefined ? undefined : plainValue(declared, written));
  }

  /** @returns undefined when there is none of that name */
  function(name: string, given: readonly Value[], asker: Asker): Value | undefined {
    switch (name) {
      case "home":
        return this.#isHome(wordOf(given[0]), asker.one.holderId);
      case "holder.of":
        return this.#holderOf(wordOf(given[0]), asker.bookings);
      case "route.has":
        return this.#routed(given, asker) !== null;
      case "route.provider":
        return this.#routed(given, asker) ?? unrouted(asker);
      case "fx.usable":
        return this.#isUsable(wordOf(given[0]), wordOf(given[1]));
      case "fx.lock":
        return lockOf(this.#rate(wordOf(given[0]), wordOf(given[1]), this.#nowMs));
      case "fx.convert":
        return this.#convert(given, asker);
      case "fx.cost":
        return this.#cost(given, asker);
      case "quote.usable":
        return whyNotQuote(...useOf(given, asker)) === null;
      case "quote.convert":
        return this.#quoted(given, asker);
      default:
        return undefined;
    }
  }

  #isHome(path: string, holderId: string): boolean {
    const place = placeOf(this.rules.chart, path);
    return place !== null && (place.holderId === null || place.holderId === holderId);
  }

  #holderOf(path: string, bookings: Bookings): string {
    const place = placeOf(this.rules.chart, path);
    if (place === null) bookings.refusals.add("unknown_account");
    return place?.holderId ?? "house";
  }

  #routed(given: readonly Value[], { one }: Asker): string | null {
    const [method, n, minor, currency] = [wordOf(given[0]), whole(given[1]), whole(given[2]), wordOf(given[3])];
    return this.#route({ uuid: one.uuid, method, minor, currency }, n);
  }

  // Conversions ---------------------------------------------------------------------------------------------------------

  #isUsable(from: string, to: string): boolean {
    return from === to || this.#rate(from, to, this.#nowMs) !== null;
  }

  #convert(given: readonly Value[], asker: Asker): Value {
    const [minor, from, to, bps] = [whole(given[0]), wordOf(given[1]), wordOf(given[2]), whole(given[3])];
    if (from === to) return parts({ net: minor, mid: minor, spread: 0n });
    const rate = this.#rate(from, to, this.#nowMs);
    if (rate === null) return refused(asker, "fx_rate_unavailable");
    return wished(converted(minor, rate, this.#scales(from, to), bps), minor, asker);
  }

  #cost(given: readonly Value[], asker: Asker): Value {
    const [minor, from, to, bps] = [whole(given[0]), wordOf(given[1]), wordOf(given[2]), whole(given[3])];
    if (from === to) return parts({ cost: minor, mid: minor, spread: 0n });
    const rate = this.#rate(from, to, this.#nowMs);
    return rate === null ? refused(asker, "fx_rate_unavailable") : costOf(minor, rate, this.#scales(from, to), bps);
  }

  #quoted(given: readonly Value[], asker: Asker): Value {
    const [known, use] = useOf(given, asker);
    const code = whyNotQuote(known, use);
    if (code !== null || known === undefined) return refused(asker, code ?? "quote_mismatch");
    return wished(pieceOf(known, use.minor), use.minor, asker);
  }

  #scales(from: string, to: string): { readonly from: number; readonly to: number } {
    return { from: this.rules.scales.get(from) ?? 0, to: this.rules.scales.get(to) ?? 0 };
  }
}

function useOf(given: readonly Value[], { one, look }: Asker): Parameters<typeof whyNotQuote> {
  const [id, minor, from, to] = [wordOf(given[0]), whole(given[1]), wordOf(given[2]), wordOf(given[3])];
  const uuid = quoteUuid(id);
  return [uuid === null ? undefined : look(uuid), { holderId: one.holderId, by: one.uuid, minor, from, to }];
}

function unrouted({ bookings }: Asker): string {
  bookings.refusals.add("route_missing");
  return "";
}

function refused({ bookings }: Asker, code: string): Value {
  bookings.refusals.add(code);
  return parts({ net: 0n, cost: 0n, mid: 0n, spread: 0n });
}

/** What an intent asks for must give something; of a fact nothing is what it gives. */
function wished(made: ReadonlyMap<string, Value>, minor: bigint, { bookings, intent }: Asker): Value {
  if (intent !== null && minor > 0n && made.get("net") === 0n) bookings.refusals.add("amount_too_small");
  return made;
}

function parts(of: Readonly<Record<string, bigint>>): ReadonlyMap<string, Value> {
  return new Map(Object.entries(of));
}
