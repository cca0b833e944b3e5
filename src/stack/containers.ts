// Parts in Docker containers, by testcontainers, for machines without Java and Maven.
//
// testcontainers is made for containers that end with the test: here its reaper is left out (`withAutoCleanup`), since
// a stack outlives the command that started it. `down` stops a container and does not remove it: its data is in it.
import type { ContainerRuntimeClient } from "testcontainers";
import { brokerSettings, clusterId, STARTED } from "./broker.ts";
import { DATABASE_NAME, DATABASE_USER, serverSettings } from "./database.ts";
import { KAFKA_VERSION } from "./jars.ts";
import { type Ensured, elsewhere, PORT_OPTIONS, type Site } from "./part.ts";
import { choosePort, HOST } from "./ports.ts";
import { type PartName, type PartState, writeState } from "./state.ts";
import { StackUnavailable, textOf } from "./unavailable.ts";

type Container = ReturnType<ContainerRuntimeClient["container"]["getById"]>;
type Contained = Exclude<PartName, "registry">;

type Recipe = {
  readonly title: string;
  readonly image: string;
  /** the port inside, given the one outside */
  readonly innerPort: (port: number) => number;
  readonly environment: (site: Site, port: number) => Record<string, string>;
  /** null: the image's own */
  readonly command: readonly string[] | null;
  readonly readyLine: string;
  /** how often the line comes at the first start, when the image initialises its data; later it comes once */
  readonly readyLinesAtFirst: number;
  readonly stopGraceMs: number;
};

const READY_WAIT_MS = 120_000;
const PART_LABEL = "millrace.part";
const DIR_LABEL = "millrace.stack";

const RECIPES: Readonly<Record<Contained, Recipe>> = {
  kafka: {
    title: "the Kafka broker",
    image: `apache/kafka:${KAFKA_VERSION}`,
    // The same inside and outside: the one advertised address then leads to the broker from both sides, and the
    // broker needs it too, to speak with itself.
    innerPort: (port) => port,
    environment: (_site, port) => brokerEnvironment(port),
    command: null,
    readyLine: STARTED,
    readyLinesAtFirst: 1,
    stopGraceMs: 20_000,
  },
  postgres: {
    title: "the Postgres server",
    image: "postgres:18",
    innerPort: () => 5432,
    environment: (site) => ({
      POSTGRES_USER: DATABASE_USER,
      POSTGRES_PASSWORD: site.state.databasePassword,
      POSTGRES_DB: DATABASE_NAME,
      POSTGRES_INITDB_ARGS: "--encoding=UTF8 --locale=C",
    }),
    // Inside it listens to the container's network, and the image initialises itself through the socket.
    command: ["postgres", ...serverSettings({ listen_addresses: "*", unix_socket_directories: "/var/run/postgresql" })],
    readyLine: "database system is ready to accept connections",
    readyLinesAtFirst: 2,
    stopGraceMs: 30_000,
  },
};

/** The image makes `log.dirs` of KAFKA_LOG_DIRS, and so on for every setting. */
function brokerEnvironment(port: number): Record<string, string> {
  const settings = brokerSettings({
    bindHost: "0.0.0.0",
    port,
    controllerPort: 19_093,
    dataDir: "/var/lib/kafka/data",
  });
  const named = Object.entries(settings).map(([name, value]) => [
    `KAFKA_${name.toUpperCase().replaceAll(".", "_")}`,
    value,
  ]);
  return {
    ...(Object.fromEntries(named.map(([name, value]) => [name, String(value)])) as Record<string, string>),
    CLUSTER_ID: clusterId(),
    KAFKA_HEAP_OPTS: "-Xms128m -Xmx512m",
    KAFKA_JVM_PERFORMANCE_OPTS: "-XX:+UseSerialGC",
  };
}

/** @returns null when an engine answers, else why not */
export async function engineObstacle(): Promise<string | null> {
  try {
    await engine();
    return null;
  } catch (error) {
    return textOf(error);
  }
}

// Loaded on first use: it is large, and most runs never need it.
async function engine(): Promise<ContainerRuntimeClient> {
  const { getContainerRuntimeClient } = await import("testcontainers");
  return getContainerRuntimeClient();
}

