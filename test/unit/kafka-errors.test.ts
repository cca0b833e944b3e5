import { describe, expect, test } from "vitest";
import {
  asPortError,
  describeKafkaError,
  isConnectionLoss,
  isCoordinatorBusy,
  isFencing,
  isTransient,
} from "../../src/kafka/errors.ts";
import { Fenced, KafkaRefused, KafkaUnreachable } from "../../src/kafka/port.ts";
import { protocolError } from "../../src/kafka/wire.ts";

const INVALID_PRODUCER_EPOCH = 47;
const PRODUCER_FENCED = 90;
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
const NOT_LEADER_FOR_PARTITION = 6;
const CONCURRENT_TRANSACTIONS = 51;
const MESSAGE_TOO_LARGE = 10;

function kafkaJsError(name: string, fields: object, cause?: unknown): Error {
  return Object.assign(new Error(name, cause === undefined ? {} : { cause }), { name, ...fields });
}

const refusedConnection = kafkaJsError("KafkaJSConnectionError", { code: "ECONNREFUSED", broker: "10.0.0.1:9092" });

describe("what passes by itself", () => {
  test.each([
    ["a refused connection", refusedConnection],
    ["one wrapped as not retriable", kafkaJsError("KafkaJSNonRetriableError", { retriable: false }, refusedConnection)],
    ["a request without an answer", kafkaJsError("KafkaJSRequestTimeoutError", {})],
    ["a leader that moved", protocolError(NOT_LEADER_FOR_PARTITION)],
    ["no broker at all", new KafkaUnreachable("none answers", "start one")],
  ])("%s", (_name, error) => {
    expect(isTransient(error)).toBe(true);
    expect(isFencing(error)).toBe(false);
  });

  test.each([
    ["a fence", protocolError(INVALID_PRODUCER_EPOCH)],
    ["a fence of newer brokers", protocolError(PRODUCER_FENCED)],
    ["a gap in the sequence", protocolError(OUT_OF_ORDER_SEQUENCE_NUMBER)],
    ["a batch that is too large", protocolError(MESSAGE_TOO_LARGE)],
    ["a bug", new TypeError("x is not a function")],
    ["something that is no error", "text"],
  ])("not %s", (_name, error) => {
    expect(isTransient(error)).toBe(false);
  });
});

test("tells a fence by both of its codes, however deep", () => {
  expect(isFencing(protocolError(INVALID_PRODUCER_EPOCH))).toBe(true);
  expect(isFencing(protocolError(PRODUCER_FENCED))).toBe(true);
  const wrapped = kafkaJsError("KafkaJSNonRetriableError", {}, protocolError(INVALID_PRODUCER_EPOCH));
  expect(isFencing(wrapped)).toBe(true);
  expect(isFencing(protocolError(OUT_OF_ORDER_SEQUENCE_NUMBER))).toBe(false);
});

test("tells a coordinator that asks for patience", () => {
  expect(isCoordinatorBusy(protocolError(CONCURRENT_TRANSACTIONS))).toBe(true);
  expect(isCoordinatorBusy(protocolError(INVALID_PRODUCER_EPOCH))).toBe(false);
});

test("gives a connection up when its answer cannot be read, not when the broker refuses", () => {
  expect(isConnectionLoss(new RangeError("the answer is cut off"))).toBe(true);
  expect(isConnectionLoss(protocolError(NOT_LEADER_FOR_PARTITION))).toBe(false);
});

test("describes the innermost cause", () => {
  const retried = kafkaJsError("KafkaJSNumberOfRetriesExceeded", { retriable: false }, refusedConnection);
  const wrapped = kafkaJsError("KafkaJSNonRetriableError", {}, retried);
  expect(describeKafkaError(wrapped)).toEqual({
    name: "KafkaJSConnectionError",
    type: "ECONNREFUSED",
    code: "ECONNREFUSED",
    broker: "10.0.0.1:9092",
    message: "KafkaJSConnectionError",
  });
  expect(describeKafkaError(protocolError(INVALID_PRODUCER_EPOCH))).toMatchObject({
    type: "INVALID_PRODUCER_EPOCH",
    code: 47,
  });
  expect(describeKafkaError("text")).toMatchObject({ name: "unknown", message: "text" });
});

test("follows no circle of causes for ever", () => {
  const error = new Error("around");
  error.cause = error;
  expect(describeKafkaError(error)).toMatchObject({ message: "around" });
});

describe("in the words of the port", () => {
  test("an outage names the broker and what to do", () => {
    const said = asPortError(refusedConnection, "bounds of in/0");
    expect(said).toBeInstanceOf(KafkaUnreachable);
    expect(said.message).toBe("bounds of in/0: 10.0.0.1:9092 does not answer (ECONNREFUSED)");
    expect((said as KafkaUnreachable).remedy).toMatch(/advertised listeners/);
  });

  test("a refusal carries the broker's code", () => {
    const said = asPortError(protocolError(MESSAGE_TOO_LARGE), "creating in");
    expect(said).toBeInstanceOf(KafkaRefused);
    expect((said as KafkaRefused).code).toBe("MESSAGE_TOO_LARGE");
  });

  test("our own errors and bugs stay as they are", () => {
    const fenced = new Fenced("by another");
    const bug = new TypeError("x is not a function");
    expect(asPortError(fenced, "opening")).toBe(fenced);
    expect(asPortError(bug, "opening")).toBe(bug);
  });
});
