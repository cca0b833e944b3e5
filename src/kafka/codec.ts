// Messages to bytes and back: the Confluent format (a zero byte, the schema id as four bytes, then Avro). Nothing here
// awaits while messages are read or written. A schema id that is met for the first time is asked for beforehand:
//
//     for (let id = decoder.needs(value); id !== null; id = decoder.needs(value)) await decoder.learn(id);
//     const intent = decoder.decode(value);

import { assert, failed } from "../domain/assert.ts";
import { MessageType, messageOf, type ReadPlan } from "./codec-avro.ts";
import { MessageBuffer } from "./codec-buffer.ts";
import {
  type CommandMessage,
  type DeadLetterMessage,
  type IntentMessage,
  MESSAGE_KINDS,
  type MessageKind,
  type NewIntent,
  type OfBlock,
  type OutcomeMessage,
  type ReportMessage,
} from "./codec-messages.ts";
import { ReadTap } from "./codec-read-tap.ts";

export { BLOCK_DIGEST_BYTES, BLOCK_DIGEST_OFFSET, MessageBuffer } from "./codec-buffer.ts";

/** As the registry holds it. `schemaType` is AVRO, JSON or PROTOBUF. */
export type FoundSchema = { readonly schema: string; readonly schemaType: string; readonly referenceCount: number };

export interface SchemaLookup {
  /** @returns null when the registry itself says that there is no such schema
   *  @throws RegistryUnreachable for everything else: nothing can be said about the id then */
  schemaById(id: number): Promise<FoundSchema | null>;
}

export type UndecodableReason = "undecodable" | "unknown_schema" | "schema_mismatch";

/** A message that cannot be understood, for the reason under which it is quarantined. `detail` is a sentence for people
 *  and never quotes the message. */
export class Undecodable extends Error {
  override name = "Undecodable";
  readonly reason: UndecodableReason;
  readonly detail: string;

  constructor(reason: UndecodableReason, detail: string) {
    super(`${reason}: ${detail}`);
    this.reason = reason;
    this.detail = detail;
  }
}

/** A value that does not fit its schema: a bug in whoever made it, or a JSON line that was not checked. */
export class Unencodable extends Error {
  override name = "Unencodable";
}

export type Learned = "known" | "not_found" | "incompatible";

export interface Decoder<Message> {
  /** @returns the schema id to learn before `decode`; null when nothing is missing, also for bytes that will be refused */
  needs(value: Buffer): number | null;
  /** Asks the registry once, however many ask at a time. What was found stays known; that an id does not exist is
   *  believed for NOT_FOUND_MS.
   *  @throws RegistryUnreachable and remembers nothing: wait and ask again */
  learn(id: number): Promise<Learned>;
  /** @throws Undecodable, and nothing else, once `needs` has said null */
  decode(value: Buffer): Message;
  /** For tools: learns what is missing, then decodes. */
  read(value: Buffer): Promise<Message>;
}

export interface Encoder<Message> {
  /** One message with its header, in a buffer of its own.
   *  @throws Unencodable naming the fields */
  encode(message: Message): Buffer;
  /** Adds the message behind those that `target` already holds; a block digest is left zero. */
  encodeInto(target: MessageBuffer, message: Message): void;
}

export type IntentDecoder = Decoder<IntentMessage>;

export type Codec = {
  readonly decoders: {
    readonly intent: Decoder<IntentMessage>;
    readonly outcome: Decoder<OfBlock<OutcomeMessage>>;
    readonly deadLetter: Decoder<OfBlock<DeadLetterMessage>>;
    readonly command: Decoder<OfBlock<CommandMessage>>;
    readonly report: Decoder<ReportMessage>;
  };
  readonly encoders: {
    readonly intent: Encoder<NewIntent>;
    readonly outcome: Encoder<OutcomeMessage>;
    readonly deadLetter: Encoder<DeadLetterMessage>;
    readonly command: Encoder<CommandMessage>;
    readonly report: Encoder<ReportMessage>;
  };
};

