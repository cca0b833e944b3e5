import { statement } from "../statement.ts";

// Purpose: a halt with its cause and evidence; one open halt a lane is enough. Rows: one.
export const insertHalt = statement(
  "insert_halt",
  `insert into halt (lane, cause, evidence)
   select $1, $2, $3::jsonb where not exists (select from halt where lane = $1 and resumed_at is null)`,
);

// Purpose: a position that an operator accepted and that no block has taken over yet. Index: few rows. Rows: one.
export const acceptedPosition = statement(
  "accepted_position",
  `select h.halt, h.resume_intents_at, h.resume_reports_at from halt h
   where h.lane = $1 and h.resumed_at is not null and (h.resume_intents_at is not null or h.resume_reports_at is not null)
     and not h.applied
   order by h.halt desc limit 1`,
);

export const applyPosition = statement("apply_position", `update halt set applied = true where halt = $1`);

export const openHalts = statement(
  "open_halts",
  `select halt, lane, halted_at, cause, evidence from halt where resumed_at is null order by lane`,
);
