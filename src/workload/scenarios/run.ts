// Runs a scenario on the core that the service runs on, and says where what came of it is not what was expected.

import type { Command, IntentInput, Report, TimerKey } from "../../domain/books.ts";
import type { CompiledFlow } from "../../domain/flow/compile/compile.ts";
import type { Flow } from "../../domain/flow/flow.ts";
import { type CaseId, deriveCaseId, formatCaseId } from "../../domain/ids.ts";
import type { Fault } from "../../domain/located.ts";
import type { Rules } from "../../domain/rules.ts";
import { commandFacts, compareLists, lineFacts, outcomeFacts } from "./compare.ts";
import { parametersOf, ratesOf, routesOf } from "./given.ts";
import { intentOf } from "./intent.ts";
import { type Caused, ScenarioLane } from "./lane.ts";
import type {
  Expected,
  Fields,
  GivenParameter,
  GivenRate,
  GivenRoutes,
  GivenValue,
  Scenario,
  Step,
  StepEvent,
} from "./scenario.ts";

export type ScenarioWorld = {
  readonly rules: Rules;
  /** every flow that a scenario may meet, as declared */
  readonly flows: readonly Flow[];
};

/** @param flow the one that the scenario's file tells of
 *  @param told the scenarios of that file, for one that goes on from another
 *  @returns what is wrong, nothing when all is as expected; the scenario ends with the first step that is not. What is wrong
 *           in one that it goes on from bears that one's name, alike for all that go on from it */
export function runScenario(
  world: ScenarioWorld,
  flow: Flow,
  scenario: Scenario,
  told: readonly Scenario[] = [],
): readonly Fault[] {
  const chain = chainOf(scenario, told);
  const lane = new ScenarioLane(world.rules);
  const unopened = chain.map(({ given }) => openAccounts(lane, given.accounts));
  const run = new Run(world, lane, chain[0] ?? scenario);
  const rates: GivenRate[] = [];
  const parameters: GivenParameter[] = [];
  const routes: GivenRoutes[] = [];
  for (const [index, { name, given, steps }] of chain.entries()) {
    const faults = [...(unopened[index] ?? [])];
    rates.push(...given.rates);
    parameters.push(...given.parameters);
    routes.push(...given.routes);
    lane.rates = ratesOf(rates, faults);
    lane.parameters = parametersOf(flow, parameters, routesOf(routes), faults);
    for (const step of steps) if (faults.length === 0) faults.push(...run.step(step));
    if (faults.length > 0) return faults.map(({ place, message }) => ({ place, message: `${name}: ${message}` }));
  }
  return [];
}

function openAccounts(lane: ScenarioLane, accounts: Scenario["given"]["accounts"]): Fault[] {
  return accounts.flatMap((account) => {
    if (lane.open(account) !== null) return [];
    return [{ place: account.place, message: `the chart has no account ${account.path}` }];
  });
}

/** A scenario behind those that it goes on from, the first one first. */
function chainOf(scenario: Scenario, told: readonly Scenario[]): readonly Scenario[] {
  const before = told.find(({ name }) => name === scenario.from?.text);
  return before === undefined ? [scenario] : [...chainOf(before, told), scenario];
}

class Run {
  readonly #world: ScenarioWorld;
  readonly #lane: ScenarioLane;
  readonly #scenario: Scenario;
  readonly #ids = new Map<string, CaseId>();
  readonly #commands: Command[] = [];
  #nowMs: number;
  #steps = 0;

  constructor(world: ScenarioWorld, lane: ScenarioLane, scenario: Scenario) {
    this.#world = world;
    this.#lane = lane;
    this.#scenario = scenario;
    this.#nowMs = scenario.given.nowMs;
  }

  step(step: Step): readonly Fault[] {
    const faults: Fault[] = [];
    this.#steps += 1;
    try {
      const caused = this.#happen(step, step.event, faults);
      this.#commands.push(...caused.commands);
      if (faults.length === 0) this.#compare(step, step.expected, caused, faults);
    } catch (error) {
      // An undecidable event halts a lane, a failed assertion the process: either way the flow or the scenario is wrong.
      const what = error instanceof Error ? error.message : String(error);
      faults.push({ place: step.place, message: `${told(step.event)} cannot be decided: ${what}` });
    }
    return faults.map(({ place, message }) => ({ place, message: `step ${this.#steps}: ${message}` }));
  }

