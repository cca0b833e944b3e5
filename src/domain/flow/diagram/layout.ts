// Where everything of a flow's drawing stands. A state is a box with a row for each way out of it, so that no text ever
// stands on an edge. An edge leaves a row to the right and enters its state at the top left; all edges to one state share one
// track in the gap between two columns, and one lane above all boxes where they go back or skip a column. So edges cross,
// but never run on each other, and nothing overlaps by construction (test/unit/flow-diagram.test.ts looks all the same).

import { columnsOf, type Diagram, type DiagramState, short, type Transition } from "./diagram.ts";

export type Point = { readonly x: number; readonly y: number };

export type TextLine = {
  readonly text: string;
  /** the same in full */
  readonly whole: string;
  readonly kind: "title" | "note" | "event" | "money" | "effect";
  /** the state it leads to, its code of refusal, or `stays`: stands at the right */
  readonly aside: string;
  readonly y: number;
};

export type Box = {
  readonly state: DiagramState;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly lines: readonly TextLine[];
};

export type Edge = { readonly from: string; readonly to: string; readonly points: readonly Point[] };

export type Layout = {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly edges: readonly Edge[];
  /** where the list of postings begins */
  readonly legendY: number;
};

export const CHAR_WIDTH = 6.2;
export const LINE_HEIGHT = 14;
const CHARS_MAX = 64;
const PADDING = 8;
const TITLE_HEIGHT = 22;
const BOX_GAP = 26;
const TRACK = 9;
const MARGIN = 16;
const HEADER_HEIGHT = 44;

export function layoutOf(diagram: Diagram): Layout {
  const columns = orderedColumns(diagram);
  const ways = waysOf(diagram, columns);
  const x = new Map<number, number>();
  const width = columns.map((states) => Math.max(...states.map(boxWidth)));
  let right = MARGIN + gapWidth(ways, -1);
  columns.forEach((_, column) => {
    x.set(column, right);
    right += (width[column] as number) + gapWidth(ways, column);
  });
  const boxesTop = HEADER_HEIGHT + ways.lanes.length * TRACK + MARGIN;
  const boxes = columns.flatMap((states, column) => {
    let y = boxesTop;
    return states.map((state) => {
      const box = boxAt(state, x.get(column) as number, y, width[column] as number);
      y += box.height + BOX_GAP;
      return box;
    });
  });
  const bottom = Math.max(boxesTop, ...boxes.map((box) => box.y + box.height));
  const legendY = legendTop(diagram, boxes, columns[0] ?? [], width[0] ?? 0, bottom);
  const place: Places = { boxes, x, width, ways };
  return {
    width: right + MARGIN,
    height: Math.max(bottom, legendY + legendHeight(diagram)) + MARGIN,
    boxes,
    edges: edgesOf(place),
    legendY,
  };
}

/** Below the first column, where it fits, else below everything. */
function legendTop(
  { postings }: Diagram,
  boxes: readonly Box[],
  first: readonly DiagramState[],
  width: number,
  bottom: number,
): number {
  const chars = postings.flatMap(({ name, title, lines }) => [name.length + title.length + 12, ...lines.map(lengthOf)]);
  const isNarrow = Math.max(0, ...chars) * CHAR_WIDTH < width;
  const own = boxes.filter(({ state }) => first.includes(state)).map((box) => box.y + box.height);
  return (isNarrow ? Math.max(...own) : bottom) + 3 * MARGIN;
}

function lengthOf(text: string): number {
  return text.length + 2;
}

function legendHeight({ postings }: Diagram): number {
  return postings.reduce((lines, posting) => lines + posting.lines.length + 1, 0) * LINE_HEIGHT;
}

// Columns -----------------------------------------------------------------------------------------------------------------

/** Within a column a state stands at the height of those that lead to it, as far as that can be. */
function orderedColumns(diagram: Diagram): DiagramState[][] {
  const columnOf = columnsOf(diagram);
  const columns: DiagramState[][] = [];
  for (const state of diagram.states) {
    const column = columnOf.get(state.name) as number;
    columns[column] ??= [];
    (columns[column] as DiagramState[]).push(state);
  }
  const height = new Map<string, number>();
  for (const states of columns) {
    const wished = new Map(states.map((state, index) => [state, height.get(state.name) ?? index] as const));
    states.sort((one, other) => (wished.get(one) as number) - (wished.get(other) as number));
    states.forEach((state, index) => {
      state.transitions.forEach(({ to }, row) => {
        if (to !== null && !height.has(to)) height.set(to, index + row / 100);
      });
    });
  }
  return columns.filter((states) => states !== undefined);
}

// Ways: which state has which track in which gap -----------------------------------------------------------------------------

type Ways = {
  readonly columnOf: ReadonlyMap<string, number>;
  /** states that have a track in the gap behind a column (-1: before the first) */
  readonly tracks: ReadonlyMap<number, readonly string[]>;
  /** states that have a lane above the boxes */
  readonly lanes: readonly string[];
};

