// The usual way, done well: one message, one dbTransaction with everything in it, one send that all replicas acknowledge,
// the offset committed after it. At least once: a crash between COMMIT and send, or between send and offset, sends twice.

import { parseCaseId } from "../../domain/ids.ts";
import { fingerprint, type Intent } from "../../domain/intent.ts";
import type { Codec } from "../../kafka/codec.ts";
import type { IntentMessage, OutcomeMessage } from "../../kafka/codec-messages.ts";
import type { Producer } from "../../kafka/port.ts";
import type { Connection } from "../../store/database.ts";
import { begin, commit } from "../../store/sql/begin.ts";
import * as sql from "./naive-sql.ts";

export type NaiveParts = {
  readonly codec: Codec;
  readonly connection: Connection;
  readonly producer: Producer;
  readonly outcomesTopic: string;
  readonly commitOffset: (partition: number, next: bigint) => Promise<void>;
};

type Transfer = {
  readonly message: IntentMessage;
  readonly caseId: string;
  readonly from: string;
  readonly to: string;
  readonly currency: string;
  readonly minor: bigint;
};

export class NaiveConsumer {
  readonly #parts: NaiveParts;
  readonly #sequences = new Map<number, bigint>();

  constructor(parts: NaiveParts) {
    this.#parts = parts;
  }

  async take(partition: number, offset: bigint, value: Buffer): Promise<void> {
    const transfer = readTransfer(this.#parts.codec.decoders.intent.decode(value));
    const reason = await this.#book(transfer);
    const sequence = this.#sequences.get(partition) ?? 0n;
    this.#sequences.set(partition, sequence + 1n);
    const outcome = outcomeOf(transfer, { partition, sequence, reason });
    const record = {
      key: Buffer.from(transfer.message.holderId),
      value: this.#parts.codec.encoders.outcome.encode(outcome),
    };
    await this.#parts.producer.send(this.#parts.outcomesTopic, partition, [record]);
    await this.#parts.commitOffset(partition, offset + 1n);
  }

  /** @returns null when it was booked, else why not */
  async #book(transfer: Transfer): Promise<string | null> {
    const { connection } = this.#parts;
    const { message, caseId, from, to, currency, minor } = transfer;
    await connection.run(begin, []);
    const { rowCount } = await connection.run(sql.insertPayment, [
      caseId,
      message.holderId,
      fingerprint(intentOf(message)),
    ]);
    const reason = rowCount === 0 ? "repeated" : await this.#judge(transfer);
    if (reason === null) {
      await connection.run(sql.addToAccount, [from, currency, minor, 0n]);
      await connection.run(sql.addToAccount, [to, currency, 0n, minor]);
      await connection.run(sql.insertLine, [caseId, from, to, currency, minor]);
    } else if (reason !== "repeated") {
      await connection.run(sql.rejectPayment, [caseId, reason]);
    }
    await connection.run(commit, []);
    return reason;
  }

  async #judge({ from, to, currency, minor }: Transfer): Promise<string | null> {
    const { rows } = await this.#parts.connection.run(sql.lockAccounts, [[from, to], currency]);
    if (rows.length < 2) return "unknown_account";
    const source = rows.find((row) => row["path"] === from);
    const floorMinor = source?.["floor_minor"] as bigint | null;
    const balance = (source?.["credits"] as bigint) - (source?.["debits"] as bigint);
    return floorMinor !== null && balance - minor < floorMinor ? "insufficient_funds" : null;
  }
}

/** @throws Error for what the generator does not make: the benchmark sends transfers alone */
function readTransfer(message: IntentMessage): Transfer {
  const caseId = parseCaseId(message.caseId)?.uuid;
  const { from, to, amount } = message;
  if (caseId === undefined || from === null || to === null || amount === null) throw new Error("not a transfer");
  return { message, caseId, from, to, currency: amount.currency, minor: BigInt(amount.minor) };
}

export function intentOf(message: IntentMessage): Intent {
  const { amount, floorMinor, change: _change, occurredAt, ...same } = message;
  return {
    ...same,
    change: null,
    floorMinor: floorMinor === null ? null : BigInt(floorMinor),
    amount: amount === null ? null : { ...amount, minor: BigInt(amount.minor) },
    occurredAtMicros: occurredAt,
  };
}

type Answer = { readonly partition: number; readonly sequence: bigint; readonly reason: string | null };

function outcomeOf({ message, currency, minor }: Transfer, { partition, sequence, reason }: Answer): OutcomeMessage {
  return {
    lane: partition,
    sequence,
    block: 0n,
    outcomeId: `n-${partition}-${sequence}`,
    type: reason === null ? "transfer.completed" : "transfer.rejected",
    caseId: message.caseId,
    sourceId: message.sourceId,
    holderId: message.holderId,
    intentType: message.type,
    idempotencyKey: message.idempotencyKey,
    status: reason === null ? "completed" : "rejected",
    reason: reason === null ? null : { category: "funds", code: reason },
    repeatOf: null,
    amounts: { requested: { currency, scale: message.amount?.scale ?? 0, minor: minor.toString() } },
    lines: reason === null ? 1 : 0,
    flow: null,
    occurredAt: message.occurredAt,
    recordedAt: BigInt(Date.now()) * 1000n,
    correlationId: message.correlationId,
    causationId: message.causationId,
    traceparent: message.traceparent,
    parentId: null,
  };
}