/** As `ensurePart`, for a container. */
export async function ensureContainer(site: Site, name: Contained, wantedPort: number | null): Promise<Ensured> {
  const recipe = RECIPES[name];
  const known = site.state.parts[name];
  const found = await find(known);
  if (known === undefined || found === null) {
    await create(site, name, await choosePort(known?.port ?? null, wantedPort, PORT_OPTIONS[name]));
    return "started";
  }
  // A container's ports are fixed when it is made.
  if (wantedPort !== null && wantedPort !== known.port) throw elsewhere(recipe.title, known.port, wantedPort);
  if ((await found.inspect()).State.Running) return "kept";
  await startAgain(found, recipe);
  return "started";
}

async function find(known: PartState | undefined): Promise<Container | null> {
  if (known?.containerId === undefined) return null;
  const container = (await engine()).container.getById(known.containerId);
  try {
    await container.inspect();
    return container;
  } catch (error) {
    // Removed by hand since, and its data with it.
    if (error instanceof Error && "statusCode" in error && error.statusCode === 404) return null;
    throw error;
  }
}

async function create(site: Site, name: Contained, port: number): Promise<void> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const recipe = RECIPES[name];
  class LocalContainer extends GenericContainer {
    // Remembered before it starts, so that `down` finds it whatever happens next.
    protected override async containerCreated(containerId: string): Promise<void> {
      site.state.parts[name] = { port, process: null, containerId };
      writeState(site.dir, site.state);
    }

    /** Docker's default is every address of the machine; neither part is safe to be seen from outside. */
    onLoopback(): this {
      this.withExposedPorts({ container: recipe.innerPort(port), host: port });
      this.hostConfig.PortBindings = { [`${recipe.innerPort(port)}/tcp`]: [{ HostIp: HOST, HostPort: String(port) }] };
      return this;
    }
  }
  site.say(`starting ${recipe.title} in a container of ${recipe.image} (fetched if it is not here yet)`);
  const container = new LocalContainer(recipe.image)
    .onLoopback()
    .withEnvironment(recipe.environment(site, port))
    .withLabels({ [DIR_LABEL]: site.dir, [PART_LABEL]: name })
    .withAutoCleanup(false)
    .withWaitStrategy(Wait.forLogMessage(recipe.readyLine, recipe.readyLinesAtFirst))
    .withStartupTimeout(READY_WAIT_MS);
  if (recipe.command !== null) container.withCommand([...recipe.command]);
  try {
    await container.start();
  } catch (error) {
    throw didNotStart(recipe, error);
  }
}

async function startAgain(container: Container, recipe: Recipe): Promise<void> {
  const { BoundPorts, Wait } = await import("testcontainers");
  try {
    await (await engine()).container.start(container);
    // The engine's own clock: lines of earlier runs are in the same log.
    const startedAt = new Date((await container.inspect()).State.StartedAt);
    const ready = Wait.forLogMessage(recipe.readyLine).withStartupTimeout(READY_WAIT_MS);
    await ready.waitUntilReady(container, new BoundPorts(), startedAt);
  } catch (error) {
    throw didNotStart(recipe, error);
  }
}

function didNotStart(recipe: Recipe, error: unknown): StackUnavailable {
  const remedy = `see that Docker can fetch ${recipe.image} and has about 1 GB of memory, and try again`;
  return new StackUnavailable(`${recipe.title} did not start in a container (${textOf(error)})`, remedy);
}

export async function stopContainer(site: Site, name: Contained): Promise<void> {
  const container = await find(site.state.parts[name]);
  if (container !== null) await (await engine()).container.stop(container, { timeout: RECIPES[name].stopGraceMs });
}

export async function killContainer(site: Site, name: Contained): Promise<void> {
  const container = await find(site.state.parts[name]);
  if (container === null || !(await container.inspect()).State.Running) return;
  await container.kill({ signal: "SIGKILL" });
  await container.wait();
}

/** False also when the engine does not answer: then nothing in it serves us. */
export async function containerRuns(part: PartState): Promise<boolean> {
  if ((await engineObstacle()) !== null) return false;
  const container = await find(part);
  return container !== null && (await container.inspect()).State.Running;
}
