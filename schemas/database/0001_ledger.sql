-- Up Migration
--
-- The spine: lanes, blocks, lines, balances, cases, timers, outbox. Rules that hold in every table, so that the tables
-- can be distributed by lane one day without changing a statement:
--   * `lane` is an int, stands first in every primary and unique key, and is never updated;
--   * a key of a time-partitioned table also holds the partition column, so the database alone does not prove
--     (lane, block) or (lane, topic, sequence) unique: the head of the lane does;
--   * no foreign keys in the hot path (measured on a prototype: 3,460 to 1,024 statements/s), none but to reference tables.
--
-- Locks: creates only, so it takes none that matter. Duration: well under a second.

create schema if not exists millrace;
set search_path = millrace;

-- Reference tables: written by `migrate` and at the start of `run`, only read by blocks ------------------------------

-- Every flow version that ever ran, with its source: a case stays on its version, and a block can be explained years later.
create table flow (
  flow smallint generated always as identity primary key,
  name text not null,
  version text not null,
  content_hash text not null,
  source text not null,
  unique (name, version)
);

-- Lanes ---------------------------------------------------------------------------------------------------------------

-- One row a lane: the fence (epoch) and the head (everything the next block builds on). It is updated by every block,
-- so rows are kept HOT: half of each page is left free and no column but the key is indexed.
create table lane (
  lane int primary key,
  epoch bigint not null default 0,
  block bigint not null default 0,                  -- number of the last block; 0: none yet
  digest bytea not null default decode(repeat('00', 32), 'hex'),
  now_at timestamptz not null default 'epoch',      -- the `now` of the last block; never goes back
  intents_next bigint not null default 0,           -- next offset to take; `last` describes the last record taken
  intents_last bigint not null default -1,
  intents_last_at timestamptz not null default 'epoch',
  intents_last_hash bytea not null default '',
  reports_next bigint not null default 0,
  reports_last bigint not null default -1,
  reports_last_at timestamptz not null default 'epoch',
  reports_last_hash bytea not null default '',
  timer_due_at timestamptz not null default 'epoch', -- position of the last timer fired: (due, case, name)
  timer_case_id uuid not null default '00000000-0000-0000-0000-000000000000',
  timer_name text not null default '',
  outcomes_next bigint not null default 0,          -- next sequence of each outgoing topic
  commands_next bigint not null default 0,
  dead_letters_next bigint not null default 0,
  accounts bigint not null default 0                -- accounts of this lane so far; the low bits of the next account id
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

-- Who owns a lane, apart from the lane row, because renewals would otherwise touch the row that every block updates.
create table lease (
  lane int primary key,
  owner bigint,
  until timestamptz not null default 'epoch'
) with (fillfactor = 50);

-- Processes that share the lanes. The number is fresh for each process and has no meaning; its session holds an advisory
-- lock on it, so a killed process is noticed as soon as the kernel closes its socket.
create sequence process_number;
create table process (
  process bigint primary key,
  label text not null,
  seen_at timestamptz not null
);

-- A halted lane, its cause and evidence, and how it was resumed. Kept for ever: it is part of the explanation.
create table halt (
  halt bigint generated always as identity primary key,
  lane int not null,
  halted_at timestamptz not null default clock_timestamp(),
  cause text not null,
  evidence jsonb not null,
  resumed_at timestamptz,
  resumed_reason text,
  resume_intents_at bigint,                         -- where to go on, when the operator accepted another position
  resume_reports_at bigint,
  applied boolean not null default false            -- a block has taken the accepted position over
);
create index halt_open on halt (lane) where resumed_at is null;

-- What the relay knows of its output partitions: a hint for an expired tail, and the writer's producer id.
create table relay_cursor (
  lane int not null,
  topic smallint not null,                          -- 0 outcomes, 1 commands, 2 dead letters
  published_sequence bigint not null default -1,
  published_offset bigint not null default -1,
  producer_id bigint not null default -1,
  producer_epoch int not null default -1,
  primary key (lane, topic)
) with (fillfactor = 50);

-- Blocks and lines: append-only ---------------------------------------------------------------------------------------

create table block (
  lane int not null,
  block bigint not null,
  recorded_at timestamptz not null,                 -- the block's `now`
  epoch bigint not null,
  process bigint not null,
  previous_digest bytea not null,
  digest bytea not null,
  lines_hash bytea not null,
  messages_hash bytea not null,
  intents_from bigint not null,
  intents_next bigint not null,
  reports_from bigint not null,
  reports_next bigint not null,
  flows smallint[] not null,                        -- versions that the block decided by
  timers int not null,
  lines int not null,
  outcomes_from bigint not null,
  outcomes_next bigint not null,
  commands_from bigint not null,
  commands_next bigint not null,
  dead_letters_from bigint not null,
  dead_letters_next bigint not null,
  halt bigint,                                      -- set when an operator moved the position after this halt
  primary key (lane, block, recorded_at)
) partition by range (recorded_at);

-- Two-sided: money cannot be made or lost by construction. Accounts of holders have ids > 0, of the house < 0, with the
-- lane in the bits from 40 up. Only holders' accounts are indexed: they are 4 of the 16 line sides of a card payment.
create table line (
  lane int not null,
  block bigint not null,
  index int not null,                               -- counts the lines of the block from 0
  recorded_at timestamptz not null,
  debit bigint not null,
  credit bigint not null,
  amount numeric(38, 0) not null,
  case_id uuid not null,
  currency text not null,
  posting text not null,
  primary key (lane, block, index, recorded_at),
  check (amount > 0),
  check (debit <> credit)
) partition by range (recorded_at);
create index line_debit on line (debit, block) where debit > 0;
create index line_credit on line (credit, block) where credit > 0;

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'millrace: % is append-only; corrections are postings by an intent', tg_table_name
    using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete on line for each row execute function refuse_change();
create trigger append_only before update or delete on block for each row execute function refuse_change();

-- Balances, cases, timers ---------------------------------------------------------------------------------------------

-- One row an account and lane. A holder's account lives in the holder's home lane alone; a house account has a row in
-- every lane that touched it and its balance is their sum. Updated in place all day: 30 % of a page is left free so that
-- updates stay HOT, which needs that no updated column is indexed.
create table balance (
  lane int not null,
  account bigint not null,
  path text not null,
  currency text not null,
  floor_minor numeric(38, 0),                       -- lowest allowed balance in the normal sign; null: no floor
  status text not null default 'open' check (status in ('open', 'frozen', 'closed')),
  debits numeric(56, 0) not null default 0,         -- sums of amounts of up to 38 digits: wider, or one transfer of 38
                                                    -- nines would let no other deposit into the same account
  credits numeric(56, 0) not null default 0,
  opened_block bigint not null,
  primary key (lane, account)
) partition by hash (lane);
-- A holder's account has one currency; a house path exists in each.
create unique index balance_path on balance (lane, path, currency);

-- `history` has a text line for each event the case took in, oldest first: see src/domain/history.ts for its form. It is
-- the memory that deduplication rests on, so it lives and dies with the case. Rows of one-step cases are never updated
-- again, those of longer flows a few times: 10 % of a page is left free.
create table case_state (
  lane int not null,
  case_id uuid not null,
  kind text not null,                               -- prefix of the id as its producer wrote it; '' for a plain UUID
  flow smallint not null,
  holder_id text not null,
  state text not null,
  data jsonb,
  history text not null,
  occurred_at timestamptz not null,
  primary key (lane, case_id)
) partition by range (case_id);

create table timer (
  lane int not null,
  due_at timestamptz not null,
  case_id uuid not null,
  name text not null,
  primary key (lane, due_at, case_id, name)
) partition by hash (lane);

-- Messages ------------------------------------------------------------------------------------------------------------

create table outbox (
  lane int not null,
  topic smallint not null,                          -- 0 outcomes, 1 commands, 2 dead letters
  sequence bigint not null,
  recorded_at timestamptz not null,
  block bigint not null,
  key text not null,
  value bytea not null,
  primary key (lane, topic, sequence, recorded_at)
) partition by range (recorded_at);
-- Messages of one block lie together and are never searched inside; compressing them costs more than it saves.
alter table outbox alter column value set storage external;

create table quarantine (
  lane int not null,
  topic text not null,
  record_offset bigint not null,
  block bigint not null,
  recorded_at timestamptz not null,
  reason text not null,
  detail text not null,
  key text,
  sha256 bytea not null,
  size int not null,
  value bytea,                                      -- at most 16 kB; null where it must not be kept
  retried_at timestamptz,
  primary key (lane, topic, record_offset, block)
);

-- Partitions ----------------------------------------------------------------------------------------------------------

do $$
begin
  for i in 0 .. 7 loop
    execute format('create table balance_%s partition of balance for values with (modulus 8, remainder %s)
      with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)', i, i);
    execute format('create table timer_%s partition of timer for values with (modulus 8, remainder %s)', i, i);
  end loop;
end $$;

create table block_default partition of block default;
create table line_default partition of line default;
create table outbox_default partition of outbox default;
create table case_state_default partition of case_state default;
create trigger no_truncate before truncate on block_default execute function refuse_change();
create trigger no_truncate before truncate on line_default execute function refuse_change();

-- The first id of a moment: ULID and UUIDv7 both begin with 48 bits of milliseconds.
create function first_case_id(moment timestamptz) returns uuid language sql immutable as $$
  select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Creates what is missing of the partitions that cover [from, until]. Names carry their beginning in UTC. A day whose
-- rows already fell into the default partition is left there: nothing is lost, it is only not detached with its day.
create function create_partitions(from_at timestamptz, until_at timestamptz) returns int
language plpgsql security definer set search_path = millrace, pg_temp set timezone = 'UTC' as $$
declare
  part record;
  made int := 0;
begin
  perform pg_advisory_xact_lock(7001, 1);
  for part in
    with day as (
      select d as lo, d + interval '1 day' as hi
      from generate_series(date_trunc('day', from_at), until_at, interval '1 day') d
    ), quarter as (
      select q as lo, q + interval '6 hours' as hi
      from generate_series(date_trunc('day', from_at), until_at, interval '6 hours') q
    )
    select 'block' as parent, 'block_' || to_char(lo, 'YYYYMMDD') as name, quote_literal(lo) as lo, quote_literal(hi) as hi from day
    union all select 'line', 'line_' || to_char(lo, 'YYYYMMDD'), quote_literal(lo), quote_literal(hi) from day
    union all select 'case_state', 'case_state_' || to_char(lo, 'YYYYMMDD'),
      quote_literal(first_case_id(lo)), quote_literal(first_case_id(hi)) from day
    union all select 'outbox', 'outbox_' || to_char(lo, 'YYYYMMDD_HH24'), quote_literal(lo), quote_literal(hi) from quarter
  loop
    if to_regclass('millrace.' || part.name) is not null then continue; end if;
    begin
      execute format('create table %I partition of %I for values from (%s) to (%s) %s', part.name, part.parent, part.lo,
        part.hi, case part.parent when 'case_state' then 'with (fillfactor = 90)' else '' end);
      if part.parent in ('block', 'line') then
        execute format('create trigger no_truncate before truncate on %I execute function refuse_change()', part.name);
      end if;
      made := made + 1;
    exception when check_violation then
      raise notice 'millrace: % stays in the default partition, which already holds rows of that time', part.name;
    end;
  end loop;
  return made;
end $$;

-- The head ------------------------------------------------------------------------------------------------------------

-- Ends the writing statement of a block. A compare-and-set that matches nothing does not stop the other parts of a CTE,
-- and a COMMIT behind it would keep their rows, lines that belong to no block: so a head that did not move is an error.
-- So is a part that changed another number of rows than were sent.
create function assert_block_written(lane int, block bigint, moved bigint, changed bigint[], expected bigint[])
returns void language plpgsql as $$
begin
  if moved <> 1 then
    raise exception 'millrace: the head of lane % did not move to block %', lane, block using errcode = 'MR001';
  end if;
  if changed <> expected then
    raise exception 'millrace: block % of lane % changed % rows (cases, balances, timers) instead of %',
      block, lane, changed, expected using errcode = 'MR002';
  end if;
end $$;

-- Roles ---------------------------------------------------------------------------------------------------------------

-- Roles belong to the whole cluster and may be there already. The owner is whoever migrates; the service can add lines
-- and blocks, never change them; readers only read.
do $$ begin
  create role millrace_service login;
exception when duplicate_object or unique_violation then null;
end $$;
do $$ begin
  create role millrace_reader login;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema millrace to millrace_service, millrace_reader;
grant select on all tables in schema millrace to millrace_service, millrace_reader;
grant usage on sequence process_number to millrace_service;
grant insert on flow, block, line, outbox, quarantine, halt to millrace_service;
grant insert, update, delete on lease, process, relay_cursor, timer, case_state, balance to millrace_service;
grant update on lane, halt, quarantine to millrace_service;
alter default privileges in schema millrace grant select on tables to millrace_reader, millrace_service;
