import { statement } from "../statement.ts";

// Purpose: the ids of house accounts by their path, in every lane. Index: none needed, few rows. Rows: lanes times currencies.
export const showHouseIds = statement(
  "show_house_ids",
  `select account, path from balance where account < 0 and path = any($1::text[])`,
);

// Purpose: the day of the first line. Index: none; partitions are read in order of time. Rows: one.
export const showFirstLine = statement(
  "show_first_line",
  `select min(recorded_at) as first from block where block = 1`,
);

// Purpose: what each posting of each case did to the positions and to the spread revenue within a span of time, up to a
// cut. Locks: none. Index: none, the day's partition is read whole: lines of house accounts are not indexed. Rows: one for
// each conversion and currency of the span.
export const showDeals = statement(
  "show_deals",
  `select l.lane, l.block, min(l.recorded_at) as at, replace(l.case_id::text, '-', '') as "caseId", l.posting, l.currency,
     min(b.rates_version) as "ratesVersion",
     sum(case when l.credit = any($5::bigint[]) then l.amount else 0 end
       - case when l.debit = any($5::bigint[]) then l.amount else 0 end) as position,
     sum(case when l.credit = any($6::bigint[]) then l.amount else 0 end
       - case when l.debit = any($6::bigint[]) then l.amount else 0 end) as spread
   from line l
     join unnest($1::int[], $2::bigint[]) c(lane, block) on c.lane = l.lane and l.block <= c.block
     join block b on b.lane = l.lane and b.block = l.block and b.recorded_at = l.recorded_at
   where l.recorded_at >= $3::timestamptz and l.recorded_at < $4::timestamptz
     and (l.credit = any($5::bigint[] || $6::bigint[]) or l.debit = any($5::bigint[] || $6::bigint[]))
   group by l.lane, l.block, l.case_id, l.posting, l.currency
   order by at, l.lane, l.block, min(l.index)`,
);
