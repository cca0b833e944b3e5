// A declared file (flow, chart, config) as a tree in which every value knows its place, so that a fault can be named
// with file, line and column.

export type Place = { readonly file: string; readonly line: number; readonly column: number };

export type LocatedScalar = {
  readonly kind: "scalar";
  readonly place: Place;
  readonly value: string | number | boolean | null;
};
export type LocatedList = { readonly kind: "list"; readonly place: Place; readonly items: readonly Located[] };
export type LocatedEntry = { readonly key: string; readonly keyPlace: Place; readonly value: Located };
export type LocatedMap = { readonly kind: "map"; readonly place: Place; readonly entries: readonly LocatedEntry[] };
export type Located = LocatedScalar | LocatedList | LocatedMap;

/** One thing that is wrong in a declared file. */
export type Fault = { readonly place: Place; readonly message: string };

/** A file as its reader hands it on. `root` is null when its syntax is broken; with faults beside a root, parts may be
 *  missing in the tree. */
export type LocatedFile = { readonly root: Located | null; readonly faults: readonly Fault[] };

export function printFault(fault: Fault): string {
  return `${fault.place.file}:${fault.place.line}:${fault.place.column}: ${fault.message}`;
}
