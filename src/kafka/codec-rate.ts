// Messages of the topic of rates. They have a codec of their own: lanes neither read nor write them.

import { AvroDecoder, AvroEncoder, type Decoder, type Encoder, type SchemaLookup } from "./codec.ts";
import { MessageType } from "./codec-avro.ts";

export type RateMessage = {
  readonly feed: string;
  readonly base: string;
  readonly quote: string;
  readonly seq: bigint;
  /** all three null: withdrawn */
  readonly bid: string | null;
  readonly mid: string | null;
  readonly ask: string | null;
  /** microseconds since the epoch */
  readonly asOfAt: bigint;
};

export type RateCodec = { readonly decoder: Decoder<RateMessage>; readonly encoder: Encoder<RateMessage> };

/** @param schema text of schemas/messages/rate.avsc
 *  @param id     under which the registry holds it */
export function createRateCodec(schema: string, id: number, registry: SchemaLookup): RateCodec {
  const type = new MessageType(schema);
  return { decoder: new AvroDecoder(type, id, { registry }), encoder: new AvroEncoder(type, id) };
}

/** One key a pair and feed: in a topic that keeps the newest of each, no feed may displace another's. */
export function rateKey({ base, quote, feed }: Pick<RateMessage, "base" | "quote" | "feed">): Buffer {
  return Buffer.from(`${base}/${quote}@${feed}`, "utf8");
}
