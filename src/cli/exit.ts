// How a verb ends. A verb that fails throws; here the error becomes an exit code and the lines that a person reads.

/** 0 ok · 1 a check failed or the thing asked for was refused · 2 usage or configuration · 3 a dependency cannot be
 *  reached · 4 a lane is halted · 130 interrupted */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 130;

export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, halted: 4, interrupted: 130 } as const;

/** The one error that verbs throw on purpose. `message` is what a person reads, several lines if need be; it may be
 *  empty when the verb has printed everything already (`verify` has listed what failed). */
export class CommandFailed extends Error {
  override name = "CommandFailed";
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Everything that is wrong with a command line or a configuration, at once. */
export function usageFailed(faults: readonly string[]): CommandFailed {
  return new CommandFailed(EXIT.usage, faults.join("\n"));
}

/** Thrown by a verb that saw its signal of `interruption()` and has cleaned up. */
export class Interrupted extends CommandFailed {
  override name = "Interrupted";

  constructor() {
    super(EXIT.interrupted, "interrupted");
  }
}

export type Ending = { readonly exitCode: ExitCode; readonly lines: readonly string[] };

// Known by name, not by class: importing the classes would load their clients before `--help` is printed.
const BY_NAME: ReadonlyMap<string, ExitCode> = new Map([
  ["KafkaUnreachable", EXIT.unreachable],
  ["DatabaseUnreachable", EXIT.unreachable],
  ["ConnectionLost", EXIT.unreachable],
  ["RegistryUnreachable", EXIT.unreachable],
  ["StackUnavailable", EXIT.unreachable],
  ["HealthServerFailed", EXIT.usage],
  ["CannotListen", EXIT.usage],
  ["JournalDamaged", EXIT.failed],
  ["SideMissing", EXIT.failed],
  ["ProviderMissing", EXIT.usage],
  ["SecretUnreadable", EXIT.usage],
  ["AnswersLost", EXIT.unreachable],
  ["LaneHalted", EXIT.halted],
  ["KafkaRefused", EXIT.failed],
  ["SchemaRefused", EXIT.failed],
  ["SchemaMissing", EXIT.failed],
  ["NotSetUp", EXIT.failed],
  ["StandbyMissing", EXIT.failed],
  ["LanesDisagree", EXIT.failed],
  ["FlowVersionChanged", EXIT.usage],
  ["DeclaredFaults", EXIT.usage],
]);

const UNREACHABLE_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
]);

/** What an error means for the caller of the command. What nobody foresaw is a bug and shows its stack. */
export function endingOf(error: unknown): Ending {
  if (!(error instanceof Error)) return { exitCode: EXIT.failed, lines: [`bug: ${String(error)}`] };
  if (error instanceof CommandFailed) return { exitCode: error.exitCode, lines: linesOf(error.message) };
  const known = BY_NAME.get(error.name);
  if (known !== undefined) return { exitCode: known, lines: [...linesOf(error.message), ...remedyOf(error)] };
  const unreachable = unreachableIn(error);
  if (unreachable !== null) return { exitCode: EXIT.unreachable, lines: [unreachable] };
  const unusable = unusableFile(error);
  if (unusable !== null) return { exitCode: EXIT.usage, lines: [unusable] };
  return { exitCode: EXIT.failed, lines: linesOf(`bug: ${error.stack ?? error.message}`) };
}

function linesOf(message: string): readonly string[] {
  return message === "" ? [] : message.split("\n");
}

function remedyOf(error: Error): readonly string[] {
  const remedy = "remedy" in error && typeof error.remedy === "string" ? error.remedy : "";
  return remedy === "" || error.message.includes(remedy) ? [] : [remedy];
}

/** A refused or lost connection somewhere in the chain of causes: the last resort for clients whose errors nobody
 *  translated. */
function unreachableIn(error: unknown): string | null {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    const { code, address, port, hostname } = cause as NodeJS.ErrnoException & Partial<Where>;
    if (code !== undefined && UNREACHABLE_CODES.has(code)) {
      const host = address ?? hostname;
      const where = host === undefined ? "a dependency" : `${host}${port === undefined ? "" : `:${port}`}`;
      return `cannot reach ${where} (${code}); check the addresses with: millrace config explain, millrace stack status`;
    }
    if (cause instanceof AggregateError) return unreachableIn(cause.errors[0]);
  }
  return null;
}

const FILE_CALLS: Readonly<Record<string, string>> = { open: "opened", mkdir: "made", scandir: "listed" };
const FILE_CODES: ReadonlySet<string> = new Set([
  "EACCES",
  "EEXIST",
  "EISDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "ENOENT",
  "ENOTDIR",
  "EPERM",
  "EROFS",
]);

/** A file or folder that somebody has named and that is not there, in the way, or not theirs: the last resort for names
 *  that no verb has looked at before. */
function unusableFile(error: NodeJS.ErrnoException): string | null {
  const { code = "", syscall = "", path } = error;
  const done = FILE_CALLS[syscall];
  return path === undefined || done === undefined || !FILE_CODES.has(code)
    ? null
    : `${path}: cannot be ${done} (${code})`;
}

type Where = { readonly address: string; readonly port: number; readonly hostname: string };
