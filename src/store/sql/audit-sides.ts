import { statement } from "../statement.ts";

// Purpose: the cases of some flows ($2) in one lane, with what each booked at banks and providers, less what went from there.
// One statement, so that a case's state and its lines are of the same block. Locks: none. Index: primary keys; all lines of
// the lane are looked at. Rows: one a case and currency.
export const auditBookedCases = statement(
  "audit_booked_cases",
  `with place as materialized (select account from balance where lane = $1 and path like 'asset:%'),
   booked as (
     select l.case_id, l.currency,
       sum(case when l.debit in (select account from place) then l.amount else 0 end)
         - sum(case when l.credit in (select account from place) then l.amount else 0 end) as minor
     from line l where l.lane = $1 group by l.case_id, l.currency
   )
   select s.case_id::text as "caseId", s.kind, s.flow::int as flow, s.state, s.data->>'p' as parent,
     b.currency, b.minor::text as minor
   from case_state s left join booked b on b.case_id = s.case_id
   where s.lane = $1 and s.flow = any($2::smallint[])`,
);
