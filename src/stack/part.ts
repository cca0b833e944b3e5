// A part of the native stack, as the starting and stopping code sees it.
import type { ProcessMark } from "./processes.ts";
import type { PartName, StackState } from "./state.ts";

/** One stack: its folder, what the folder remembers, and where progress is told. */
export type Site = {
  /** absolute */
  readonly dir: string;
  readonly state: StackState;
  readonly say: (line: string) => void;
};

export interface NativePart {
  readonly name: PartName;
  /** with its article, for sentences: "the Kafka broker" */
  readonly title: string;
  /** the option that names its port, for remedies; null when there is none */
  readonly portOption: string | null;
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
