// The running auditor: takes a cut again and again, audits each lane up to it, and halts a lane in which it finds something.
// It keeps what it knows of a lane from cut to cut, so only new blocks are decided; once in a while it forgets, and looks at
// everything again.

import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { CaseRow, LaneCut, LaneStanding } from "../../store/audit.ts";
import { auditBeyond, auditForeign, auditStrays, auditTopics, uuidOf } from "../audit/audit.ts";
import { Crossings } from "../audit/crossings.ts";
import { type Finding, Findings } from "../audit/findings.ts";
import { auditLane } from "../audit/lane.ts";
import { type LaneMemory, memoryAt } from "../audit/memory.ts";
import { type AuditParts, type LaneWork, newTally, type Tally } from "../audit/parts.ts";
import { takeOverCase } from "../second-ledger/taken-over.ts";
import { AuditorStatus } from "./status.ts";

export type AuditFailure = {
  readonly finding: Finding;
  /** every invariant that does not hold */
  readonly invariants: readonly string[];
  /** the last block that was audited */
  readonly auditedTo: bigint;
};

/** What a cut is audited with. */
export type AuditSession = {
  readonly parts: AuditParts;
  readonly cut: () => Promise<LaneCut[]>;
  readonly partitions: () => Promise<ReadonlySet<string>>;
  /** false when flows were registered since it was opened: what goes by them would look wrong */
  readonly isCurrent: () => Promise<boolean>;
  readonly standing: (lane: number) => Promise<LaneStanding | null>;
  readonly cases: (lane: number, ids: readonly string[]) => Promise<readonly CaseRow[]>;
  /** lanes with an open halt, by its cause; and lanes whose past an operator has accepted after a finding */
  readonly halts: () => Promise<{ readonly open: ReadonlyMap<number, string>; readonly accepted: ReadonlySet<number> }>;
  /** @returns false when the lane is halted already */
  readonly halt: (lane: number, failure: AuditFailure) => Promise<boolean>;
  readonly close: () => Promise<void>;
};

export type AuditorEvents = {
  readonly audited: (cut: AuditedCut) => void;
  readonly found: (lane: number | null, findings: readonly Finding[]) => void;
  readonly halted: (lane: number, failure: AuditFailure, isNew: boolean) => void;
  readonly failed: (error: unknown) => void;
};

export type AuditedCut = { readonly tally: Tally; readonly seconds: number; readonly lanes: number };

class Stopped extends Error {
  override name = "Stopped";
}

/** Not a fault: the next cut sees it. */
class ChangedMeanwhile extends Error {
  override name = "ChangedMeanwhile";
}

export type AuditorSettings = { readonly everyMs: number; readonly wholeEveryMs: number };

export class Auditor {
  readonly status = new AuditorStatus();
  readonly #settings: AuditorSettings;
  readonly #open: () => Promise<AuditSession>;
  readonly #events: AuditorEvents;
  readonly #memories = new Map<number, LaneMemory>();
  /** kept as long as it runs: what lanes say to each other is over some cuts later */
  readonly #crossings = new Crossings("what is there", uuidOf);
  /** when each lane was last looked at as a whole */
  readonly #wholeAtMs = new Map<number, number>();
  #session: AuditSession | null = null;
  #stopping = false;
  #wake: (() => void) | null = null;
  #done: Promise<void> = Promise.resolve();

  constructor(settings: AuditorSettings, open: () => Promise<AuditSession>, events: AuditorEvents) {
    this.#settings = settings;
    this.#open = open;
    this.#events = events;
  }

  start(): void {
    this.#done = this.#loop();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    await this.#done;
    await this.#closeSession();
  }

