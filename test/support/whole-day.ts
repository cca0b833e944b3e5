// A day at random of two lanes with a provider and a relay in memory: payments that ask a gateway, cases that open others,
// money sent from holder to holder, rates that come and go, parameters of some holders. From a seed, so that a day can be had
// again.

import { type RateRow, RateSnapshot } from "../../src/domain/fx/rates.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { formatCaseId, newCaseId } from "../../src/domain/ids.ts";
import { makeParameterBook, type Overlays } from "../../src/domain/parameters/parameters.ts";
import { writeOverlays } from "../../src/domain/parameters/stored.ts";
import { type Routes, writeRoutes } from "../../src/domain/routes/routes.ts";
import type { Rules } from "../../src/domain/rules.ts";
import type { MoneyMessage, NewIntent, ReportMessage } from "../../src/kafka/codec-messages.ts";
import type { VersionSources } from "../../src/workload/audit/versions.ts";
import { available, BANK, Producing } from "./intents.ts";
import { LANES, NOW_MS } from "./ledger.ts";
import { MemoryProduction, type Versions } from "./memory-lane.ts";
import { randomOf } from "./random-day.ts";
import { ScriptedProvider } from "./scripted-provider.ts";
import { WHOLE_FLOWS, wholeRules } from "./whole-flows.ts";

const inLane = (lane: number): string[] =>
  Array.from({ length: 100 }, (_, index) => `cust_${index}`)
    .filter((holder) => homeLane(holder, LANES) === lane)
    .slice(0, 3);

const HOME = homeLane("cust_0", LANES);
const OTHER = (HOME + 1) % LANES;
const HOLDERS = [...inLane(HOME), ...inLane(OTHER)];

const OVERLAYS: Overlays = new Map([
  [
    "errand",
    {
      provider: new Map(),
      tenant: new Map(),
      holder: new Map([
        [HOLDERS[0] as string, { fee_bps: 1_000n, strict: true, fee_fixed: { EUR: 5n, USD: 7n } }],
        [HOLDERS[3] as string, { good_for: 60_000n, tries_max: 5n }],
      ]),
    },
  ],
]);

/** Cards that name no provider go to one of two, small ones and euros to one alone. */
const ROUTES: Routes = new Map([
  [
    "card",
    [
      { provider: "script", currencies: null, min: null, max: null, weight: 2n },
      { provider: "cardco", currencies: ["USD", "JPY", "EUR"], min: 1_000n, max: null, weight: 3n },
    ],
  ],
]);

const RULES = wholeRules();

type Making = () => NewIntent;

export class WholeDay {
  readonly lanes: ReadonlyMap<number, MemoryProduction>;
  nowMs = NOW_MS;
  /** reports that the core would halt at: what an operator would have to put right */
  halts = 0;
  readonly #random: () => number;
  readonly #make = new Producing(() => this.nowMs);
  readonly #sent: NewIntent[] = [];
  readonly #provider: ScriptedProvider;
  readonly #rateRows: RateRow[] = [];
  #rates = RateSnapshot.EMPTY;
  readonly #parameters = makeParameterBook(1, OVERLAYS, ROUTES);

