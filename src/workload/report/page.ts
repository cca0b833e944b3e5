// One self-contained page: style, drawings and the few lines of script are inside, and nothing is fetched.

import { escapeHtml } from "./chart.ts";

export type PageParts = { readonly title: string; readonly subtitle: string; readonly body: string };

export function page({ title, subtitle, body }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header><h1>${escapeHtml(title)}</h1><p>${escapeHtml(subtitle)}</p></header>
${body}
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** A large number with what it means. */
export function card(name: string, value: string, note = ""): string {
  const small = note === "" ? "" : `<small>${escapeHtml(note)}</small>`;
  return `<div class="card"><span>${escapeHtml(name)}</span><b>${escapeHtml(value)}</b>${small}</div>`;
}

/** @param rows cells of the first column are names, the rest numbers or short texts */
export function tableOf(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const titles = head.map((cell) => `<th scope="col">${escapeHtml(cell)}</th>`).join("");
  const lines = rows.map(
    ([name = "", ...cells]) =>
      `<tr><th scope="row">${escapeHtml(name)}</th>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`,
  );
  return `<section class="table"><h2>${escapeHtml(title)}</h2><table><thead><tr>${titles}</tr></thead><tbody>${lines.join("")}</tbody></table></section>`;
}

export function notesOf(notes: readonly string[]): string {
  if (notes.length === 0) return "";
  return `<ul class="notes">${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join("")}</ul>`;
}

const STYLE = `
:root{--paper:#fbfbfa;--raised:#fff;--ink:#1d2127;--muted:#5d6672;--rule:#e1e4e8;--c1:#1f6feb;--c2:#c2570c;--c3:#b42343;--c4:#12805c;--c5:#6b7280;--c6:#7c3aed}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--raised:#1b1f25;--ink:#e7eaee;--muted:#9aa4b1;--rule:#2c323a;--c1:#6ea8ff;--c2:#f29d52;--c3:#ff7b93;--c4:#4fcf9f;--c5:#a3acb8;--c6:#b69cff}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:17px;margin:0}
header p,figcaption p{margin:2px 0 0;color:var(--muted)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:24px 0}
.card{background:var(--raised);border:1px solid var(--rule);border-radius:10px;padding:12px 14px;display:flex;flex-direction:column}
.card span,.card small{color:var(--muted);font-size:13px}
.card b{font-size:23px;line-height:1.3;font-weight:650;white-space:nowrap}
.notes{margin:20px 0 24px;padding:10px 14px 10px 30px;border-left:3px solid var(--c2);background:var(--raised);border-radius:0 8px 8px 0}
.chart,.table{background:var(--raised);border:1px solid var(--rule);border-radius:10px;padding:16px 18px;margin:0 0 20px}
.canvas{position:relative}
.canvas>svg{display:block;width:100%;height:auto;overflow:visible}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;margin:10px 0 6px;padding:0;font-size:13px;color:var(--muted)}
.legend li{display:flex;align-items:center;gap:6px}
.key{width:24px;height:8px}
.grid{stroke:var(--rule)}.axis{stroke:var(--muted)}.tick{fill:var(--muted);font-size:12px}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}.dashed{stroke-dasharray:5 4}
.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}.c4{stroke:var(--c4)}.c5{stroke:var(--c5)}.c6{stroke:var(--c6)}
.dot.c1,.mark.c1{fill:var(--c1)}.dot.c2,.mark.c2{fill:var(--c2)}.dot.c3,.mark.c3{fill:var(--c3)}.dot.c4,.mark.c4{fill:var(--c4)}.dot.c5,.mark.c5{fill:var(--c5)}.dot.c6,.mark.c6{fill:var(--c6)}
.tip{position:absolute;top:0;pointer-events:none;background:var(--paper);border:1px solid var(--rule);border-radius:8px;padding:6px 10px;font-size:13px;white-space:nowrap;box-shadow:0 2px 10px #0003}
.tip i{display:inline-block;width:9px;height:9px;border-radius:5px;margin-right:6px}
table{border-collapse:collapse;width:100%;margin-top:10px;font-size:14px}
th,td{padding:5px 10px;text-align:right;border-top:1px solid var(--rule);font-weight:400}
thead th{color:var(--muted);border-top:0}th:first-child{text-align:left}
.table{overflow-x:auto}
@media print{.chart,.table{break-inside:avoid}}
`;

/** Shows the values under the pointer. Without script the page says the same, only the numbers have to be read off. */
const SCRIPT = `
for (const figure of document.querySelectorAll(".chart")) {
  const series = JSON.parse(figure.dataset.series);
  const canvas = figure.querySelector(".canvas");
  const svg = canvas.querySelector("svg");
  const tip = canvas.appendChild(Object.assign(document.createElement("div"), { className: "tip", hidden: true }));
  const marks = series.map(({ color }) => {
    const mark = document.createElementNS(svg.namespaceURI, "circle");
    mark.setAttribute("class", "mark c" + color);
    mark.setAttribute("r", "3.5");
    mark.setAttribute("visibility", "hidden");
    return svg.appendChild(mark);
  });
  const hide = () => {
    tip.hidden = true;
    for (const mark of marks) mark.setAttribute("visibility", "hidden");
  };
  canvas.addEventListener("pointerleave", hide);
  canvas.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    tip.replaceChildren();
    for (const [at, { name, color, points }] of series.entries()) {
      if (points.length === 0) continue;
      const nearest = points.reduce((best, one) => (Math.abs(one[0] - x) < Math.abs(best[0] - x) ? one : best));
      marks[at].setAttribute("cx", nearest[0]);
      marks[at].setAttribute("cy", nearest[1]);
      marks[at].setAttribute("visibility", "visible");
      const line = tip.appendChild(document.createElement("div"));
      line.appendChild(document.createElement("i")).style.background = "var(--c" + color + ")";
      line.append(name + ", " + nearest[2]);
    }
    tip.hidden = false;
    const left = event.clientX - box.left;
    const isRight = left > box.width / 2;
    tip.style.left = isRight ? "auto" : left + 14 + "px";
    tip.style.right = isRight ? box.width - left + 14 + "px" : "auto";
  });
}
`;
