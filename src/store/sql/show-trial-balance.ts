import { statement } from "../statement.ts";

// Purpose: all balances summed by house path, or by the chart's template for holders ($1 what leads to the holder, $2 what
// follows), and currency: in one statement, so that the sums are of one moment. Locks: none. Index: none, the whole table
// is read. Rows: one a house path or template, and currency.
export const showTrialBalance = statement(
  "show_trial_balance",
  `select coalesce(t.lead || '{holder}' || t.tail, b.path) as path, b.currency,
     count(distinct b.path) as accounts, sum(b.debits) as debits, sum(b.credits) as credits
   from balance b
   left join unnest($1::text[], $2::text[]) t(lead, tail)
     on b.account > 0 and starts_with(b.path, t.lead) and right(b.path, length(t.tail)) = t.tail
       and position(':' in substr(b.path, length(t.lead) + 1, length(b.path) - length(t.lead) - length(t.tail))) = 0
   group by 1, 2 order by 1, 2`,
);
