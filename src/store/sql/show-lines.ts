import { statement } from "../statement.ts";

/** How a line names its accounts and its case. */
export const LINE_COLUMNS = `l.lane, l.block, l.index, l.recorded_at, d.path as debit, k.path as credit, l.currency, l.amount,
  l.case_id::text as case_id, s.kind, l.posting`;
/** Both accounts of a line lie in its lane, house accounts too. The case may have been detached with its day. */
export const LINE_NAMES = `join balance d on d.lane = l.lane and d.account = l.debit
  join balance k on k.lane = l.lane and k.account = l.credit
  left join case_state s on s.lane = l.lane and s.case_id = l.case_id`;

// Purpose: the accounts of a path in some lanes. Locks: none. Index: balance_path. Rows: one a lane and currency.
export const showAccounts = statement(
  "show_accounts",
  `select lane, account, currency from balance where lane = any($1::int[]) and path = $2 order by lane, currency`,
);

// Purpose: where the last $3 lines of a holder's account begin. Locks: none. Index: line_debit, line_credit. Rows: one,
// none when the account has fewer.
export const showHolderLinesStart = statement(
  "show_holder_lines_start",
  `select u.block, u.index from (
     (select block, index from line where lane = $1 and debit = $2 and debit > 0 order by block desc, index desc limit $3)
     union all
     (select block, index from line where lane = $1 and credit = $2 and credit > 0 order by block desc, index desc limit $3)
   ) u order by u.block desc, u.index desc limit 1 offset $3 - 1`,
);

// Purpose: the balance of a holder's account before a line ($3 block, $4 index), and the lane's head. The present balance
// less what came since: lines of earlier years may be archived. Locks: none. Index: primary key of balance, line_debit,
// line_credit. Rows: one.
export const showHolderOpening = statement(
  "show_holder_opening",
  `select z.block as head,
     b.debits - coalesce((select sum(amount) from line where lane = $1 and debit = $2 and debit > 0
       and block >= $3 and (block, index) >= ($3, $4)), 0) as debits,
     b.credits - coalesce((select sum(amount) from line where lane = $1 and credit = $2 and credit > 0
       and block >= $3 and (block, index) >= ($3, $4)), 0) as credits
   from lane z join balance b on b.lane = z.lane and b.account = $2
   where z.lane = $1`,
);

// Purpose: the next page of lines of a holder's account from a line on ($3 block, $4 index), up to a block ($5). Locks:
// none. Index: line_debit, line_credit; for the names primary keys. Rows: the limit ($6).
export const showHolderLines = statement(
  "show_holder_lines",
  `select ${LINE_COLUMNS} from (
     select * from (
       (select * from line where lane = $1 and debit = $2 and debit > 0
          and block between $3 and $5 and (block, index) >= ($3, $4) order by block, index limit $6)
       union all
       (select * from line where lane = $1 and credit = $2 and credit > 0
          and block between $3 and $5 and (block, index) >= ($3, $4) order by block, index limit $6)
     ) u order by block, index limit $6
   ) l ${LINE_NAMES}
   order by l.block, l.index`,
);

// Purpose: as the three above, for the house accounts of a path in one lane ($2). They have no index: all lines of the
// lane from the given one on are looked at. Locks: none. Index: primary key. Rows: one; the limit.
export const showHouseLinesStart = statement(
  "show_house_lines_start",
  `select block, index from line
   where lane = $1 and (debit = any($2::bigint[]) or credit = any($2::bigint[]))
   order by block desc, index desc limit 1 offset $3 - 1`,
);
export const showHouseLines = statement(
  "show_house_lines",
  `select ${LINE_COLUMNS} from (
     select * from line
     where lane = $1 and (debit = any($2::bigint[]) or credit = any($2::bigint[]))
       and block between $3 and $5 and (block, index) >= ($3, $4)
     order by block, index limit $6
   ) l ${LINE_NAMES}
   order by l.block, l.index`,
);
