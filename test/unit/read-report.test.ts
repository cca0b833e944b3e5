// From bytes to a report: what is understood, and what halts the lane.
import { describe, expect, test } from "vitest";
import { Undecidable } from "../../src/domain/decide/decide.ts";
import { homeLane } from "../../src/domain/holder.ts";
import { type CaseId, parseCaseId } from "../../src/domain/ids.ts";
import type { OriginMessage, ReportMessage } from "../../src/kafka/codec-messages.ts";
import { readReport } from "../../src/processor/reports.ts";
import { AvroSchema } from "../../src/workload/second-ledger/avro.ts";
import { readReport as readSecondReport } from "../../src/workload/second-ledger/reports.ts";
import type { SecondRules } from "../../src/workload/second-ledger/rules.ts";
import { SchemaBook } from "../../src/workload/second-ledger/schemas.ts";
import { codecWith, MemoryRegistry, OUTCOME, SCHEMAS } from "./codec-fixtures.ts";

const LANES = 8;
const LANE = homeLane("ann", LANES);
const ELSEWHERE = ["bob", "cyd", "dan", "eve"].find((holder) => homeLane(holder, LANES) !== LANE) as string;
const codec = codecWith(new MemoryRegistry());
const CASE = "trf_01JD3Z7Q6R8W2V5K9T0M4N1B7C";

const FROM: OriginMessage = {
  lane: homeLane(ELSEWHERE, LANES),
  sequence: 5n,
  block: 9n,
  holderId: ELSEWHERE,
  caseId: CASE,
  call: "credit",
  attempt: 1,
};
const REPORT: ReportMessage = {
  holderId: "ann",
  caseId: CASE,
  call: "authorize",
  attempt: 1,
  result: "approved",
  observation: "o-1",
  payload: { code: "00" },
  occurredAt: 1_732_060_800_123_456n,
  from: null,
};

function read(over: Partial<ReportMessage> = {}, key: string | null = "ann", lane = LANE) {
  const value = codec.encoders.report.encode({ ...REPORT, ...over });
  return readBytes(value, key, lane);
}

function readBytes(value: Buffer | null, key: string | null = "ann", lane = LANE) {
  const record = { offset: 7n, appendedAtMs: 1, key: key === null ? null : Buffer.from(key), value };
  return readReport(record, lane, LANES, codec.decoders.report);
}

test("a gateway's report names itself by its place in the log", () => {
  const { occurredAt, ...rest } = REPORT;
  const caseId = parseCaseId(CASE) as CaseId;
  expect(read()).toEqual({
    kind: "report",
    id: `r-${LANE}-7`,
    source: "r",
    offset: 7n,
    report: { ...rest, caseId, occurredAtMicros: occurredAt },
  });
});

test("a message of another lane says where it comes from", () => {
  const asked = { call: "transfer_credit", result: "asked", from: FROM };
  expect(read(asked).report).toMatchObject({ result: "asked", from: FROM });
});

describe("what cannot be understood is never put aside:", () => {
  test.each<[string, string, () => unknown]>([
    ["no value", "no value", () => readBytes(null)],
    ["no key", "its key is not its holderId", () => read({}, null)],
    ["another holder's key", "its key is not its holderId", () => read({}, "bob")],
    ["bytes of no message", "undecodable", () => readBytes(Buffer.from("what?"))],
    ["a message of another kind", "schema", () => readBytes(codec.encoders.outcome.encode(OUTCOME))],
    ["a name that no holder can have", "holderId", () => read({ holderId: "a b" }, "a b")],
    ["a holder of another lane", "home lane", () => read({}, "ann", (LANE + 1) % LANES)],
    ["a case id that is none", "caseId", () => read({ caseId: "trf_1" })],
    ["an observation without a name", "observation is empty", () => read({ observation: "" })],
    ["an attempt below 0", "attempt", () => read({ attempt: -1 })],
    [
      "a message of the lane to itself",
      "never travels",
      () => read({ result: "asked", from: { ...FROM, lane: LANE } }),
    ],
    [
      "a sender at home elsewhere",
      "not at home",
      () => read({ result: "asked", from: { ...FROM, lane: (FROM.lane + 1) % LANES } }),
    ],
    ["a sender that is no holder", "from.holderId", () => read({ result: "asked", from: { ...FROM, holderId: "" } })],
    ["a sequence below 0", "from.sequence", () => read({ result: "asked", from: { ...FROM, sequence: -1n } })],
    ["another result than between lanes", "approved", () => read({ from: FROM })],
  ])("%s", (_what, says, reading) => {
    expect(reading).toThrow(Undecidable);
    expect(reading).toThrow(says);
    expect(reading).toThrow("offset 7");
  });
});

test("the second ledger takes no observation without a name either", async () => {
  const written = { schema: SCHEMAS.report, schemaType: "AVRO", referenceCount: 0 };
  const schemas = new SchemaBook(new AvroSchema(SCHEMAS.report), async () => written);
  const readBySecond = async (observation: string) => {
    const value = codec.encoders.report.encode({ ...REPORT, observation });
    await schemas.learn(value);
    const record = { offset: 7n, appendedAtMs: 1, key: Buffer.from("ann"), value };
    return readSecondReport({ lanes: LANES } as SecondRules, LANE, record, schemas);
  };
  expect(await readBySecond("o-1")).toMatchObject({ observation: "o-1" });
  expect(await readBySecond("")).toBe("its observation has no name");
});
