// One request over HTTP and what came of it, as a value: an answer, nothing sent, or nobody knows. Never followed elsewhere,
// never longer than its deadline, never more in memory than is wanted.

import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Socket } from "node:net";

export type Outgoing = {
  readonly method: "GET" | "POST" | "PUT";
  /** with the query; behind the base URL */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
};

export type Answered = {
  readonly kind: "answered";
  readonly status: number;
  /** small letters, without parameters; empty when there is none */
  readonly contentType: string;
  readonly retryAfterMs: number | null;
  readonly body: Buffer;
};

/** `not_sent`: nothing has left this machine that could have been read as a request, so nothing was done.
 *  `broken`: it may have been done: no answer in time, a broken one, or one that is too long. */
export type Exchanged =
  | Answered
  | { readonly kind: "not_sent"; readonly why: string }
  | { readonly kind: "broken"; readonly why: string };

export interface Door {
  /** Never rejects.
   *  @param deadlineMs how long it may take until the last byte of the answer */
  exchange(outgoing: Outgoing, deadlineMs: number): Promise<Exchanged>;
  close(): void;
}

export type DoorSettings = {
  /** `https://api.provider.example`; a path in it stands before every path */
  readonly baseUrl: string;
  readonly connectionsMax: number;
  readonly answerBytesMax: number;
};

/** A connection that was quiet this long is not used again: the other side may be closing it just now. */
const QUIET_MS = 4_000;

/** Connections to one provider, kept open between requests. */
export function openDoor({ baseUrl, connectionsMax, answerBytesMax }: DoorSettings): Door {
  const base = new URL(baseUrl);
  const isSecure = base.protocol === "https:";
  const options = { keepAlive: true, maxSockets: connectionsMax, maxFreeSockets: connectionsMax, timeout: QUIET_MS };
  const agent = isSecure ? new HttpsAgent(options) : new HttpAgent(options);
  const send = isSecure ? httpsRequest : httpRequest;
  const prefix = base.pathname.replace(/\/$/, "");
  return {
    exchange: ({ method, path, headers, body }, deadlineMs) => {
      const length = body === null ? {} : { "content-length": String(Buffer.byteLength(body)) };
      const sent = send({
        agent,
        method,
        protocol: base.protocol,
        hostname: base.hostname.replace(/^\[|\]$/g, ""),
        port: base.port,
        path: `${prefix}${path}`,
        headers: { accept: "application/json", ...headers, ...length },
      });
      return follow(sent, { body, deadlineMs, answerBytesMax });
    },
    close: () => agent.destroy(),
  };
}

type Following = { readonly body: string | null; readonly deadlineMs: number; readonly answerBytesMax: number };

function follow(sent: ClientRequest, { body, deadlineMs, answerBytesMax }: Following): Promise<Exchanged> {
  return new Promise((resolve) => {
    let isConnected = false;
    const end = (exchanged: Exchanged): void => {
      clearTimeout(timer);
      resolve(exchanged);
      if (exchanged.kind !== "answered") sent.destroy();
    };
    const fail = (why: string): void => end({ kind: isConnected ? "broken" : "not_sent", why });
    const timer = setTimeout(() => fail("no answer in time"), Math.max(1, deadlineMs));
    sent.on("socket", (socket) => {
      whenConnected(socket, () => {
        isConnected = true;
      });
    });
    // Later ones, of a request that is over, change nothing.
    sent.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    sent.on("response", (answer) => read(answer, answerBytesMax, end, fail));
    sent.end(body ?? undefined);
  });
}

/** From here on bytes of the request may be on their way. */
function whenConnected(socket: Socket & { readonly encrypted?: true }, connected: () => void): void {
  if (!socket.connecting) return connected();
  socket.once(socket.encrypted === true ? "secureConnect" : "connect", connected);
}

function read(
  answer: IncomingMessage,
  bytesMax: number,
  end: (exchanged: Exchanged) => void,
  fail: (why: string) => void,
): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  answer.on("data", (part: Buffer) => {
    bytes += part.length;
    parts.push(part);
    if (bytes > bytesMax) fail(`an answer of more than ${bytesMax} bytes`);
  });
  answer.on("aborted", () => fail("the answer broke off"));
  answer.on("error", () => fail("the answer broke off"));
  answer.on("end", () => {
    const contentType = (answer.headers["content-type"] ?? "").split(";")[0] ?? "";
    end({
      kind: "answered",
      status: answer.statusCode ?? 0,
      contentType: contentType.trim().toLowerCase(),
      retryAfterMs: secondsOf(answer.headers["retry-after"]),
      body: Buffer.concat(parts),
    });
  });
}

/** A date is not read: whose clock it is by nobody knows. */
function secondsOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : null;
}
