import { statement } from "../statement.ts";

// Purpose: a version of the parameters under its number. Looked for first by the caller, because an insert that meets a
// conflict takes a number all the same. Safe to repeat, and from several instances at once.
export const insertParameters = statement(
  "insert_parameters",
  `insert into parameter_version (content_hash, source, settings, routes) values ($1, $2, $3, $4) on conflict (content_hash) do nothing`,
);
export const findParameters = statement(
  "find_parameters",
  `select version from parameter_version where content_hash = $1`,
);
// Every version that ever was, for whoever decides a block again. Rows: one a change of files or settings.
export const readParameters = statement(
  "read_parameters",
  `select version, source, settings, routes from parameter_version order by version`,
);
