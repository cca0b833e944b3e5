// What a block reads before it is decided: cases and holders' accounts that its inputs name. What only a case names is read
// when it turns out to be needed (`NotRead`); what is foreseen here spares that.

import type { IntentInput, ReportInput, Seeking, TimerInput } from "./books.ts";
import { homeLane } from "./holder.ts";
import { childCaseId, parseCaseId } from "./ids.ts";
import type { Intent } from "./intent.ts";
import { openerOf, type Rules } from "./rules.ts";

export type Inputs = {
  readonly timers: readonly TimerInput[];
  readonly reports: readonly ReportInput[];
  /** what is put aside concerns nobody */
  readonly intents: readonly (IntentInput | { readonly kind: "misfit" })[];
};

/** Every case and every holder's account that the inputs may touch, as far as they themselves tell. */
export function concerned(rules: Rules, lane: number, batch: Inputs): Seeking {
  const caseIds = new Set<string>();
  const own = new OwnPaths();
  const { paths } = own;
  for (const { timer } of batch.timers) caseIds.add(timer.caseId);
  for (const { report } of batch.reports) {
    caseIds.add(report.caseId.uuid);
    // Its case's flow is not known yet; whose account it would be, is. Read along, these spare a question of their own.
    own.add(rules.reported.get(report.call) ?? NO_TEMPLATES, report.holderId);
    for (const name in report.payload) {
      const value = report.payload[name] as string;
      if (isPathLike(value) && rules.chart.resolve(value)?.kind === "holder") paths.add(value);
    }
  }
  for (const input of batch.intents) {
    if (input.kind === "misfit") continue;
    const { intent, caseId } = input;
    if (caseId !== null) caseIds.add(caseId.uuid);
    const quote = parseCaseId(intent.quoteId);
    if (quote !== null) caseIds.add(quote.uuid);
    if (intent.account !== null || intent.from !== null || intent.to !== null) {
      const isWithinLane = addNamed(paths, rules, lane, intent);
      if (isWithinLane && caseId !== null) for (const id of askedWithin(rules, intent, caseId.uuid)) caseIds.add(id);
    }
    own.add(touchedBy(rules, intent), intent.holderId);
  }
  return { caseIds, paths };
}

/** @returns whether an account of another holder of this lane is among those that the intent names */
function addNamed(paths: Set<string>, rules: Rules, lane: number, intent: Intent): boolean {
  let isWithinLane = false;
  for (const path of [intent.account, intent.from, intent.to]) {
    const place = path === null ? null : rules.chart.resolve(path);
    if (path === null || place?.kind !== "holder") continue;
    const isOwn = place.holderId === intent.holderId;
    // Another holder's account elsewhere is read there, by the message that reaches it.
    if (!isOwn && homeLane(place.holderId, rules.lanes) !== lane) continue;
    paths.add(path);
    isWithinLane ||= !isOwn;
  }
  return isWithinLane;
}

/** Most of what a report says are numbers and codes: those need not be looked for in the chart. */
function isPathLike(value: string): boolean {
  return value.includes(":");
}

/** Paths of holders' accounts by their templates. In a block every second event finds its holder's there already, by the
 *  same list of templates, and then none is put together: it was a thirtieth of deciding a card payment. */
export class OwnPaths {
  readonly paths = new Set<string>();
  readonly #holders = new Map<readonly string[], Set<string>>();

  /** @param templates with one `{holder}` each; lists are told apart by their identity, the rules' are always the same */
  add(templates: readonly string[], holderId: string): void {
    if (templates.length === 0) return;
    let holders = this.#holders.get(templates);
    if (holders === undefined) {
      holders = new Set();
      this.#holders.set(templates, holders);
    }
    if (holders.has(holderId)) return;
    holders.add(holderId);
    for (const template of templates) this.paths.add(pathOf(template, holderId));
  }
}

/** Around the holder, by template: there are as many as flows declare. */
const HALVES = new Map<string, readonly [before: string, after: string]>();

function pathOf(template: string, holderId: string): string {
  let halves = HALVES.get(template);
  if (halves === undefined) {
    const [before = "", after = ""] = template.split("{holder}");
    halves = [before, after];
    HALVES.set(template, halves);
  }
  return halves[0] + holderId + halves[1];
}

const NO_TEMPLATES: readonly string[] = [];

/** Of a create, the accounts of the one flow that it opens: there are as many as methods of payment. */
function touchedBy(rules: Rules, intent: Intent): readonly string[] {
  return openerOf(rules, intent)?.touches ?? rules.intents.get(intent.type)?.touches ?? NO_TEMPLATES;
}

/** Cases that a create may open at another holder of this lane by a message, which the same block takes. */
function askedWithin(rules: Rules, intent: Intent, caseId: string): string[] {
  const opens = rules.intents.get(intent.type)?.opens ?? [];
  return opens.flatMap(({ calls }) =>
    [...calls.values()].flatMap(({ name, to }) => {
      const asked = to.kind === "message" ? rules.asked.get(to.type) : undefined;
      return asked === undefined ? [] : childCaseId(asked.caseKind, caseId, [intent.holderId, name, "1"]).uuid;
    }),
  );
}
