import { statement } from "../statement.ts";

// A balance as of a cut is the present one less the lines behind the cut, in one statement and so in one snapshot. Summing
// from the beginning would read a whole history, and be wrong as soon as the first days of it are archived.

// Purpose: house accounts as of a cut, summed over lanes; of one path ($4), or of all that begin with $5. Locks: none.
// Index: primary keys of balance and line; lines behind the cut are all read, house accounts have no index of their own.
// Rows: one a house path and currency. $1 to $3: the cut and from when on later lines lie, by lane.
export const showHouseBalances = statement(
  "show_house_balances",
  `with cut as (
     select * from unnest($1::int[], $2::bigint[], $3::timestamptz[]) c(lane, block, later_from)
   ), later as (
     select l.lane, s.account, sum(s.debits) as debits, sum(s.credits) as credits
     from cut c join line l on l.lane = c.lane and l.block > c.block and l.recorded_at >= c.later_from
     cross join lateral (values (l.debit, l.amount, 0::numeric), (l.credit, 0::numeric, l.amount)) s(account, debits, credits)
     where s.account < 0
     group by l.lane, s.account
   )
   select b.path, b.currency, sum(b.debits - coalesce(l.debits, 0)) as debits, sum(b.credits - coalesce(l.credits, 0)) as credits
   from cut c join balance b on b.lane = c.lane and b.account < 0 and b.opened_block <= c.block
   left join later l on l.lane = b.lane and l.account = b.account
   where ($4::text is null or b.path = $4) and starts_with(b.path, $5::text)
   group by b.path, b.currency order by b.path, b.currency`,
);

const LATER_DEBITS = `coalesce((select sum(l.amount) from line l where l.lane = h.lane and l.debit = h.account and l.debit > 0
  and l.block > h.cut and l.recorded_at >= h.later_from), 0)`;
const LATER_CREDITS = `coalesce((select sum(l.amount) from line l where l.lane = h.lane and l.credit = h.account and l.credit > 0
  and l.block > h.cut and l.recorded_at >= h.later_from), 0)`;

// Purpose: one holder's account as of a cut. Locks: none. Index: balance_path, line_debit, line_credit. Rows: one.
export const showHolderBalance = statement(
  "show_holder_balance",
  `select h.path, h.currency, h.debits - ${LATER_DEBITS} as debits, h.credits - ${LATER_CREDITS} as credits
   from (select lane, account, path, currency, debits, credits, $3::bigint as cut, $4::timestamptz as later_from
     from balance where lane = $1 and path = $2 and opened_block <= $3::bigint) h`,
);

// Purpose: the next page of holders' accounts as of a cut, in the order of their paths over all lanes. Each lane gives its
// first rows behind the key, so the first of all lanes are among them. Locks: none. Index: balance_path, line_debit,
// line_credit. Rows: the limit ($7). $1 to $3 as above, $4 prefix, $5 and $6 path and currency of the last row seen.
export const showHolderBalances = statement(
  "show_holder_balances",
  `select h.path, h.currency, h.debits - ${LATER_DEBITS} as debits, h.credits - ${LATER_CREDITS} as credits
   from (
     select b.*, c.block as cut, c.later_from
     from unnest($1::int[], $2::bigint[], $3::timestamptz[]) c(lane, block, later_from)
     cross join lateral (
       select lane, account, path, currency, debits, credits from balance
       where lane = c.lane and account > 0 and opened_block <= c.block
         and starts_with(path, $4::text) and (path, currency) > ($5::text, $6::text)
       order by path, currency limit $7
     ) b
     order by b.path, b.currency limit $7
   ) h
   order by h.path, h.currency`,
);