  #happen(step: Step, event: StepEvent, faults: Fault[]): Caused {
    switch (event.kind) {
      case "intent":
        return this.#lane.intent(this.#intent(step, event, faults), this.#nowMs);
      case "report": {
        const report = this.#report(step, event, faults);
        return report === null ? NOTHING : this.#lane.report(report, this.#nowMs);
      }
      case "after":
        return this.#pass(this.#nowMs + event.durationMs);
      default:
        return this.#fire(step, event.name, faults);
    }
  }

  // Intents ---------------------------------------------------------------------------------------------------------------

  #intent(
    step: Step,
    { type, fields, key }: Extract<StepEvent, { kind: "intent" }>,
    faults: Fault[],
  ): Omit<IntentInput, "offset"> {
    const opens = this.#world.rules.intents.get(type)?.opens[0] ?? null;
    const known = this.#idOf(step, opens);
    const idempotencyKey = key ?? (opens === null ? `k${this.#steps}` : null);
    const intent = intentOf(
      {
        type,
        holderId: step.holder ?? this.#scenario.given.holder,
        caseId: formatCaseId(known),
        idempotencyKey,
        occurredAtMicros: BigInt(this.#nowMs) * 1000n,
      },
      this.#filled(fields),
      this.#world.rules.currencies,
      faults,
    );
    return { kind: "intent", appendedAtMs: this.#nowMs, intent, caseId: known };
  }

  /** A name that was not said before gets an id; a case that another one opened is found by the name of its flow. */
  #idOf({ case: name }: Step, opens: CompiledFlow | null): CaseId {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const found = opens === null ? this.#lane.latest(name) : undefined;
    const id =
      found === undefined
        ? deriveCaseId(opens?.caseKind ?? "cas", this.#nowMs, [this.#scenario.name, name])
        : { kind: found.kind, uuid: found.id, timeMs: this.#nowMs };
    if (found === undefined) this.#ids.set(name, id);
    return id;
  }

  /** `{quote}` in a text is the id of the case of that name. */
  #filled(fields: Fields): Fields {
    const fill = (value: GivenValue): GivenValue =>
      typeof value !== "string"
        ? value
        : value.replace(/\{([a-z_0-9]+)\}/g, (all, name: string) => {
            const id = this.#ids.get(name);
            return id === undefined ? all : formatCaseId(id);
          });
    return new Map([...fields].map(([name, { place, value }]) => [name, { place, value: fill(value) }]));
  }

  // Reports and time ------------------------------------------------------------------------------------------------------

  #report(step: Step, event: Extract<StepEvent, { kind: "report" }>, faults: Fault[]): Report | null {
    const { call, result } = event;
    const caseId = this.#idOf(step, null);
    const asked = this.#commands.findLast((one) => one.call === call && one.caseId === formatCaseId(caseId));
    const attempt = event.attempt ?? asked?.attempt;
    if (attempt === undefined) {
      faults.push({ place: step.place, message: `nothing asked for ${call} yet; say attempt: 0 if nobody did` });
      return null;
    }
    const payload = Object.fromEntries(
      [...this.#filled(event.fields)].map(([name, { value }]) => [name, String(value)]),
    );
    return {
      holderId: step.holder ?? this.#scenario.given.holder,
      caseId,
      call,
      attempt,
      result,
      observation: event.observation ?? `${call}-${attempt}-${result}`,
      payload,
      occurredAtMicros: BigInt(this.#nowMs) * 1000n,
      from: null,
    };
  }

  /** Fires what is due until then, each timer at its moment.
   *  @param last stops behind this one */
  #pass(untilMs: number, last?: TimerKey): Caused {
    const all: Caused = { outcomes: [], lines: [], commands: [] };
    for (let fired = 0; ; fired++) {
      const [next] = this.#lane.timers();
      if (next === undefined || next.dueMs > untilMs) break;
      if (fired > TIMERS_MAX) throw new Error(`more than ${TIMERS_MAX} timers fire in that time`);
      add(all, this.#lane.timer(next));
      if (next.name === last?.name && next.caseId === last.caseId) break;
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
    return all;
  }

  /** Others that are due before it fire too, and may arm it anew for later. */
  #fire(step: Step, name: string, faults: Fault[]): Caused {
    const { uuid } = this.#idOf(step, null);
    const find = (): TimerKey | undefined =>
      this.#lane.timers().find((one) => one.name === name && one.caseId === uuid);
    const all: Caused = { outcomes: [], lines: [], commands: [] };
    for (let timer = find(), tries = 0; timer !== undefined && tries < TIMERS_MAX; tries++) {
      const { dueMs } = timer;
      add(all, this.#pass(dueMs, timer));
      timer = find();
      if (timer === undefined || timer.dueMs > dueMs + 1) return all;
    }
    const armed = this.#lane.timers().flatMap((one) => (one.caseId === uuid ? one.name : []));
    const message = `the case does not wait for timer ${name}; it waits for ${armed.join(", ") || "none"}`;
    faults.push({ place: step.place, message });
    return NOTHING;
  }

  // Comparing -------------------------------------------------------------------------------------------------------------

  #compare(step: Step, expected: Expected, caused: Caused, faults: Fault[]): void {
    const { state, states } = expected;
    const found = this.#lane.case(this.#idOf(step, null).uuid)?.state ?? "not there";
    if (state !== null && state.text !== found) {
      faults.push({ place: state.place, message: `the case is ${found}, expected ${state.text}` });
    }
    for (const { place, flow, text } of states) {
      const other = this.#lane.latest(flow)?.state ?? "not there";
      if (other !== text) faults.push({ place, message: `the case of ${flow} is ${other}, expected ${text}` });
    }
    compareLists("outcomes", expected.outcomes, caused.outcomes.map(outcomeFacts), faults);
    const lines = caused.lines.map((line) => lineFacts(line, this.#flowOf(line.caseId)));
    compareLists("lines", expected.lines, lines, faults);
    compareLists("commands", expected.commands, caused.commands.map(commandFacts), faults);
    for (const { place, path, currency, minor } of expected.balances) {
      const balance = this.#lane.balance(path, currency);
      if (balance !== minor) {
        faults.push({ place, message: `${path} holds ${currency} ${balance}, expected ${currency} ${minor}` });
      }
    }
  }

  #flowOf(caseId: string): Flow | null {
    const name = this.#lane.case(caseId)?.flow.name;
    return this.#world.flows.find((flow) => flow.name === name) ?? null;
  }
}

const TIMERS_MAX = 10_000;
const NOTHING: Caused = { outcomes: [], lines: [], commands: [] };

function add(all: Caused, one: Caused): void {
  all.outcomes.push(...one.outcomes);
  all.lines.push(...one.lines);
  all.commands.push(...one.commands);
}

function told(event: StepEvent): string {
  if (event.kind === "intent") return `intent ${event.type}`;
  if (event.kind === "report") return `report ${event.call}.${event.result}`;
  return event.kind === "timer" ? `timer ${event.name}` : "what is due by then";
}
