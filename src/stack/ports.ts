// Ports on the loopback address.
import { randomInt } from "node:crypto";
import { connect, createServer } from "node:net";
import { StackUnavailable } from "./unavailable.ts";

export const HOST = "127.0.0.1";

// Below the range that systems hand out for outgoing connections (Linux from 32768, macOS from 49152): a port from
// that range can be taken by any client between our choice and the server's bind, or while a broker is being restarted.
const LOWEST = 20_000;
const ABOVE_HIGHEST = 32_000;
const TRIES_MAX = 200;

/** @throws StackUnavailable when none of many tries is free */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const port = randomInt(LOWEST, ABOVE_HIGHEST);
    if (await isFree(port)) return port;
  }
  throw new StackUnavailable(`no free port between ${LOWEST} and ${ABOVE_HIGHEST}`, "end what occupies them");
}

/** @param last   where the server listened before, or null; taken again when it is free, so that addresses stay valid
 *  @param wanted the port that the user named with `option`, or null
 *  @throws StackUnavailable when the named port is taken */
export async function choosePort(last: number | null, wanted: number | null, option: string | null): Promise<number> {
  if (wanted === null) return last !== null && (await isFree(last)) ? last : freePort();
  if (await isFree(wanted)) return wanted;
  const remedy = `end that process, or name another port with ${option ?? "an option"}`;
  throw new StackUnavailable(`port ${wanted} is taken by another process`, remedy);
}

/** True when a server could listen on `port` now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: HOST, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** True when something accepts connections on `port` within `timeoutMs`. */
export function accepts(port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: HOST });
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
  });
}