function waysOf(diagram: Diagram, columns: readonly (readonly DiagramState[])[]): Ways {
  const columnOf = new Map(columns.flatMap((states, column) => states.map(({ name }) => [name, column] as const)));
  const tracks = new Map<number, string[]>();
  const lanes: string[] = [];
  const add = (list: string[], name: string): void => {
    if (!list.includes(name)) list.push(name);
  };
  const track = (gap: number): string[] => {
    const list = tracks.get(gap) ?? [];
    tracks.set(gap, list);
    return list;
  };
  for (const { name, transitions } of diagram.states) {
    for (const { to } of transitions) {
      if (to === null) continue;
      const gap = columnOf.get(name) as number;
      const entry = (columnOf.get(to) as number) - 1;
      add(track(gap), to);
      if (gap === entry) continue;
      add(track(entry), to);
      add(lanes, to);
    }
  }
  return { columnOf, tracks, lanes };
}

function gapWidth({ tracks }: Ways, gap: number): number {
  return ((tracks.get(gap)?.length ?? 0) + 2) * TRACK;
}

// Boxes -------------------------------------------------------------------------------------------------------------------

type Draft = Omit<TextLine, "y">;

function linesOf(state: DiagramState): Draft[] {
  const note = (text: string): Draft => draft("note", text);
  const money = (text: string): Draft => draft("money", `  ${text}`);
  return [
    ...(state.human ? [note("waits for a person")] : []),
    ...state.timers.map((timer) => note(`timer ${timer}`)),
    ...state.entry.money.map((one) => money(`on entry ${one}`)),
    ...state.entry.others.map((one) => note(`on entry ${one}`)),
    ...state.transitions.flatMap((one) => [wayLine(one), ...effectLines(one)]),
  ];
}

function draft(kind: TextLine["kind"], whole: string, aside = "", charsMax = CHARS_MAX): Draft {
  return { text: short(whole, charsMax), whole, kind, aside };
}

function wayLine({ event, guard, to, refuses }: Transition): Draft {
  const aside = refuses !== null ? `refused: ${refuses}` : (to ?? "stays");
  const words = [event, guard === "" || guard === "else" ? guard : `[${guard}]`].filter((word) => word !== "");
  const whole = words.length === 0 ? "always" : words.join(" ");
  return draft("event", whole, aside, CHARS_MAX - aside.length - 4);
}

function effectLines({ effects }: Transition): Draft[] {
  const money = effects.money.map((one) => draft("money", `  ${one}`));
  if (effects.others.length === 0) return money;
  return [...money, draft("effect", `  ${effects.others.join(", ")}`)];
}

function boxWidth(state: DiagramState): number {
  const widest = Math.max(
    state.name.length * 1.2 + 10,
    ...linesOf(state).map(({ text, aside }) => text.length + (aside === "" ? 0 : aside.length + 4)),
  );
  return Math.ceil(widest * CHAR_WIDTH) + 2 * PADDING;
}

function boxAt(state: DiagramState, x: number, y: number, width: number): Box {
  const drafts = linesOf(state);
  const lines: TextLine[] = [
    { text: state.name, whole: state.name, kind: "title", aside: state.kind, y: y + 15 },
    ...drafts.map((line, index) => ({ ...line, y: y + TITLE_HEIGHT + (index + 1) * LINE_HEIGHT - 2 })),
  ];
  const height = TITLE_HEIGHT + drafts.length * LINE_HEIGHT + (drafts.length > 0 ? PADDING : 4);
  return { state, x, y, width, height, lines };
}

// Edges -------------------------------------------------------------------------------------------------------------------

type Places = {
  readonly boxes: readonly Box[];
  readonly x: ReadonlyMap<number, number>;
  readonly width: readonly number[];
  readonly ways: Ways;
};

function edgesOf(places: Places): Edge[] {
  const byName = new Map(places.boxes.map((box) => [box.state.name, box]));
  return places.boxes.flatMap((box) => {
    const rows = box.lines.filter(({ kind }) => kind === "event");
    return rows.flatMap(({ y }, index) => {
      const to = box.state.transitions[index]?.to ?? null;
      const target = to === null ? undefined : byName.get(to);
      return target === undefined ? [] : [edge(places, box, y - 4, target)];
    });
  });
}

function edge(places: Places, box: Box, y: number, target: Box): Edge {
  const { ways } = places;
  const to = target.state.name;
  const gap = ways.columnOf.get(box.state.name) as number;
  const entry = (ways.columnOf.get(to) as number) - 1;
  const out = trackX(places, gap, to);
  const start = { x: box.x + box.width, y };
  const end = { x: target.x, y: target.y + TITLE_HEIGHT / 2 };
  if (gap === entry) return { from: box.state.name, to, points: [start, { x: out, y }, { x: out, y: end.y }, end] };
  const lane = HEADER_HEIGHT + ways.lanes.indexOf(to) * TRACK;
  const back = trackX(places, entry, to);
  const points = [start, { x: out, y }, { x: out, y: lane }, { x: back, y: lane }, { x: back, y: end.y }, end];
  return { from: box.state.name, to, points };
}

function trackX({ x, width, ways }: Places, gap: number, name: string): number {
  const left = gap < 0 ? MARGIN : (x.get(gap) as number) + (width[gap] as number);
  return left + ((ways.tracks.get(gap) as readonly string[]).indexOf(name) + 1) * TRACK;
}
