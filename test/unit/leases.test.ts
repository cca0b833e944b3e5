// How lanes are shared, and what a tick does about it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fairShare, type LeaseOwner, Leases } from "../../src/processor/leases.ts";
import type { Connection } from "../../src/store/database.ts";
import { waitFor } from "../support/wait.ts";

describe("a fair share", () => {
  test("of all processes together is every lane, and no two differ by more than one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 40 }), (lanes, processes) => {
        const shares = Array.from({ length: processes }, (_, rank) => fairShare({ lanes, processes, rank }));
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(lanes);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
        expect(shares).toEqual(shares.toSorted((one, other) => other - one));
      }),
    );
  });

  test("of a process that nobody has seen yet is that of the only one", () => {
    expect(fairShare({ lanes: 16, processes: 0, rank: 0 })).toBe(16);
  });
});

type Row = Record<string, unknown>;

/** A session that answers the lease statements from a script and notes what was asked. */
class FakeSession {
  broken = false;
  closed = false;
  readonly asked: string[] = [];
  tick: () => Row = () => ({});
  free: readonly number[] = [];
  /** another process has the first that is given, as after a restore */
  #number = 6n;

  async run(statement: { name: string }, values: readonly unknown[]): Promise<{ rows: Row[] }> {
    await Promise.resolve();
    const name = statement.name.replace("millrace_", "");
    this.asked.push(name);
    if (this.broken) throw new Error("the session is gone");
    if (name === "open_process") return { rows: [{ process: this.#number, is_ours: this.#number++ === 7n }] };
    if (name === "lease_tick") return { rows: [this.tick()] };
    if (name !== "lease_take") return { rows: [] };
    const wanted = String(values[2]).slice(1, -1).split(",").filter(Boolean).map(Number);
    return { rows: wanted.filter((lane) => this.free.includes(lane)).map((lane) => ({ lane })) };
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

type Told = {
  held: number[];
  took: number[];
  lost: number[];
  surplus: number[];
  ticks: number;
  failures: number;
  skewMs: number;
};

async function enter(sessions: FakeSession[], over: Partial<{ ttlMs: number }> = {}) {
  const told: Told = { held: [], took: [], lost: [], surplus: [], ticks: 0, failures: 0, skewMs: 0 };
  const owner: LeaseOwner = {
    held: () => [...told.held],
    took: (lanes) => {
      told.took.push(...lanes);
      told.held.push(...lanes);
    },
    lost: (lane) => {
      told.lost.push(lane);
      told.held = told.held.filter((one) => one !== lane);
    },
    surplus: (lane) => void told.surplus.push(lane),
    ticked: (_tick, skewMs) => {
      told.ticks += 1;
      told.skewMs = skewMs;
    },
    failed: () => {
      told.failures += 1;
    },
  };
  let next = 0;
  const open = async (): Promise<Connection> => sessions[next++] as unknown as Connection;
  const settings = { label: "test", tickMs: 1, ttlMs: 6000, clockSkewMaxMs: 5000, ...over };
  const leases = await Leases.enter(settings, owner, open);
  return { leases, told };
}

function row(over: Row = {}): Row {
  const base = { entered: 1, processes: 1, rank: 0, lanes: 4, mine: [], free: [], halted: [] };
  return { ...base, clock_at: new Date().toISOString().replace("T", " ").replace("Z", "+00"), ...over };
}

describe("a tick", () => {
  test("takes free lanes up to the share", async () => {
    const session = new FakeSession();
    session.free = [0, 2, 3];
    session.tick = () => row({ processes: 2, rank: 1, free: [0, 1, 2, 3], mine: told.held });
    const { leases, told } = await enter([session]);
    leases.start();
    await waitFor("lanes to be taken", () => told.took.length > 0, 5000);
    await leases.leave();
    expect(new Set(told.took)).toEqual(new Set([0])); // of the two that are its share, another was faster with lane 1
    expect(Math.abs(told.skewMs)).toBeLessThan(1000);
    expect([session.closed, session.asked.at(-1)]).toEqual([true, "leave_process"]);
  });

  test("gives surplus lanes back, the last ones", async () => {
    const session = new FakeSession();
    session.tick = () => row({ processes: 3, rank: 2, mine: [0, 1, 2, 3] });
    const { leases, told } = await enter([session]);
    told.held = [0, 1, 2, 3];
    leases.start();
    await waitFor("surplus to be named", () => told.surplus.length > 0, 5000);
    await leases.leave();
    expect(told.surplus.slice(0, 3)).toEqual([1, 2, 3]);
  });

  test("says which lanes were lost, and enters anew when its own row is gone", async () => {
    const session = new FakeSession();
    session.tick = () => row({ entered: 0, mine: [1] });
    const { leases, told } = await enter([session]);
    told.held = [0, 1];
    leases.start();
    await waitFor("the loss to be told", () => told.lost.length > 0, 5000);
    await leases.leave();
    expect(told.lost).toEqual([0]);
    expect(session.asked.filter((name) => name === "enter_process").length).toBeGreaterThan(1);
  });

  test("takes nothing any more once it was told so", async () => {
    const session = new FakeSession();
    session.free = [0, 1, 2, 3];
    session.tick = () => row({ free: [0, 1, 2, 3] });
    const { leases, told } = await enter([session]);
    leases.stopTaking();
    leases.start();
    await waitFor("some ticks", () => told.ticks > 3, 5000);
    await leases.leave();
    expect(told.took).toEqual([]);
  });

  test("goes on with a new session when the old one broke, as the same process", async () => {
    const [first, second] = [new FakeSession(), new FakeSession()];
    for (const session of [first, second]) session.tick = () => row({ mine: [0, 1] });
    const { leases, told } = await enter([first, second]);
    told.held = [0, 1];
    leases.start();
    await waitFor("a tick", () => told.ticks > 0, 5000);
    first.broken = true;
    await waitFor("a tick on the second session", () => second.asked.includes("lease_tick"), 5000);
    await leases.leave();
    expect(second.asked.slice(0, 2)).toEqual(["hold_process", "enter_process"]);
    expect(second.asked).not.toContain("open_process");
    expect([told.lost, leases.process]).toEqual([[], 7n]);
  });

  test("gives up every lane when it could not renew for as long as a lease lasts", async () => {
    const session = new FakeSession();
    session.tick = () => {
      throw new Error("no answer");
    };
    const { leases, told } = await enter([session], { ttlMs: 50 });
    told.held = [2, 3];
    leases.start();
    await waitFor("the lanes to be given up", () => told.lost.length === 2, 5000);
    await leases.leave();
    expect(told.failures).toBeGreaterThan(1);
  });
});
