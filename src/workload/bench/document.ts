// docs/benchmarks.md: its prose is docs/benchmarks.template.md, its figures are docs/benchmarks.json, and this puts the one
// into the other. So nobody writes a figure by hand, and a run changes nothing but figures.

import type { HostFacts } from "../report/report.ts";
import type { CpuSeconds } from "./bench.ts";

export const RECORD_FORMAT = "millrace-benchmarks/1";

/** A line as `millrace bench` prints it. */
export type BenchLine = {
  readonly bench: string;
  readonly count: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly maxMs?: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, unknown>>;
  readonly cpu: CpuSeconds;
};

/** One run of the command: all its lines are of one machine, and of one stack where they need one. */
export type BenchRecord = {
  readonly format: typeof RECORD_FORMAT;
  /** year, month, day */
  readonly date: string;
  readonly command: string;
  readonly tookSeconds: number;
  readonly host: Omit<HostFacts, "loadAverageBefore"> | null;
  readonly results: readonly BenchLine[];
};

const PER = 100_000;
const NONE = "*No run is stored: `npm run bench` makes one.*";

/** @param template with `{{ratios}}`, `{{figures}}`, `{{cpu}}` and `{{run}}`
 *  @throws Error when the template has another one */
export function renderBenchmarks(template: string, record: BenchRecord): string {
  const parts: Readonly<Record<string, (record: BenchRecord) => string>> = {
    ratios: ratiosTable,
    figures: figuresTable,
    cpu: cpuTable,
    run: runFacts,
  };
  return template.replace(/\{\{(\w+)\}\}/g, (_whole, name: string) => {
    const part = parts[name];
    if (part === undefined) throw new Error(`the template asks for ${name}, which nothing makes`);
    return record.results.length === 0 ? NONE : part(record);
  });
}

const FROM = "<!-- figures of docs/benchmarks.json -->";
const UNTIL = "<!-- end of figures -->";

/** The README with the figures of the run between its two marks; as it is when nothing is stored or it has no marks. */
export function renderReadme(readme: string, record: BenchRecord): string {
  const [from, until] = [readme.indexOf(FROM), readme.indexOf(UNTIL)];
  if (record.results.length === 0 || from === -1 || until < from) return readme;
  const told = `${FROM}\n${runSentence(record)}\n\n${shortTable(record)}\n${readme.slice(until)}`;
  return readme.slice(0, from) + told;
}

type Ratio = {
  readonly name: string;
  readonly says: string;
  readonly of: (find: (bench: string) => BenchLine | undefined) => readonly [number | undefined, number | undefined];
};

const RATIOS: readonly Ratio[] = [
  {
    name: "`drain` / `naive`",
    says: "how much blocks gain over a commit and a send for each message, through the same clients",
    of: (find) => [find("drain")?.perSecond, find("naive")?.perSecond],
  },
  {
    name: "`drain` / `floor`",
    says: "how much of what Postgres alone takes in is left when reading, deciding and publishing share its cores",
    of: (find) => [find("drain")?.perSecond, find("floor")?.perSecond],
  },
  {
    name: "`cards` / `floor`",
    says: "what is left of it for card payments, each of three inputs and seven to nine lines, with a provider that answers at once",
    of: (find) => [find("cards")?.perSecond, find("floor")?.perSecond],
  },
  {
    name: "`p2p` / `floor`",
    says: "what is left of it for transfers between two holders, each of two lanes' blocks and a message each way",
    of: (find) => [find("p2p")?.perSecond, find("floor")?.perSecond],
  },
  {
    name: "`hot` / `drain`",
    says: "what one holder alone can have of it: one lane, one connection",
    of: (find) => [find("hot")?.perSecond, find("drain")?.perSecond],
  },
  {
    name: "`skew` / `drain`",
    says: "what is left when a twelfth of all transfers belongs to one of as many holders",
    of: (find) => [find("skew")?.perSecond, find("drain")?.perSecond],
  },
  {
    name: "`latency` p50 / `echo` p50",
    says: "how many times a bare way through Kafka the way through the service takes, where half are done",
    of: (find) => [find("latency")?.p50Ms, find("echo")?.p50Ms],
  },
  {
    name: "`latency` p99 / `echo` p99",
    says: "the same where 99 of 100 are done",
    of: (find) => [find("latency")?.p99Ms, find("echo")?.p99Ms],
  },
];

function ratiosTable({ results }: BenchRecord): string {
  const find = (bench: string): BenchLine | undefined => results.find((line) => line.bench === bench);
  const rows = RATIOS.flatMap(({ name, says, of }) => {
    const [above, below] = of(find);
    return above === undefined || below === undefined || below === 0 ? [] : [[name, ratioText(above / below), says]];
  });
  return table(["ratio", "figure", "says"], rows, 1);
}

