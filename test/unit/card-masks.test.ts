// What was about to carry a card number out (a log line, a provider's words) carries its scheme and last digits.
import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { holdsCardNumber } from "../../src/domain/cards/numbers.ts";
import { reportOf } from "../../src/gateways/contract.ts";
import type { CommandMessage } from "../../src/kafka/codec-messages.ts";
import { createLogger } from "../../src/telemetry/logger.ts";

const CARD = "4242 4242 4242 4242";

function written(pretty: boolean, log: (logger: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  const settings = { logLevel: "debug", logPretty: pretty, instance: "one" } as const;
  log(createLogger(settings, { write: (line) => lines.push(line) }));
  return lines.join("");
}

test.each([false, true])("masks card numbers in fields, messages, errors and children (pretty: %s)", (pretty) => {
  const text = written(pretty, (logger) => {
    logger.info({ detail: `near ${CARD}`, nested: { list: [CARD] } }, "a");
    logger.warn({ number: 4_242_424_242_424_242, offset: 4242424242424242n }, "b");
    logger.error({ error: new Error(`cannot write "${CARD}"`) }, `failed for ${CARD}`);
    logger.child({ holder: CARD }).debug({}, "c");
  });
  expect(text).not.toMatch(/4242[ 4]/);
  expect(text.match(/\[PAN:visa:\*{4}4242\]/g)?.length).toBeGreaterThanOrEqual(7);
  if (!pretty) for (const line of text.trim().split("\n")) expect(() => JSON.parse(line)).not.toThrow();
});

test("leaves ids, times and offsets as they are", () => {
  const fields = { lane: 3, block: "1764156633123", caseId: "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C", digest: "0f".repeat(32) };
  const line = written(false, (logger) => logger.info(fields, "block"));
  expect(JSON.parse(line)).toMatchObject(fields);
});

test("what a provider says in words is masked before it becomes a report, its amounts are not", () => {
  const command = { holderId: "mer_7", caseId: "pay_1", call: "authorize", attempt: 1 } as CommandMessage;
  const answer = {
    result: "declined",
    observation: `said ${CARD}`,
    payload: { code: `no card ${CARD}`, approved: "4242424242424242" },
    afterMs: 0,
    isUnasked: false,
  };
  expect(reportOf(command, answer, 0)).toMatchObject({
    observation: expect.stringMatching(/^hash:[0-9a-f]{32}$/),
    payload: { code: "no card [PAN:visa:****4242]", approved: "4242424242424242" },
  });
});

test("facts that a provider names by what reads as card numbers stay apart, and each the same in its case", () => {
  const encoded = (text: string): string => Buffer.from(text).toString("base64");
  // The first two end alike, so their masks would be one; so would be those of all that are encoded.
  const told = ["ch_4242424242424242", "ch_4000000000024242", encoded(CARD), encoded("4111 1111 1111 1111"), "ch_1"];
  const names = (caseId: string): string[] =>
    told.map((observation) => {
      const command = { holderId: "mer_7", caseId, call: "authorize", attempt: 1 } as CommandMessage;
      return reportOf(command, { result: "ok", observation, payload: {}, afterMs: 0, isUnasked: false }, 0).observation;
    });
  const named = names("pay_1");
  expect(new Set(named).size).toBe(told.length);
  expect(names("pay_1")).toEqual(named);
  expect(names("pay_2").filter((name) => named.includes(name))).toEqual(["ch_1"]);
  expect(named.filter(holdsCardNumber)).toEqual([]);
});

test("a decision whose reason quotes a card is refused before it is published", async () => {
  let said = "";
  const stream = { write: (text: string) => (said += text) };
  const caseId = "pay_01JD3Z7Q6R8W2V5K9T0M4N1B7C";
  const code = await runCli(
    ["case", "decide", caseId, "--event", "ops.resume", "--principal", "ada", "--reason", `card ${CARD}`],
    {
      stdout: stream,
      stderr: stream,
      workingDir: tmpdir(),
      environment: {},
      interruption: () => new AbortController().signal,
    },
  );
  expect({ code, said }).toEqual({ code: 2, said: expect.stringContaining("--reason: what reads as a card number") });
  expect(said).not.toContain(CARD);
});