  async #loop(): Promise<void> {
    while (!this.#stopping) {
      const began = performance.now();
      await this.#audit();
      await this.#sleep(Math.max(0, began + this.#settings.everyMs - performance.now()));
    }
  }

  #sleep(ms: number): Promise<void> {
    if (this.#stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** One cut. Whatever cannot be reached is told, and tried again with the next. */
  async #audit(): Promise<void> {
    const began = performance.now();
    const takenAtMs = Date.now();
    try {
      const session = await this.#currentSession();
      const tally = newTally();
      const lanes = await this.#auditCut(session, tally);
      if (this.#stopping) return;
      const cut: AuditedCut = { tally, lanes, seconds: (performance.now() - began) / 1_000 };
      this.status.audited(cut, takenAtMs);
      this.#events.audited(cut);
    } catch (error) {
      if (error instanceof Stopped) return;
      this.status.unreachable(error);
      this.#events.failed(error);
      await this.#closeSession();
    }
  }

  async #currentSession(): Promise<AuditSession> {
    if (this.#session !== null && !(await this.#session.isCurrent())) await this.#closeSession();
    if (this.#session !== null) return this.#session;
    const session = await this.#open();
    this.#session = session;
    const flows = session.parts.second?.rules.flows ?? [];
    for (const { ledger } of this.#memories.values()) ledger?.cases.goBy(flows);
    return session;
  }

  async #closeSession(): Promise<void> {
    await this.#session?.close().catch(() => undefined);
    this.#session = null;
  }

  /** @returns how many lanes were audited */
  async #auditCut(session: AuditSession, tally: Tally): Promise<number> {
    const cut = await session.cut();
    const partitions = await session.partitions();
    const { open, accepted } = await session.halts();
    const crossings = this.#crossings;
    const common = { parts: session.parts, lanes: cut.length, partitions, tally, crossings };
    await this.#auditSystem({ ...common, findings: new Findings() });
    let audited = 0;
    for (const lane of cut) {
      if (this.#stopping) break;
      const isOurs = open.get(lane.lane) === "audit_failed";
      if (isOurs) this.status.laneIsHalted(lane.lane);
      else this.status.laneGoesOn(lane.lane);
      // What was found and accepted is not found again: the lane is audited from where it stands.
      if (isOurs || (accepted.has(lane.lane) && !this.#memories.has(lane.lane))) await this.#accept(session, lane.lane);
      if (isOurs) continue;
      await this.#auditLane(session, { ...common, findings: new Findings() }, lane, accepted.has(lane.lane));
      audited += 1;
    }
    return audited;
  }

  async #accept(session: AuditSession, lane: number): Promise<void> {
    const { second } = session.parts;
    const standing = second === null ? null : await session.standing(lane);
    if (second === null || standing === null) return;
    // What timers will move is read now, while it is as it was: later only its end is written down.
    const waiting = [...new Set(standing.timers.map(({ caseId }) => caseId))];
    const memory = memoryAt(second.rules, standing);
    for (const row of await session.cases(lane, waiting)) {
      if (memory.ledger !== null) takeOverCase(second.rules, memory.ledger, row);
    }
    this.#memories.set(lane, memory);
  }

  /** What concerns no single lane is reported; there is no lane to stop for it. */
  async #auditSystem(work: LaneWork): Promise<void> {
    await auditTopics(work);
    await auditForeign(work);
    const found = failedOf(work.findings);
    this.status.systemFindings = found;
    if (found.length > 0) this.#events.found(null, found);
  }

  async #auditLane(session: AuditSession, work: LaneWork, cut: LaneCut, isAccepted: boolean): Promise<void> {
    const { lane } = cut;
    const isWhole = this.#isWholeDue(lane, isAccepted);
    if (isWhole) this.#memories.delete(lane);
    const memory = this.#memories.get(lane) ?? null;
    await auditBeyond(work, lane);
    if (memory === null) await auditStrays(work, lane);
    const next = await auditLane(work, cut, () => this.#betweenBlocks(), memory);
    if (memory === null) this.#wholeAtMs.set(lane, performance.now());
    const found = failedOf(work.findings);
    const [finding] = found;
    if (finding === undefined) {
      this.#memories.set(lane, next);
      this.status.auditedTo.set(lane, next.before.block);
      return;
    }
    if (!(await isUnchanged(session, work.partitions))) {
      this.#memories.delete(lane);
      throw new ChangedMeanwhile(
        `flows or partitions came or went while lane ${lane} was audited; it is audited again`,
      );
    }
    this.#events.found(lane, found);
    const invariants = found.map(({ invariant }) => invariant);
    await this.#halt(session, lane, { finding, invariants, auditedTo: next.before.block });
  }

  /** Lanes in the same process get their turn; and who is asked to stop does not go on to the end of a large ledger. */
  async #betweenBlocks(): Promise<void> {
    if (this.#stopping) throw new Stopped();
    await yieldToOthers();
  }

  #isWholeDue(lane: number, isAccepted: boolean): boolean {
    const at = this.#wholeAtMs.get(lane);
    return !isAccepted && at !== undefined && performance.now() - at > this.#settings.wholeEveryMs;
  }

  async #halt(session: AuditSession, lane: number, failure: AuditFailure): Promise<void> {
    this.#memories.delete(lane);
    this.status.laneFailed(lane, failure);
    const isNew = await session.halt(lane, failure);
    this.#events.halted(lane, failure, isNew);
    // Nothing can move the lane now, so this is just where it goes on when it is resumed.
    if (isNew) await this.#accept(session, lane);
  }
}

/** What was detached after its names were read is missing without being lost, and looks like a gap in every lane. */
async function isUnchanged(session: AuditSession, partitions: ReadonlySet<string>): Promise<boolean> {
  if (!(await session.isCurrent())) return false;
  const now = await session.partitions();
  return now.size === partitions.size && [...now].every((name) => partitions.has(name));
}

function failedOf(findings: Findings): Finding[] {
  return findings.list(() => true).filter(({ ok }) => !ok);
}
