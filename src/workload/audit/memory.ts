// What an auditor keeps of a lane from one cut to the next, so that only new blocks are looked at: where the lane stood, and
// its second ledger.

import { type LaneCut, type LaneStanding, readLanePairs, timeMs } from "../../store/audit.ts";
import type { OutgoingTopic } from "../../store/blocks.ts";
import type { LaneLedger } from "../second-ledger/ledger.ts";
import type { SecondRules } from "../second-ledger/rules.ts";
import { ledgerAt } from "../second-ledger/taken-over.ts";
import type { CrossingBefore } from "./crossing-trail.ts";
import type { LastTaken } from "./inputs.ts";
import type { Before } from "./opening.ts";

export type LaneMemory = {
  readonly before: Before;
  readonly intents: LastTaken;
  readonly reports: LastTaken;
  /** offset of the last message that was compared in each outgoing topic */
  readonly published: Readonly<Record<OutgoingTopic, bigint>>;
  /** the first message of each outgoing topic that was not published yet; null: all were */
  readonly unpublished: Readonly<Record<OutgoingTopic, bigint | null>>;
  readonly crossing: CrossingBefore;
  /** null when nothing can be decided anew any more */
  readonly ledger: LaneLedger | null;
  /** the last case that was swept: untouched ones are looked at again in turn; null: from the first */
  readonly sweptTo: string | null;
};

/** As if everything up to where the lane stands had been audited: what an operator has accepted is believed. */
export function memoryAt(rules: SecondRules, standing: LaneStanding): LaneMemory {
  const { head } = standing;
  return {
    before: beforeOf(head),
    intents: { hash: head.intentsLastHash, offset: head.intentsLast },
    reports: { hash: head.reportsLastHash, offset: head.reportsLast },
    published: { outcomes: 0n, commands: 0n, deadLetters: 0n },
    unpublished: { outcomes: null, commands: null, deadLetters: null },
    crossing: { sent: readLanePairs(head.sent), seen: readLanePairs(head.seen), isWhole: true },
    ledger: ledgerAt(rules, standing),
    sweptTo: null,
  };
}

export function beforeOf(head: LaneCut): Before {
  return { ...head, ms: timeMs(head.nowAt) };
}
