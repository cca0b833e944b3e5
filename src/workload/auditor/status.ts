// What the running auditor last came to: for readiness and metrics.

import type { AuditFigures } from "../../telemetry/metrics.ts";
import type { Finding } from "../audit/findings.ts";
import type { AuditedCut, AuditFailure } from "./auditor.ts";

export class AuditorStatus {
  /** block by lane */
  readonly auditedTo = new Map<number, bigint>();
  systemFindings: readonly Finding[] = [];
  readonly #failed = new Map<number, AuditFailure>();
  /** halted for a finding, of this auditor or of another before it */
  readonly #halted = new Set<number>();
  #last: AuditedCut | null = null;
  /** of the last cut that was audited; before the first, since when there could have been one */
  #takenAtMs = Date.now();
  #error: string | null = null;

  audited(cut: AuditedCut, takenAtMs: number): void {
    this.#last = cut;
    this.#takenAtMs = takenAtMs;
    this.#error = null;
  }

  unreachable(error: unknown): void {
    this.#error = error instanceof Error ? error.message : String(error);
  }

  laneFailed(lane: number, failure: AuditFailure): void {
    this.#failed.set(lane, failure);
  }

  laneIsHalted(lane: number): void {
    this.#halted.add(lane);
  }

  /** It is not halted for a finding, or not any more. */
  laneGoesOn(lane: number): void {
    this.#failed.delete(lane);
    this.#halted.delete(lane);
  }

  figures(): AuditFigures {
    return {
      ageSeconds: Math.max(0, (Date.now() - this.#takenAtMs) / 1_000),
      seconds: this.#last?.seconds ?? 0,
      isGood: this.#failed.size + this.#halted.size === 0 && this.systemFindings.length === 0,
      auditedTo: this.auditedTo,
    };
  }

  /** Why this auditor is not content, a sentence each. */
  reasons(): string[] {
    return [
      ...(this.#error === null ? [] : [`the last cut could not be audited: ${this.#error}`]),
      ...(this.#last === null && this.#error === null ? ["no cut has been audited yet"] : []),
      ...this.systemFindings.map(({ invariant, problems }) => `audit: ${invariant} does not hold: ${problems[0]}`),
      ...[...this.#failed].map(
        ([lane, { finding }]) => `audit: ${finding.invariant} does not hold in lane ${lane}: ${finding.problems[0]}`,
      ),
      ...[...this.#halted]
        .filter((lane) => !this.#failed.has(lane))
        .map((lane) => `lane ${lane} is halted by audit_failed; see \`millrace lane show ${lane}\``),
    ];
  }
}
