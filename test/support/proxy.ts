// A TCP proxy before Postgres that understands just enough of its protocol to lose the reply to a COMMIT: the prepared
// statement's name in the client's messages, the command tag in the server's.
//
//     [write_block] [commit] ──► before: nothing from here on reaches the server
//     ◄── [SELECT 1] [COMMIT]   after: the server has committed, and its answer never arrives
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** Which half of a COMMIT is lost, and how the connection behaves then: `close` ends it in good order, `reset` as a crashed
 *  host does, `hold` leaves it open and silent. */
export type CommitFault = { readonly lose: "question" | "answer"; readonly how: "close" | "reset" | "hold" };

export type DatabaseProxy = {
  /** the database's URL by way of the proxy */
  readonly url: string;
  /** Lets the next COMMIT of any connection go wrong; resolves when it has. */
  failNextCommit(fault: CommitFault): Promise<void>;
};

const COMMIT = "millrace_commit";

/** A proxy for as long as the test runs. */
export async function openProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const url = new URL(databaseUrl);
  const target = { host: url.hostname, port: Number(url.port) };
  const plan: Plan = { next: null };
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ ...target, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    }
    new Pair(client, upstream, plan).run();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    failNextCommit: (fault) =>
      new Promise((resolve) => {
        plan.next = { fault, done: resolve };
      }),
  };
}

type Planned = { readonly fault: CommitFault; readonly done: () => void };
type Plan = { next: Planned | null };

/** One connection: messages go through whole, so that it can be cut between two of them. */
class Pair {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #plan: Plan;
  readonly #questions = new Messages("startup");
  readonly #answers = new Messages("typed");
  #losing: Planned | null = null;
  #isHeld = false;

  constructor(client: Socket, upstream: Socket, plan: Plan) {
    this.#client = client;
    this.#upstream = upstream;
    this.#plan = plan;
  }

  run(): void {
    this.#client.on("data", (bytes: Buffer) =>
      this.#pass(this.#questions.take(bytes), this.#upstream, asksForCommit, "question"),
    );
    this.#upstream.on("data", (bytes: Buffer) =>
      this.#pass(this.#answers.take(bytes), this.#client, tellsOfCommit, "answer"),
    );
    this.#client.on("close", () => this.#upstream.destroy());
    this.#upstream.on("close", () => this.#isHeld || this.#client.destroy());
  }

  #pass(
    messages: readonly Buffer[],
    to: Socket,
    isCommit: (message: Buffer) => boolean,
    half: CommitFault["lose"],
  ): void {
    for (const message of messages) {
      if (this.#isHeld) return;
      if (isCommit(message) && this.#loses(half)) return this.#fail();
      to.write(message);
    }
  }

  /** Whether this half of a COMMIT is to be lost. The connection is chosen when the COMMIT is asked for. */
  #loses(half: CommitFault["lose"]): boolean {
    if (half === "question" && this.#plan.next !== null) {
      this.#losing = this.#plan.next;
      this.#plan.next = null;
    }
    return this.#losing?.fault.lose === half;
  }

  #fail(): void {
    const { fault, done } = this.#losing as Planned;
    this.#losing = null;
    if (fault.how === "close") this.#client.destroy();
    else if (fault.how === "reset") this.#client.resetAndDestroy();
    else this.#isHeld = true;
    done();
  }
}

/** Cuts a stream into messages: a type byte (not in a client's first), then a length that counts itself. */
class Messages {
  #rest = Buffer.alloc(0);
  #typeBytes: number;

  constructor(begin: "startup" | "typed") {
    this.#typeBytes = begin === "startup" ? 0 : 1;
  }

  take(bytes: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const messages: Buffer[] = [];
    while (this.#rest.length >= this.#typeBytes + 4) {
      const length = this.#typeBytes + this.#rest.readUInt32BE(this.#typeBytes);
      if (this.#rest.length < length) break;
      messages.push(this.#rest.subarray(0, length));
      this.#rest = this.#rest.subarray(length);
      this.#typeBytes = 1;
    }
    return messages;
  }
}

/** Parse names the statement first, Bind second, behind the portal. */
function asksForCommit(message: Buffer): boolean {
  const type = String.fromCharCode(message[0] as number);
  if (type !== "P" && type !== "B") return false;
  const names = message.toString("latin1", 5, 5 + 2 * (COMMIT.length + 1)).split("\0");
  return names[type === "P" ? 0 : 1] === COMMIT;
}

function tellsOfCommit(message: Buffer): boolean {
  return message[0] === "C".charCodeAt(0) && message.toString("latin1", 5, message.length - 1) === "COMMIT";
}
