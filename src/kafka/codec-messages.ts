// What the five Avro schemas of schemas/messages hold, as the codec hands it on. Field names and order are those of the
// wire; contents are not judged here: a decoded intent may still name an unknown type, account or currency.

/** `minor` is digits with an optional minus, in units of 10^-scale of the currency; not yet parsed or bounded. */
export type MoneyMessage = { readonly currency: string; readonly scale: number; readonly minor: string };

export type IntentMessage = {
  readonly type: string;
  readonly holderId: string;
  readonly caseId: string | null;
  readonly sourceId: string | null;
  readonly idempotencyKey: string | null;
  readonly account: string | null;
  readonly currency: string | null;
  /** null is no floor; a producer that leaves the field out means "0" */
  readonly floorMinor: string | null;
  readonly change: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly amount: MoneyMessage | null;
  readonly final: boolean | null;
  readonly reference: string | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  /** microseconds since the epoch */
  readonly occurredAt: bigint;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly traceparent: string | null;
  readonly method: string | null;
  readonly captureMode: string | null;
  readonly tokenRef: string | null;
  readonly provider: string | null;
  readonly tenant: string | null;
  readonly settlementCurrency: string | null;
  readonly quoteId: string | null;
  readonly fxBasis: string | null;
  readonly side: string | null;
  readonly lockSeconds: bigint | null;
  readonly decision: string | null;
  readonly principal: string | null;
  readonly reason: string | null;
};

/** An intent to be written: what is left out takes the default of its schema. */
export type NewIntent = Pick<IntentMessage, "type" | "holderId" | "occurredAt"> & Partial<IntentMessage>;

export type OutcomeMessage = {
  readonly lane: number;
  readonly sequence: bigint;
  readonly block: bigint;
  readonly outcomeId: string;
  readonly type: string;
  readonly caseId: string | null;
  readonly sourceId: string | null;
  readonly holderId: string;
  readonly intentType: string | null;
  readonly idempotencyKey: string | null;
  readonly status: string;
  readonly reason: { readonly category: string; readonly code: string } | null;
  readonly repeatOf: { readonly lane: number; readonly sequence: bigint } | null;
  readonly amounts: Readonly<Record<string, MoneyMessage>>;
  readonly lines: number;
  /** `name@version` */
  readonly flow: string | null;
  /** microseconds since the epoch, like every time below */
  readonly occurredAt: bigint;
  readonly recordedAt: bigint;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  readonly traceparent: string | null;
  readonly parentId: string | null;
};

export type DeadLetterMessage = {
  readonly lane: number;
  readonly sequence: bigint;
  readonly block: bigint;
  readonly reason: string;
  readonly detail: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** 64 hexadecimal digits, of the whole value */
  readonly sha256: string;
  readonly size: number;
  /** at most the first DEAD_LETTER_VALUE_BYTES of the value */
  readonly value: Buffer | null;
  readonly appendedAt: bigint;
  readonly recordedAt: bigint;
};

export const DEAD_LETTER_VALUE_BYTES = 16_384;

export type CommandMessage = {
  readonly lane: number;
  readonly sequence: bigint;
  readonly block: bigint;
  readonly commandId: string;
  readonly caseId: string;
  readonly holderId: string;
  readonly call: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly notAfter: bigint;
  readonly payload: Readonly<Record<string, string>>;
  readonly traceparent: string | null;
  readonly op: string;
  readonly readOnly: boolean;
  /** 0 in a command from before there was this field */
  readonly timeoutMs: number;
};

export type ReportMessage = {
  readonly holderId: string;
  readonly caseId: string;
  readonly call: string;
  readonly attempt: number;
  readonly result: string;
  readonly observation: string;
  readonly payload: Readonly<Record<string, string>>;
  readonly occurredAt: bigint;
  /** null for what a gateway reports */
  readonly from: OriginMessage | null;
};

/** Where a message between lanes comes from, and who is to be answered. */
export type OriginMessage = {
  readonly lane: number;
  readonly sequence: bigint;
  readonly block: bigint;
  readonly holderId: string;
  readonly caseId: string;
  readonly call: string;
  readonly attempt: number;
};

/** A message of a block as it is read back. Encoders take it without the digest, which is stamped in afterwards. */
export type OfBlock<Message> = Message & { readonly blockDigest: Buffer };

export const MESSAGE_KINDS = ["intent", "outcome", "deadLetter", "command", "report"] as const;
export type MessageKind = (typeof MESSAGE_KINDS)[number];