  /** @param over what the core goes by, where it is not what the second ledger does */
  constructor(seed: number, over: { readonly rules?: Rules; readonly versions?: Partial<Versions> } = {}) {
    const rules = over.rules ?? RULES;
    this.#random = randomOf(seed);
    const versions = { rates: () => this.#rates, parameters: () => this.#parameters, ...over.versions };
    const laneOf = (holder: string) => new MemoryProduction(holder, rules, undefined, versions);
    const lanes = [laneOf(HOLDERS[0] as string), laneOf(HOLDERS[3] as string)];
    this.lanes = new Map(lanes.map((lane) => [lane.lane, lane]));
    this.#provider = new ScriptedProvider(WHOLE_FLOWS, {
      below: (count) => this.#below(count),
      pick: (all) => this.#pick(all),
    });
  }

  /** What an audit reads of it beside the lanes. */
  get versions(): VersionSources {
    return {
      rates: async (after, until) =>
        this.#rateRows
          .filter(({ version }) => version > after && version <= until)
          .map(({ life, mid, ...row }) => ({
            ...row,
            mid: mid === "" ? null : mid,
            life: life.map((span) => [span.untilMs, span.quality, Number(span.extraBps), span.lockMaxMs] as const),
          })),
      parameters: async () =>
        new Map([[1n, { overlays: writeOverlays(OVERLAYS), settings: null, routes: writeRoutes(ROUTES) }]]),
    };
  }

  async run(rounds: number): Promise<this> {
    for (let round = 0; round < rounds; round++) {
      if (this.#below(3) === 0) this.#quoteRates();
      for (let count = this.#below(9); count > 0; count--) this.#append();
      this.nowMs += this.#pick([1, 30, 5_000, 40_000, 200_000, 1_800_000]);
      for (const report of this.#provider.reports(this.nowMs)) this.#appendReport(report);
      for (const lane of this.lanes.values()) if (this.#below(4) > 0) await this.#commit(lane);
    }
    // Nothing is left on its way, or only what has just been sent.
    for (const lane of [...this.lanes.values(), ...this.lanes.values()]) await this.#commit(lane);
    return this;
  }

  async #commit(lane: MemoryProduction): Promise<void> {
    const from = lane.blocks.length;
    this.halts += await lane.commitPastHalts(this.nowMs);
    for (const { commands } of lane.blocks.slice(from)) {
      for (const { value } of commands.messages)
        this.#provider.take(lane.codec.decoders.command.decode(value), this.nowMs);
    }
    for (const { toLane, key, value } of lane.outgoing.splice(0)) {
      this.lanes.get(toLane)?.appendReport(Buffer.from(key), value, this.nowMs);
    }
  }

  // Rates ---------------------------------------------------------------------------------------------------------------

  #quoteRates(): void {
    const version = this.#rates.version + 1n;
    const rows = [this.#pick(["EUR USD", "EUR USD", "USD CHF", "JPY USD", "EUR GBP"])].map((pair): RateRow => {
      const [base = "", quote = ""] = pair.split(" ");
      const isGone = this.#below(8) === 0;
      const mid = isGone ? "" : `${1 + this.#below(3)}.${String(this.#below(1_000_000)).padStart(6, "0")}`;
      const until = (ms: number): number => this.nowMs + ms;
      const life = [
        { untilMs: until(60_000), quality: "fresh", extraBps: 0n, lockMaxMs: null },
        { untilMs: until(600_000), quality: "aging", extraBps: 20n, lockMaxMs: 0 },
        { untilMs: until(3_600_000), quality: "stale", extraBps: 20n, lockMaxMs: 0 },
      ] as const;
      const feed = this.#pick(["desk", "bank"]);
      const said = { bid: mid, mid, ask: mid, seq: version, asOfMs: this.nowMs, receivedAtMs: this.nowMs };
      return {
        version,
        feed,
        priority: feed === "desk" ? 1 : 2,
        pivot: "USD",
        base,
        quote,
        ...said,
        life: isGone ? [] : life,
      };
    });
    this.#rateRows.push(...rows);
    this.#rates = this.#rates.with(version, rows);
  }

  // Inputs --------------------------------------------------------------------------------------------------------------

  #append(): void {
    const intent = this.#intent();
    this.#sent.push(intent);
    const lane = this.lanes.get(homeLane(intent.holderId, LANES));
    lane?.append(Buffer.from(intent.holderId), lane.codec.encoders.intent.encode(intent), this.nowMs);
    this.nowMs += this.#below(50);
  }

  #appendReport(report: ReportMessage): void {
    const lane = this.lanes.get(homeLane(report.holderId, LANES));
    lane?.appendReport(Buffer.from(report.holderId), lane.codec.encoders.report.encode(report), this.nowMs);
  }

  #intent(): NewIntent {
    const holder = this.#pick(HOLDERS);
    const kinds = [...this.#accounts(holder), ...this.#errands(), ...this.#toOthers(holder), ...this.#cards(holder)];
    const again = (): NewIntent => ({
      ...(this.#sent.length === 0 ? this.#make.payIn(holder, 1) : this.#pick(this.#sent)),
      occurredAt: BigInt(this.nowMs) * 1_000n,
    });
    return this.#pick([...kinds, again])();
  }

  #accounts(holder: string): Making[] {
    const update = (): string => this.#pick(["freeze", "unfreeze", "unfreeze"]);
    return [
      () => this.#make.payIn(holder, 90_000, { caseId: this.#caseId("trf") }),
      () => this.#make.payIn(holder, 3_000, { caseId: this.#caseId("trf") }),
      () => this.#make.accountUpdate(holder, update(), { caseId: this.#caseId("upd") }),
    ];
  }

  #errands(): Making[] {
    const holder = this.#pick(HOLDERS);
    const captureMode = this.#pick(["automatic", "manual", null]);
    const final = this.#pick([true, false, null]);
    return [
      () => this.#opens(holder, "errand_create", "ern", { captureMode, reference: this.#pick(["r", null]) }),
      () => this.#opens(holder, "errand_create", "ern", {}),
      () => this.#opens(holder, "errand_create", "ern", {}),
      () => this.#moves("errand_create", "errand_take", { amount: this.#amount(), final }),
      () => this.#moves("errand_create", "errand_take", { amount: this.#amount() }),
      () => this.#moves("errand_create", "errand_cancel", {}),
      () => this.#decides("errand_create", this.#pick(["release", "nothing", "nonsense"])),
      () => this.#opens(holder, "parcel_create", "par", {}),
      () => this.#opens(holder, "parcel_create", "par", { amount: { currency: "EUR", scale: 2, minor: "2500" } }),
      () => this.#moves("parcel_create", "parcel_portion", { amount: this.#amount() }),
      () => this.#moves("parcel_create", "parcel_portion", { amount: this.#amount() }),
      () => this.#moves("parcel_create", "parcel_portion", { amount: this.#amount() }),
    ];
  }

  #toOthers(holder: string): Making[] {
    const to = this.#pick([...HOLDERS.map(available), available("nobody"), BANK, "nowhere:x"]);
    const way = { from: available(holder), to };
    const settlementCurrency = this.#pick(["EUR", "USD", null]);
    return [
      () => this.#opens(holder, "gift_create", "gif", { ...way, reference: this.#pick(["g", null]) }),
      () => this.#opens(holder, "gift_create", "gif", way),
      () => this.#opens(holder, "transfer_create", "trf", { ...way, settlementCurrency }),
    ];
  }

  #cards(holder: string): Making[] {
    const card = { method: "card", tokenRef: "tok_1", captureMode: this.#pick(["automatic", "manual"]) };
    // A merchant's accounts are in one currency.
    const settlementCurrency = HOLDERS.indexOf(holder) % 3 === 2 ? "USD" : "EUR";
    const quote = this.#sent.findLast(
      (one) => one.type === "quote_request" && one.holderId === holder && one.settlementCurrency === settlementCurrency,
    );
    const quoted = { quoteId: quote?.caseId ?? "fxq_none", amount: quote?.amount ?? this.#amount() };
    const other = { currency: settlementCurrency === "EUR" ? "USD" : "EUR", scale: 2, minor: "4000" };
    const side = this.#pick(["sell", "buy", null]);
    const lockSeconds = this.#pick([null, 60n, 600n, 100_000n]);
    return [
      () => this.#opens(holder, "payment_create", "pay", { ...card, settlementCurrency }),
      () => this.#opens(holder, "payment_create", "pay", { ...card, settlementCurrency }),
      () => this.#opens(holder, "payment_create", "pay", { ...card, settlementCurrency, captureMode: "automatic" }),
      () => this.#opens(holder, "payment_create", "pay", { ...card, settlementCurrency, ...quoted }),
      () => this.#opens(holder, "payment_create", "pay", { ...card, settlementCurrency, ...quoted }),
      () => this.#opens(holder, "payment_create", "pay", { method: this.#pick(["cash", null]) }),
      () =>
        this.#moves("payment_create", "payment_capture", { amount: this.#amount(), final: this.#pick([true, null]) }),
      () => this.#moves("payment_create", "payment_increment", { amount: this.#amount() }),
      () => this.#moves("payment_create", "payment_cancel", {}),
      () =>
        this.#moves("payment_create", "refund_create", {
          amount: this.#amount(),
          fxBasis: this.#pick(["original", "current", null]),
        }),
      () => this.#moves("payment_create", "refund_create", { amount: this.#amount() }),
      () =>
        this.#decides(
          "payment_create",
          this.#pick(["confirm_released", "confirm_nothing", "confirm_capture", "resume", "retry"]),
        ),
      () =>
        this.#opens(holder, "quote_request", "fxq", {
          settlementCurrency: this.#pick(["USD", "GBP"]),
          side,
          lockSeconds,
        }),
      () => this.#opens(holder, "quote_request", "fxq", { settlementCurrency, lockSeconds: 600n, amount: other }),
      () => this.#moves("quote_request", "quote_cancel", {}),
    ];
  }

  #opens(holderId: string, type: string, kind: string, over: Partial<NewIntent>): NewIntent {
    const common = { type, holderId, occurredAt: BigInt(this.nowMs) * 1_000n };
    return { ...common, caseId: this.#caseId(kind), amount: this.#amount(), ...over };
  }

  /** Of a case that was opened, by its holder. */
  #moves(opened: string, type: string, over: Partial<NewIntent>): NewIntent {
    const earlier = this.#sent.filter((one) => one.type === opened).at(-1 - this.#below(6));
    const holderId = earlier?.holderId ?? (HOLDERS[0] as string);
    const key = `k-${this.#below(40)}`;
    const caseId = earlier?.caseId ?? this.#caseId("any");
    return { type, holderId, caseId, idempotencyKey: key, occurredAt: BigInt(this.nowMs) * 1_000n, ...over };
  }

  #decides(opened: string, decision: string): NewIntent {
    return this.#moves(opened, "case_decide", { decision, principal: "ops@house", reason: "seen with the provider" });
  }

  #amount(): MoneyMessage {
    const currency = this.#pick([...Array.from({ length: 18 }, () => "EUR"), "USD", "JPY"]);
    const minor = this.#pick([1, 5, 9, 40, 301, 2_500, 4_001, 30_000]);
    return { currency, scale: currency === "JPY" ? 0 : 2, minor: String(minor) };
  }

  #caseId(kind: string): string {
    const chance = Buffer.from(Array.from({ length: 10 }, () => this.#below(256)));
    return formatCaseId(newCaseId(kind, this.nowMs, chance));
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #pick<One>(all: readonly One[]): One {
    return all[this.#below(all.length)] as One;
  }
}
