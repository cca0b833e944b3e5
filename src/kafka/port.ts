// What the rest of the system knows of Kafka. Nothing of KafkaJS crosses this file.

/** One record as read from an input topic. Buffers are copies: holding one does not hold a whole fetch response. */
export type InputRecord = {
  readonly offset: bigint;
  /** the broker's append time, milliseconds since the epoch (LogAppendTime) */
  readonly appendedAtMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** as they lie in the batch: their number, then each; there only when the reader keeps them and the record has some */
  readonly headers?: Buffer;
};

/** Consecutive records of one partition, at least one. `nextOffset` is where reading goes on; it may lie beyond the last
 *  record (markers leave holes). `fromOffset` is the `nextOffset` of the run before it, or where the lane was opened, so
 *  that runs join without gaps. */
export type Run = {
  readonly lane: number;
  readonly topic: string;
  readonly fromOffset: bigint;
  readonly nextOffset: bigint;
  readonly records: readonly InputRecord[];
  readonly bytes: number;
  /** end of the log as the broker gave it along; for the lag */
  readonly logEnd: bigint;
};

/** Receives what the reader fetches for one lane. All methods are synchronous and must not throw. */
export interface LaneSink {
  /** false leaves the partition out of the next fetch (read-ahead is full, or the lane is closing) */
  hasRoom(topic: string): boolean;
  received(run: Run): void;
  /** a fetch that began at `startedAtMs` (process clock) found nothing beyond `nextOffset`, not even records of an open
   *  Kafka transaction; all before it has been received */
  caughtUp(topic: string, nextOffset: bigint, startedAtMs: number): void;
  /** the wanted offset does not exist: the partition is taken out of the loop; the owner must halt the lane */
  outOfRange(topic: string, wantedOffset: bigint): void;
  /** the bytes at this offset are damaged or compressed in a way that cannot be read here: the partition is taken out of
   *  the loop; the owner must halt the lane. `reason` is a sentence for people. */
  unreadable(topic: string, offset: bigint, reason: string): void;
}

/** The fetch loop: one fetch in flight per broker, many lanes in it. */
export interface Reader {
  /** Starts reading `lane` of each topic from the given offsets.
   *  @throws AssertionFailed when the lane is open already */
  open(lane: number, offsets: ReadonlyMap<string, bigint>, sink: LaneSink): void;
  close(lane: number): void;
  /** Called when a sink has room again, so that the loop does not wait for its poll. */
  wake(): void;
  /** Milliseconds since the last answer of any broker; for the liveness check. */
  silentMs(): number;
  stop(): Promise<void>;
}

export type OutgoingRecord = { readonly key: Buffer | null; readonly value: Buffer };

/** Any record that a topic may hold. */
export type RawRecord = {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** as an `InputRecord` has them; none when left out */
  readonly headers?: Buffer;
  /** the producer's time, milliseconds since the epoch; that of sending when left out. A topic with append time puts its
   *  own in its place. */
  readonly timeMs?: number;
};

/** The last visible record of an output partition. `record` is null when nothing readable is left:
 *  `end === 0n` never written, `end > 0n` expired or only aborted. */
export type Tail = { readonly low: bigint; readonly end: bigint; readonly record: InputRecord | null };

/** A position that a group has published. `note` is a word of its own that is kept with it, and lost when somebody else
 *  sets the offset; "" when there is none. */
export type GroupOffset = { readonly offset: bigint; readonly note: string };

export type OutputPartition = { readonly topic: string; readonly partition: number };

/** A fenced idempotent appender for one lane's output partitions: one batch in flight per partition, the same sequence
 *  numbers on every repeat. */
export interface LaneWriter {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** as read after the fence stood, by topic */
  readonly tails: ReadonlyMap<string, Tail>;
  /** @throws Fenced | WriterBroken; after either the writer is dead */
  append(topic: string, records: readonly OutgoingRecord[]): Promise<{ baseOffset: bigint }>;
  close(): Promise<void>;
}

/** Somebody else opened a writer with this lane's id, or the broker forgot us. Ask the lane row before opening again. */
export class Fenced extends Error {
  override name = "Fenced";
}
/** The outcome of an append is unknown or its sequence is broken: drop the writer, open anew, read the tail. */
export class WriterBroken extends Error {
  override name = "WriterBroken";
}
/** A broker cannot be reached or does not answer. `remedy` is a sentence for people. */
export class KafkaUnreachable extends Error {
  override name = "KafkaUnreachable";
  readonly remedy: string;
  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.remedy = remedy;
  }
}
/** The cluster answered, and the answer is no: a topic that does not exist, a setting it refuses. `code` is the broker's
 *  name for it, such as `UNKNOWN_TOPIC_OR_PARTITION`. */
