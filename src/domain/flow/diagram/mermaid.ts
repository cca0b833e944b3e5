// A flow's diagram as Mermaid, for documents that draw it themselves. One edge for each two states, with a line of text for
// each way that leads along it; the postings stand below as a table, for which Mermaid has no form.

import { type Diagram, type DiagramState, short, type Transition } from "./diagram.ts";

const GUARD_CHARS_MAX = 60;

export function mermaid(diagram: Diagram): string {
  const lines = ["stateDiagram-v2", "  direction LR"];
  for (const state of diagram.states) lines.push(...declaration(state));
  for (const state of diagram.states) {
    if (state.kind === "initial") lines.push(`  [*] --> ${state.name} : ${plain(diagram.opens)}`);
    for (const [to, label] of edges(state)) lines.push(`  ${state.name} --> ${to} : ${label}`);
    if (state.kind === "final") lines.push(`  ${state.name} --> [*]`);
  }
  return `${lines.join("\n")}\n`;
}

/** The diagram as a page: Mermaid in a fence, then who books what. */
export function markdown(diagram: Diagram): string {
  const rows = diagram.postings.map(
    ({ name, title, forced, lines }) => `| ${name} | ${title}${forced ? " (forced)" : ""} | ${lines.join("<br/>")} |`,
  );
  const table = rows.length === 0 ? [] : ["", "| posting | books | lines |", "| --- | --- | --- |", ...rows];
  return [
    `# ${diagram.name} ${diagram.version}`,
    "",
    "```mermaid",
    mermaid(diagram).trimEnd(),
    "```",
    ...table,
    "",
  ].join("\n");
}

function declaration(state: DiagramState): string[] {
  if (state.kind === "choice") return [`  state ${state.name} <<choice>>`];
  const inside = [
    state.human ? "waits for a person" : "",
    ...state.timers.map((timer) => `timer ${timer}`),
    ...state.entry.money.map((one) => `on entry ${one}`),
    ...state.entry.others.map((one) => `on entry ${one}`),
  ].filter((text) => text !== "");
  return [`  ${state.name} : ${[state.name, ...inside].map(plain).join("<br/>")}`];
}

/** By where they lead, in the order of the file. Who stays or refuses leads back to the state itself. */
function edges(state: DiagramState): Map<string, string> {
  const byTarget = new Map<string, string[]>();
  for (const transition of state.transitions) {
    const to = transition.to ?? state.name;
    const labels = byTarget.get(to) ?? [];
    byTarget.set(to, labels);
    labels.push(label(transition));
  }
  return new Map([...byTarget].map(([to, labels]) => [to, labels.join("<br/>")]));
}

function label({ event, guard, effects, refuses }: Transition): string {
  const parts = [
    event,
    guard === "" ? "" : `[${short(guard, GUARD_CHARS_MAX)}]`,
    refuses === null ? "" : `refuses ${refuses}`,
    ...effects.money,
    ...effects.others,
  ];
  const text = parts.filter((part) => part !== "").map(plain);
  return text.length === 0 ? "always" : text.join(" ");
}

/** Mermaid ends a label at a colon, a semicolon or a line, reads `#` as an entity and angle brackets as tags. */
function plain(text: string): string {
  return text
    .replaceAll(": ", " = ")
    .replaceAll(":", "∶")
    .replaceAll(";", ",")
    .replaceAll("#", "№")
    .replaceAll("<=", "≤")
    .replaceAll(">=", "≥")
    .replaceAll("<", "‹")
    .replaceAll(">", "›")
    .replaceAll("\n", " ");
}
