// Every cause for which a lane halts: what it means, whether resuming alone can succeed, and what else it takes. A lane
// that is resumed checks everything again when it is taken, so a halt that was not mended comes back; nothing is ever
// skipped but what an operator accepts by naming a position.

export const HALT_CAUSES = [
  "partition_count_changed",
  "position_beyond_end",
  "inputs_expired",
  "last_record_missing",
  "last_record_differs",
  "position_out_of_range",
  "input_unreadable",
  "input_undecidable",
  "lane_message_gap",
  "lane_message_not_sent",
  "lane_missing",
  "head_moved_by_another",
  "commit_refused",
  "tail_ahead_of_head",
  "tail_differs_from_block",
  "tail_behind_mark",
  "output_topic_recreated",
  "outbox_gap",
  "commands_unreadable",
  "clocks_apart",
  "audit_failed",
] as const;
export type HaltCause = (typeof HALT_CAUSES)[number];

/** `mend`: resuming alone succeeds once the cause is mended, and halts again until then.
 *  `judge`: resuming alone succeeds, and says that what was found is accepted as it is.
 *  `anew`: either the topic is put back to what it was, or it begins anew with --outputs-anew.
 *  `accept`: either the log is put back to what it was, or a position is accepted with --intents-at or --reports-at. */
export type HaltRemedy = "mend" | "accept" | "anew" | "judge";

export type HaltAdvice = {
  readonly meaning: string;
  readonly remedy: HaltRemedy;
  readonly next: string;
};

const ADVICE: Record<HaltCause, HaltAdvice> = {
  partition_count_changed: {
    meaning: "An input topic has another number of partitions than there are lanes, so holders hash to other lanes.",
    remedy: "mend",
    next: "Stop the producers. Partitions cannot be taken away: make the topic anew with one partition a lane and publish again what it held.",
  },
  position_beyond_end: {
    meaning: "The next input would lie beyond the end of the log: the topic was truncated, made anew, or lost records.",
    remedy: "accept",
    next: "Find out what the log has lost. If what it holds now is to be taken, accept the offset from which to go on.",
  },
  inputs_expired: {
    meaning: "Inputs that were never taken have left the log by retention; they are in no block.",
    remedy: "accept",
    next: "Have the producers publish the missing span again (repeats are absorbed), then accept the log's first offset.",
  },
  last_record_missing: {
    meaning: "The last record taken is not at its offset any more, though the log begins before it.",
    remedy: "accept",
    next: "See whether the topic was made anew or compacted. Accepting the next offset says that this log may be read on.",
  },
  last_record_differs: {
    meaning: "Another record lies where the last one taken was: this is not the log that the lane has read.",
    remedy: "accept",
    next: "See whether the topic was made anew or KAFKA_BROKERS names another cluster. Accept an offset only if this log is the right one.",
  },
  position_out_of_range: {
    meaning: "The log dropped the wanted offset while it was being read.",
    remedy: "accept",
    next: "Compare the offset with the log's bounds below. If records were lost, publish them again and accept an offset.",
  },
  input_unreadable: {
    meaning: "The bytes at this offset are damaged, or compressed in a way that cannot be read here.",
    remedy: "accept",
    next: "Read the offset with another consumer and publish its intents again. Then accept the offset behind the damaged batch.",
  },
  input_undecidable: {
    meaning:
      "A report or timer cannot be decided by its case's flow. It is a money fact and is never put aside by itself.",
    remedy: "mend",
    next: "See the reason in the evidence. Install a release whose flow takes the input; for a report a position behind it can be accepted, and its money is then missing.",
  },
  lane_message_gap: {
    meaning:
      "A message of another lane came before one that it was sent after: the topic of reports has lost messages between lanes, or a position was accepted past them.",
    remedy: "accept",
    next: "Nothing is lost: the sending lane keeps what this one has not taken. Restart the instances, so that every lane sends again from there; then accept the offset at which the missing sequence lies now.",
  },
  lane_message_not_sent: {
    meaning:
      "A message of another lane lies in the topic of reports that this lane's database does not hold as sent: committed blocks of its sender were lost, by a failover or a restore, or somebody else wrote it.",
    remedy: "accept",
    next: "Recover the database with the lost blocks and resume. If they are lost for good, accept the offset behind the message: its sender's ledger does not know it either.",
  },
  lane_missing: {
    meaning: "The database has no row for this lane.",
    remedy: "mend",
    next: "See that DATABASE_URL names the right database; if it was restored, restore it whole.",
  },
  head_moved_by_another: {
    meaning: "The lane's head is neither our block nor its predecessor: something else wrote this lane.",
    remedy: "mend",
    next: "Find what writes lanes beside the service, or which restore put the head elsewhere. Run `millrace verify` before resuming.",
  },
  commit_refused: {
    meaning: "The database refuses to write the block, for a reason that trying again does not change.",
    remedy: "mend",
    next: "See the SQLSTATE in the evidence: a missing partition or privilege (`millrace migrate`), a full disk, a trigger.",
  },
  tail_ahead_of_head: {
    meaning:
      "The output topic holds messages of blocks that the database does not have: committed blocks were lost, by a failover or a restore.",
    remedy: "mend",
    next: "Recover the database with the lost blocks (the old primary, a later backup). Nothing is rebuilt: outcomes of the lost blocks are out.",
  },
  tail_differs_from_block: {
    meaning:
      "The last published message bears the digest of another block than the database's: two histories of one lane.",
    remedy: "mend",
    next: "Find out which database wrote the topic: a restored copy, or two systems with one topic prefix. Run `millrace verify`.",
  },
  tail_behind_mark: {
    meaning: "The output topic ends before what was published: it was truncated, and readers may have lost messages.",
    remedy: "mend",
    next: "Restore the topic. Published messages are in the outbox until its partition is dropped (`millrace case` shows them).",
  },
  output_topic_recreated: {
    meaning: "The output topic is empty although messages were published to it: it was made anew.",
    remedy: "anew",
    next: "Restore the topic with its records. If they are lost for good, agree with its readers how they begin anew, and say so with --outputs-anew.",
  },
  outbox_gap: {
    meaning: "A message that was not published yet is missing in the outbox.",
    remedy: "mend",
    next: "Attach or restore the outbox partition that holds the missing sequence. Run `millrace verify`.",
  },
  commands_unreadable: {
    meaning:
      "Commands of this lane cannot be read any more: their bytes are damaged or no commands, or they left the log before they were done. What its cases ask of providers is not asked.",
    remedy: "mend",
    next: "Read the topic at the offset in the evidence. If it cannot be mended, find the cases of these commands, then set the group's offset behind them and resume.",
  },
  clocks_apart: {
    meaning: "The clocks of process, database and broker differ by more than is allowed.",
    remedy: "mend",
    next: "Set the clocks (NTP on every machine); `millrace doctor` measures the differences.",
  },
  audit_failed: {
    meaning:
      "The auditor found that what is written in this lane is not what its inputs lead to: see invariant and place in the evidence.",
    remedy: "judge",
    next: "Keep a copy of the database and ask with `millrace verify --deep`. Find out whether rows were changed by hand, a release decides otherwise, or settings differ between lanes and auditor.",
  },
};

