// What a ledger that was taken over knows too little of: cases that a block's inputs lead to, and why a block cannot be decided
// anew by it. What cannot be is believed.

import type { ReportMessage } from "../../kafka/codec-messages.ts";
import { readCaseId } from "./case-ids.ts";
import { type SecondFlow, versionsOf } from "./flows.ts";
import { openerOf, type Read, takeIn } from "./intake.ts";
import { comesBefore, type LaneLedger, type SecondTimer, timerKey } from "./ledger.ts";
import type { SecondRules } from "./rules.ts";
import type { BlockTaken, DecodedBy } from "./taken.ts";
import type { Changes } from "./taken-over.ts";

/** The versions that a record was decided by: what its outcome names goes before what the block says. */
export function flowsFor(
  rules: SecondRules,
  taken: Pick<BlockTaken, "flows" | "flowTold">,
  offset: bigint,
): readonly SecondFlow[] {
  const told = taken.flowTold(offset);
  const flows = versionsOf(rules.flows, taken.flows);
  const named = rules.flows.find(({ ref }) => ref === told);
  if (named === undefined || flows.includes(named)) return flows;
  return flows.map((flow) => (flow.name === named.name ? named : flow));
}

/** Without every timer that waits, the outcomes say which fired. */
export function firedBy(ledger: LaneLedger, taken: BlockTaken): SecondTimer[] {
  return ledger.areTimersKnown ? nextTimers(ledger, taken.timers) : [...taken.timersTold];
}

/** The first of those that wait, in their order. */
function nextTimers(ledger: LaneLedger, count: number): SecondTimer[] {
  if (count === 0) return [];
  return [...ledger.timers.values()].sort((one, other) => (comesBefore(one, other) ? -1 : 1)).slice(0, count);
}

/** What the inputs of a block name. */
type Named = {
  /** of timers and reports, and of intents that move */
  readonly moved: readonly string[];
  /** of intents and messages that open */
  readonly opened: readonly string[];
  readonly holders: readonly string[];
  readonly intents: readonly Extract<Read, { kind: "intent" }>["intent"][];
};

function namedBy(rules: SecondRules, ledger: LaneLedger, taken: BlockTaken, schemas: DecodedBy): Named {
  const moved = firedBy(ledger, taken).map(({ uuid }) => uuid);
  const opened: string[] = [];
  const holders: string[] = [];
  const intents: Named["intents"][number][] = [];
  for (const { value } of taken.reports) {
    const report = value === null ? null : (schemas.reports.read(value) as ReportMessage | null);
    const uuid = readCaseId(report?.caseId ?? null)?.uuid;
    if (report === null || uuid === undefined) continue;
    (report.from !== null && report.result === "asked" ? opened : moved).push(uuid);
    holders.push(report.holderId);
  }
  for (const record of taken.intents) {
    const flows = flowsFor(rules, taken, record.offset);
    const read = takeIn({ rules, lane: ledger.lane, flows }, record, schemas.intents);
    const uuid = read.kind === "intent" ? readCaseId(read.intent.caseId)?.uuid : undefined;
    if (read.kind === "misfit") continue;
    holders.push(read.intent.holderId);
    intents.push(read.intent);
    if (uuid !== undefined) (openerOf(flows, read.intent) === null ? moved : opened).push(uuid);
  }
  return { moved, opened, holders, intents };
}

/** Cases that the named ones lead to: what opened them, and what their words or the intents name, such as a quote. */
function ledTo(ledger: LaneLedger, { moved, intents }: Named): Set<string> {
  const found = new Set(moved);
  for (const { quoteId } of intents) addNamed(found, quoteId);
  for (const uuid of found) {
    const known = ledger.cases.look(uuid);
    addNamed(found, known?.parent ?? null);
    for (const value of known?.values.values() ?? []) if (typeof value === "string") addNamed(found, value);
  }
  return found;
}

function addNamed(found: Set<string>, text: string | null): void {
  const uuid = readCaseId(text)?.uuid;
  if (uuid !== undefined) found.add(uuid);
}

/** Cases that a block's inputs lead to and that the ledger does not have: they may be older than it is. Asked again once those
 *  are there, it names what they lead to. */
export function casesWanted(rules: SecondRules, ledger: LaneLedger, taken: BlockTaken, schemas: DecodedBy): string[] {
  if (ledger.takenOverAt === 0n) return [];
  const named = namedBy(rules, ledger, taken, schemas);
  return [...new Set([...named.opened, ...ledTo(ledger, named)])].filter((uuid) => !ledger.cases.has(uuid));
}

/** Why a block cannot be decided anew by a ledger that was taken over; null when it can.
 *  @param changes where floors and statuses of today may not have been those of then */
export function whyUnknowable(
  rules: SecondRules,
  ledger: LaneLedger,
  taken: BlockTaken,
  schemas: DecodedBy,
  changes: Changes,
): string | null {
  if (ledger.takenOverAt === 0n) return null;
  if (!ledger.areTimersKnown && taken.timersTold.length !== taken.timers) return "which timers fired is not told";
  for (const lane of taken.pairs) {
    if (!ledger.arePairsKnown && !ledger.sent.has(lane) && !ledger.seen.has(lane)) {
      return `how far it had come with lane ${lane} is not known`;
    }
  }
  const isUnclear = (holderId: string): boolean => (changes.get(holderId) ?? 0n) >= taken.block;
  for (const timer of firedBy(ledger, taken)) {
    const known = ledger.cases.look(timer.uuid);
    const isKnown = known?.isDataKnown === true && ledger.timers.has(timerKey(timer));
    if (!isKnown || isUnclear(known.holderId))
      return `what timer ${timer.name} of case ${timer.uuid} moves is not known`;
  }
  const named = namedBy(rules, ledger, taken, schemas);
  const unclear = named.holders.find(isUnclear);
  if (unclear !== undefined) return `accounts of ${unclear} were changed later`;
  for (const uuid of ledTo(ledger, named)) {
    if (ledger.cases.look(uuid)?.isDataKnown === false) return `what case ${uuid} held is not known`;
  }
  return null;
}
