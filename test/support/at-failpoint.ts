// The way to the failpoints of src/failpoints.ts: under load, a process that ends or stands still at one, and the proof
// afterwards that nothing is lost and nothing is doubled. The list is the product's own, so a failpoint that is new is
// tested without anybody thinking of it; one that load alone does not lead to is given its occasion in `OCCASIONS`.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { FAILPOINT_NAMES, type FailpointName } from "../../src/failpoints.ts";
import { type Doomed, startDoomed } from "./doomed.ts";
import { replaceOnce, SHIPPED_SCHEMAS, TEST_FLOWS } from "./faulty.ts";
import { type IndependentReader, openIndependentReader } from "./independent-reader.ts";
import { ledgerFaults, transitFaults } from "./independent-reader-ledger.ts";
import { openHalts, openWorld, owners, runVerb, standing, startInstance, type World } from "./processes.ts";
import { openDatabaseProxy } from "./proxy-database.ts";
import { waitFor } from "./wait.ts";
import { holdLine, type Load, openLine, publishLines, seeded, startLoad, transferLine, verify } from "./workload.ts";

const LANES = 4;
/** Blocks come one after the other as soon as there is anything, so more would cost time and lead to no other moment. */
const PER_SECOND = 200;
const REACHED_DEADLINE_MS = 30_000;
export const TEST_MS = 300_000;
/** Points of one world: enough to share its making, few enough that a failure is near its cause. */
const CHAPTER = 9;
const MARGIN_MS = "500";
const HOLDERS_WITH_TIMERS = 16;

const seed = Number(process.env["MILLRACE_TEST_SEED"] ?? Date.now() % 1_000_000);
/** Begun anew with each world, so that a seed leads to the same passes whatever was tested before. */
let random = seeded(seed);

const only = process.env["MILLRACE_TEST_FAILPOINT"];
/** All, or the one that was asked for. */
export const NAMES = FAILPOINT_NAMES.filter((name) => only === undefined || name === only);

/** What the load asks for; a process reads every flow beside them when it starts, and ninety are started here. */
const FLOWS = ["account_open", "transfer", "transfer_in"];

const HOLD_FLOW = replaceOnce(readFileSync(join(TEST_FLOWS, "hold.flow.yaml"), "utf8"), "PT15M", "PT1S");

