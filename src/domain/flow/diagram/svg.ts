// A flow's diagram as SVG: one file without scripts or foreign fonts, readable on light and dark pages.

import type { Diagram } from "./diagram.ts";
import { type Box, CHAR_WIDTH, type Edge, LINE_HEIGHT, layoutOf, type TextLine } from "./layout.ts";

const STYLE = [
  "text{font:10.3px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2937;white-space:pre}",
  ".head{font-size:16px;font-weight:700}.title{font-size:12px;font-weight:700}.aside{text-anchor:end}",
  ".note,.kind{fill:#6b7280}.money{fill:#047857}.effect{fill:#1d4ed8}.kind{text-anchor:end}",
  "rect{fill:#fff;stroke:#6b7280}.page{stroke:none}.initial{stroke:#1d4ed8;stroke-width:2}",
  ".choice{stroke-dasharray:4 3}.quiescent{fill:#f3f4f6}.final{fill:#e5e7eb;stroke-width:2}.human{fill:#fef3c7}",
  "path{fill:none;stroke-width:1.3}",
].join("");

/** Colours that stay apart on white; a state's edges have one, and so has its name where it is led to. */
const COLOURS = ["#2563eb", "#b45309", "#047857", "#be123c", "#7c3aed", "#0e7490", "#4d7c0f", "#a21caf", "#475569"];

export function svg(diagram: Diagram): string {
  const layout = layoutOf(diagram);
  const colours = new Map(diagram.states.map(({ name }, index) => [name, COLOURS[index % COLOURS.length] as string]));
  const { width, height } = layout;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(`The flow ${diagram.name} ${diagram.version}`)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${width}" height="${height}"/>`,
    `<text class="head" x="16" y="24">${escaped(`${diagram.name} ${diagram.version}`)}</text>`,
    `<text class="note" x="16" y="38">${escaped(`opened by ${diagram.opens}`)}</text>`,
    ...layout.edges.map((edge) => drawEdge(edge, colours.get(edge.to) as string)),
    ...layout.boxes.flatMap((box) => drawBox(box, colours)),
    ...drawPostings(diagram, layout.legendY),
    "</svg>",
  ];
  return `${parts.join("\n")}\n`;
}

function drawEdge({ points }: Edge, colour: string): string {
  const path = points.map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${x} ${y}`).join("");
  const end = points.at(-1) ?? { x: 0, y: 0 };
  const head = `M${end.x - 6} ${end.y - 4}L${end.x} ${end.y}L${end.x - 6} ${end.y + 4}`;
  return `<path d="${path}${head}" stroke="${colour}"/>`;
}

function drawBox(box: Box, colours: ReadonlyMap<string, string>): string[] {
  const { x, y, width, height, state } = box;
  const kind = state.human ? "human" : state.kind;
  return [
    `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}" rx="4"/>`,
    ...box.lines.flatMap((line) => drawLine(line, box, colours)),
  ];
}

function drawLine(line: TextLine, { x, width }: Box, colours: ReadonlyMap<string, string>): string[] {
  const { text, whole, kind, aside, y } = line;
  const right = x + width - 8;
  const colour = colours.get(aside);
  const fill = colour === undefined || kind === "title" ? "" : ` style="fill:${colour}"`;
  const titleFill = kind === "title" ? ` style="fill:${colours.get(text) ?? "#1f2937"}"` : "";
  // What was cut shows in full where the pointer rests.
  const hint = text === whole ? "" : `<title>${escaped(whole.trim())}</title>`;
  const drawn = [`<text class="${kind}" x="${x + 8}" y="${y}"${titleFill}>${escaped(text)}${hint}</text>`];
  if (aside === "") return drawn;
  const shown = colour === undefined || kind === "title" ? aside : `→ ${aside}`;
  return [
    ...drawn,
    `<text class="${kind === "title" ? "kind" : "aside"}" x="${right}" y="${y}"${fill}>${escaped(shown)}</text>`,
  ];
}

/** Every posting that the rows name, with its lines. */
function drawPostings({ postings }: Diagram, top: number): string[] {
  let y = top;
  return postings.flatMap(({ name, title, forced, lines }) => {
    const head = `<text class="title" x="16" y="${y}">${escaped(`${name} ${title}${forced ? " (forced)" : ""}`)}</text>`;
    const drawn = lines.map((line, index) => {
      return `<text class="money" x="${16 + 2 * CHAR_WIDTH}" y="${y + (index + 1) * LINE_HEIGHT}">${escaped(line)}</text>`;
    });
    y += (lines.length + 1) * LINE_HEIGHT;
    return [head, ...drawn];
  });
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
