// Log lines: JSON on stderr, one object a line, because stdout belongs to what a verb prints. Lifecycle is info, one
// line a block is debug. The only file that knows pino.

import { pino, stdTimeFunctions } from "pino";
import { holdsCardNumber, maskCardNumbers } from "../domain/cards/numbers.ts";

export type LogLevel = "error" | "warn" | "info" | "debug";
export type LogFields = Readonly<Record<string, unknown>>;

/** Fields first, then a sentence that stays the same, so that lines can be counted by it. */
export type Logger = {
  error(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  /** the same logger with fields that every line of it carries */
  child(fields: LogFields): Logger;
  isLevelEnabled(level: LogLevel): boolean;
};

export type LogSettings = { readonly logLevel: LogLevel; readonly logPretty: boolean; readonly instance: string };

/** Where lines go: a whole line with its line feed. */
export type LogSink = { write(line: string): void };

/** Writes to stderr at once: a line that explains why the process stopped must not die in a buffer. */
export function createLogger(settings: LogSettings, sink?: LogSink): Logger {
  const target = sink ?? pino.destination({ fd: 2, sync: true });
  return pino(
    {
      level: settings.logLevel,
      base: { instance: settings.instance },
      messageKey: "message",
      errorKey: "error",
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: digitsForBigints },
      serializers: { error: pino.stdSerializers.err },
      hooks: { streamWrite: withoutCardNumbers },
    },
    settings.logPretty ? prettySink(target) : target,
  );
}

/** None of our lines holds what producers send. This is for the error of a library that quotes what it was given. */
function withoutCardNumbers(line: string): string {
  if (!holdsCardNumber(line)) return line;
  const mask = (_name: string, value: unknown): unknown => {
    if (typeof value === "string") return maskCardNumbers(value);
    return typeof value === "number" && holdsCardNumber(String(value)) ? maskCardNumbers(String(value)) : value;
  };
  return `${JSON.stringify(JSON.parse(line), mask)}\n`;
}

/** JSON has no integers beyond 2^53 that every reader keeps, so offsets and amounts go as digits. */
function digitsForBigints(fields: Record<string, unknown>): Record<string, unknown> {
  for (const name in fields) {
    if (typeof fields[name] === "bigint") {
      return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, asDigits(value)]));
    }
  }
  return fields;
}

function asDigits(value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** `10:04:05.123 warn  lane halted  lane=3 cause="position beyond the end"` */
function prettySink(target: LogSink): LogSink {
  return { write: (line) => target.write(`${prettyLine(JSON.parse(line))}\n`) };
}

const HEAD_FIELDS: ReadonlySet<string> = new Set(["time", "level", "message", "instance", "error"]);

function prettyLine(fields: Record<string, unknown>): string {
  const { time, level, message, error } = fields;
  const others = Object.entries(fields).filter(([name]) => !HEAD_FIELDS.has(name));
  const pairs = others.map(([name, value]) => `  ${name}=${JSON.stringify(value)}`).join("");
  const stack = typeof error === "object" && error !== null && "stack" in error ? `\n${String(error.stack)}` : "";
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(message)}${pairs}${stack}`;
}