export type CodecSettings = {
  /** text of each schema of schemas/messages */
  readonly schemas: Readonly<Record<MessageKind, string>>;
  /** the id under which the registry holds each of them */
  readonly ids: Readonly<Record<MessageKind, number>>;
  readonly registry: SchemaLookup;
  /** milliseconds since the epoch; for tests */
  readonly clock?: () => number;
};

/** How long "there is no such schema" is believed: short enough that a late registration mends itself, long enough that
 *  a stream of such messages does not become a stream of requests. */
export const NOT_FOUND_MS = 30_000;
/** Ids that do not exist cost memory, and random bytes name a new one each time: beyond this the oldest is forgotten. */
const NOT_FOUND_MAX = 100_000;
const HEADER_BYTES = 5;

/** @throws Error when a schema is not valid; AssertionFailed when one breaks a rule of this system */
export function createCodec(settings: CodecSettings): Codec {
  const types = {} as Record<MessageKind, MessageType>;
  for (const kind of MESSAGE_KINDS) types[kind] = new MessageType(settings.schemas[kind]);
  for (const kind of ["outcome", "deadLetter", "command"] as const) {
    assert(types[kind].fieldNames[0] === "blockDigest", `${types[kind].name} begins with blockDigest`);
  }
  const decoder = <Message>(kind: MessageKind): Decoder<Message> =>
    new AvroDecoder<Message>(types[kind], settings.ids[kind], settings);
  const encoder = <Message>(kind: MessageKind): Encoder<Message> =>
    new AvroEncoder<Message>(types[kind], settings.ids[kind]);
  return {
    decoders: {
      intent: decoder("intent"),
      outcome: decoder("outcome"),
      deadLetter: decoder("deadLetter"),
      command: decoder("command"),
      report: decoder("report"),
    },
    encoders: {
      intent: encoder("intent"),
      outcome: encoder("outcome"),
      deadLetter: encoder("deadLetter"),
      command: encoder("command"),
      report: encoder("report"),
    },
  };
}

/** @returns null when the value cannot be in the Confluent format; ids begin at 1 */
function schemaIdOf(value: Buffer): number | null {
  if (value.length < HEADER_BYTES || value[0] !== 0) return null;
  const id = value.readInt32BE(1);
  return id > 0 ? id : null;
}

function headerFault(value: Buffer): string {
  if (value.length < HEADER_BYTES) return `${value.length} bytes are too few for a message with its schema id`;
  if (value[0] !== 0) return `begins with byte ${value[0]}, not with the 0 that goes before a schema id`;
  return `names schema ${value.readInt32BE(1)}; ids begin at 1`;
}

export class AvroDecoder<Message> implements Decoder<Message> {
  readonly #type: MessageType;
  readonly #registry: SchemaLookup;
  readonly #clock: () => number;
  readonly #tap = new ReadTap();
  readonly #plans = new Map<number, ReadPlan>();
  /** id to the sentence that says why its schema cannot be read */
  readonly #incompatible = new Map<number, string>();
  /** id to the time from which it is asked for again */
  readonly #notFound = new Map<number, number>();
  readonly #asking = new Map<number, Promise<Learned>>();

  /** @param id under which the registry holds the type's own schema */
  constructor(type: MessageType, id: number, settings: Pick<CodecSettings, "registry" | "clock">) {
    this.#type = type;
    this.#registry = settings.registry;
    this.#clock = settings.clock ?? Date.now;
    this.#plans.set(id, type.readOwn);
  }

