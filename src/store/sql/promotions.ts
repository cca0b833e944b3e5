import { statement } from "../statement.ts";

// Purpose: whoever promotes stands alone until its session ends, for it judges by declared files and by rows, and then changes
// both. Locks: an advisory one of the session; who does not get it does not wait. Rows: one.
export const claimPromotion = statement("claim_promotion", `select pg_try_advisory_lock(7001, 3) as is_ours`);

// Purpose: the promotion of a version, once. The version is registered before, in the same dbTransaction. Rows: one.
export const insertPromotion = statement(
  "insert_promotion",
  `insert into flow_promotion (flow, principal, reason, report_hash, report)
   select f.flow, $3, $4, $5, $6 from flow f where f.name = $1 and f.version = $2
   on conflict (flow) do nothing`,
);

// Purpose: promotions with their versions, the newest first. Rows: one a promoted version.
export const readPromotions = statement(
  "read_promotions",
  `select f.name, f.version, f.content_hash, p.promoted_at, p.principal, p.reason, p.report_hash, p.report
   from flow_promotion p join flow f on f.flow = p.flow order by p.promoted_at desc`,
);

// Purpose: the digest of one block of a lane. Index: primary key of each partition. Rows: one at most.
export const readDigest = statement("read_digest", `select digest from block where lane = $1 and block = $2`);
