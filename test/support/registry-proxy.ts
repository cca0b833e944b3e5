// An HTTP proxy before the schema registry, which can be away or answer nonsense.
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** `pass` hands on, `hang` never answers, a number answers with that status and a page that is no registry's. */
export type RegistryMode = "pass" | "hang" | number;

export class RegistryProxy {
  mode: RegistryMode = "pass";
  /** paths asked for, in order */
  readonly asked: string[] = [];
  readonly #target: URL;
  #server: Server;
  #port = 0;

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = this.#make();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens; at the port of before when it was stopped. */
  async start(): Promise<void> {
    this.#server = this.#make();
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody answers at its address any more. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #make(): Server {
    return createServer((incoming, answer) => {
      this.asked.push(incoming.url ?? "");
      if (this.mode === "hang") return;
      if (typeof this.mode === "number") {
        answer.writeHead(this.mode, { "content-type": "text/html" }).end("<html>not here</html>");
        return;
      }
      const { hostname, port } = this.#target;
      const options = { hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers };
      const passed = request(options, (reply) => {
        answer.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(answer);
      });
      passed.on("error", () => answer.destroy());
      incoming.pipe(passed);
    });
  }
}
