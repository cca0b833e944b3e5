// What a block reads before it is decided: cases and holders' accounts that its inputs name. What only a case names is read
// when it turns out to be needed (`NotRead`); what is foreseen here spares that.

import type { IntentInput, ReportInput, Sought, TimerInput } from "./books.ts";
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
export function concerned(rules: Rules, lane: number, batch: Inputs): Sought {
  const caseIds = new Set(batch.timers.map((input) => input.timer.caseId));
  const paths = new Set<string>();
  for (const { report } of batch.reports) {
    caseIds.add(report.caseId.uuid);
    // Its case's flow is not known yet; whose account it would be, is. Read along, these spare a question of their own.
    for (const path of rules.reported.get(report.call) ?? []) paths.add(path.replace("{holder}", report.holderId));
    for (const name in report.payload) {
      const value = report.payload[name] as string;
      if (rules.chart.resolve(value)?.kind === "holder") paths.add(value);
    }
  }
  for (const input of batch.intents) {
    if (input.kind === "misfit") continue;
    const { intent, caseId } = input;
    for (const id of [caseId, parseCaseId(intent.quoteId)]) if (id !== null) caseIds.add(id.uuid);
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
    for (const path of touchedBy(rules, intent)) paths.add(path.replace("{holder}", intent.holderId));
    if (isWithinLane && caseId !== null) for (const id of askedWithin(rules, intent, caseId.uuid)) caseIds.add(id);
  }
  return { caseIds, paths };
}

/** Of a create, the accounts of the one flow that it opens: there are as many as methods of payment. */
function touchedBy(rules: Rules, intent: Intent): readonly string[] {
  return openerOf(rules, intent)?.touches ?? rules.intents.get(intent.type)?.touches ?? [];
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
