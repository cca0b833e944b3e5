// A provider that answers commands by chance, in memory: at once or later, twice, not at all, with a truth behind an unknown,
// and now and then with something that nobody asked. What it says of a call fits what the flow declares of its results.

import type { Flow, FlowCall } from "../../src/domain/flow/flow.ts";
import type { CommandMessage, ReportMessage } from "../../src/kafka/codec-messages.ts";

export type Chance = { readonly below: (count: number) => number; readonly pick: <One>(all: readonly One[]) => One };

type Due = { readonly atMs: number; readonly report: ReportMessage };

export class ScriptedProvider {
  readonly #flows: readonly Flow[];
  readonly #chance: Chance;
  #due: Due[] = [];
  readonly #said: ReportMessage[] = [];

  constructor(flows: readonly Flow[], chance: Chance) {
    this.#flows = flows;
    this.#chance = chance;
  }

  take(command: CommandMessage, nowMs: number): void {
    const { below, pick } = this.#chance;
    const call = this.#callOf(command);
    if (call === null || below(12) === 0) return; // lost on its way
    const results = call.results.map(({ result }) => result);
    const result = below(3) > 0 ? (results[0] as string) : pick(results);
    this.#say(command, call, result, nowMs + pick([5, 40, 4_000, 25_000, 90_000]));
    // After an unknown the truth may come by itself; after a truth another one, which is a contradiction.
    if (result === "unknown" ? below(2) === 0 : below(15) === 0) {
      this.#say(command, call, pick(results), nowMs + pick([60_000, 200_000, 2_000_000]));
    }
  }

  /** What is due, and now and then what was said before. */
  reports(nowMs: number): ReportMessage[] {
    const now = this.#due.filter(({ atMs }) => atMs <= nowMs);
    this.#due = this.#due.filter(({ atMs }) => atMs > nowMs);
    const reports = now.map(({ report }) => report);
    this.#said.push(...reports);
    if (this.#said.length > 0 && this.#chance.below(8) === 0) reports.push(this.#chance.pick(this.#said));
    return reports;
  }

  #callOf({ caseId, call }: CommandMessage): FlowCall | null {
    const flow = this.#flows.find(({ caseKind }) => caseKind === caseId.split("_")[0]);
    return flow?.calls.find(({ name }) => name === call) ?? null;
  }

  #say(command: CommandMessage, call: FlowCall, result: string, atMs: number): void {
    const { caseId, holderId, attempt } = command;
    const event = call.results.find((one) => one.result === result)?.event ?? "";
    const report: ReportMessage = {
      holderId,
      caseId,
      call: command.call,
      attempt: this.#chance.below(10) === 0 ? 0 : attempt,
      result,
      observation: `${command.call}/${attempt}/${result}`,
      payload: this.#payloadOf(command, event),
      occurredAt: BigInt(atMs) * 1_000n,
      from: null,
    };
    this.#due.push({ atMs, report });
  }

  #payloadOf(command: CommandMessage, event: string): Record<string, string> {
    const { below, pick } = this.#chance;
    const flow = this.#flows.find(({ caseKind }) => caseKind === command.caseId.split("_")[0]);
    const fields = flow?.events.find((one) => one.event === event)?.fields ?? [];
    const asked = command.payload["amount"] ?? "100";
    const values = fields.map(({ name, type }) => {
      switch (type.kind) {
        case "money":
          return [name, below(6) === 0 ? String(BigInt(asked) / 2n) : asked];
        case "int":
          return [name, command.payload[name] ?? "1"];
        case "bool":
          return [name, String(below(2) === 0)];
        case "word":
          return [name, pick(type.words)];
        default:
          return [name, pick(["do_not_honor", "insufficient_funds", "issuer_says_no", "No code at all!"])];
      }
    });
    return Object.fromEntries(values);
  }
}
