// What a verb prints. Results go to stdout: for people as text, with --json as one JSON object a line and nothing
// else. Everything about the work itself (what was picked, warnings, failures) goes to stderr.

export type TextStream = { write(text: string): unknown; readonly isTTY?: boolean | undefined };

export type OutputSettings = {
  readonly json: boolean;
  readonly quiet: boolean;
  /** false after --no-color */
  readonly color: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
};

export type Fields = Readonly<Record<string, unknown>>;
export type Column = { readonly key: string; readonly title: string; readonly align?: "left" | "right" };
export type Paint = "bold" | "dim" | "red" | "green" | "yellow";

export type Output = {
  readonly json: boolean;
  /** false: no bars, no notes */
  readonly chatty: boolean;
  /** One result: `fields` with --json, else `humanText`. */
  row(fields: Fields, humanText: string): void;
  /** A list of results: a JSON line for each, or a table aligned for people. */
  table(columns: readonly Column[], rows: readonly Fields[]): void;
  /** Text around the results, for people only: stdout, or stderr with --json; nothing with --quiet. */
  say(text: string): void;
  /** What the verb is doing or has picked: stderr; nothing with --quiet. */
  note(text: string): void;
  /** stderr, always */
  warn(text: string): void;
  /** For text that goes to stdout; plain when stdout is no terminal or colour is unwanted. */
  paint(paint: Paint, text: string): string;
};

export function createOutput(settings: OutputSettings): Output {
  const { json, quiet, stdout, stderr } = settings;
  const color = wantsColor(settings);
  const result = (text: string): unknown => stdout.write(`${text}\n`);
  const toPeople = json ? stderr : stdout;
  return {
    json,
    chatty: !quiet,
    row: (fields, humanText) => result(json ? jsonLine(fields) : humanText),
    table: (columns, rows) => {
      if (json) for (const row of rows) result(jsonLine(row));
      else for (const line of alignedTable(columns, rows)) result(line);
    },
    say: (text) => {
      if (!quiet) toPeople.write(`${text}\n`);
    },
    note: (text) => {
      if (!quiet) stderr.write(`${text}\n`);
    },
    warn: (text) => {
      stderr.write(`${text}\n`);
    },
    paint: (paint, text) => (color ? `\u001b[${PAINTS[paint]}m${text}\u001b[0m` : text),
  };
}

const PAINTS: Record<Paint, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

/** https://no-color.org: any value of NO_COLOR but the empty one means no colour. */
function wantsColor({ json, color, environment, stdout }: OutputSettings): boolean {
  if (json || !color || stdout.isTTY !== true) return false;
  return (environment["NO_COLOR"] ?? "") === "" && environment["TERM"] !== "dumb";
}

/** JSON in which a bigint is a string of digits: readers in most languages would round a larger number. */
export function jsonLine(fields: Fields): string {
  return JSON.stringify(fields, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
}

/** A heading and a line per row, columns as wide as their widest cell. */
export function alignedTable(columns: readonly Column[], rows: readonly Fields[]): readonly string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ key }) => cell(row[key])))];
  const widths = columns.map((_, index) =>
    cells.reduce((widest, line) => Math.max(widest, (line[index] ?? "").length), 0),
  );
  return cells.map((line) =>
    line
      .map((text, index) => pad(text, widths[index] ?? 0, columns[index]?.align ?? "left"))
      .join("  ")
      .trimEnd(),
  );
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (typeof value === "string") return value;
  return typeof value === "object" ? jsonLine(value as Fields) : String(value);
}

function pad(text: string, width: number, align: "left" | "right"): string {
  return align === "right" ? text.padStart(width) : text.padEnd(width);
}
