// millrace case decide: what a named person decides about a case that waits for one. It is an intent like any other, with
// a principal and a reason, so the ledger says for ever who decided what and why; this waits for its answer.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { holdsCardNumber } from "../domain/cards/numbers.ts";
import { caseUuid, printCaseId } from "../domain/case-search.ts";
import { homeLane } from "../domain/holder.ts";
import type { NewIntent } from "../kafka/codec-messages.ts";
import { openProducer } from "../kafka/producer.ts";
import type { Connection } from "../store/database.ts";
import { readCase, readOutcomesFrom, type StoredCase } from "../store/reads-case.ts";
import { countLanes } from "../store/setup.ts";
import { outcomeLine } from "../workload/outcomes-json.ts";
import { openMessages, type ToolMessages } from "./codec.ts";
import { type CliContext, withExamples } from "./context.ts";
import { withDatabase } from "./database.ts";
import { CommandFailed, EXIT } from "./exit.ts";
import { quietKafka } from "./kafka-settings.ts";
import { type UsageCheck, usageCheck } from "./usage.ts";

type DecideOptions = Readonly<
  Partial<Record<"event" | "principal" | "reason" | "amount" | "key" | "holder" | "wait", string>>
>;

const WAIT_SECONDS = 30;
const WAIT_SECONDS_MAX = 3_600;
const POLL_MS = 50;
const REASON_CHARS_MAX = 500;

export function registerDecide(verb: Command, context: CliContext): void {
  const decide = verb
    .command("decide <ID>")
    .summary("decide what becomes of a case that waits for a person")
    .description(
      [
        "Publishes a named person's decision about a case and waits for its outcome. A case takes the decisions (`ops.…`) that",
        "its flow lists for the state it is in: `case list --waiting` tells them, `flows diagram NAME` where they lead.",
        "Exit 1 when it is refused, or when nothing answers in time.",
      ].join(" "),
    )
    .requiredOption("--event <EVENT>", "the decision, such as ops.confirm_released")
    .requiredOption("--principal <NAME>", "who decides")
    .requiredOption("--reason <TEXT>", "why, with the evidence; kept with the case")
    .option("--amount <AMOUNT>", 'where the decision needs one: minor units and currency, such as "1000 EUR"')
    .option("--key <KEY>", "idempotency key; the same key is the same decision (default: a new one)")
    .option("--holder <HOLDER>", "whose case it is, where two holders use one id")
    .option("--wait <SECONDS>", `how long to wait for the outcome (default: ${WAIT_SECONDS})`)
    .action((id: string, options: DecideOptions) => decideCase(context, id, options));
  withExamples(
    decide,
    'millrace case decide pay_01JD3Z7Q6R8W2V5K9T0M4N1B7C --event ops.confirm_released --principal ada --reason "provider ticket 4711"',
    'millrace case decide pay_01JD3Z7Q6R8W2V5K9T0M4N1B7C --event ops.confirm_capture --amount "1000 EUR" --principal ada --reason "settlement file line 7"',
  );
}

type Decision = {
  readonly uuid: string;
  readonly decision: string;
  readonly principal: string;
  readonly reason: string;
  readonly amount: { readonly minor: string; readonly currency: string } | null;
  readonly key: string;
  readonly holderId: string | null;
  readonly waitMs: number;
};

async function decideCase(context: CliContext, id: string, options: DecideOptions): Promise<void> {
  const usage = usageCheck();
  const decision = readDecision(usage, id, options);
  const config = await context.config([], usage);
  const addresses = await context.addresses(config);
  const messages = await openMessages(config, addresses.schemaRegistryUrl);
  const access = { config, databaseUrl: addresses.databaseUrl, verb: "case", mode: "read" } as const;
  await withDatabase(access, async (connection) => {
    const found = await findCase(connection, decision, id);
    const lanes = await countLanes(connection);
    const value = messages.codec.encoders.intent.encode(intentOf(decision, found, messages));
    const producer = await openProducer(quietKafka(config, addresses.kafkaBrokers, "case"));
    try {
      const lane = homeLane(found.holderId, lanes);
      await producer.send(messages.topics.intents, lane, [{ key: Buffer.from(found.holderId), value }]);
    } finally {
      await producer.close();
    }
    await answer(context, connection, messages, { decision, found, id });
  });
}

