// Line charts as SVG, drawn by ourselves: a report is one page that needs nothing else.

export type Point = {
  readonly x: number;
  /** null leaves a gap */
  readonly y: number | null;
  /** what the pointer is told of this point */
  readonly told: string;
};

export type Series = {
  readonly name: string;
  /** 1 to 6: one of the page's colours */
  readonly color: number;
  readonly stroke: "solid" | "dashed";
  readonly points: readonly Point[];
};

export type Tick = { readonly at: number; readonly text: string };

export type ChartPlan = {
  readonly title: string;
  /** a sentence on how to read it */
  readonly caption: string;
  readonly xLabel: string;
  /** null: made from the points */
  readonly xTicks: readonly Tick[] | null;
  readonly yScale: "linear" | "log";
  /** goes behind the numbers of the vertical axis */
  readonly yUnit: string;
  readonly series: readonly Series[];
};

const WIDTH = 960;
const HEIGHT = 300;
const LEFT = 64;
const RIGHT = 30;
const TOP = 12;
const BOTTOM = 40;
const X_TICKS = 10;
const Y_TICKS = 5;
/** A point with nothing on either side would be no line. */
const DOT_RADIUS = 2.5;

/** A figure; "" when no series has a point. */
export function lineChart(plan: ChartPlan): string {
  const series = plan.series.filter(({ points }) => points.some(({ y }) => y !== null));
  if (series.length === 0) return "";
  const x = xScale(series, plan.xTicks);
  const y = yScale(series, plan);
  const lines = series.map((one) => line(one, x.place, y.place)).join("");
  const svg = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(plan.title)}">${grid(x, y, plan.xLabel)}${lines}</svg>`;
  const legend = series.map((one) => legendEntry(one)).join("");
  return `<figure class="chart" data-series="${escapeHtml(JSON.stringify(pointed(series, x.place, y.place)))}">
<figcaption><h2>${escapeHtml(plan.title)}</h2><p>${escapeHtml(plan.caption)}</p></figcaption>
<ul class="legend">${legend}</ul>
<div class="canvas">${svg}</div>
</figure>`;
}

export function escapeHtml(text: string): string {
  const named: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (char) => named[char] ?? char);
}

type Place = (value: number) => number;
type Scale = { readonly ticks: readonly Tick[]; readonly place: Place };

function xScale(series: readonly Series[], given: readonly Tick[] | null): Scale {
  const values = series.flatMap(({ points }) => points.map(({ x }) => x));
  const min = Math.min(...values.slice(0, 1), ...(given ?? []).map(({ at }) => at), least(values));
  const max = Math.max(greatest(values), ...(given ?? []).map(({ at }) => at), min + 1e-9);
  const place: Place = (value) => round(LEFT + ((value - min) / (max - min)) * (WIDTH - LEFT - RIGHT));
  const ticks = given ?? niceTicks(min, max, X_TICKS).map((at) => ({ at, text: shortNumber(at) }));
  return { place, ticks };
}

function yScale(series: readonly Series[], { yScale: kind, yUnit }: ChartPlan): Scale {
  const values = series.flatMap(({ points }) => points.flatMap(({ y }) => (y === null ? [] : [y])));
  const height = HEIGHT - TOP - BOTTOM;
  const told = (at: number): Tick => ({ at, text: `${shortNumber(at)}${yUnit === "" ? "" : ` ${yUnit}`}` });
  if (kind === "linear") {
    const ticks = niceTicks(0, Math.max(greatest(values), 1), Y_TICKS);
    const top = Math.max(greatest(values), ticks.at(-1) ?? 1);
    return { ticks: ticks.map(told), place: (value) => round(TOP + height - (value / top) * height) };
  }
  const positive = values.filter((value) => value > 0);
  const from = Math.log10(Math.max(least(positive), 1e-3)) - 0.05;
  const until = Math.max(Math.log10(greatest(positive)) + 0.05, from + 0.3);
  const place: Place = (value) =>
    round(TOP + height - ((Math.log10(Math.max(value, 1e-3)) - from) / (until - from)) * height);
  return { ticks: logTicks(from, until).map(told), place };
}

/** 1, 2 and 5 of each decade; of many decades only the 1. */
function logTicks(from: number, until: number): number[] {
  const steps = until - from > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let decade = Math.floor(from); decade <= Math.ceil(until); decade++) {
    for (const step of steps) {
      const at = step * 10 ** decade;
      if (Math.log10(at) >= from && Math.log10(at) <= until) ticks.push(at);
    }
  }
  return ticks;
}

/** About `count` round numbers from `min` to at most `max`. */
function niceTicks(min: number, max: number, count: number): number[] {
  const rough = (max - min) / count;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = decade * ([1, 2, 5, 10].find((factor) => factor * decade >= rough) ?? 10);
  const ticks: number[] = [];
  for (let at = Math.ceil(min / step); at * step <= max + step * 1e-9; at++) ticks.push(at * step);
  return ticks;
}

function grid(x: Scale, y: Scale, xLabel: string): string {
  const base = HEIGHT - BOTTOM;
  const rows = y.ticks.map(({ at, text }) => {
    const level = y.place(at);
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${level}" y2="${level}"/><text class="tick" x="${LEFT - 8}" y="${level + 4}" text-anchor="end">${escapeHtml(text)}</text>`;
  });
  const columns = x.ticks.map(({ at, text }) => {
    const place = x.place(at);
    return `<line class="grid" x1="${place}" x2="${place}" y1="${base}" y2="${base + 4}"/><text class="tick" x="${place}" y="${base + 17}" text-anchor="middle">${escapeHtml(text)}</text>`;
  });
  const axis = `<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${base}" y2="${base}"/>`;
  const label = `<text class="tick" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 5}" text-anchor="middle">${escapeHtml(xLabel)}</text>`;
  return [...rows, ...columns, axis, label].join("");
}

function line({ color, stroke, points }: Series, x: Place, y: Place): string {
  const runs: string[][] = [[]];
  for (const point of points) {
    if (point.y === null) runs.push([]);
    else runs.at(-1)?.push(`${x(point.x)},${y(point.y)}`);
  }
  const paths = runs.map((run) => {
    if (run.length === 0) return "";
    const [cx, cy] = (run[0] ?? "").split(",");
    if (run.length === 1) return `<circle class="dot c${color}" cx="${cx}" cy="${cy}" r="${DOT_RADIUS}"/>`;
    return `<polyline class="line c${color} ${stroke}" points="${run.join(" ")}"/>`;
  });
  return paths.join("");
}

function legendEntry({ name, color, stroke }: Series): string {
  return `<li><svg class="key" viewBox="0 0 24 8"><line class="line c${color} ${stroke}" x1="0" x2="24" y1="4" y2="4"/></svg>${escapeHtml(name)}</li>`;
}

/** For the pointer: the places of all points with what is told of them. */
function pointed(series: readonly Series[], x: Place, y: Place) {
  return series.map(({ name, color, points }) => ({
    name,
    color,
    points: points.flatMap(({ x: at, y: value, told }) => (value === null ? [] : [[x(at), y(value), told]])),
  }));
}

export function shortNumber(value: number): string {
  if (value >= 10_000) return `${trimmed(value / 1_000)}k`;
  return trimmed(value);
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Not by spreading: a series may be longer than an argument list. */
function greatest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
}

function least(values: readonly number[]): number {
  return values.reduce((fewest, value) => Math.min(fewest, value), Number.POSITIVE_INFINITY);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
