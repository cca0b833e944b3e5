// The file of providers and the descriptors of their kinds: what is wrong is told with its place, and no secret stands there.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { readLocatedYaml } from "../../src/declared/yaml.ts";
import type { Located } from "../../src/domain/located.ts";
import { parseDescriptor } from "../../src/gateways/providers/descriptor.ts";
import { PROVIDER_KINDS, parseProviders } from "../../src/gateways/providers/providers.ts";
import { describeProviders } from "../../src/service/providers.ts";
import { DECLARED } from "../support/ledger.ts";
import { descriptorOf } from "../support/providers.ts";

const FILE = `apiVersion: providers/v1
kind: Providers
providers:
  - name: cardco
    kind: cardco
    url: https://api.cardco.example/live
    calls_max: 8
    secrets:
      key: { env: CARDCO_KEY }
      webhook: { file: /run/secrets/cardco-webhook }
  - name: bank
    kind: instanet
    url: http://127.0.0.1:4010
    secrets:
      client_id: { env: BANK_ID }
      client_secret: { env: BANK_SECRET }
      webhook: { env: BANK_WEBHOOK }
`;
const rootOf = (text: string): Located => readLocatedYaml("providers.yaml", text).root as Located;

describe("the file of providers", () => {
  test("tells of each its name, kind, address, secrets and how many calls it takes", () => {
    const { providers, faults } = parseProviders(rootOf(FILE));
    expect(faults).toEqual([]);
    expect(providers.map(({ name, kind, url, callsMax }) => [name, kind, url, callsMax])).toEqual([
      ["cardco", "cardco", "https://api.cardco.example/live", 8],
      ["bank", "instanet", "http://127.0.0.1:4010", 32],
    ]);
    expect([...(providers[0]?.secrets ?? [])]).toEqual([
      ["key", { kind: "environment", name: "CARDCO_KEY" }],
      ["webhook", { kind: "file", path: "/run/secrets/cardco-webhook" }],
    ]);
  });

  test.each([
    ["a secret itself", "key: { env: CARDCO_KEY }", 'key: "sk_live_1"', /secret key must be \{env/],
    ["a secret where its place should be", "{ env: CARDCO_KEY }", "{ env: sk_live_1-a }", /secret key must be \{env/],
    ["a secret of two places", "{ env: CARDCO_KEY }", "{ env: A, file: b }", /secret key must be \{env/],
    ["a secret that is missing", "      key: { env: CARDCO_KEY }\n", "", /lacks "key"/],
    ["a secret of no use", "key: {", "other: { env: X }\n      key: {", /unknown key "other"/],
    ["an address without TLS", "https://api.cardco", "http://api.cardco", /https, or http of this machine/],
    ["an address with a login", "https://api", "https://me:it@api", /no login/],
    ["a kind that is none", "kind: cardco", "kind: cardcorp", /one of cardco, instanet/],
    ["one name twice", "name: bank", "name: cardco", /cardco is there twice/],
    ["a name that no account bears", "name: bank", "name: The Bank", /small letters/],
    ["no calls at all", "calls_max: 8", "calls_max: 0", /whole number from 1/],
  ])("refuses %s", (_what, old, by, says) => {
    expect(FILE).toContain(old);
    const { faults } = parseProviders(rootOf(FILE.replace(old, by)));
    expect(faults.map(({ message }) => message).join("\n")).toMatch(says);
    expect(faults.map(({ message }) => message).join("\n")).not.toContain("sk_live_1");
  });
});

describe("the providers that a process serves", () => {
  const folder = mkdtempSync(join(tmpdir(), "providers-"));
  const webhook = join(folder, "webhook");
  const file = join(folder, "providers.yaml");
  beforeAll(() => {
    writeFileSync(file, FILE.replace("/run/secrets/cardco-webhook", webhook));
    writeFileSync(webhook, "whsec_1\n");
    process.env["CARDCO_KEY"] = "sk_live_1";
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
    delete process.env["CARDCO_KEY"];
  });

  const served = (names: string) => {
    const environment = { MILLRACE_PROVIDERS: names, MILLRACE_PROVIDERS_FILE: file };
    const loaded = loadConfig({ flags: [], environment, workingDir: folder, file: null });
    if (loaded.kind !== "valid") throw new Error(JSON.stringify(loaded.faults));
    return describeProviders(loaded.config);
  };

  test("are told of without their secrets, and need not be all that the file has", () => {
    expect(served("script,cardco")).toEqual([
      "cardco is cardco at https://api.cardco.example/live, 8 calls at once, its secrets are there",
    ]);
  });

  test("are missing when the file does not tell of them, or a secret of theirs is not there", () => {
    expect(() => served("paypal")).toThrow(/tells of no provider paypal/);
    expect(() => served("bank")).toThrow(/the environment has no BANK_ID/);
    writeFileSync(webhook, "\n");
    expect(() => served("cardco")).toThrow(/is empty/);
  });
});

describe("a descriptor", () => {
  test("is there for each kind, and says what its adapter asks of it", () => {
    for (const kind of Object.keys(PROVIDER_KINDS) as (keyof typeof PROVIDER_KINDS)[]) {
      const descriptor = descriptorOf(kind);
      expect(descriptor.kind).toBe(kind);
      expect(descriptor.currencies.get("EUR")).toEqual({ scale: 2, step: 1n, ledgerScale: 2 });
      // Keys of the shipped flows are known for less than that.
      expect(descriptor.idempotency.ttlMs).toBeGreaterThan(23 * 3_600_000);
    }
  });

  const TEXT = `apiVersion: provider/v1
kind: Provider
metadata: { name: x, owner: y }
spec:
  methods: [card]
  currencies:
    KWD: { scale: 3, step: 10 }
  capture: { manual: true, partial: true, multiple: true }
  status_by_our_ref: true
  idempotency: { ttl: P1D, on_error: same }
  webhook: { scheme: hmac-sha256, header: x-signature, signature: v1 }
  sla: { answer: PT5S }
`;

  test.each([
    ["nothing that is wrong", "", "", /^$/],
    ["a currency that is none of the ledger", "KWD", "KWX", /KWX is no currency of the ledger/],
    ["a scale below zero", "scale: 3", "scale: -1", /scale must be a whole number/],
    ["a signature of another kind", "hmac-sha256", "md5", /one of hmac-sha256/],
    ["a time that is no duration", "PT5S", "soon", /must be a duration/],
    ["a word that says nothing about keys", "on_error: same", "on_error: maybe", /one of same, forgets/],
    ["something missing", "  status_by_our_ref: true\n", "", /lacks "status_by_our_ref"/],
  ])("with %s", (_what, old, by, says) => {
    const { descriptor, faults } = parseDescriptor(rootOf(TEXT.replace(old, by)), DECLARED.currencies);
    expect(faults.map(({ message }) => message).join("\n")).toMatch(says);
    expect(descriptor === null).toBe(faults.length > 0);
  });
});
