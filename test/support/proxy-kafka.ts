// A proxy before a broker that can lose a produce request or its answer. Metadata answers name the brokers, and who asked
// by way of the proxy would go on past it: their ports are rewritten, which changes no length.
import { type Dialogue, type Fault, Framing, openTcpProxy } from "./proxy.ts";

export type BrokerProxy = {
  /** host:port, for KAFKA_BROKERS */
  readonly address: string;
  /** Lets the next produce request of any connection go wrong; resolves when it has. */
  failNextProduce(fault: Fault): Promise<void>;
};

const PRODUCE = 0;
const METADATA = 3;
/** From the next version on, lengths are written in another way. */
const METADATA_VERSION_MAX = 8;
const SIZE_BYTES = 4;

/** A proxy for as long as the test runs, before a cluster of one broker. */
export async function openBrokerProxy(brokers: readonly string[]): Promise<BrokerProxy> {
  const [broker, ...others] = brokers;
  if (broker === undefined || others.length > 0) throw new Error(`one broker is expected, not ${brokers.join(", ")}`);
  const colon = broker.lastIndexOf(":");
  const target = { host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) };
  const proxy = await openTcpProxy(target, openDialogue);
  return { address: `127.0.0.1:${proxy.port}`, failNextProduce: proxy.failNext };
}

function openDialogue(port: number): Dialogue {
  const sized = (): Framing =>
    new Framing((rest) => (rest.length < SIZE_BYTES ? null : SIZE_BYTES + rest.readUInt32BE(0)));
  const [questions, answers] = [sized(), sized()];
  /** versions of the metadata requests under way, by correlation id */
  const metadata = new Map<number, number>();
  return {
    questions: (bytes) => questions.take(bytes),
    answers: (bytes) => {
      const whole = answers.take(bytes);
      for (const answer of whole) {
        const version = metadata.get(answer.readInt32BE(SIZE_BYTES));
        if (version === undefined) continue;
        metadata.delete(answer.readInt32BE(SIZE_BYTES));
        leadThrough(answer, version, port);
      }
      return whole;
    },
    asks: (question) => {
      const [api, version, correlation] = [question.readInt16BE(4), question.readInt16BE(6), question.readInt32BE(8)];
      if (api === METADATA) metadata.set(correlation, version);
      return api === PRODUCE ? correlation : null;
    },
    tells: (answer) => answer.readInt32BE(SIZE_BYTES),
  };
}

/** size, correlation id, from version 3 on the throttle time; then the brokers: node id, host, port, rack */
function leadThrough(answer: Buffer, version: number, port: number): void {
  if (version < 1 || version > METADATA_VERSION_MAX)
    throw new Error(`metadata of version ${version} is not known here`);
  let at = SIZE_BYTES + 4 + (version >= 3 ? 4 : 0);
  const brokers = answer.readInt32BE(at);
  at += 4;
  for (let broker = 0; broker < brokers; broker++) {
    at += 4;
    at += 2 + answer.readInt16BE(at);
    answer.writeInt32BE(port, at);
    at += 4;
    at += 2 + Math.max(answer.readInt16BE(at), 0);
  }
}
