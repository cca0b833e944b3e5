import { statement } from "../statement.ts";

const ROW = `version, feed, base, quote, seq, bid::text as bid, mid::text as mid, ask::text as ask, as_of, received_at,
     priority, pivot, life`;

// Purpose: the newest version. Index: rate_version, read from its end. Rows: one.
export const newestRates = statement("newest_rates", `select coalesce(max(version), 0) as version from rate`);

// Purpose: rates above a version that is known, in the order in which they came. Index: rate_version. Rows: what came since.
export const readRatesSince = statement(
  "read_rates_since",
  `select ${ROW} from rate where version > $1::bigint order by version, feed, base, quote`,
);

// Purpose: the whole book at a version: of each pair the newest row up to it. Index: rate_pkey, one row a pair. Rows: pairs.
export const readRatesAt = statement(
  "read_rates_at",
  `select r.* from rate_pair p cross join lateral (
     select ${ROW} from rate
     where feed = p.feed and base = p.base and quote = p.quote and version <= $1::bigint
     order by version desc limit 1
   ) r`,
);

// Purpose: the version that was the newest at a moment. Index: none; asked by people. Rows: one.
export const ratesVersionAt = statement(
  "rates_version_at",
  `select coalesce(max(version), 0) as version from rate where received_at <= $1::timestamptz`,
);

// Purpose: whoever writes versions stands alone until its dbTransaction ends, so that numbers become visible in order.
export const lockRates = statement("lock_rates", `select pg_advisory_xact_lock(7001, 2)`);

// Purpose: the highest number of a feed that was believed, or that came with a jump, which may yet be accepted; what else was
// refused counts for nothing. Index: rate_seq and the key of rate_refused. Rows: one.
export const highestSeq = statement(
  "highest_rate_seq",
  `select greatest(coalesce((select max(seq) from rate where feed = $1), -1),
     coalesce((select max(seq) from rate_refused where feed = $1 and reason = 'jump'), -1)) as seq`,
);

// Purpose: the rates of a new version. Rows: ticks of a batch.
export const insertRates = statement(
  "insert_rates",
  `insert into rate (version, feed, base, quote, seq, bid, mid, ask, as_of, received_at, priority, pivot, life)
   select r.* from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::numeric[], $7::numeric[],
     $8::numeric[], $9::timestamptz[], $10::timestamptz[], $11::int[], $12::text[], $13::json[]) r`,
);
export const insertRatePairs = statement(
  "insert_rate_pairs",
  `insert into rate_pair (feed, base, quote) select r.* from unnest($1::text[], $2::text[], $3::text[]) r
   on conflict do nothing`,
);

// Purpose: ticks that were not believed; one that was read before is left as it is. Rows: ticks of a batch.
export const insertRefusedRates = statement(
  "insert_refused_rates",
  `insert into rate_refused (feed, seq, base, quote, reason, detail, bid, mid, ask, as_of, received_at, record_offset)
   select r.* from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
     $9::text[], $10::timestamptz[], $11::timestamptz[], $12::bigint[]) r
   on conflict do nothing`,
);

// Purpose: refused ticks for people and for `rates accept`, newest first. Rows: the limit.
export const readRefusedRates = statement(
  "read_refused_rates",
  `select feed, seq, base, quote, reason, detail, bid, mid, ask, as_of, received_at, record_offset, accepted_version,
     accepted_reason
   from rate_refused order by received_at desc, record_offset desc limit $1`,
);
export const readRefusedRate = statement(
  "read_refused_rate",
  `select feed, seq, base, quote, reason, detail, bid, mid, ask, as_of, received_at, record_offset, accepted_version,
     accepted_reason
   from rate_refused where feed = $1 and seq = $2::bigint and base = $3 and quote = $4 order by record_offset limit 1`,
);
export const acceptRefusedRate = statement(
  "accept_refused_rate",
  `update rate_refused set accepted_version = $6::bigint, accepted_reason = $7
   where feed = $1 and seq = $2::bigint and base = $3 and quote = $4 and record_offset = $5::bigint`,
);

// Purpose: how far the topic was judged. Rows: one.
export const readRatePosition = statement(
  "read_rate_position",
  `select next_offset from rate_position where topic = $1`,
);
export const writeRatePosition = statement(
  "write_rate_position",
  `insert into rate_position (topic, next_offset) values ($1, $2::bigint)
   on conflict (topic) do update set next_offset = excluded.next_offset`,
);
