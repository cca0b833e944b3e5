// A named SQL statement. The name is the prepared statement's, so it must stand for one text only.

export type Statement = { readonly name: string; readonly text: string };

const seen = new Map<string, string>();

export function statement(name: string, text: string): Statement {
  const known = seen.get(name);
  if (known !== undefined && known !== text) throw new Error(`two statements are named ${name}`);
  seen.set(name, text);
  return { name: `millrace_${name}`, text };
}
