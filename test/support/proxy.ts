// A TCP proxy that understands just enough of a protocol to lose the question or the answer of one kind of request, in
// each way that a connection can fail.
//
//     client ──► [question] ──► before: nothing from here on reaches the server
//     client ◄── [answer]  ◄── after: the server has done it, and its answer never arrives
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** Which half is lost, and how the connection behaves then: `close` ends it in good order, `reset` as a crashed host does,
 *  `hold` leaves it open and silent. */
export type Fault = { readonly lose: "question" | "answer"; readonly how: "close" | "reset" | "hold" };

export const FAULTS: readonly Fault[] = [
  { lose: "answer", how: "close" },
  { lose: "question", how: "close" },
  { lose: "answer", how: "reset" },
  { lose: "question", how: "reset" },
  { lose: "answer", how: "hold" },
  { lose: "question", how: "hold" },
];

/** One connection's protocol: cuts both streams into whole messages, and knows the requests that can be lost. */
export interface Dialogue {
  questions(bytes: Buffer): readonly Buffer[];
  answers(bytes: Buffer): readonly Buffer[];
  /** what the answer will be known by; null for a request that is not to be lost */
  asks(question: Buffer): number | null;
  /** which question it answers; null when it is none of those */
  tells(answer: Buffer): number | null;
}

export type Proxy = {
  readonly port: number;
  /** Lets the next such request of any connection go wrong; resolves when it has. */
  failNext(fault: Fault): Promise<void>;
};

/** A proxy for as long as the test runs.
 *  @param open  a connection's dialogue; it is given the proxy's own port */
export async function openTcpProxy(
  target: { readonly host: string; readonly port: number },
  open: (port: number) => Dialogue,
): Promise<Proxy> {
  const plan: Plan = { next: null };
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ ...target, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    }
    new Pair(client, upstream, open(port), plan).run();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const failNext = (fault: Fault): Promise<void> =>
    new Promise((resolve) => {
      plan.next = { fault, done: resolve };
    });
  return { port, failNext };
}

type Planned = { readonly fault: Fault; readonly done: () => void };
type Plan = { next: Planned | null };

/** One connection: messages go through whole, so that it can be cut between two of them. */
class Pair {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #dialogue: Dialogue;
  readonly #plan: Plan;
  #losing: (Planned & { readonly question: number }) | null = null;
  #isHeld = false;

  constructor(client: Socket, upstream: Socket, dialogue: Dialogue, plan: Plan) {
    this.#client = client;
    this.#upstream = upstream;
    this.#dialogue = dialogue;
    this.#plan = plan;
  }

  run(): void {
    this.#client.on("data", (bytes: Buffer) => {
      for (const message of this.#dialogue.questions(bytes)) this.#ask(message);
    });
    this.#upstream.on("data", (bytes: Buffer) => {
      for (const message of this.#dialogue.answers(bytes)) this.#answer(message);
    });
    this.#client.on("close", () => this.#upstream.destroy());
    this.#upstream.on("close", () => this.#isHeld || this.#client.destroy());
  }

  /** The connection is chosen when the question is asked. */
  #ask(message: Buffer): void {
    if (this.#isHeld) return;
    const question = this.#dialogue.asks(message);
    if (question !== null && this.#plan.next !== null) {
      this.#losing = { ...this.#plan.next, question };
      this.#plan.next = null;
      if (this.#losing.fault.lose === "question") return this.#fail();
    }
    this.#upstream.write(message);
  }

  #answer(message: Buffer): void {
    if (this.#isHeld) return;
    if (this.#losing !== null && this.#dialogue.tells(message) === this.#losing.question) return this.#fail();
    this.#client.write(message);
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

/** Cuts a stream into messages by the length that each begins with. */
export class Framing {
  #rest = Buffer.alloc(0);
  readonly #lengthOf: (rest: Buffer) => number | null;

  /** @param lengthOf of the message that `rest` begins with, or null when too little of it is there to tell */
  constructor(lengthOf: (rest: Buffer) => number | null) {
    this.#lengthOf = lengthOf;
  }

  take(bytes: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const messages: Buffer[] = [];
    for (;;) {
      const length = this.#lengthOf(this.#rest);
      if (length === null || this.#rest.length < length) return messages;
      messages.push(this.#rest.subarray(0, length));
      this.#rest = this.#rest.subarray(length);
    }
  }
}