const UNKNOWN: HaltAdvice = {
  meaning: "This release does not know the cause; another release halted the lane.",
  remedy: "mend",
  next: "Ask with the release that runs the service.",
};

export function isHaltCause(cause: string): cause is HaltCause {
  return (HALT_CAUSES as readonly string[]).includes(cause);
}

export function haltAdvice(cause: string): HaltAdvice {
  return isHaltCause(cause) ? ADVICE[cause] : UNKNOWN;
}

/** Where the repository tells what to do after a halt, step by step. */
export function haltRunbook(cause: string): string {
  return isHaltCause(cause) ? `docs/runbooks/halts/${cause}.md` : "docs/runbooks/README.md";
}

const REMEDIES: Record<HaltRemedy, string> = {
  judge:
    "Resuming alone succeeds: it says that what was found is accepted as it stands, and the audit goes on behind it. " +
    "Nothing is mended by it; what is wrong with the money is put right by intents.",
  mend: "Resuming alone succeeds once the cause is mended; until then the lane halts again, and no position helps.",
  anew:
    "Resuming alone halts again unless the topic holds what it held. With --outputs-anew the topic begins with the next " +
    "message; what was published before is not published again, it is in the outbox until its partition is dropped.",
  accept:
    "Resuming alone halts again unless the log is what it was. Accepting an offset ahead leaves the records before it " +
    "out for good; one behind takes records again, and repeats are absorbed while their cases are kept. A block of its own records it.",
};

/** Whether resuming alone can succeed, and what accepting a position would mean. */
export function remedyText(cause: string): string {
  return REMEDIES[haltAdvice(cause).remedy];
}

/** The offset to go on from that the evidence speaks for, where one does: it still has to be judged.
 *  @param evidence as the halt recorded it; offsets are digits */
export function suggestedOffset(cause: string, evidence: Readonly<Record<string, unknown>>): string | null {
  const digits = (name: string): string | null => {
    const value = evidence[name];
    return typeof value === "string" && /^\d+$/.test(value) ? value : null;
  };
  if (cause === "position_beyond_end") return digits("logEnd");
  if (cause === "inputs_expired") return digits("logStart");
  if (cause === "last_record_missing" || cause === "last_record_differs") return digits("position");
  return null;
}
