// In which states cases have come to their end, of every flow version that is kept with them.

import { parseFlow } from "../domain/flow/parse/parse.ts";
import { parseExpression } from "./cel.ts";
import { readLocatedYaml } from "./yaml.ts";

/** A state that no event leaves, of one flow version by its number in the database. */
export type CaseEnd = { readonly flow: number; readonly state: string };

/** @param sources flow versions as they are kept in the database
 *  @returns        their final states; none of a version that cannot be read, so that its cases count as open */
export function caseEnds(
  sources: readonly { readonly ref: string; readonly number: number; readonly source: string }[],
): CaseEnd[] {
  return sources.flatMap(({ ref, number, source }) => {
    const { root } = readLocatedYaml(ref, source);
    const flow = root === null ? null : parseFlow(root, parseExpression).flow;
    const ends = flow?.states.filter(({ kind }) => kind === "final") ?? [];
    return ends.map(({ name }) => ({ flow: number, state: name }));
  });
}
