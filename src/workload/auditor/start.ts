// Puts the running auditor together: connections of its own, reconnected when one breaks, and what it tells.

import type { Declared } from "../../declared/load.ts";
import { openAdmin } from "../../kafka/admin.ts";
import type { Codec } from "../../kafka/codec.ts";
import type { KafkaSettings } from "../../kafka/port.ts";
import {
  beginReading,
  readCasesAt,
  readCut,
  readFlowSources,
  readPartitionNames,
  readStanding,
} from "../../store/audit.ts";
import { type Connection, connect, type DatabaseSettings } from "../../store/database.ts";
import { haltForAudit, listOpenHalts, readAuditsAccepted } from "../../store/lanes.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import { type GivenFrom, readGiven } from "../audit/given.ts";
import type { AuditParts, AuditTopics } from "../audit/parts.ts";
import type { AskSchema } from "../second-ledger/schemas.ts";
import { type AuditFailure, Auditor, type AuditorEvents, type AuditSession } from "./auditor.ts";

export type AuditorMaking = {
  readonly database: DatabaseSettings;
  readonly kafka: KafkaSettings;
  readonly declared: Declared;
  readonly codec: Codec;
  readonly askSchema: AskSchema;
  readonly topics: AuditTopics;
  readonly lanes: number;
  readonly settings: GivenFrom["settings"] & {
    readonly schemasDir: string;
    readonly auditEveryMs: number;
    readonly auditWholeHours: number;
  };
  readonly logger: Logger;
  readonly metrics: Metrics;
};

export type RunningAuditor = {
  start(): void;
  /** why it is not content, a sentence each */
  reasons(): string[];
  stop(): Promise<void>;
};

export function newAuditor(making: AuditorMaking): RunningAuditor {
  const { auditEveryMs: everyMs, auditWholeHours } = making.settings;
  const settings = { everyMs, wholeEveryMs: auditWholeHours * 3_600_000 };
  const auditor = new Auditor(settings, () => openSession(making), eventsOf(making));
  making.metrics.watchAudit(() => auditor.status.figures());
  return {
    start: () => auditor.start(),
    reasons: () => auditor.status.reasons(),
    stop: () => auditor.stop(),
  };
}

async function openSession(making: AuditorMaking): Promise<AuditSession> {
  const opened: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => void (await Promise.allSettled(opened.map((one) => one.close())));
  try {
    const [rows, snapshots, acts] = [await open(making), await open(making), await open(making)];
    opened.push(rows, snapshots, acts);
    const admin = await openAdmin(making.kafka);
    opened.push(admin);
    await beginReading(rows);
    const given = await readGiven(rows, { ...making, schemasDir: making.settings.schemasDir, depth: "deep" });
    const parts: AuditParts = {
      ...given,
      kafka: making.kafka,
      admin,
      rows,
      snapshots,
      waitMs: 0,
      progress: () => undefined,
    };
    return sessionOf(parts, { rows, snapshots, acts }, close);
  } catch (error) {
    await close();
    throw error;
  }
}

const open = ({ database }: AuditorMaking): Promise<Connection> => connect(database, "tool");

type Connections = { readonly rows: Connection; readonly snapshots: Connection; readonly acts: Connection };

function sessionOf(
  parts: AuditParts,
  { rows, snapshots, acts }: Connections,
  close: () => Promise<void>,
): AuditSession {
  return {
    parts,
    isCurrent: async () => (await readFlowSources(acts)).length === parts.flows.size,
    cut: () => readCut(rows),
    partitions: () => readPartitionNames(rows),
    standing: (lane) => readStanding(snapshots, lane),
    cases: (lane, ids) => readCasesAt(rows, lane, ids),
    halts: async () => ({
      open: new Map((await listOpenHalts(acts)).map(({ lane, cause }) => [lane, cause])),
      accepted: await readAuditsAccepted(acts),
    }),
    halt: (lane, failure) => haltForAudit(acts, lane, evidenceOf(failure)),
    close,
  };
}

function evidenceOf({ finding, invariants, auditedTo }: AuditFailure): Record<string, unknown> {
  const { invariant, problems, problemCount } = finding;
  return { invariant, place: problems[0] ?? "", problemCount, invariants: invariants.join(", "), auditedTo };
}

function eventsOf({ logger, metrics }: AuditorMaking): AuditorEvents {
  return {
    audited: ({ tally, lanes, seconds }) => {
      const { blocks, blocksDecided, blocksNotDecided, inputsBelieved } = tally;
      metrics.audited({ decided: Number(blocksDecided), notDecided: Number(blocksNotDecided) });
      logger.info({ lanes, blocks, blocksDecided, blocksNotDecided, inputsBelieved, seconds }, "cut audited");
    },
    found: (lane, findings) => {
      for (const { invariant, problems, problemCount } of findings) {
        metrics.auditFound(invariant, problemCount);
        logger.error({ lane, invariant, problems, problemCount }, "the audit found something");
      }
    },
    halted: (lane, { finding }, isNew) =>
      logger.error(
        { lane, cause: "audit_failed", invariant: finding.invariant, isNew, next: `millrace lane show ${lane}` },
        isNew ? "lane halted by the auditor" : "lane not halted by the auditor: it is halted already",
      ),
    failed: (error) => {
      metrics.auditFailed();
      logger.warn({ error }, "a cut could not be audited; tried again with the next");
    },
  };
}
