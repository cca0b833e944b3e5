// Diagrams of the shipped flows: complete, free of overlaps, and those in the documents current.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { flowNames, readFlowFile } from "../../src/declared/flow-files.ts";
import { columnsOf, type Diagram, diagramOf } from "../../src/domain/flow/diagram/diagram.ts";
import { type Box, CHAR_WIDTH, layoutOf, type Point } from "../../src/domain/flow/diagram/layout.ts";
import { markdown, mermaid } from "../../src/domain/flow/diagram/mermaid.ts";
import { svg } from "../../src/domain/flow/diagram/svg.ts";
import { ROOT } from "../support/source.ts";

const FLOWS = join(ROOT, "schemas", "flows");
const NAMES = flowNames(FLOWS);

function diagram(name: string): Diagram {
  const flow = readFlowFile(FLOWS, name)?.flow;
  if (!flow) throw new Error(`the flow ${name} cannot be read`);
  return diagramOf(flow);
}

// With `-u` behind the command of this test the documents are drawn anew; so does `millrace flows diagram --out-dir docs/flows`.
test.each(NAMES)("docs/flows shows %s as it is", async (name) => {
  const kept = (ending: string): string => join(ROOT, "docs", "flows", `${name}.${ending}`);
  await expect(svg(diagram(name))).toMatchFileSnapshot(kept("svg"));
  await expect(markdown(diagram(name))).toMatchFileSnapshot(kept("md"));
});

test("README.md shows one flow with its diagram", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const flow = readFileSync(join(FLOWS, "transfer_in.flow.yaml"), "utf8");
  expect(readme).toContain(`\`\`\`yaml\n${flow}\`\`\``);
  expect(readme).toContain("](docs/flows/transfer_in.svg)");
});

describe.each(NAMES)("the drawing of %s", (name) => {
  const drawn = diagram(name);
  const { boxes, edges, width, height, legendY } = layoutOf(drawn);

  test("has every state, every way and every posting", () => {
    expect(boxes.map(({ state }) => state.name).sort()).toEqual(drawn.states.map((state) => state.name).sort());
    const ways = drawn.states.flatMap((state) => state.transitions.filter(({ to }) => to !== null));
    expect(edges).toHaveLength(ways.length);
    const text = svg(drawn);
    for (const { name: posting, lines } of drawn.postings) {
      for (const part of [posting, ...lines]) expect(text).toContain(part);
    }
  });

  test("says on each way what is told, asked, opened and taken", () => {
    const effects = drawn.states.flatMap(({ transitions }) => transitions.flatMap((way) => way.effects.others));
    const texts = [svg(drawn), mermaid(drawn).replaceAll("∶", ":")];
    for (const text of texts) expect(effects.filter((one) => !text.includes(one))).toEqual([]);
  });

  test("puts no box on another, and all within the page", () => {
    for (const [index, one] of boxes.entries()) {
      expect([one.x > 0, one.y > 0, one.x + one.width < width, one.y + one.height < height]).not.toContain(false);
      for (const other of boxes.slice(index + 1)) expect(areApart(one, other)).toBe(true);
      if (one.x < 300) expect(one.y + one.height).toBeLessThan(legendY);
    }
  });

  test("lets no text run out of its box or into the next", () => {
    for (const box of boxes) {
      for (const { text, aside, kind } of box.lines) {
        const chars = text.length * (kind === "title" ? 1.2 : 1) + (aside === "" ? 0 : aside.length + 2);
        expect(chars * CHAR_WIDTH).toBeLessThanOrEqual(box.width);
      }
    }
  });

  test("leads no edge through a box, and no two edges to different states along each other", () => {
    const segments = edges.flatMap(({ to, points }) =>
      points.slice(1).map((end, at) => ({ to, start: points[at] as Point, end })),
    );
    for (const { start, end } of segments) {
      for (const box of boxes) expect(crosses(start, end, box)).toBe(false);
    }
    const upright = segments.filter(({ start, end }) => start.x === end.x);
    const level = segments.filter(({ start, end }) => start.y === end.y);
    for (const [axis, some] of [["x", upright] as const, ["y", level] as const]) {
      const along = axis === "x" ? "y" : "x";
      for (const [index, one] of some.entries()) {
        for (const other of some.slice(index + 1)) {
          if (one.to === other.to || one.start[axis] !== other.start[axis]) continue;
          const [from, till] = [one, other].map(({ start, end }) => [start[along], end[along]].sort((a, b) => a - b));
          const shared = Math.min(from?.[1] ?? 0, till?.[1] ?? 0) - Math.max(from?.[0] ?? 0, till?.[0] ?? 0);
          expect(shared).toBeLessThanOrEqual(0);
        }
      }
    }
  });
});

test("Mermaid has no label that would end early", () => {
  for (const name of NAMES) {
    for (const line of mermaid(diagram(name)).split("\n").slice(2)) {
      const label = line.split(" : ").slice(1).join(" : ");
      expect(label).not.toMatch(/[:;#"]|<(?!br\/>)/);
    }
  }
});

test("a state that nothing leads to is drawn too", () => {
  const { states, ...rest } = diagram("transfer");
  const lost = { ...(states[0] as Diagram["states"][number]), name: "lost", kind: "active" as const };
  const drawn: Diagram = { ...rest, states: [...states, lost] };
  expect(columnsOf(drawn).get("lost")).toBeDefined();
  expect(svg(drawn)).toContain(">lost<");
});

function areApart(one: Box, other: Box): boolean {
  const sideways = one.x + one.width < other.x || other.x + other.width < one.x;
  return sideways || one.y + one.height < other.y || other.y + other.height < one.y;
}

/** Whether a straight part of an edge runs inside a box; its border is where edges begin and end. */
function crosses(start: Point, end: Point, box: Box): boolean {
  const [left, right] = [Math.min(start.x, end.x), Math.max(start.x, end.x)];
  const [top, bottom] = [Math.min(start.y, end.y), Math.max(start.y, end.y)];
  return right > box.x && left < box.x + box.width && bottom > box.y && top < box.y + box.height;
}