export class KafkaRefused extends Error {
  override name = "KafkaRefused";
  readonly code: string;
  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** How to get into the cluster. */
export type KafkaAccess = {
  /** PEM texts; null where Node's own authorities do, and where brokers ask for no certificate of ours */
  readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null } | null;
  readonly login: KafkaLogin | null;
};
export type KafkaLogin = {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly user: string;
  readonly password: string;
};

export type TopicSpec = {
  readonly topic: string;
  readonly partitions: number;
  /** broker settings by name, such as `message.timestamp.type` */
  readonly settings: Readonly<Record<string, string>>;
};

export type PartitionBounds = { readonly low: bigint; readonly end: bigint };

/** How many brokers have a partition, and how many of them have all of it. */
export type PartitionCopies = { readonly all: number; readonly inSync: number };

export type ClusterShown = {
  readonly brokers: number;
  /** Kafka 4.0 or newer on every broker, as far as its protocol tells */
  readonly isFour: boolean;
};

/** Questions and one-off acts; never in the hot path. */
export interface TopicAdmin {
  /** partition count by topic; a topic that does not exist is absent */
  partitionCounts(topics: readonly string[]): Promise<Map<string, number>>;
  /** creates those that do not exist yet; existing ones are left as they are */
  createTopics(topics: readonly TopicSpec[]): Promise<void>;
  topicSettings(topic: string): Promise<Map<string, string>>;
  /** of one broker; where brokers differ, nobody says so */
  brokerSettings(): Promise<Map<string, string>>;
  /** a row for each partition; empty when the topic does not exist */
  copies(topic: string): Promise<readonly PartitionCopies[]>;
  cluster(): Promise<ClusterShown>;
  bounds(topic: string, partition: number): Promise<PartitionBounds>;
  /** the first offset whose record was appended at `timeMs` or later; null when there is none */
  offsetAt(topic: string, partition: number, timeMs: number): Promise<bigint | null>;
  /** replaces the settings of a topic: one that is left out has the broker's default again */
  setTopicSettings(topic: string, settings: Readonly<Record<string, string>>): Promise<void>;
  /** the record at exactly this offset, or null */
  recordAt(topic: string, partition: number, offset: bigint): Promise<InputRecord | null>;
  tail(topic: string, partition: number): Promise<Tail>;
  /** the first visible record that is left; null when there is none */
  first(topic: string, partition: number): Promise<InputRecord | null>;
  /** plain offsets of a group without members, so that lag tools can show lanes; best effort */
  publishGroupOffsets(group: string, offsets: readonly (OutputPartition & GroupOffset)[]): Promise<void>;
  /** what such a group has published for a partition; null when nothing, or it was forgotten */
  groupOffset(group: string, topic: string, partition: number): Promise<GroupOffset | null>;
  close(): Promise<void>;
}

/** What a PartitionReader hands on of one partition. `records` may be empty when only markers were passed: a reader that
 *  wants to reach an end offset compares `nextOffset`, never the last record. */
export type PartitionRun = {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly InputRecord[];
  readonly nextOffset: bigint;
};

/** Reads whole partitions for tools and audits: from an offset to the end, then on as records arrive. */
export interface PartitionReader {
  /** the next records of any partition; an empty list after `waitMs` without any
   *  @throws KafkaRefused when an offset does not exist or a batch cannot be read */
  next(waitMs: number): Promise<readonly PartitionRun[]>;
  close(): Promise<void>;
}

/** A producer for tools (`load`, quarantine retry): one partition a send, one send in flight per partition, so that
 *  nothing is lost, doubled or reordered when a leader moves or a reply is lost. */
export interface Producer {
  /** resolves when every record is acknowledged by all in-sync replicas */
  send(topic: string, partition: number, records: readonly RawRecord[]): Promise<{ baseOffset: bigint }>;
  close(): Promise<void>;
}

/** How to get to a cluster, for a process of its own: what can be handed over. */
export type KafkaPlace = Pick<KafkaSettings, "brokers" | "access">;

export function placeOf({ brokers, access }: KafkaSettings): KafkaPlace {
  return access === undefined ? { brokers } : { brokers, access };
}

export type KafkaSettings = {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** left out: not encrypted, and nobody asks who we are */
  readonly access?: KafkaAccess;
  /** how long administration tries to reach any of the brokers; 10 s unless told */
  readonly connectDeadlineMs?: number;
  /** called for each line that the client library logs, already ranked: expected noise arrives as debug */
  readonly log: (level: "error" | "warn" | "info" | "debug", fields: Record<string, unknown>, message: string) => void;
};
