// The few calls of Docker's API that the stack makes, answered from memory: what is asked of an engine can be tested
// where there is none. Nothing runs in its containers; their log says at once that they are ready.
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type FakeContainer = {
  readonly id: string;
  readonly asked: {
    Image: string;
    Env: string[];
    Cmd?: string[];
    Labels: Record<string, string>;
    HostConfig: { PortBindings: Record<string, { HostIp?: string; HostPort: string }[]>; AutoRemove?: boolean };
  };
  running: boolean;
  starts: number;
  startedAt: string;
};

export type FakeDocker = {
  readonly url: string;
  readonly containers: Map<string, FakeContainer>;
  /** method and path of every call, in order, without the API's version */
  readonly calls: string[];
  close(): Promise<void>;
};

export async function fakeDocker(): Promise<FakeDocker> {
  const containers = new Map<string, FakeContainer>();
  const calls: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://docker");
    const path = url.pathname.replace(/^\/v[\d.]+/, "");
    calls.push(`${request.method} ${path}`);
    void answer(containers, request, path, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, containers, calls, close };
}

type Containers = Map<string, FakeContainer>;

async function answer(
  containers: Containers,
  request: IncomingMessage,
  path: string,
  response: ServerResponse,
): Promise<void> {
  const json = (status: number, body: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  if (path === "/info") return json(200, { OperatingSystem: "fake", ServerVersion: "0", OSType: "linux" });
  if (/^\/images\/.*\/json$/.test(path)) return json(200, { Id: "image" });
  if (path === "/containers/create") return json(201, { Id: await create(containers, request) });
  const [, id = "", verb = "", method = request.method] = /^\/containers\/([^/]+)\/?(\w*)/.exec(path) ?? [];
  const container = containers.get(id);
  if (container === undefined) return json(404, { message: `No such container: ${id}` });
  if (verb === "json") return json(200, inspection(container));
  if (verb === "logs") return log(container, response);
  if (verb === "wait") return json(200, { StatusCode: 137 });
  if (method === "DELETE") containers.delete(id);
  if (verb === "start") {
    container.running = true;
    container.starts += 1;
    container.startedAt = new Date().toISOString();
  }
  if (verb === "stop" || verb === "kill") container.running = false;
  response.writeHead(204).end();
}

async function create(containers: Containers, request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += chunk;
  const id = randomUUID();
  containers.set(id, { id, asked: JSON.parse(body), running: false, starts: 0, startedAt: "" });
  return id;
}

function inspection(container: FakeContainer): unknown {
  const ports = Object.entries(container.asked.HostConfig.PortBindings).map(([inner, [binding]]) => [
    inner,
    [{ HostIp: binding?.HostIp ?? "0.0.0.0", HostPort: binding?.HostPort }],
  ]);
  return {
    Id: container.id,
    Name: `/${container.id}`,
    Config: { Hostname: container.id, Labels: container.asked.Labels },
    HostConfig: container.asked.HostConfig,
    State: { Running: container.running, Status: "running", StartedAt: container.startedAt, FinishedAt: "" },
    NetworkSettings: { Ports: container.running ? Object.fromEntries(ports) : {}, Networks: {} },
  };
}

// A frame of the log: one byte for stdout, three of nothing, four of length. The log stays open while it is followed.
function log(container: FakeContainer, response: ServerResponse): void {
  const isFirst = container.starts === 1;
  const ready = container.asked.Image.startsWith("postgres")
    ? "database system is ready to accept connections\n".repeat(isFirst ? 2 : 1)
    : "Kafka Server started\n";
  const head = Buffer.alloc(8);
  head.writeUInt8(1, 0);
  head.writeUInt32BE(Buffer.byteLength(ready), 4);
  response.writeHead(200, { "content-type": "application/vnd.docker.raw-stream" });
  response.write(Buffer.concat([head, Buffer.from(ready)]));
}