function ratioText(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2);
}

function figuresTable({ results }: BenchRecord): string {
  const rows = results.map((line) => {
    const { bench, count, seconds, perSecond, settings } = line;
    const times = [line.p50Ms, settings["p90Ms"], line.p99Ms, settings["p999Ms"], line.maxMs].map(msText);
    return [nameText(bench), whole(count), seconds.toFixed(1), whole(perSecond), ...times];
  });
  return table(["name", "count", "seconds", "a second", "p50 ms", "p90", "p99", "p99.9", "highest"], rows, 1);
}

/** What a figure without it would be misread for. */
const NOTES: Readonly<Record<string, string>> = {
  cards: ", three in ten converted",
  "cards-http": ", the same over HTTP to a sandbox",
  decide: ", one core; times of 1,000",
};

function nameText(bench: string): string {
  return `\`${bench}\`${NOTES[bench] ?? ""}`;
}

function msText(ms: unknown): string {
  return typeof ms === "number" ? ms.toFixed(1) : "";
}

function cpuTable({ results }: BenchRecord): string {
  const rows = results.map(({ bench, count, cpu, settings }) => {
    const of = Number(settings["sent"] ?? count);
    const cells = [cpu.node, cpu.postgres, cpu.kafka, cpu.sandbox ?? null].map((spent) =>
      spent === null ? "" : ((spent / of) * PER).toFixed(2),
    );
    return [`\`${bench}\``, ...cells];
  });
  return table(["name", "node", "postgres", "kafka", "sandbox"], rows, 1);
}

function runFacts(record: BenchRecord): string {
  const { results, host, command, tookSeconds } = record;
  const facts = [
    `- **Command:** \`${command}\`, ${whole(tookSeconds)} s in all.`,
    `- **Machine:** ${host === null ? "unknown" : `${host.cores} cores (${host.cpu}), ${Math.round(host.memoryMb / 1024)} GiB, ${host.platform} ${host.arch}`}; broker, database, service, load generator and reader share it.`,
    `- **Versions:** ${versionsText(results)}.`,
    `- **Load average before each:** ${results.map(({ bench, settings }) => `${bench} ${settings["loadAverageBefore"]}`).join(", ")}. Above ${host?.cores ?? "the number of cores"} somebody else was working too.`,
  ];
  const warm = results.filter(({ settings }) => settings["warmUp"] !== undefined);
  if (warm.length > 0) {
    const told = warm.map(
      ({ bench, settings }) =>
        `${bench} ${whole(Number(settings["warmUp"]))} at ${whole(Number(settings["warmUpPerSecond"]))} a second`,
    );
    facts.push(`- **Warm-up before what is measured:** ${told.join(", ")}.`);
  }
  const overrides = results.flatMap(({ settings }) =>
    Object.entries((settings["overrides"] as object | undefined) ?? {}),
  );
  if (overrides.length > 0) {
    const told = [...new Set(overrides.map(([name, value]) => `${name}=${value}`))];
    facts.push(`- **Not the shipped defaults:** ${told.join(", ")}.`);
  }
  return facts.join("\n");
}

function versionsText(results: readonly BenchLine[]): string {
  const versions: BenchLine["versions"] = Object.assign({}, ...results.map((line) => line.versions));
  return Object.entries(versions)
    .filter(([, version]) => version !== null)
    .map(([part, version]) => `${part} ${version}`)
    .join(", ");
}

function runSentence({ date, host, results }: BenchRecord): string {
  const cores = host === null ? "" : `On ${host.cores} shared cores, `;
  return `${cores}broker, database, service, load and reader together (${date}; ${versionsText(results)}):`;
}

function shortTable({ results }: BenchRecord): string {
  const naive = results.find(({ bench }) => bench === "naive")?.perSecond;
  const rows = results.map(({ bench, perSecond, p50Ms, p99Ms, settings, count }) => {
    if (p50Ms !== undefined && settings["rate"] !== undefined)
      return [
        `\`${bench}\` at ${whole(Number(settings["rate"]))} a second`,
        `p50 ${msText(p50Ms)} ms, p99 ${msText(p99Ms)} ms`,
      ];
    const times = bench === "drain" && naive !== undefined ? `, ${Math.round(perSecond / naive)} times \`naive\`` : "";
    return [nameText(bench), `${whole(perSecond)} a second over ${whole(count)}${times}`];
  });
  return table(["name", "figure"], rows, 2);
}

/** @param left columns that are not numbers, from the left */
function table(head: readonly string[], rows: readonly (readonly string[])[], left: number): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const isText = (column: number): boolean => column < left || (column === head.length - 1 && head[column] === "says");
  return [line(head), line(head.map((_, column) => (isText(column) ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}