function readDecision(usage: UsageCheck, id: string, options: DecideOptions): Decision {
  const { event = "", principal = "", reason = "", amount, key, holder, wait } = options;
  const uuid = caseUuid(id);
  if (uuid === null) usage.fault(`ID: found "${id}", expected <kind>_<ULID> or a UUID`);
  const decision = /^(?:ops\.)?([a-z0-9_]{1,64})$/.exec(event)?.[1];
  if (decision === undefined)
    usage.fault(`--event: found "${event}", expected a decision such as ops.confirm_released`);
  if (principal === "") usage.fault("--principal: empty, expected a name");
  if (reason === "" || reason.length > REASON_CHARS_MAX)
    usage.fault(`--reason: expected 1 to ${REASON_CHARS_MAX} characters`);
  for (const [flag, text] of Object.entries({ "--principal": principal, "--reason": reason, "--key": key ?? "" })) {
    if (holdsCardNumber(text)) usage.fault(`${flag}: what reads as a card number; it would be published`);
  }
  const seconds = { default: WAIT_SECONDS, min: 1, max: WAIT_SECONDS_MAX };
  return {
    uuid: uuid ?? "",
    decision: decision ?? "",
    principal,
    reason,
    amount: readAmount(usage, amount),
    key: key ?? `decide-${randomBytes(8).toString("hex")}`,
    holderId: holder ?? null,
    waitMs: usage.wholeNumber("--wait", wait, seconds) * 1000,
  };
}

function readAmount(usage: UsageCheck, text: string | undefined): Decision["amount"] {
  if (text === undefined) return null;
  const [, minor, currency] = /^(\d{1,38}) ([A-Za-z0-9@:_-]{3,40})$/.exec(text) ?? [];
  if (minor !== undefined && currency !== undefined) return { minor, currency };
  usage.fault(`--amount: found "${text}", expected minor units and a currency, such as "1000 EUR"`);
  return null;
}

async function findCase(connection: Connection, { uuid, holderId }: Decision, id: string): Promise<StoredCase> {
  const all = await readCase(connection, uuid);
  const found = all.filter((one) => holderId === null || one.holderId === holderId);
  const [first, more] = found;
  if (first === undefined) throw new CommandFailed(EXIT.failed, `no case ${id}`);
  if (more === undefined) return first;
  const holders = found.map((one) => one.holderId).join(", ");
  throw new CommandFailed(EXIT.usage, `--holder: missing, ${id} is a case of ${holders}`);
}

function intentOf(decision: Decision, { holderId, kind }: StoredCase, { declared }: ToolMessages): NewIntent {
  const { uuid, principal, reason, amount, key } = decision;
  const scale = amount === null ? null : declared.currencies.scaleOf(amount.currency);
  if (amount !== null && scale === null)
    throw new CommandFailed(EXIT.usage, `--amount: no currency ${amount.currency} is declared`);
  return {
    type: "case_decide",
    holderId,
    caseId: printCaseId(uuid, kind),
    idempotencyKey: key,
    decision: decision.decision,
    principal,
    reason,
    amount: amount === null ? null : { ...amount, scale: scale as number },
    occurredAt: BigInt(Date.now()) * 1000n,
  };
}

type Asked = { readonly decision: Decision; readonly found: StoredCase; readonly id: string };

async function answer(
  { out }: CliContext,
  connection: Connection,
  { codec }: ToolMessages,
  { decision, found, id }: Asked,
): Promise<void> {
  const until = performance.now() + decision.waitMs;
  while (performance.now() < until) {
    const now = (await readCase(connection, decision.uuid)).find((one) => one.lane === found.lane);
    const entry = now?.history.find((one) => one.source === "i" && one.key === decision.key);
    if (entry?.sequence !== null && entry?.sequence !== undefined) {
      const [message] = await readOutcomesFrom(connection, found.lane, entry.sequence, entry.block);
      const outcome = message === undefined ? null : await codec.decoders.outcome.read(message.value);
      const told = outcome?.type ?? "decided";
      out.row(
        outcome === null ? { caseId: id, sequence: entry.sequence.toString() } : JSON.parse(outcomeLine(outcome)),
        `${told}: ${id} is now ${now?.state}${outcome?.reason ? ` (${outcome.reason.code})` : ""}`,
      );
      if (told === "intent.rejected")
        throw new CommandFailed(
          EXIT.failed,
          `refused: ${outcome?.reason?.code ?? "unknown"}; the case is ${now?.state}`,
        );
      return;
    }
    await sleep(POLL_MS);
  }
  throw new CommandFailed(
    EXIT.failed,
    `published with key ${decision.key}, and no answer within ${decision.waitMs / 1000} s; see \`millrace lane list\` and \`millrace quarantine list\``,
  );
}
