// What cases have booked at banks and providers, as the audit of both sides reads it.

import type { Connection } from "./database.ts";
import { auditBookedCases } from "./sql/audit-sides.ts";

export type BookedCaseRow = {
  /** with dashes */
  readonly caseId: string;
  readonly kind: string;
  /** number of its flow's version */
  readonly flow: number;
  readonly state: string;
  /** as a case id; null for a case that none opened */
  readonly parent: string | null;
  /** null for a case that booked nothing */
  readonly currency: string | null;
  /** digits and perhaps a sign; null for a case that booked nothing */
  readonly minor: string | null;
};

/** Cases of one lane.
 *  @param flows numbers of flow versions */
export async function readBookedCases(
  connection: Connection,
  lane: number,
  flows: readonly number[],
): Promise<BookedCaseRow[]> {
  return (await connection.run(auditBookedCases, [lane, `{${flows.join(",")}}`])).rows as unknown as BookedCaseRow[];
}
