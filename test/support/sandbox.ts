// A sandbox in this process or as one of its own, a client that speaks to both of its providers, and somebody who takes
// their webhooks.

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Sandbox, type SandboxSettings, startSandbox } from "../../src/sandbox/sandbox.ts";

export const KEYS = {
  cardcoKey: "cardco-test-key",
  cardcoWebhookSecret: "cardco-test-webhook-secret",
  instanetClientId: "millrace",
  instanetClientSecret: "instanet-test-client-secret",
  instanetKeyId: "test-1",
  instanetCallbackSecret: "instanet-test-callback-secret",
} as const;

export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "millrace-sandbox-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export type SandboxOptions = Partial<Omit<SandboxSettings, "cardco" | "instanet">> & {
  readonly webhookUrl?: string;
  readonly tokenSeconds?: number;
};

/** Starts one in this process; it is closed when the test is over. */
export async function openSandbox(options: SandboxOptions = {}): Promise<Sandbox & { readonly client: Client }> {
  const { webhookUrl = null, tokenSeconds = 3600, ...rest } = options;
  const sandbox = await startSandbox({
    host: "127.0.0.1",
    port: 0,
    dir: rest.dir ?? temporaryDir(),
    trouble: { perMille: 0, seed: "0" },
    script: [],
    times: { soonMs: 20, lateMs: 150, slowMs: 200, silentMs: 60_000 },
    cardco: { key: KEYS.cardcoKey, webhookSecret: KEYS.cardcoWebhookSecret, webhookUrl },
    instanet: {
      clientId: KEYS.instanetClientId,
      clientSecret: KEYS.instanetClientSecret,
      keyId: KEYS.instanetKeyId,
      callbackSecret: KEYS.instanetCallbackSecret,
      callbackUrl: webhookUrl,
      tokenSeconds,
    },
    onFailed: (error) => {
      throw error;
    },
    ...rest,
  });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await sandbox.close();
    isOpen = false;
  };
  onTestFinished(close);
  return { ...sandbox, close, client: clientOf(sandbox.url) };
}

export type Answered = { readonly status: number; readonly body: Record<string, unknown> };

export type Client = {
  /** @param path below `/cardco/v1/` */
  post(path: string, key: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answered>;
  operation(key: string): Promise<Answered>;
  /** @param path below `/instanet/v1/` */
  put(path: string, body: unknown): Promise<Answered>;
  get(path: string): Promise<Answered>;
  close(path: string): Promise<Answered>;
  token(): Promise<string>;
  record(): Promise<Record<string, unknown>[]>;
  /** anything, from the root */
  ask(method: string, path: string, headers?: Readonly<Record<string, string>>, body?: string): Promise<Answered>;
};

export const eur = (minor: number | string) => ({ currency: "EUR", minor: String(minor) });
export const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

/** Gives up after this time, as clients do. */
const PATIENCE_MS = 3_000;

export function clientOf(url: string, patienceMs = PATIENCE_MS): Client {
  const ask: Client["ask"] = async (method, path, headers = {}, body) => {
    const signal = AbortSignal.timeout(patienceMs);
    const sent = body === undefined ? {} : { body };
    const response = await fetch(`${url}${path}`, { method, headers, signal, ...sent });
    const text = await response.text();
    return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : { text } };
  };
  const json = { "content-type": "application/json" };
  const token = async (): Promise<string> => {
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: KEYS.instanetClientId,
      client_secret: KEYS.instanetClientSecret,
    });
    const type = { "content-type": "application/x-www-form-urlencoded" };
    return String((await ask("POST", "/instanet/oauth/token", type, String(form))).body["access_token"]);
  };
  let kept: Promise<string> | null = null;
  const instanet: Client["ask"] = async (method, path, headers = {}, body) => {
    kept ??= token().catch((error: unknown) => {
      kept = null;
      throw error;
    });
    return ask(method, `/instanet/v1/${path}`, { authorization: `Bearer ${await kept}`, ...headers }, body);
  };
  const cardco = { authorization: `Bearer ${KEYS.cardcoKey}` };
  return {
    ask,
    token,
    post: (path, key, body, headers = {}) =>
      ask(
        "POST",
        `/cardco/v1/${path}`,
        { ...cardco, ...json, "idempotency-key": key, "not-after": inAnHour(), ...headers },
        JSON.stringify(body),
      ),
    operation: (key) => ask("GET", `/cardco/v1/operations?key=${encodeURIComponent(key)}`, cardco),
    put: (path, body) => instanet("PUT", path, json, JSON.stringify(body)),
    get: (path) => instanet("GET", path),
    close: (path) => instanet("POST", `${path}/close`),
    record: async () => {
      const text = await (await fetch(`${url}/sandbox/record`)).text();
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

export type Heard = { readonly at: number; readonly headers: IncomingHttpHeaders; readonly text: string };

/** Takes webhooks.
 *  @param status what the nth is answered with, counted from 0 */
export async function openHearer(status: (nth: number) => number = () => 204) {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      heard.push({ at: Date.now(), headers: request.headers, text: Buffer.concat(chunks).toString() });
      response.writeHead(status(heard.length - 1)).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`, heard };
}