/** @returns a folder of their own, until the test has ended */
function flowsOfLoad(): string {
  const dir = mkdtempSync(join(tmpdir(), "millrace-flows-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of ["proven.json", ...FLOWS.map((flow) => `${flow}.flow.yaml`)])
    cpSync(join(SHIPPED_SCHEMAS, "flows", name), join(dir, name));
  writeFileSync(join(dir, "hold.flow.yaml"), HOLD_FLOW);
  return dir;
}

// Occasions -----------------------------------------------------------------------------------------------------------

/** What leads a process to a point that it does not come to by load alone. */
type Occasion = {
  /** whether another instance may run meanwhile */
  readonly beside: boolean;
  /** what must be there before it starts; the answer is its environment */
  readonly before?: (world: World) => Promise<Record<string, string>>;
  readonly meanwhile?: (world: World, doomed: Doomed) => Promise<void>;
  readonly after?: (world: World) => Promise<void>;
};

const TOLD_TO_STOP: Occasion = { beside: true, meanwhile: tellToStop };
const HALTING: Occasion = { beside: false, before: poison, after: mend };
const MOVED: Occasion = { beside: false, before: acceptPosition };

const OCCASIONS: Partial<Record<FailpointName, Occasion>> = {
  "timers.read": { beside: true, meanwhile: placeHolds },
  "unknown.asked": { beside: false, before: loseAnswer },
  "position.committed": MOVED,
  "position.applied": MOVED,
  "halt.decided": HALTING,
  "halt.recorded": HALTING,
  "return.idle": TOLD_TO_STOP,
  "return.drained": TOLD_TO_STOP,
  "return.closed": TOLD_TO_STOP,
  "return.released": TOLD_TO_STOP,
  "process.left": TOLD_TO_STOP,
};

/** How often a process comes to points of these names within about a second; to all others once. */
const PASSES: Readonly<Record<string, number>> = {
  block: 25,
  relay: 25,
  outlet: 25,
  outlets: 2,
  input: 40,
  mark: 2,
  epoch: 2,
  positions: 2,
  writer: 2,
  tails: 2,
  backlog: 2,
};

function somePass(name: FailpointName): number {
  return 1 + Math.floor(random() * (PASSES[name.split(".")[0] as string] ?? 1));
}

async function untilItHasLanes(world: World, doomed: Doomed): Promise<void> {
  const own = await doomed.process();
  await waitFor(`${doomed.name} to have lanes`, async () => [...(await owners(world)).values()].includes(own));
}

async function tellToStop(world: World, doomed: Doomed): Promise<void> {
  await untilItHasLanes(world, doomed);
  await untilMoving(world);
  doomed.send("SIGTERM");
}

/** Timers that fall due in every lane a second later: no earlier than it has lanes, or another fires them all. */
async function placeHolds(world: World, doomed: Doomed): Promise<void> {
  await untilItHasLanes(world, doomed);
  const holders = Array.from({ length: HOLDERS_WITH_TIMERS }, (_, at) => `hold_${Math.floor(random() * 1e9)}_${at}`);
  const lines = holders.map((holder) => [openLine(holder), transferLine(holder, 500, "in"), holdLine(holder, 300)]);
  await publishLines(world, lines.flat());
}

async function loseAnswer(world: World): Promise<Record<string, string>> {
  const proxy = await openDatabaseProxy(world.databaseUrl);
  void proxy.failNextCommit({ lose: "answer", how: "close" });
  return { DATABASE_URL: proxy.url };
}

const POISON = "create trigger poison before insert on case_state for each row execute function refuse_poison()";

/** An intent that the database refuses for a reason that trying again does not change: its lane halts. */
async function poison(world: World): Promise<Record<string, string>> {
  const holder = `poison_${Math.floor(random() * 1e9)}`;
  await world.query(`create or replace function refuse_poison() returns trigger language plpgsql as $$
    begin
      if new.holder_id = '${holder}' then raise exception 'refused by a trigger'; end if;
      return new;
    end $$`);
  await world.query(POISON);
  await publishLines(world, [openLine(holder)]);
  return {};
}

/** The way out that \`lane show\` names: the trigger goes, and the lane is resumed.
 *  @returns the lane */
async function mend(world: World, position: "keep" | "accept" = "keep"): Promise<void> {
  const instance = await startInstance(world, "mender");
  let halts: string[] = [];
  const told = (): string =>
    `one halt; there are ${halts.join(", ") || "none"}: ${JSON.stringify(instance.log.slice(-5))}`;
  await waitFor(told, async () => {
    halts = await openHalts(world);
    return halts.length === 1;
  });
  const [halt = ""] = halts;
  expect(halt).toMatch(/commit_refused$/);
  expect(await instance.stop()).toBe(0);
  await world.query("drop trigger poison on case_state");
  const lane = halt.split(":")[0] as string;
  const [row] = await world.query("select intents_next::text as next from lane where lane = $1", [Number(lane)]);
  const accepted = position === "keep" ? [] : ["--intents-at", String(row?.["next"])];
  await runVerb(world, ["lane", "resume", lane, "--reason", "the trigger is gone", ...accepted]);
}

/** A halted lane whose position an operator has accepted: the next owner begins with a block that says so. */
async function acceptPosition(world: World): Promise<Record<string, string>> {
  await poison(world);
  await mend(world, "accept");
  return {};
}

// The end at a point ----------------------------------------------------------------------------------------------------

/** Starts a process that ends, or stands still, at the point, and sees that it came there and nowhere else. */
export async function sendTo(world: World, name: FailpointName, action: "kill" | "stop"): Promise<Doomed> {
  const occasion = OCCASIONS[name];
  const environment = (await occasion?.before?.(world)) ?? {};
  const doomed = startDoomed(world, { point: name, action, passes: somePass(name), environment });
  const told = (): string => `a process to come to ${name}; its last words: ${JSON.stringify(doomed.log.slice(-6))}`;
  await occasion?.meanwhile?.(world, doomed);
  await waitFor(told, () => doomed.reached().length > 0 || doomed.isGone(), REACHED_DEADLINE_MS);
  if (action === "kill") expect(await doomed.ended, told()).toEqual({ code: null, signal: "SIGKILL" });
  expect(doomed.reached(), told()).toEqual([name]);
  expect(
    doomed.log.filter(({ level, message }) => level === "warn" && message.startsWith("FAILPOINTS ARMED")),
  ).toHaveLength(1);
  await occasion?.after?.(world);
  return doomed;
}

/** Waits until every lane has a block more. */
export async function untilMoving(world: World, process: string | null = null): Promise<void> {
  const blocks = async (): Promise<Map<unknown, number>> =>
    new Map((await world.query("select lane, block::int from lane")).map((row) => [row["lane"], Number(row["block"])]));
  if (process !== null) {
    const isOwner = async (): Promise<boolean> => [...(await owners(world)).values()].every((one) => one === process);
    await waitFor(`process ${process} to own every lane`, isOwner);
  }
  const before = await blocks();
  await waitFor("a further block in every lane", async () =>
    [...(await blocks())].every(([lane, block]) => block > (before.get(lane) as number)),
  ).catch(async (error: Error) => {
    throw new Error(`${error.message}\n${await standing(world)}`, { cause: error });
  });
}

export type Stage = { readonly world: World; readonly reader: IndependentReader; readonly load: Load };

export async function openStage(environment: Record<string, string>): Promise<Stage> {
  random = seeded(seed);
  console.info(`MILLRACE_TEST_SEED=${seed} npx vitest run test/faults/failpoints`);
  const world = await openWorld({
    lanes: LANES,
    environment: {
      MILLRACE_FLOWS_DIR: flowsOfLoad(),
      MILLRACE_TIMER_MARGIN_MS: MARGIN_MS,
      MILLRACE_CLOCK_SKEW_MAX_MS: MARGIN_MS,
      ...environment,
    },
  });
  const reader = await openIndependentReader(world);
  return { world, reader, load: startLoad(world, { holders: 200, run: "point" }, PER_SECOND) };
}

/** Auditor, independent reader and plain statements agree that all is well. */
export async function endsRight({ world, reader, load }: Stage): Promise<void> {
  await load.stop();
  await reader.settled();
  expect(await openHalts(world)).toEqual([]);
  expect(await reader.faults()).toEqual([]);
  expect(await ledgerFaults(world)).toEqual([]);
  expect(await transitFaults(world)).toEqual([]);
  await verify(world);
}

/** Parts of a list that share a world. */
export function chapters(
  names: readonly FailpointName[],
): { readonly title: string; readonly names: FailpointName[] }[] {
  const count = Math.ceil(names.length / CHAPTER);
  return Array.from({ length: count }, (_, at) => {
    const some = names.slice(at * CHAPTER, (at + 1) * CHAPTER);
    return { title: `${some[0]} to ${some.at(-1)}`, names: some };
  });
}

/** Points that a process comes to by load alone. */
export const byLoadAlone = (name: FailpointName): boolean => OCCASIONS[name] === undefined;
export const isBeside = (name: FailpointName): boolean => OCCASIONS[name]?.beside ?? true;
