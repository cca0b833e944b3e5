// What a block reads before it is decided: cases and holders' accounts that its inputs name. What only a case names is read
// when it turns out to be needed (`NotRead`); what is foreseen here spares that.

import type { IntentInput, ReportInput, TimerInput } from "./books.ts";
import { homeLane } from "./holder.ts";
import { childCaseId, parseCaseId } from "./ids.ts";
import type { Intent } from "./intent.ts";
import { openerOf, type Rules } from "./rules.ts";
import { Seeking } from "./seeking.ts";

export type Inputs = {
  readonly timers: readonly TimerInput[];
  readonly reports: readonly ReportInput[];
  /** what is put aside concerns nobody */
  readonly intents: readonly (IntentInput | { readonly kind: "misfit" })[];
};

/** Every case and every holder's account that the inputs may touch, as far as they themselves tell. */
export function concerned(rules: Rules, lane: number, batch: Inputs): Seeking {
  const seeking = new Seeking();
  for (const { timer } of batch.timers) seeking.addCase(timer.caseId);
  for (const { report } of batch.reports) {
    seeking.addCase(report.caseId.uuid);
    // Its case's flow is not known yet; whose account it would be, is. Read along, these spare a question of their own.
    seeking.addOwn(rules.reported.get(report.call) ?? NO_TEMPLATES, report.holderId);
    for (const name in report.payload) {
      const value = report.payload[name] as string;
      if (isPathLike(value) && rules.chart.resolve(value)?.kind === "holder") seeking.addPath(value);
    }
  }
  for (const input of batch.intents) {
    if (input.kind === "misfit") continue;
    const { intent, caseId } = input;
    if (caseId !== null) seeking.addCase(caseId.uuid);
    const quote = parseCaseId(intent.quoteId);
    if (quote !== null) seeking.addCase(quote.uuid);
    if (intent.account !== null || intent.from !== null || intent.to !== null) {
      const isWithinLane = addNamed(seeking, rules, lane, intent);
      if (isWithinLane && caseId !== null)
        for (const id of askedWithin(rules, intent, caseId.uuid)) seeking.addCase(id);
    }
    seeking.addOwn(touchedBy(rules, intent), intent.holderId);
  }
  return seeking;
}

/** @returns whether an account of another holder of this lane is among those that the intent names */
function addNamed(seeking: Seeking, rules: Rules, lane: number, intent: Intent): boolean {
  let isWithinLane = false;
  for (const path of [intent.account, intent.from, intent.to]) {
    const place = path === null ? null : rules.chart.resolve(path);
    if (path === null || place?.kind !== "holder") continue;
    const isOwn = place.holderId === intent.holderId;
    // Another holder's account elsewhere is read there, by the message that reaches it.
    if (!isOwn && homeLane(place.holderId, rules.lanes) !== lane) continue;
    seeking.addPath(path);
    isWithinLane ||= !isOwn;
  }
  return isWithinLane;
}

/** Most of what a report says are numbers and codes: those need not be looked for in the chart. */
function isPathLike(value: string): boolean {
  return value.includes(":");
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
