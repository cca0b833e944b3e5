-- Up Migration
--
-- Rates as immutable versions, and in each block the versions of rates and of parameters that it decided by.
--
-- Versions are numbered under an advisory lock within the dbTransaction that writes them, so numbers become visible in
-- their order: whoever has read up to a version has all below it, and no smaller one can appear later. A sequence would
-- not give that.
--
-- Locks: access exclusive on `block` and its partitions for the two columns, whose default is a constant, so no row is
-- touched; the rest creates. Duration: well under a second.

set search_path = millrace;

-- A rate of a feed. `life` says what it is good for and until when, as it was settled when it was taken in:
-- [[until in ms since the epoch, "fresh" | "aging" | "stale", surcharge in basis points, longest lock in ms or null], …].
-- A pair that its feed has withdrawn has no prices and no life. Numbers keep the digits that they came with.
create table rate (
  version bigint not null,
  feed text not null,
  base text not null,
  quote text not null,
  seq bigint not null,                              -- the feed's own number
  bid numeric,
  mid numeric,
  ask numeric,
  as_of timestamptz not null,                       -- when the feed says that the price held
  received_at timestamptz not null,                 -- the broker's append time
  priority int not null,
  pivot text not null,
  life jsonb not null,
  primary key (feed, base, quote, version),
  check (version > 0 and base <> quote),
  check ((mid is null) = (bid is null) and (mid is null) = (ask is null)),
  check (mid is null or (bid > 0 and bid <= mid and mid <= ask and ask < 1000000000000 and scale(mid) <= 12)),
  check ((mid is null) = (life = '[]'))
);
create index rate_version on rate (version);
create index rate_seq on rate (feed, seq);

-- The pairs that any version has, so that the newest row of each is found by key however many there are.
create table rate_pair (
  feed text not null,
  base text not null,
  quote text not null,
  primary key (feed, base, quote)
);

-- Ticks that were not believed, with why. An operator may accept one (`rates accept`); it is kept all the same.
create table rate_refused (
  feed text not null,
  seq bigint not null,
  base text not null,
  quote text not null,
  reason text not null,
  detail text not null,
  bid text not null,
  mid text not null,
  ask text not null,
  as_of timestamptz not null,
  received_at timestamptz not null,
  record_offset bigint not null,
  accepted_version bigint,                          -- the version that it became when an operator accepted it
  accepted_reason text,
  primary key (feed, seq, base, quote, record_offset)
);

-- How far the topic of rates has been judged. A hint: a tick that is read again is known by its number.
create table rate_position (
  topic text primary key,
  next_offset bigint not null
);

create trigger append_only before update or delete on rate for each row execute function refuse_change();
create trigger no_truncate before truncate on rate execute function refuse_change();

alter table block add column rates_version bigint not null default 0;
alter table block add column parameters_version bigint not null default 0;

grant select on rate, rate_pair, rate_refused, rate_position to millrace_service, millrace_reader;
grant insert on rate, rate_pair, rate_refused, rate_position to millrace_service;
grant update on rate_refused, rate_position to millrace_service;
