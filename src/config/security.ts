// Settings of who may get in and who may listen: encryption, logins, passwords and the files that hold them.

import { file, oneOf, secret, text, yesOrNo } from "./kinds.ts";
import type { Config, Rule } from "./settings.ts";

export const SASL_MECHANISMS = ["none", "plain", "scram-sha-256", "scram-sha-512"] as const;

export const SECURITY = {
  kafkaTls: yesOrNo({
    default: false,
    reason: "Talk to Kafka encrypted, and only to brokers whose certificates are in order. The local stack has no TLS.",
  }),
  kafkaTlsCaFile: file({
    reason: "Authorities (PEM) that brokers' certificates must come from; without it, those that Node knows.",
  }),
  kafkaTlsCertFile: file({ reason: "Our own certificate (PEM), where brokers ask for one." }),
  kafkaTlsKeyFile: file({ reason: "The key (PEM, without a passphrase) of our own certificate." }),
  kafkaSasl: oneOf({
    names: SASL_MECHANISMS,
    default: "none",
    reason: "How we log in to Kafka. `plain` sends the password as it is, so use it with kafkaTls.",
  }),
  kafkaUser: text({
    default: "",
    pattern: /^[^\p{Cc}]{1,255}$/u,
    expected: "1 to 255 characters",
    reason: "Whom we log in to Kafka as.",
  }),
  kafkaPassword: secret({ reason: "Its password. Better in a file or the environment than in a file of settings." }),
  kafkaPasswordFile: file({ reason: "A file that holds kafkaPassword, as container platforms mount secrets." }),
  databasePasswordFile: file({
    reason: "A file that holds the password of databaseUrl, so that the URL has no secret. TLS is its `sslmode`.",
  }),
  schemaRegistryPasswordFile: file({
    reason: "A file that holds the password of schemaRegistryUrl, whose user stays in the URL.",
  }),
};

const hasPassword = (url: string | null): boolean => url !== null && new URL(url).password !== "";
const hasUser = (url: string | null): boolean => url !== null && new URL(url).username !== "";

export const SECURITY_RULES: readonly Rule[] = [
  {
    names: ["kafkaTls", "kafkaTlsCaFile", "kafkaTlsCertFile", "kafkaTlsKeyFile"],
    expected: "kafkaTls to be true where a file of certificates or keys is named, or they would be of no use",
    holds: (config) =>
      config.kafkaTls || `${config.kafkaTlsCaFile}${config.kafkaTlsCertFile}${config.kafkaTlsKeyFile}` === "",
  },
  {
    names: ["kafkaTlsCertFile", "kafkaTlsKeyFile"],
    expected: "both of them or neither: a certificate is of use only with its key",
    holds: (config) => (config.kafkaTlsCertFile === "") === (config.kafkaTlsKeyFile === ""),
  },
  {
    names: ["kafkaSasl", "kafkaUser"],
    expected: "kafkaUser with every kafkaSasl but none, and only then",
    holds: (config) => (config.kafkaSasl === "none") === (config.kafkaUser === ""),
  },
  {
    names: ["kafkaSasl", "kafkaPassword", "kafkaPasswordFile"],
    expected: "one of kafkaPassword and kafkaPasswordFile with every kafkaSasl but none, and only then",
    holds: (config) => passwords(config) === (config.kafkaSasl === "none" ? 0 : 1),
  },
  {
    names: ["databaseUrl", "databasePasswordFile"],
    expected: "databasePasswordFile only with a databaseUrl that has a user and no password",
    holds: ({ databaseUrl, databasePasswordFile }) =>
      databasePasswordFile === "" || (hasUser(databaseUrl) && !hasPassword(databaseUrl)),
  },
  {
    names: ["databaseUrl"],
    expected: "a databaseUrl without `options`, which would replace session settings that the service relies on",
    holds: ({ databaseUrl }) => databaseUrl === null || !new URL(databaseUrl).searchParams.has("options"),
  },
  {
    names: ["schemaRegistryUrl", "schemaRegistryPasswordFile"],
    expected: "schemaRegistryPasswordFile only with a schemaRegistryUrl that has a user and no password",
    holds: ({ schemaRegistryUrl, schemaRegistryPasswordFile }) =>
      schemaRegistryPasswordFile === "" || (hasUser(schemaRegistryUrl) && !hasPassword(schemaRegistryUrl)),
  },
];

function passwords({ kafkaPassword, kafkaPasswordFile }: Config): number {
  return [kafkaPassword, kafkaPasswordFile].filter((given) => given !== "").length;
}
