// A proxy before Postgres that can lose a COMMIT: it knows the prepared statement's name in the client's messages, and the
// command tag in the server's.
import { type Dialogue, type Fault, Framing, openTcpProxy } from "./proxy.ts";

export type DatabaseProxy = {
  /** the database's URL by way of the proxy */
  readonly url: string;
  /** Lets the next COMMIT of any connection go wrong; resolves when it has. */
  failNextCommit(fault: Fault): Promise<void>;
};

const COMMIT = "millrace_commit";
/** A connection has one COMMIT under way at most. */
const THE_COMMIT = 1;

/** A proxy for as long as the test runs. */
export async function openDatabaseProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const url = new URL(databaseUrl);
  const proxy = await openTcpProxy({ host: url.hostname, port: Number(url.port) }, openDialogue);
  url.port = String(proxy.port);
  return { url: url.href, failNextCommit: proxy.failNext };
}

function openDialogue(): Dialogue {
  let isStarted = false;
  // A type byte, which a client's first message does not have, then a length that counts itself.
  const questions = new Framing((rest) => {
    const typeBytes = isStarted ? 1 : 0;
    if (rest.length < typeBytes + 4) return null;
    const length = typeBytes + rest.readUInt32BE(typeBytes);
    if (rest.length >= length) isStarted = true;
    return length;
  });
  const answers = new Framing((rest) => (rest.length < 5 ? null : 1 + rest.readUInt32BE(1)));
  return {
    questions: (bytes) => questions.take(bytes),
    answers: (bytes) => answers.take(bytes),
    asks: (question) => (asksForCommit(question) ? THE_COMMIT : null),
    tells: (answer) => (tellsOfCommit(answer) ? THE_COMMIT : null),
  };
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
