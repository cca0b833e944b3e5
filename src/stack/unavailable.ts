/** The local stack cannot be had as things are. `message` is one plain sentence and the remedy; the CLI exits with 3. */
export class StackUnavailable extends Error {
  override readonly name = "StackUnavailable";
  readonly problem: string;
  readonly remedy: string;

  /** @param problem a clause without a full stop, e.g. "port 9092 is taken by another process"
   *  @param remedy  what to do about it, as an instruction, e.g. "name another port with --kafka-port" */
  constructor(problem: string, remedy: string) {
    super(`${problem}: ${remedy}`);
    this.problem = problem;
    this.remedy = remedy;
  }
}

/** The text of whatever was thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of a system error ("ENOENT"), or undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
