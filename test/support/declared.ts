// A declared file as plain values, as tools read it that know nothing of places.

import type { Located } from "../../src/domain/located.ts";

export function plain(node: Located): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plain);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
}
