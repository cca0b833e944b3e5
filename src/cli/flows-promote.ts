// millrace flows promote: a candidate that was backtested becomes the declared version, and the ledger remembers why.

import type { Command } from "commander";
import { type CliContext, withExamples } from "./context.ts";
import { isoTime } from "./rows.ts";

export type PromoteOptions = { readonly report: string; readonly reason: string; readonly principal?: string };

export function registerPromote(flows: Command, context: CliContext): void {
  const verb = flows
    .command("promote <CANDIDATE>")
    .description(
      "Puts CANDIDATE (a file like NAME.flow.yaml) into force for new cases: registers it as a version, writes down who did " +
        "it, when, why, and the report of its backtest, and puts the file into the folder of flows, in the place of the one " +
        "that is there. Instances take it at their next start; cases that have begun stay on their version. Refused when " +
        "the report is of another candidate or another ledger, when what is declared has changed since, when the candidate " +
        "could not decide an input, or when `run` would not start with it.",
    )
    .requiredOption("--report <FILE>", "what `flows backtest --report FILE` has written")
    .requiredOption("--reason <TEXT>", "why, kept with the version")
    .option("--principal <NAME>", "who promotes it (default: the user of this machine's session)")
    .action(async (candidate: string, options: PromoteOptions) => {
      const { promote } = await import("./flows-promote-run.ts");
      await promote(context, candidate, options);
    });
  withExamples(
    verb,
    'millrace flows promote drafts/card.flow.yaml --report card.report.json --reason "fee of 2.7 %, contract of 1 December"',
  );
}

export function registerPromotions(flows: Command, context: CliContext): void {
  const verb = flows
    .command("promotions")
    .description(
      "Lists versions of flows that were promoted: who, when, why, and the hash of the report. Newest first.",
    )
    .action(() => list(context));
  withExamples(verb, "millrace flows promotions --json");
}

async function list(context: CliContext): Promise<void> {
  const config = await context.config();
  const { databaseUrl } = await context.addresses(config, ["databaseUrl"]);
  const { readPromotions } = await import("../store/promotions.ts");
  const { withDatabase } = await import("./database.ts");
  const all = await withDatabase({ config, databaseUrl, verb: "flows", mode: "read" }, readPromotions);
  const keys = ["flow", "version", "promotedAt", "principal", "reason", "reportHash"];
  context.out.table(
    keys.map((key) => ({ key, title: key })),
    all.map(({ name, version, promotedAtMs, principal, reason, reportHash }) => {
      return { flow: name, version, promotedAt: isoTime(promotedAtMs), principal, reason, reportHash };
    }),
  );
}
