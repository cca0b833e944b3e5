// Schemas that writers used, asked for once each by their id in the registry.

import { AvroSchema, NotAvro, OtherSchema, readAvro, whyNot } from "./avro.ts";

/** As the registry holds it. */
export type RegisteredSchema = {
  readonly schema: string;
  readonly schemaType: string;
  readonly referenceCount: number;
};

/** @returns null when the registry itself says that there is no such schema
 *  @throws whatever says that the registry cannot be asked */
export type AskSchema = (id: number) => Promise<RegisteredSchema | null>;

/** null: messages here cannot have been written by it */
export type WriterSchema = AvroSchema | null;

const HEADER_BYTES = 5;

/** The schema id in front of a message; null when there is none. */
export function schemaIdIn(value: Buffer | null): number | null {
  if (value === null || value.length < HEADER_BYTES || value[0] !== 0) return null;
  const id = value.readInt32BE(1);
  return id > 0 ? id : null;
}

export class SchemaBook {
  readonly own: AvroSchema;
  readonly #ask: AskSchema;
  readonly #found = new Map<number, WriterSchema>();

  constructor(own: AvroSchema, ask: AskSchema) {
    this.own = own;
    this.#ask = ask;
  }

  /** Asks for the schema of a message. That there is none is not remembered: it may be registered later. */
  async learn(value: Buffer | null): Promise<void> {
    const id = schemaIdIn(value);
    if (id === null || this.#found.has(id)) return;
    const registered = await this.#ask(id);
    if (registered !== null) this.#found.set(id, this.#read(registered));
  }

  #read({ schema, schemaType, referenceCount }: RegisteredSchema): WriterSchema {
    if (schemaType !== "AVRO" || referenceCount > 0) return null;
    try {
      const writer = new AvroSchema(schema);
      return whyNot(writer, this.own) === null ? writer : null;
    } catch (error) {
      if (error instanceof OtherSchema) return null;
      throw error;
    }
  }

  /** @returns undefined when the registry has no such schema */
  writerOf(id: number): WriterSchema | undefined {
    return this.#found.get(id);
  }

  /** @returns null when the bytes are no such message */
  read(value: Buffer): unknown {
    const id = schemaIdIn(value);
    const writer = id === null ? undefined : this.#found.get(id);
    if (writer === undefined || writer === null) return null;
    try {
      return readAvro(value.subarray(HEADER_BYTES), writer, this.own);
    } catch (error) {
      if (error instanceof NotAvro) return null;
      throw error;
    }
  }
}
