// The tables and statements of the usual way: a row a payment, a row a balance that is locked and updated, a row a line.
// Session settings and driver are the service's own, so that only the way of working differs.

import { statement } from "../../store/statement.ts";

export const CREATE_TABLES = `
create schema naive;
create table naive.payment (case_id uuid primary key, holder_id text not null, state text not null, reason text,
  fingerprint text not null, recorded_at timestamptz not null default now());
create table naive.account (path text, currency text, debits numeric(38, 0) not null default 0,
  credits numeric(38, 0) not null default 0, floor_minor numeric(38, 0), primary key (path, currency));
create table naive.line (line bigint generated always as identity primary key, case_id uuid not null,
  debit text not null, credit text not null, currency text not null, amount numeric(38, 0) not null check (amount > 0),
  recorded_at timestamptz not null default now());
`;

// Purpose: accounts that the transfers of the run touch, opened before it. Rows: as many as holders.
export const openAccounts = statement(
  "naive_open_accounts",
  `insert into naive.account (path, currency, floor_minor)
   select path, $2, case when path like 'liability:%' then 0 end from unnest($1::text[]) path`,
);

// Purpose: takes the payment in once. Rows: one, or none when it is a repeat. Index: payment_pkey.
export const insertPayment = statement(
  "naive_insert_payment",
  `insert into naive.payment (case_id, holder_id, state, fingerprint) values ($1, $2, 'completed', $3)
   on conflict (case_id) do nothing`,
);

// Purpose: both balances, locked in the order of their paths, so that two payments never wait for each other in a ring.
export const lockAccounts = statement(
  "naive_lock_accounts",
  `select path, debits, credits, floor_minor from naive.account
   where path = any($1::text[]) and currency = $2 order by path for update`,
);

// Purpose: adds to one balance. Rows: one. Index: account_pkey.
export const addToAccount = statement(
  "naive_add_to_account",
  `update naive.account set debits = debits + $3, credits = credits + $4 where path = $1 and currency = $2`,
);

// Purpose: the line. Rows: one.
export const insertLine = statement(
  "naive_insert_line",
  `insert into naive.line (case_id, debit, credit, currency, amount) values ($1, $2, $3, $4, $5)`,
);

// Purpose: a refusal. Rows: one. Index: payment_pkey.
export const rejectPayment = statement(
  "naive_reject_payment",
  `update naive.payment set state = 'rejected', reason = $2 where case_id = $1`,
);
