// Property "facts", of accounts that somebody has named: `{from}` in a path is the text variable of that name. Whether such
// an account exists, is at home and in the right currency is judged when the case first books on it, and that must be in
// an event that can be refused: the one that names it. From then on facts may book on it as well.

import type { Flow } from "../flow.ts";
import type { Proof } from "../proof.ts";
import type { Node, Passage } from "../prove/analysis.ts";
import { placeholdersIn } from "../walk.ts";
import { donePassages, faultOf, isRefusable, type Subject } from "./subject.ts";

export function checkNamed(proof: Proof, subject: Subject): void {
  const { flow } = subject;
  const variables = flow.accounts.flatMap(({ path }) =>
    /^\{[a-z][a-z0-9_]*\}$/.test(path) ? placeholdersIn(path) : [],
  );
  for (const variable of new Set(variables)) {
    const judged = judgedNodes(subject, variable);
    for (const passage of donePassages(subject)) checkPosts(proof, subject, passage, variable, judged);
  }
}

/** Nodes in which the account that a variable names is sure to have been judged. All are thought to be at first. */
function judgedNodes(subject: Subject, variable: string): ReadonlySet<Node> {
  const judged = new Set(subject.analysis.nodes);
  for (let isNew = true; isNew; ) {
    isNew = false;
    for (const passage of donePassages(subject)) {
      const { from, to } = passage;
      if (to === null || !judged.has(to) || judges(passage, variable, from !== null && judged.has(from))) continue;
      judged.delete(to);
      isNew = true;
    }
  }
  return judged;
}

function judges({ way }: Passage, variable: string, isJudged: boolean): boolean {
  const value = way.data.get(variable);
  const subject = value?.kind === "word" ? value.subject : "";
  if (subject === `data.${variable}` && isJudged) return true;
  // The event books on the account under its own name, or under that of what the variable was set to.
  const books = [...way.effects.keys()].some((name) =>
    [`{${variable}} `, `{${subject}} `].some((path) => name.startsWith(path)),
  );
  return books && isRefusable(way);
}

function checkPosts(
  proof: Proof,
  subject: Subject,
  passage: Passage,
  variable: string,
  judged: ReadonlySet<Node>,
): void {
  const { way, from } = passage;
  if (isRefusable(way) || (from !== null && judged.has(from))) return;
  if (![...way.effects.keys()].some((name) => name.startsWith(`{${variable}} `))) return;
  const where = faultOf(subject, passage, (actions) => actions.some((action) => uses(subject.flow, action, variable)));
  const claim = `not proven: the account that data.${variable} names was judged before ${way.event} books on it`;
  proof.fails({ property: "facts", ...where }, claim, "an event that can be refused must book on it first");
}

function uses(flow: Flow, action: Flow["states"][number]["entry"][number], variable: string): boolean {
  if (action.kind !== "post") return false;
  const lines = flow.postings.find(({ name }) => name === action.posting)?.lines ?? [];
  const aliases = flow.accounts.filter(({ path }) => path === `{${variable}}`).map(({ alias }) => alias);
  return lines.some(({ debit, credit }) => aliases.includes(debit) || aliases.includes(credit));
}
