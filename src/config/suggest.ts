// The name that somebody probably meant, for messages about names that do not exist.

/** `; did you mean blockRowsMax?`, or nothing when no name is near. */
export function suggest(found: string, names: readonly string[]): string {
  const nearest = nearestName(found, names);
  return nearest === null ? "" : `; did you mean ${nearest}?`;
}

/** The name with the fewest single-letter edits, at most a third of its length; upper and lower case count as one. */
export function nearestName(found: string, names: readonly string[]): string | null {
  let best: { name: string; edits: number } | null = null;
  for (const name of names) {
    const edits = editDistance(found.toLowerCase(), name.toLowerCase());
    if (edits <= Math.max(1, Math.floor(name.length / 3)) && (best === null || edits < best.edits))
      best = { name, edits };
  }
  return best === null ? null : best.name;
}

/** Levenshtein distance, one row of the table at a time. */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[to.length] ?? 0;
}
