// Every setting of millrace, declared once: name (unit last), default, bounds, and the reason for both. The name is
// the key in the file; the environment name follows from it (`blockRowsMax` is MILLRACE_BLOCK_ROWS_MAX), except for
// the three addresses, which carry the names that other tools use too.

import { hostname } from "node:os";
import { ARMED_FAILPOINT } from "../failpoints.ts";
import { file, folder, list, oneOf, someOf, text, url, wholeNumber, yesOrNo } from "./kinds.ts";
import { SECURITY, SECURITY_RULES } from "./security.ts";

export const ROLES = ["lanes", "gateways", "auditor", "rates"] as const;
/** The payment provider that is there without a file of providers: it answers in process. */
export const SCRIPT = "script";

const KIB = 1024;
const MIB = 1024 * KIB;

const ADDRESSES = {
  kafkaBrokers: list({
    default: [],
    pattern: /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/,
    expected: "host:port, or several separated by commas",
    reason: "Where Kafka is. When unset, a running local stack is used.",
  }),
  databaseUrl: url({
    schemes: ["postgres:", "postgresql:"],
    expected: "a URL like postgres://user:password@host:5432/millrace",
    reason: "Where Postgres is: a direct connection, because lane ownership lives in a session.",
  }),
  schemaRegistryUrl: url({
    schemes: ["http:", "https:"],
    expected: "a URL like http://host:8081",
    reason: "Where the schema registry (Confluent API) is.",
  }),
  topicPrefix: text({
    default: "",
    pattern: /^[A-Za-z0-9._-]{0,64}$/,
    expected: "at most 64 letters, digits, dots, dashes or underscores",
    reason: "Put before every topic name, so that several systems can share one Kafka.",
  }),
};

const PROCESS = {
  roles: someOf({
    names: ROLES,
    default: ["lanes"],
    reason:
      "What this process does; `lanes` is processor and relay together, `gateways` asks payment providers for the lanes of " +
      "this process. `auditor` decides everything a second time, which " +
      "costs as much as the first, so it is named where it is wanted; one in the whole system is enough. `rates` takes in " +
      "what feeds say of exchange rates; one is enough, several do no harm.",
  }),
  instance: text({
    default: `${hostname()
      .replace(/[^A-Za-z0-9_.-]/g, "-")
      .slice(0, 48)}-${process.pid}`,
    defaultTold: "the machine's name and the process id",
    pattern: /^[A-Za-z0-9_.-]{1,64}$/,
    expected: "1 to 64 letters, digits, dots, dashes or underscores",
    reason: "A label in logs and lists. Ownership goes by a fresh id per process, so two may bear one name.",
  }),
  httpPort: wholeNumber({
    default: 0,
    min: 0,
    max: 65_535,
    unit: "",
    reason: "Port of metrics and health; 0 takes a free one, which is logged.",
  }),
  httpHost: text({
    default: "127.0.0.1",
    pattern: /^[A-Za-z0-9.:_-]{1,253}$/,
    expected: "a host name or an IP address",
    reason: "Address that metrics and health listen on. Nobody outside this machine reaches it unless told so.",
  }),
  logLevel: oneOf({
    names: ["error", "warn", "info", "debug"],
    default: "info",
    reason: "Least level that is logged: lifecycle is info, one line a block is debug.",
  }),
  logPretty: yesOrNo({ default: false, reason: "Log lines for people instead of JSON." }),
  stopDeadlineMs: wholeNumber({
    default: 20_000,
    min: 100,
    max: 600_000,
    unit: "ms",
    reason: "Time from SIGTERM to a forced end. Below the 30 s after which Kubernetes kills.",
  }),
  schemasDir: folder({ reason: "What is declared: messages, flows, accounts. The package's own by default." }),
  flowsDir: folder({ reason: "Where *.flow.yaml files are; `flows` in schemasDir by default." }),
};

