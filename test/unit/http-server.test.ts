// The HTTP server as its clients meet it: raw bytes, limits, and headers of which there is one reading.

import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CannotListen, type HttpRequest, type HttpServer, startHttpServer } from "../../src/http/server.ts";

let server: HttpServer;
const seen: HttpRequest[] = [];
const SETTINGS = { host: "127.0.0.1", port: 0, bodyBytesMax: 64, requestMs: 1_000 };

beforeAll(async () => {
  server = await startHttpServer({
    ...SETTINGS,
    routes: [
      {
        method: "POST",
        path: "/take/:name",
        handle: (one) => {
          seen.push(one);
          if (one.params["name"] === "cut") one.cut();
          return { status: 202, headers: { "content-type": "text/plain" }, body: one.params["name"] ?? "" };
        },
      },
    ],
  });
});
afterAll(() => server?.close());

const at = (path: string): string => `http://127.0.0.1:${server.port}${path}`;

test("hands on the bytes as they came, whatever their content type says, with path and query", async () => {
  const bytes = Buffer.from('{"a" : 1,\xff}', "latin1");
  for (const type of ["application/json", "text/plain", "image/png"]) {
    const headers = { "content-type": type };
    const answer = await fetch(at("/take/it?key=a%2Fb"), { method: "POST", body: bytes, headers });
    expect([answer.status, await answer.text()]).toEqual([202, "it"]);
    const one = seen.at(-1) as HttpRequest;
    expect(one.body.equals(bytes)).toBe(true);
    expect([one.path, one.query.get("key")]).toEqual(["/take/it", "a/b"]);
  }
});

test("takes no body that is longer than it may be, and knows no path that is not there", async () => {
  const before = seen.length;
  expect((await fetch(at("/take/it"), { method: "POST", body: "x".repeat(65) })).status).toBe(413);
  expect((await fetch(at("/other"), { method: "POST", body: "x" })).status).toBe(404);
  expect(seen.length).toBe(before);
});

test("breaks a connection when it is told to", async () => {
  await expect(fetch(at("/take/cut"), { method: "POST", body: "x" })).rejects.toThrow();
});

test.each<[string, string]>([
  ["half a head", "POST /take/it HTTP/1.1\r\nhost: localhost\r\n"],
  ["half a body", "POST /take/it HTTP/1.1\r\nhost: localhost\r\ncontent-length: 60\r\n\r\nhalf"],
])("does not wait for who sends %s and no more", async (_what, text) => {
  const before = seen.length;
  const socket = connect(server.port, "127.0.0.1", () => socket.write(text));
  socket.on("error", () => undefined).resume();
  const isClosed = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), 3_000);
    socket.on("close", () => resolve((clearTimeout(timer), true)));
  });
  socket.destroy();
  expect(isClosed).toBe(true);
  expect(seen.length).toBe(before);
});

test("leaves out a header that came twice", async () => {
  await new Promise<void>((resolve, reject) => {
    const headers = [
      "Host",
      "localhost",
      "X-Signature",
      "one",
      "X-Signature",
      "two",
      "X-Other",
      "three",
      "Content-Length",
      "0",
    ];
    const sent = request(at("/take/twice"), { method: "POST", headers }, (answer) => {
      answer.resume().on("end", resolve);
    });
    sent.on("error", reject).end();
  });
  expect(seen.at(-1)?.headers["x-signature"]).toBeUndefined();
  expect(seen.at(-1)?.headers["x-other"]).toBe("three");
});

/** A server of its own that finishes what it was asked when it closes, and the answer that it gives when it is let. */
async function finishing(requestMs: number) {
  let answer = (): void => undefined;
  let asked = (): void => undefined;
  const wasAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const handle = async () => {
    asked();
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return { status: 200, body: "answered" };
  };
  const routes = [{ method: "POST", path: "/slow", handle } as const];
  const own = await startHttpServer({ ...SETTINGS, requestMs, routes, onClose: "finish" });
  return { own, wasAsked, answer: () => answer() };
}

/** What comes back on a connection of its own until it is closed.
 *  @param text  what is sent */
function talk(port: number, text: string): { readonly opened: Promise<unknown>; readonly heard: Promise<string> } {
  const socket = connect(port, "127.0.0.1", () => socket.write(text));
  let heard = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    heard += chunk;
  });
  return { opened: once(socket, "connect"), heard: once(socket, "close").then(() => heard) };
}

const ASK = "POST /slow HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi";

test("when it closes, it answers what it was asked, and waits for no connection after that", async () => {
  const { own, wasAsked, answer } = await finishing(60_000);
  const unused = talk(own.port, "");
  await unused.opened;
  const used = talk(own.port, ASK);
  await wasAsked;
  const closing = own.close();
  answer();
  // Both clients keep their connections open: a server that waits for them waits for a minute and more.
  await closing;
  expect(await used.heard).toMatch(/^HTTP.1.1 200 OK.*answered$/s);
  expect(await unused.heard).toBe("");
}, 20_000);

// Longer than fastify lets a hook take, unless told.
test("when it closes, it cuts what is not answered within the time of a request, however long that is", async () => {
  const { own, wasAsked } = await finishing(11_000);
  const never = talk(own.port, ASK);
  await wasAsked;
  await own.close();
  expect(await never.heard).toBe("");
}, 30_000);

test("says why it cannot listen", async () => {
  const again = startHttpServer({ ...SETTINGS, port: server.port, routes: [] });
  await expect(again).rejects.toThrow(CannotListen);
  await expect(again).rejects.toThrow(/EADDRINUSE/);
});
