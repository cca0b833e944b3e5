// The part of the demo that follows one card payment: a customer who pays in euros, a merchant who is paid in dollars, and
// a part of it that is given back.

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatCaseId, newCaseId } from "../domain/ids.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import type { Output } from "./output.ts";

type Line = Readonly<Record<string, unknown>>;

/** What the demo's stage can do. */
export type CardStage = {
  readonly dir: string;
  verb(args: readonly string[]): Promise<readonly Line[]>;
  /** without a word */
  ask(args: readonly string[]): Promise<readonly Line[]>;
};

const HOLDER = "mer_demo";
const REST_MAX_MS = 20_000;
const POLL_MS = 200;

/** Rates of the day, as `millrace rates publish` reads them from the bank's file. */
export async function publishRates(stage: CardStage): Promise<void> {
  const file = join(stage.dir, "ecb.csv");
  const day = new Date().toISOString().slice(0, 10);
  writeFileSync(file, `Date,USD,JPY,GBP,CZK,\n${day},1.0850,161.94,0.8412,25.10,\n`);
  await stage.verb(["rates", "publish", "--from", file, "--only-latest", "--as-of", "now"]);
}

/** Makes the payment and its refund, and shows what became of them. */
export async function showCardPayment(stage: CardStage, out: Output): Promise<void> {
  const id = formatCaseId(newCaseId("pay", Date.now(), randomBytes(10)));
  await send(stage, "payment.jsonl", {
    type: "payment_create",
    caseId: id,
    method: "card",
    provider: "script",
    tokenRef: "tok_demo",
    captureMode: "automatic",
    amount: { currency: "EUR", minor: "10000" },
    settlementCurrency: "USD",
  });
  const captured = await untilIn(stage, id, "captured");
  tellStates(out, captured);
  tellLines(out, captured);
  const amount = { currency: "EUR", minor: "4000" };
  await send(stage, "refund.jsonl", { type: "refund_create", caseId: id, idempotencyKey: "refund-1", amount });
  const child = await childOf(stage, id);
  const refunded = await untilIn(stage, child, "completed");
  out.say(`40.00 of it given back, by a case of its own (${child}):`);
  tellLines(out, refunded);
}

async function send(stage: CardStage, name: string, intent: Line): Promise<void> {
  const file = join(stage.dir, name);
  const line = { holderId: HOLDER, occurredAt: new Date().toISOString(), ...intent };
  writeFileSync(file, `${JSON.stringify(line)}\n`);
  await stage.verb(["load", "--from", file]);
}

async function untilIn(stage: CardStage, id: string, state: string): Promise<Line> {
  const until = performance.now() + REST_MAX_MS;
  let found: Line | undefined;
  while (performance.now() < until) {
    await sleep(POLL_MS);
    [found] = await stage.ask(["case", id]).catch((error: unknown) => {
      // Not there yet.
      if (error instanceof CommandFailed) return [];
      throw error;
    });
    if (found?.["state"] === state) return stage.verb(["case", id]).then(([shown]) => shown as Line);
  }
  throw new CommandFailed(EXIT.failed, `${id} is ${found?.["state"] ?? "not there"} and should be ${state}`);
}

async function childOf(stage: CardStage, id: string): Promise<string> {
  const outcomes = await stage.ask(["outcomes", "--from-beginning", "--until-idle", "2"]);
  const child = outcomes.find(({ parentId }) => parentId === id);
  if (child === undefined) throw new CommandFailed(EXIT.failed, `no refund of ${id} has an outcome`);
  return String(child["caseId"]);
}

function tellStates(out: Output, told: Line): void {
  const states = told["states"] as readonly Line[];
  out.say(states.map(({ event, state }) => `${event} → ${state}`).join("\n  "));
}

function tellLines(out: Output, told: Line): void {
  if (out.json) return out.row(told, "");
  const lines = told["lines"] as readonly Line[];
  const columns = ["posting", "debit", "credit", "currency", "amountMinor"].map((key) => ({
    key,
    title: key,
    align: key === "amountMinor" ? ("right" as const) : ("left" as const),
  }));
  out.table(columns, lines);
}
