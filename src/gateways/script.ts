// The provider `script`: answers in process, for tests, demo and benchmarks. No money moves.
//
// It remembers nothing: what it says of a key is drawn from the key itself and a seed, so a repeat, another instance and a
// restart get the same answer. Without trouble every operation succeeds at once. With trouble, a share of them has a story
// of its own (script-stories-*.ts): declined, unknown and then found out, told late, twice or in the wrong order.

import { createHash } from "node:crypto";
import type { CommandMessage } from "../kafka/codec-messages.ts";
import { type Answer, type Provider, unknownAnswer } from "./contract.ts";
import type { Family, Story, Tell } from "./script-stories.ts";
import { BANK_FAMILIES } from "./script-stories-bank.ts";
import { CARD_FAMILIES } from "./script-stories-card.ts";
import { CRYPTO_FAMILIES } from "./script-stories-crypto.ts";
import { DEBIT_FAMILIES } from "./script-stories-debit.ts";

export type ScriptSettings = {
  readonly seed: string;
  /** of a hundred operations, how many go wrong in some way */
  readonly troublePercent: number;
  /** how late what is told late is, about */
  readonly lateMs: number;
};

const FAMILIES: ReadonlyMap<string, Family> = new Map(
  [...CARD_FAMILIES, ...BANK_FAMILIES, ...DEBIT_FAMILIES, ...CRYPTO_FAMILIES].flatMap((family) =>
    family.ops.map((op) => [op, family]),
  ),
);

/** What is asked for under one word in several ways says which: a charge that is a bank transfer has stories of its own. */
function familyOf({ op, payload }: CommandMessage): Family | undefined {
  return FAMILIES.get(`${op} ${payload["as"] ?? ""}`) ?? FAMILIES.get(op);
}

export class ScriptProvider implements Provider {
  readonly name = "script";
  readonly #settings: ScriptSettings;

  constructor(settings: ScriptSettings) {
    this.#settings = settings;
  }

  execute(command: CommandMessage): readonly Answer[] {
    const family = familyOf(command);
    if (family === undefined) return [unknownAnswer(command)];
    const { story, lateMs } = this.#storyOf(command, family);
    return story.tells.map((tell) => answerOf(command, family, tell, lateMs));
  }

  /** What a status query is told by its attempt; the last of the list for ever. Of an operation that is asked about
   *  because it came too late nothing is known: it may have been done before. */
  ask(command: CommandMessage): readonly Answer[] {
    const family = familyOf(command);
    if (family === undefined || !command.readOnly) return [unknownAnswer(command)];
    const { asked } = this.#storyOf(command, family).story;
    const told = asked[Math.min(command.attempt, asked.length) - 1] as string;
    return [answerOf(command, family, { says: told }, 0)];
  }

  #storyOf(command: CommandMessage, family: Family): { story: Story; lateMs: number } {
    const { seed, troublePercent, lateMs } = this.#settings;
    if (troublePercent === 0) return { story: family.smooth, lateMs };
    const key = `${seed} ${command.caseId} ${family.name} ${command.payload["seq"] ?? ""}`;
    const drawn = createHash("sha256").update(key).digest();
    if (drawn.readUInt32BE(0) % 100 >= troublePercent) return { story: family.smooth, lateMs };
    // Between a half and three halves, so that what is late overtakes and is overtaken.
    const spread = 0.5 + (drawn.readUInt32BE(8) % 1000) / 1000;
    return { story: pick(family.stories, drawn.readUInt32BE(4)), lateMs: Math.round(lateMs * spread) };
  }
}

function pick(stories: readonly Story[], drawn: number): Story {
  const whole = stories.reduce((sum, { weight }) => sum + weight, 0);
  let left = drawn % whole;
  for (const story of stories) {
    if (left < story.weight) return story;
    left -= story.weight;
  }
  return stories[0] as Story;
}

function answerOf(command: CommandMessage, family: Family, tell: Tell, lateMs: number): Answer {
  const [result = "", detail = ""] = tell.says.split(":");
  // What is not known yet, has not come yet, or is not there, is no fact: each time it is said is another observation.
  const isFact = !["unknown", "open", "not_found"].includes(result);
  const seq = command.payload["seq"] ?? "0";
  return {
    result,
    observation: isFact ? `${family.name}/${seq}/${tell.says}` : `${command.call}/${command.attempt}/${result}`,
    payload: payloadOf(command, result, detail),
    afterMs: tell.isLate === true ? lateMs : 0,
    isUnasked: tell.isUnasked === true,
  };
}

/** @param detail of the result: `half` of an approval, `less`, `more`, `half` or the `rest` of what was captured or paid, `again` for a second
 *    payment, else the reason */
function payloadOf(command: CommandMessage, result: string, detail: string): Record<string, string> {
  const { amount = "0", seq = "0" } = command.payload;
  switch (result) {
    case "approved":
      return { seq, approved: detail === "half" ? String((BigInt(amount) + 1n) / 2n) : amount };
    case "ok":
      return { seq, amount: amountBy(detail, amount) };
    case "completed":
    case "settled":
      return { seq, amount: amountBy(detail, amount) };
    case "paid":
    case "unmatched":
      return { seq, amount: amountBy(detail, amount), e2e_id: `${command.caseId}/${detail === "" ? result : detail}` };
    case "recalled": {
      const [e2e_id, recall] = [`${command.caseId}/paid`, `${command.caseId}/recalled`];
      return { seq, amount, e2e_id, recall, code: detail };
    }
    case "claimed":
      return { seq, amount: amountBy(detail, amount), e2e_id: `${command.caseId}/paid`, code: "recall_fraud" };
    case "declined":
      return { seq, code: detail === "" ? "do_not_honor" : detail, retriable: String(detail === "issuer_unavailable") };
    case "rejected":
    case "failed":
    case "returned":
      return { seq, code: detail === "" ? "provider_error" : detail };
    default:
      return { seq };
  }
}

function amountBy(detail: string, amount: string): string {
  if (detail === "half") return String((BigInt(amount) + 1n) / 2n);
  if (detail === "rest") return String(BigInt(amount) / 2n);
  if (detail === "less") return String(BigInt(amount) - 1n);
  return detail === "more" ? String(BigInt(amount) + 1n) : amount;
}