const BLOCKS = {
  blockRowsMax: wholeNumber({
    default: 1000,
    min: 1,
    max: 20_000,
    unit: "inputs",
    reason: "Inputs in one block. Larger blocks gain little once a block takes longer than a commit.",
  }),
  blockBytesMax: wholeNumber({
    default: 4 * MIB,
    min: 64 * KIB,
    max: 64 * MIB,
    unit: "bytes",
    reason: "Bytes of input in one block, so that large intents make small blocks.",
  }),
  blockWaitMs: wholeNumber({
    default: 5,
    min: 0,
    max: 1000,
    unit: "ms",
    reason: "How long the first input of a block waits for others. Under load blocks fill while the last one commits.",
  }),
  blockConnections: wholeNumber({
    default: 3,
    min: 1,
    max: 64,
    unit: "connections",
    reason: "Blocks that one process commits at once. On two cores three drained 13 % more than two.",
  }),
  timersPerBlockMax: wholeNumber({
    default: 1000,
    min: 1,
    max: 10_000,
    unit: "timers",
    reason: "Timers taken into one block, so that a mass of due timers does not hold up intents.",
  }),
  timerMarginMs: wholeNumber({
    default: 5000,
    min: 0,
    max: 60_000,
    unit: "ms",
    reason:
      "A timer fires only after an empty fetch that began this much later than it was due. Not below the clock skew " +
      "that is allowed, or a timer could overtake an input that was in time.",
  }),
  clockSkewMaxMs: wholeNumber({
    default: 5000,
    min: 100,
    max: 60_000,
    unit: "ms",
    reason: "Clocks of process, database and broker further apart than this halt the lanes.",
  }),
  caseWindowDays: wholeNumber({
    default: 400,
    min: 1,
    max: 3660,
    unit: "days",
    reason: "How long cases are kept to recognise repeats. A create whose case id is older is refused intent_expired.",
  }),
  caseFutureHours: wholeNumber({
    default: 24,
    min: 1,
    max: 24,
    unit: "hours",
    reason: "A case id further ahead than this is refused case_id_in_future.",
  }),
  intentBytesMax: wholeNumber({
    default: 64 * KIB,
    min: KIB,
    max: 900_000,
    unit: "bytes",
    reason: "A larger intent is quarantined as too_large. Its outcome has to fit into one message.",
  }),
};

const READING = {
  readAheadRecordsMax: wholeNumber({
    default: 2000,
    min: 1,
    max: 100_000,
    unit: "records",
    reason: "Records queued per lane and topic before its partition is left out of the next fetch: two full blocks.",
  }),
  readAheadBytesMax: wholeNumber({
    default: 4 * MIB,
    min: 64 * KIB,
    max: 256 * MIB,
    unit: "bytes",
    reason: "Bytes queued per lane and topic. Times the lanes of a process, this bounds its memory under a backlog.",
  }),
  fetchWaitMs: wholeNumber({
    default: 50,
    min: 1,
    max: 5000,
    unit: "ms",
    reason: "How long a broker holds an empty fetch. A lane that just opened waits at most this long.",
  }),
  fetchGatherMs: wholeNumber({
    default: 4,
    min: 0,
    max: 1000,
    unit: "ms",
    reason:
      "How long records gather after a small answer before the next fetch. Spares broker and process hundreds of fetches a second.",
  }),
  fetchBytesMax: wholeNumber({
    default: 4 * MIB,
    min: 64 * KIB,
    max: 64 * MIB,
    unit: "bytes",
    reason: "Bytes of one answer of a broker. More than 4 MiB drained no faster and cost memory.",
  }),
  fetchPartitionBytesMax: wholeNumber({
    default: 512 * KIB,
    min: 16 * KIB,
    max: 16 * MIB,
    unit: "bytes",
    reason: "Bytes of one partition in an answer, so that a lane with a backlog leaves room for the others.",
  }),
};

const LEASES = {
  leaseTtlMs: wholeNumber({
    default: 6000,
    min: 500,
    max: 60_000,
    unit: "ms",
    reason: "When a lane is free although its owner's session still stands: a host that vanished without a word.",
  }),
  leaseTickMs: wholeNumber({
    default: 100,
    min: 10,
    max: 5000,
    unit: "ms",
    reason:
      "How often leases are renewed and free lanes looked for. A killed owner's lanes stand still about this long.",
  }),
};

