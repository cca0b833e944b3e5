import { statement } from "../statement.ts";

// Purpose: a halt with its cause and evidence; one open halt a lane is enough, and only the lane's owner ($4, its epoch)
// may halt it. Rows: one.
export const insertHalt = statement(
  "insert_halt",
  `with ours as (select lane from lane where lane = $1 and epoch = $4),
   added as (
     insert into halt (lane, cause, evidence)
     select lane, $2, $3::jsonb from ours where not exists (select from halt where lane = $1 and resumed_at is null)
   )
   select exists (select from ours) as is_ours`,
);

// Purpose: a halt by the auditor, which does not own the lane: the epoch is raised with it, so that the owner's next block
// ends as a zombie's does. Locks: the lane row, behind a block that is being committed. Rows: none when the lane is halted
// already.
export const insertAuditHalt = statement(
  "insert_audit_halt",
  `with fenced as (
     update lane set epoch = epoch + 1
     where lane = $1 and not exists (select from halt where lane = $1 and resumed_at is null)
     returning lane
   )
   insert into halt (lane, cause, evidence) select lane, 'audit_failed', $2::jsonb from fenced returning halt`,
);

// Purpose: lanes that an operator has resumed after a finding of the auditor. Rows: few.
export const auditsAccepted = statement(
  "audits_accepted",
  `select distinct lane from halt where cause = 'audit_failed' and resumed_at is not null`,
);

// Purpose: a position that an operator accepted and that no block has taken over yet. The block itself tells: a process
// that ended between its COMMIT and the note would else move the lane back when it is taken again. Index: few rows;
// primary key of block, from the resumption on. Rows: one.
export const acceptedPosition = statement(
  "accepted_position",
  `select h.halt, h.resume_intents_at, h.resume_reports_at from halt h
   where h.lane = $1 and h.resumed_at is not null and (h.resume_intents_at is not null or h.resume_reports_at is not null)
     and not h.applied
     and not exists (select from block b where b.lane = h.lane and b.halt = h.halt and b.recorded_at >= h.resumed_at)
   order by h.halt desc limit 1`,
);

export const applyPosition = statement("apply_position", `update halt set applied = true where halt = $1`);

export const openHalts = statement(
  "open_halts",
  `select halt, lane, halted_at, cause, evidence from halt where resumed_at is null order by lane`,
);
