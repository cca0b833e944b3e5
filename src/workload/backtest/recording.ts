// What a backtest is told of the past: the blocks of each lane with the inputs that they took, the versions that they decided
// by, and what became of the cases.

import type { AccountStatus, IntentInput, ReportInput } from "../../domain/books.ts";
import type { RateBook } from "../../domain/fx/rates.ts";
import type { ParameterBook } from "../../domain/parameters/parameters.ts";
import type { Rules } from "../../domain/rules.ts";
import type { InputRecord } from "../../kafka/port.ts";
import type { RecordedCases } from "./recorded-cases.ts";

/** Whole blocks of a lane, `from <= block <= until`; none when `until < from`. */
export type LaneSpan = { readonly lane: number; readonly from: bigint; readonly until: bigint };

export type RecordedBlock = {
  readonly lane: number;
  readonly block: bigint;
  /** the time that it decided by */
  readonly nowMs: number;
  readonly intents: readonly InputRecord[];
  readonly reports: readonly InputRecord[];
  readonly ratesVersion: bigint;
  readonly parametersVersion: bigint;
  /** how many lines it booked */
  readonly lines: number;
  /** those among them of cases that had begun before the span */
  readonly priorLines: readonly PriorLine[];
};

/** A line of a case that is not decided anew: it is booked as it was. */
export type PriorLine = {
  readonly debit: string;
  readonly credit: string;
  readonly currency: string;
  readonly minor: bigint;
};

/** A holder's account as it stood in front of the span. */
export type RecordedAccount = {
  readonly lane: number;
  readonly path: string;
  readonly currency: string;
  readonly floorMinor: bigint | null;
  readonly status: AccountStatus;
  readonly debits: bigint;
  readonly credits: bigint;
};

/** The settings that decide. */
export type DecidingSettings = {
  readonly caseWindowMs: number;
  readonly caseFutureMs: number;
  readonly intentBytesMax: number;
};

export type Recording = {
  readonly spans: readonly LaneSpan[];
  /** blocks of one lane in their order; null behind the last */
  readonly next: (lane: number) => Promise<RecordedBlock | null>;
  readonly cases: RecordedCases;
  readonly accounts: readonly RecordedAccount[];
  readonly rates: (version: bigint) => Promise<RateBook>;
  readonly parameters: (
    version: bigint,
  ) => Promise<{ readonly book: ParameterBook; readonly settings: DecidingSettings }>;
};

/** A record that is no intent for these rules. */
export type NoIntent = { readonly kind: "misfit"; readonly reason: string; readonly detail: string };

/** From bytes to inputs, as the service does it. */
export type Intake = {
  /** Asks for the schemas of the records, before they are read. */
  readonly learn: (block: RecordedBlock) => Promise<void>;
  readonly intent: (
    record: InputRecord,
    lane: number,
    rules: Rules,
    settings: DecidingSettings,
  ) => IntentInput | NoIntent;
  /** @throws Undecidable */
  readonly report: (record: InputRecord, lane: number) => ReportInput;
};
