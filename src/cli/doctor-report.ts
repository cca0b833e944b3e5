// What `doctor` found, a line each, and how bad it is.

import { CommandFailed, EXIT, type ExitCode, endingOf } from "./exit.ts";
import type { Output } from "./output.ts";

/** `found` says what is there; `remedy` what to do about it, empty when all is well. */
type Finding = { readonly check: string; readonly ok: boolean; readonly found: string; readonly remedy: string };

const NAME_CHARS = 14;

export type Look<Value> = () => Promise<{ readonly value: Value; readonly found: string }>;

/** Runs checks one after another, prints each finding, remembers how bad it is. */
export class Doctor {
  worst: ExitCode = EXIT.ok;
  readonly #out: Output;

  constructor(out: Output) {
    this.#out = out;
  }

  /** @returns what the check found out, or null when it failed */
  async check<Value>(name: string, look: Look<Value>): Promise<Value | null> {
    try {
      const { value, found } = await look();
      this.#print({ check: name, ok: true, found, remedy: "" });
      return value;
    } catch (error) {
      const { exitCode, lines } = endingOf(error);
      // The first failure names the exit code: what comes after it is often its consequence.
      if (this.worst === EXIT.ok) this.worst = exitCode;
      const [found = "failed", ...remedies] = lines;
      this.#print({ check: name, ok: false, found, remedy: remedies.join("\n") });
      return null;
    }
  }

  /** A check that is a fact and a verdict.
   *  @param bad what is wrong, or null; its remedy is told with it */
  async judge(name: string, found: string, bad: { readonly found: string; readonly remedy: string } | null) {
    await this.check(name, async () => {
      if (bad !== null) throw new CommandFailed(EXIT.failed, `${bad.found}\n${bad.remedy}`);
      return { value: true, found };
    });
  }

  #print(finding: Finding): void {
    const mark = finding.ok ? this.#out.paint("green", "ok  ") : this.#out.paint("red", "bad ");
    const remedy = finding.remedy.split("\n").map((line) => (line === "" ? "" : `\n${" ".repeat(5)}${line}`));
    this.#out.row(finding, `${mark} ${finding.check.padEnd(NAME_CHARS)} ${finding.found}${remedy.join("")}`);
  }
}
