// A part of the stack, as the code that starts and stops it sees it.
import type { ProcessMark } from "./processes.ts";
import type { PartName, StackState } from "./state.ts";
import { StackUnavailable } from "./unavailable.ts";

/** One stack: its folder, what the folder remembers, and where progress is told. */
export type Site = {
  /** absolute */
  readonly dir: string;
  readonly state: StackState;
  readonly say: (line: string) => void;
};

/** The option that names a part's port, for remedies; null when there is none. */
export const PORT_OPTIONS: Readonly<Record<PartName, string | null>> = {
  kafka: "--kafka-port",
  postgres: "--pg-port",
  registry: null,
};

/** Whether a part served already or had to be started. */
export type Ensured = "kept" | "started";

export function elsewhere(title: string, port: number, wanted: number): StackUnavailable {
  const remedy = `end it with \`millrace stack down\` before it can start on port ${wanted}`;
  return new StackUnavailable(`${title} of this stack already has port ${port}`, remedy);
}

export interface NativePart {
  readonly name: PartName;
  /** with its article, for sentences: "the Kafka broker" */
  readonly title: string;
  readonly stopSignal: NodeJS.Signals;
  readonly stopGraceMs: number;
  logFile(dir: string): string;
  /** Everything that needs no port: fetching, copying, initialising data. Safe to repeat. */
  prepare(site: Site): Promise<void>;
  launch(site: Site, port: number): Promise<ProcessMark>;
  /** Cheap, and asked again every few milliseconds while the part starts. */
  isReady(site: Site, port: number, mark: ProcessMark): Promise<boolean>;
  /** Living processes of this part of this folder, whatever the state file says of them. */
  strays(dir: string): ProcessMark[];
}
