// Messages between lanes from end to end, over whole days of two lanes: nothing is wrong with what they wrote, and what is
// forged in it is found.

import { describe, expect, test } from "vitest";
import { parseCaseId } from "../../src/domain/ids.ts";
import type { ReportMessage } from "../../src/kafka/codec-messages.ts";
import { type CrossedBlock, Crossings, type SaidMessage, TRANSIT } from "../../src/workload/audit/crossings.ts";
import { Findings } from "../../src/workload/audit/findings.ts";
import type { SecondBlock } from "../../src/workload/audit/second.ts";
import type { MemoryProduction } from "../support/memory-lane.ts";
import { WholeDay } from "../support/whole-day.ts";

type Change = (day: WholeDay) => void;

const days = new Map<number, Promise<WholeDay>>();
const dayOf = (seed: number): Promise<WholeDay> => {
  const day = days.get(seed) ?? new WholeDay(seed).run(60);
  days.set(seed, day);
  return day;
};

/** What does not hold of a day, by invariant, and how much was looked at. */
async function judge(seed: number, change: Change = () => undefined) {
  const day = change === NOTHING ? await dayOf(seed) : await new WholeDay(seed).run(60);
  change(day);
  const findings = new Findings();
  const crossings = new Crossings("the cut", (id) => parseCaseId(id)?.uuid ?? id);
  const seen = new Map<string, bigint>();
  for (const lane of day.lanes.values()) for (const block of lane.blocks) add(findings, crossings, lane, block, seen);
  crossings.end(findings, seen);
  const failed = findings.list((name) => name === "lane_messages_once" || name === "transit_equals_messages");
  const checked = failed.reduce((sum, one) => sum + one.checked, 0);
  const found = Object.fromEntries(
    failed.filter(({ ok }) => !ok).map((one) => [one.invariant, one.problems.join("\n")]),
  );
  return { found, checked };
}
const NOTHING: Change = () => undefined;

function add(
  findings: Findings,
  crossings: Crossings,
  lane: MemoryProduction,
  block: SecondBlock,
  seen: Map<string, bigint>,
): void {
  const { report } = lane.codec.decoders;
  const taken = block.reports.records.flatMap((record) => {
    const said: ReportMessage = report.decode(record.value as Buffer);
    const { from } = said;
    if (from === null || from.sequence <= (seen.get(`${from.lane} ${lane.lane}`) ?? -1n)) return [];
    seen.set(`${from.lane} ${lane.lane}`, from.sequence);
    return [{ from, report: said, record }];
  });
  const transit = new Map(
    lane.standing().balances.flatMap((row) => (row.path === TRANSIT ? [[row.account, row.currency] as const] : [])),
  );
  const sent: SaidMessage[] = block.crossing.map((row) => ({ row, report: report.decode(row.value) }));
  const crossed = { sent: block.crossing, isSentWhole: true, isWhole: true, taken };
  const given: CrossedBlock = { lane: lane.lane, block: block.row.block, crossed, lines: block.lines, transit };
  crossings.add(findings, given, sent);
}

const SEEDS = [1, 2, 3, 4, 5];

test("every message is taken once, and transit holds what is on its way", async () => {
  let checked = 0;
  for (const seed of SEEDS) {
    const judged = await judge(seed, NOTHING);
    expect(judged.found, `seed ${seed}`).toEqual({});
    checked += judged.checked;
  }
  expect(checked).toBeGreaterThan(50);
});

describe("is found:", () => {
  const lanesOf = (day: WholeDay): MemoryProduction[] => [...day.lanes.values()];
  /** The first block of the day that a change fits. */
  const change =
    (fits: (block: SecondBlock, lane: MemoryProduction) => SecondBlock | null): Change =>
    (day) => {
      for (const lane of lanesOf(day)) {
        for (const [at, block] of lane.blocks.entries()) {
          const changed = fits(block, lane);
          if (changed === null) continue;
          lane.blocks[at] = changed;
          return;
        }
      }
      throw new Error("no block of the day can be changed so");
    };
  const isTransit = (lane: MemoryProduction, account: bigint): boolean =>
    lane.standing().balances.some((row) => row.account === account && row.path === TRANSIT);

  test.for<[string, Change, string, RegExp]>([
    [
      "a message that was taken under another key",
      change((block) => {
        const [first, ...rest] = block.crossing;
        if (first === undefined) return null;
        return { ...block, crossing: [{ ...first, key: "somebody_else" }, ...rest] };
      }),
      "lane_messages_once",
      /was taken with other contents than it was sent with/,
    ],
    [
      "a message that was taken and never sent",
      change((block) => (block.crossing.length === 0 ? null : { ...block, crossing: block.crossing.slice(1) })),
      "lane_messages_once",
      /took message 0 of lane \d, which no block sent/,
    ],
    [
      "money that went on transit and is carried by no message",
      change((block, lane) => {
        const at = block.lines.findIndex((line) => isTransit(lane, line.credit));
        const line = block.lines[at];
        if (line === undefined) return null;
        return { ...block, lines: block.lines.with(at, { ...line, amount: line.amount + 5n }) };
      }),
      "transit_equals_messages",
      /on clearing:transit/,
    ],
    [
      "money that never left transit though its message was taken",
      change((block, lane) => {
        const at = block.lines.findIndex((line) => isTransit(lane, line.debit));
        return at === -1 ? null : { ...block, lines: block.lines.toSpliced(at, 1) };
      }),
      "transit_equals_messages",
      /on clearing:transit/,
    ],
  ])("%s", async ([, forge, invariant, said]) => {
    const all: Record<string, string> = {};
    for (const seed of SEEDS.slice(0, 2)) Object.assign(all, (await judge(seed, forge)).found);
    expect(Object.keys(all)).toContain(invariant);
    expect(all[invariant]).toMatch(said);
  });
});
