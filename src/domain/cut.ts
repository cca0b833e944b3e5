// A cut is one block number per lane: an exact, repeatable point in the ledger's history. As text `0:12,1:40`: lane 0 up
// to its block 12, lane 1 up to its block 40; block 0 is before a lane's first.

/** Block number by lane, every lane once, in the order of lanes. */
export type Cut = ReadonlyMap<number, bigint>;

const CUT = /^\d{1,9}:\d{1,18}(,\d{1,9}:\d{1,18})*$/;
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

export function formatCut(cut: Cut): string {
  return [...cut].map(([lane, block]) => `${lane}:${block}`).join(",");
}

/** What `--as-of` may name. */
export type AsOf =
  | { readonly kind: "cut"; readonly cut: Cut }
  | { readonly kind: "time"; readonly atMs: number }
  | { readonly kind: "fault"; readonly expected: string };

/** Reads a cut or an ISO time with its zone; a date alone is its first moment in UTC. Whether every lane is named only
 *  the database can tell. */
export function parseAsOf(text: string): AsOf {
  if (TIME.test(text)) {
    const atMs = Date.parse(text);
    if (!Number.isNaN(atMs)) return { kind: "time", atMs };
  }
  if (!CUT.test(text)) {
    return { kind: "fault", expected: "a cut like 0:12,1:40 or a time like 2026-11-20T10:00:00Z" };
  }
  const cut = new Map<number, bigint>();
  for (const part of text.split(",")) {
    const [lane = "", block = ""] = part.split(":");
    if (cut.has(Number(lane))) return { kind: "fault", expected: `a cut that names lane ${lane} once` };
    cut.set(Number(lane), BigInt(block));
  }
  return { kind: "cut", cut: new Map([...cut].sort(([one], [other]) => one - other)) };
}