const RELAY = {
  relayBacklogMax: wholeNumber({
    default: 8000,
    min: 100,
    max: 1_000_000,
    unit: "messages",
    reason: "Messages of a lane committed but not yet published. Above it the lane takes nothing in.",
  }),
  relayBatchRecordsMax: wholeNumber({
    default: 4000,
    min: 1,
    max: 5000,
    unit: "records",
    reason: "Messages in one append. It takes 5,000 at most: more would end the process.",
  }),
  relayBatchBytesMax: wholeNumber({
    default: 900_000,
    min: 16 * KIB,
    max: 1023 * KIB,
    unit: "bytes",
    reason:
      "Bytes of one append; a broker refuses more than its message.max.bytes, 1,048,588 by default. The largest value leaves room in that for the batch's header.",
  }),
  relayReopenHours: wholeNumber({
    default: 4,
    min: 1,
    max: 20,
    unit: "hours",
    reason:
      "How often a lane's writer is opened anew: a broker forgets a producer's epoch after a day without appends.",
  }),
};

export const STANDBY = ["auto", "required", "optional"] as const;

const DATABASE = {
  standby: oneOf({
    names: STANDBY,
    default: "auto",
    reason:
      "Whether `run` refuses a Postgres whose commits wait for no synchronous standby: losing that machine would lose " +
      "committed blocks whose outcomes are out. `auto` refuses unless Postgres is on this machine; `optional` accepts it, " +
      "as where the storage itself is copied.",
  }),
  statementTimeoutMs: wholeNumber({
    default: 10_000,
    min: 100,
    max: 600_000,
    unit: "ms",
    reason: "Longest statement of the service. A block takes some 10 ms, so a longer one is a fault.",
  }),
  lockTimeoutMs: wholeNumber({
    default: 3000,
    min: 50,
    max: 60_000,
    unit: "ms",
    reason: "Longest wait for the lane row, which only a former owner may hold.",
  }),
  connectTimeoutMs: wholeNumber({
    default: 5000,
    min: 100,
    max: 60_000,
    unit: "ms",
    reason: "Longest wait for a connection to Postgres, Kafka or the registry.",
  }),
  partitionsAheadHours: wholeNumber({
    default: 48,
    min: 2,
    max: 720,
    unit: "hours",
    reason: "How far ahead time partitions are created, so that a weekend without the service does no harm.",
  }),
};

const AUDIT = {
  auditEveryMs: wholeNumber({
    default: 60_000,
    min: 100,
    max: 86_400_000,
    unit: "ms",
    reason: "How often the role `auditor` audits a cut: how long a finding may go unseen. Only new blocks are decided.",
  }),
  auditWholeHours: wholeNumber({
    default: 24,
    min: 1,
    max: 8760,
    unit: "hours",
    reason: "How often the auditor forgets what it knows and audits every block again, old rows included.",
  }),
};

const GATEWAYS = {
  providers: list({
    default: [],
    pattern: /^[a-z][a-z0-9_]*$/,
    expected: "names of small letters, digits and underscores, several separated by commas",
    reason:
      "Payment providers that the role `gateways` serves, as the chart of accounts names them. None unless named; " +
      "providersFile tells where they are. `script` moves no money, it answers in process for tests, demo and benchmarks.",
  }),
  providersFile: file({
    reason:
      "A file (YAML, see docs/adding-a-provider.md) that tells of each provider its kind, its URL, where its secrets are and " +
      "how many calls it takes at once. No secret stands in it.",
  }),
  webhookPort: wholeNumber({
    default: 0,
    min: 0,
    max: 65_535,
    unit: "",
    reason:
      "Port on which providers tell what nobody asked, with the role `gateways`; 0 takes a free one, which is logged.",
  }),
  webhookHost: text({
    default: "127.0.0.1",
    pattern: /^[A-Za-z0-9.:_-]{1,253}$/,
    expected: "a host name or an IP address",
    reason:
      "Address that webhooks come to. Providers reach it through whatever ends their TLS; nobody outside this machine does unless told so.",
  }),
  missedEventsSeconds: wholeNumber({
    default: 60,
    min: 1,
    max: 86_400,
    unit: "seconds",
    reason:
      "How long a provider's webhooks may take. What is older and was told by none is read from the provider's list of events, as often, where it keeps one. Ten times as long a provider may take to show what it tells of.",
  }),
  scriptSeed: text({
    default: "0",
    pattern: /^[A-Za-z0-9._-]{1,64}$/,
    expected: "1 to 64 letters, digits, dots, dashes or underscores",
    reason: "What the answers of the provider `script` are drawn from: the same seed, the same answers.",
  }),
  scriptTroublePercent: wholeNumber({
    default: 0,
    min: 0,
    max: 100,
    unit: "percent",
    reason:
      "How many operations go wrong at the provider `script`: declined, unknown, late, twice, in the wrong order.",
  }),
  scriptLateMs: wholeNumber({
    default: 1000,
    min: 1,
    max: 600_000,
    unit: "ms",
    reason: "How late the provider `script` tells what it tells late, about.",
  }),
};

