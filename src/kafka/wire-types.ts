// The shapes of KafkaJS 2.2.4's inner parts that wire.ts uses. KafkaJS publishes types for its outer interface only.
import type { Socket } from "node:net";

/** A request with the way to read its answer. Answers are decoded, then parsed; parsing is where error codes throw. */
export type ProtocolRequest<Answer> = {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly expectResponse?: () => boolean;
    readonly encode: () => Promise<unknown>;
  };
  readonly response: {
    readonly decode: (payload: Buffer) => Promise<unknown>;
    readonly parse: (decoded: never) => Promise<Answer>;
  };
  readonly requestTimeout?: number;
  readonly logResponseError?: boolean;
};

export type WireConnection = {
  isConnected(): boolean;
  disconnect(): Promise<unknown>;
  rejectRequests(error: Error): void;
  send<Answer>(protocol: ProtocolRequest<Answer>): Promise<Answer>;
  socket?: Socket;
};

/** Two connections a broker: index 1 is for fetches, which wait at the broker; index 0 for everything else. */
export type WireConnectionPool = {
  readonly host: string;
  readonly port: number;
  readonly pool: readonly WireConnection[];
  getConnection(index: number): Promise<WireConnection>;
};

export type TopicPartitions = { readonly topic: string; readonly partitions: readonly number[] };
export type ProducerIdentity = { readonly producerId: string; readonly producerEpoch: number };

export type WireBroker = {
  readonly connectionPool: WireConnectionPool;
  /** by the number of each request: which of its versions the broker takes */
  readonly versions: Record<number, { readonly minVersion: number; readonly maxVersion: number }> | null;
  lookupRequest(apiKey: number, definition: unknown): (args: object) => ProtocolRequest<unknown>;
  connect(): Promise<void>;
  listOffsets(args: {
    isolationLevel: number;
    topics: readonly {
      topic: string;
      partitions: readonly { partition: number; timestamp: number }[];
    }[];
  }): Promise<{ responses: readonly { partitions: readonly { partition: number; offset: string }[] }[] }>;
  findGroupCoordinator(args: {
    groupId: string;
    coordinatorType: number;
  }): Promise<{ coordinator: { nodeId: number; host: string; port: number } }>;
  initProducerId(args: { transactionalId: string | null; transactionTimeout: number }): Promise<ProducerIdentity>;
  addPartitionsToTxn(
    args: ProducerIdentity & { transactionalId: string; topics: readonly TopicPartitions[] },
  ): Promise<unknown>;
  endTxn(args: ProducerIdentity & { transactionalId: string; transactionResult: boolean }): Promise<unknown>;
  createTopics(args: {
    topics: readonly {
      topic: string;
      numPartitions: number;
      replicationFactor: number;
      configEntries: readonly { name: string; value: string }[];
    }[];
    timeout: number;
  }): Promise<unknown>;
  describeConfigs(args: { resources: readonly { type: number; name: string }[] }): Promise<{
    resources: readonly { configEntries: readonly { configName: string; configValue: string | null }[] }[];
  }>;
  alterConfigs(args: {
    resources: readonly {
      type: number;
      name: string;
      configEntries: readonly { name: string; value: string }[];
    }[];
  }): Promise<unknown>;
  offsetCommit(args: {
    groupId: string;
    groupGenerationId: number;
    memberId: string;
    retentionTime: number;
    topics: readonly {
      topic: string;
      partitions: readonly { partition: number; offset: string; metadata?: string }[];
    }[];
  }): Promise<unknown>;
  offsetFetch(args: {
    groupId: string;
    topics: readonly { topic: string; partitions: readonly { partition: number }[] }[];
  }): Promise<{
    responses: readonly {
      topic: string;
      partitions: readonly { partition: number; offset: string; metadata: string | null }[];
    }[];
  }>;
  deleteRecords(args: {
    topics: readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[];
  }): Promise<unknown>;
};

export type MetadataAnswer = {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly controllerId: number;
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    partitionMetadata: readonly {
      partitionErrorCode: number;
      partitionId: number;
      leader: number;
      replicas: readonly number[];
      isr: readonly number[];
    }[];
  }[];
};

export type ProducedPartition = {
  readonly partition: number;
  readonly errorCode: number;
  readonly baseOffset: string;
};

export type ProduceAnswer = {
  readonly topics: readonly { readonly topicName: string; readonly partitions: readonly ProducedPartition[] }[];
};

/** KafkaJS's levels: 1 error, 2 warn, 4 info, 5 debug. */
export type LogEntry = {
  readonly namespace: string;
  readonly level: number;
  readonly log: Readonly<Record<string, unknown>> & { readonly message: string };
};

/** Options of Node's `tls.connect`. */
export type TlsOptions = { readonly ca?: string; readonly cert?: string; readonly key?: string };

/** KafkaJS keeps its own state in it: one object a broker. */
export type SaslOptions = { readonly mechanism: string; readonly username: string; readonly password: string };

export type SocketOptions = {
  readonly host: string;
  readonly port: number;
  readonly ssl?: TlsOptions | null;
  readonly onConnect: () => void;
};

export type ConnectionOptions = {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly logger: WireLogger;
  readonly socketFactory: (options: SocketOptions) => Socket;
  readonly ssl: TlsOptions | null;
  readonly sasl: SaslOptions | null;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
  readonly maxInFlightRequests: null;
};

export type WireLogger = { namespace(name: string): WireLogger };