  needs(value: Buffer): number | null {
    const id = schemaIdOf(value);
    if (id === null || this.#plans.has(id) || this.#incompatible.has(id)) return null;
    const askAgainAtMs = this.#notFound.get(id);
    return askAgainAtMs !== undefined && this.#clock() < askAgainAtMs ? null : id;
  }

  learn(id: number): Promise<Learned> {
    if (this.#plans.has(id)) return Promise.resolve("known");
    if (this.#incompatible.has(id)) return Promise.resolve("incompatible");
    let asking = this.#asking.get(id);
    if (asking === undefined) {
      asking = this.#ask(id).finally(() => this.#asking.delete(id));
      this.#asking.set(id, asking);
    }
    return asking;
  }

  async #ask(id: number): Promise<Learned> {
    const found = await this.#registry.schemaById(id);
    this.#notFound.delete(id);
    if (found === null) {
      this.#rememberNotFound(id);
      return "not_found";
    }
    const plan = this.#planFor(found);
    if (typeof plan === "function") {
      this.#plans.set(id, plan);
      return "known";
    }
    this.#incompatible.set(id, plan.why);
    return "incompatible";
  }

  #planFor(found: FoundSchema): ReadPlan | { readonly why: string } {
    if (found.schemaType !== "AVRO") return { why: `is ${found.schemaType}, not AVRO` };
    if (found.referenceCount > 0) return { why: "refers to other schemas; messages here are self-contained" };
    return this.#type.planFor(found.schema);
  }

  #rememberNotFound(id: number): void {
    this.#notFound.set(id, this.#clock() + NOT_FOUND_MS);
    if (this.#notFound.size <= NOT_FOUND_MAX) return;
    for (const oldest of this.#notFound.keys()) {
      this.#notFound.delete(oldest);
      return;
    }
  }

  decode(value: Buffer): Message {
    const id = schemaIdOf(value);
    if (id === null) throw new Undecodable("undecodable", headerFault(value));
    const plan = this.#plans.get(id);
    if (plan === undefined) throw this.#whyNoPlan(id);
    return this.#decodeBy(plan, value);
  }

  #decodeBy(plan: ReadPlan, value: Buffer): Message {
    const tap = this.#tap;
    let message: unknown;
    try {
      tap.reset(value, HEADER_BYTES);
      message = plan(tap);
    } catch (error) {
      // Our own tap says Malformed; the library throws plain errors (a union branch that does not exist) and, should a
      // schema nest without end, the engine a RangeError. Whatever it is, these bytes cannot be read.
      throw new Undecodable("undecodable", messageOf(error));
    }
    if (!tap.atEnd()) {
      throw new Undecodable("undecodable", `${value.length - tap.pos} bytes are left over behind ${this.#type.name}`);
    }
    return message as Message;
  }

  #whyNoPlan(id: number): Undecodable {
    const why = this.#incompatible.get(id);
    if (why !== undefined) return new Undecodable("schema_mismatch", `schema ${id} ${why}`);
    if (!this.#notFound.has(id)) failed(`schema ${id} is learned before a message is decoded by it`);
    return new Undecodable("unknown_schema", `the registry has no schema ${id}`);
  }

  async read(value: Buffer): Promise<Message> {
    for (let id = this.needs(value); id !== null; id = this.needs(value)) await this.learn(id);
    return this.decode(value);
  }
}

export class AvroEncoder<Message> implements Encoder<Message> {
  readonly #type: MessageType;
  readonly #id: number;
  readonly #single = new MessageBuffer(1024);

  constructor(type: MessageType, id: number) {
    assert(Number.isInteger(id) && id > 0, `${type.name} is registered under an id from 1 on`);
    this.#type = type;
    this.#id = id;
  }

  encode(message: Message): Buffer {
    this.#single.clear();
    this.encodeInto(this.#single, message);
    return Buffer.from(this.#single.bytes());
  }

  encodeInto(target: MessageBuffer, message: Message): void {
    try {
      target.append(this.#id, this.#type, message);
    } catch (error) {
      const fields = this.#type.faultsOf(message);
      if (fields.length === 0) throw error;
      // The library's own error would print the value, and a value with a bigint it cannot even print.
      throw new Unencodable(`${this.#type.name} cannot be written: ${fields.join(", ")} does not fit the schema`);
    }
  }
}