const TESTS = {
  failpoints: list({
    default: [],
    pattern: ARMED_FAILPOINT,
    expected: "name=kill or name=stop, @N behind it for the Nth time, several separated by commas",
    reason:
      "For tests alone: named moments (see ARCHITECTURE.md) at which the process kills or stops itself. None outside of tests.",
  }),
};

export const SETTINGS = {
  ...ADDRESSES,
  ...SECURITY,
  ...PROCESS,
  ...BLOCKS,
  ...READING,
  ...LEASES,
  ...RELAY,
  ...DATABASE,
  ...AUDIT,
  ...GATEWAYS,
  ...TESTS,
};

export type SettingName = keyof typeof SETTINGS;

/** Every setting with its value; what `loadConfig` hands out is frozen. */
export type Config = { readonly [Name in SettingName]: (typeof SETTINGS)[Name]["default"] };

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

const PLAIN_ENVIRONMENT: ReadonlyMap<string, string> = new Map([
  ["kafkaBrokers", "KAFKA_BROKERS"],
  ["databaseUrl", "DATABASE_URL"],
  ["schemaRegistryUrl", "SCHEMA_REGISTRY_URL"],
]);

/** `blockRowsMax` is MILLRACE_BLOCK_ROWS_MAX; the three addresses have plain names. */
export function environmentName(setting: string): string {
  const upperSnake = setting.replace(/([A-Z])/g, "_$1").toUpperCase();
  return PLAIN_ENVIRONMENT.get(setting) ?? `MILLRACE_${upperSnake}`;
}

/** Rules between settings; `names` are printed with their values when `holds` is false. */
export type Rule = {
  readonly names: readonly SettingName[];
  readonly expected: string;
  readonly holds: (config: Config) => boolean;
};

export const RULES: readonly Rule[] = [
  {
    names: ["leaseTtlMs", "leaseTickMs"],
    expected: "leaseTtlMs to be at least five times leaseTickMs, or one slow tick loses the lanes",
    holds: (config) => config.leaseTtlMs >= 5 * config.leaseTickMs,
  },
  {
    names: ["timerMarginMs", "clockSkewMaxMs"],
    expected: "timerMarginMs not to be below clockSkewMaxMs, or a timer could overtake an input that was in time",
    holds: (config) => config.timerMarginMs >= config.clockSkewMaxMs,
  },
  {
    names: ["fetchPartitionBytesMax", "fetchBytesMax"],
    expected: "fetchPartitionBytesMax not to be above fetchBytesMax",
    holds: (config) => config.fetchPartitionBytesMax <= config.fetchBytesMax,
  },
  {
    names: ["intentBytesMax", "blockBytesMax"],
    expected: "intentBytesMax not to be above blockBytesMax, or one intent could fit into no block",
    holds: (config) => config.intentBytesMax <= config.blockBytesMax,
  },
  {
    names: ["lockTimeoutMs", "statementTimeoutMs"],
    expected: "lockTimeoutMs not to be above statementTimeoutMs, which would always end the wait first",
    holds: (config) => config.lockTimeoutMs <= config.statementTimeoutMs,
  },
  {
    names: ["providers", "providersFile"],
    expected: "providersFile to be named where providers has others than script",
    holds: ({ providers, providersFile }) => providersFile !== "" || providers.every((name) => name === SCRIPT),
  },
  {
    names: ["roles", "providers"],
    expected: "roles to name lanes beside gateways, whose lanes they serve, and providers to name one at least",
    holds: ({ roles, providers }) => !roles.includes("gateways") || (roles.includes("lanes") && providers.length > 0),
  },
  ...SECURITY_RULES,
];
