-- Up Migration
--
-- A case is written two to five times and grows, a balance as often as money moves. In pages filled to 90 % most new versions
-- of a case found no room beside the old one (of balances, at 70 %, one in eight): each then cost an entry in every index.
-- Half full, 98 of 100 stay where they are (HOT), and what was before them makes room for the next.
--
-- Locks: share update exclusive on the partitions, one after the other: nobody who reads or writes waits.
-- Duration: milliseconds. What is in a page stays as it is. Instances need not be stopped for it.

set search_path = millrace;

do $$
declare
  part regclass;
begin
  for part in
    select inhrelid::regclass from pg_inherits where inhparent in ('case_state'::regclass, 'balance'::regclass)
  loop
    execute format('alter table %s set (fillfactor = 50)', part);
  end loop;
end $$;

create or replace function create_partitions(from_at timestamptz, until_at timestamptz) returns int
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
        part.hi, case part.parent when 'case_state' then 'with (fillfactor = 50)' else '' end);
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
