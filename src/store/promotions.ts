// Promotions of flow versions: who put which into force, when, why, and by which backtest. Written once, never changed.

import type { Connection } from "./database.ts";
import { readTimestampMs } from "./literals.ts";
import { type FlowVersion, registerFlows } from "./setup.ts";
import { begin, commit, rollback } from "./sql/begin.ts";
import * as sql from "./sql/promotions.ts";

export type Promotion = {
  readonly name: string;
  readonly version: string;
  readonly contentHash: string;
  readonly promotedAtMs: number;
  readonly principal: string;
  readonly reason: string;
  readonly reportHash: string;
  /** as it was attached, JSON */
  readonly report: string;
};

export type NewPromotion = Pick<Promotion, "principal" | "reason" | "reportHash" | "report">;

/** Stands alone as the one that promotes, until the connection ends.
 *  @returns false when another one is at it */
export async function claimPromotion(connection: Connection): Promise<boolean> {
  return (await connection.run(sql.claimPromotion, [])).rows[0]?.["is_ours"] === true;
}

/** Registers a version, as `run` does at its start, and writes its promotion beside it: both or neither. A version that was
 *  promoted before stays as it was promoted then.
 *  @throws FlowVersionChanged when it was registered with another content */
export async function promoteFlow(connection: Connection, flow: FlowVersion, why: NewPromotion): Promise<void> {
  await connection.run(begin, []);
  try {
    await registerFlows(connection, [flow]);
    const { principal, reason, reportHash, report } = why;
    await connection.run(sql.insertPromotion, [flow.name, flow.version, principal, reason, reportHash, report]);
    // A COMMIT of a failed dbTransaction is answered, without any error, with ROLLBACK.
    const { command } = await connection.run(commit, []);
    if (command !== "COMMIT") throw new Error(`COMMIT of a promotion was answered with ${command}`);
  } catch (error) {
    if (!connection.broken) await connection.run(rollback, []).catch(() => connection.destroy());
    throw error;
  }
}

/** The newest first. */
export async function readPromotions(connection: Connection): Promise<Promotion[]> {
  return (await connection.run(sql.readPromotions, [])).rows.map((row) => ({
    name: row["name"] as string,
    version: row["version"] as string,
    contentHash: row["content_hash"] as string,
    promotedAtMs: readTimestampMs(row["promoted_at"]),
    principal: row["principal"] as string,
    reason: row["reason"] as string,
    reportHash: row["report_hash"] as string,
    report: row["report"] as string,
  }));
}

/** @returns hex digits; null when there is no such block */
export async function readDigest(connection: Connection, lane: number, block: bigint): Promise<string | null> {
  const { rows } = await connection.run(sql.readDigest, [lane, block]);
  return rows[0] === undefined ? null : (rows[0]["digest"] as Buffer).toString("hex");
}
