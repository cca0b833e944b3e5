import { statement } from "../statement.ts";

// Purpose: begins a block's dbTransaction; prepared, so that it travels in one flight with the reads behind it.
export const begin = statement("begin", "begin isolation level read committed");
export const commit = statement("commit", "commit");
export const rollback = statement("rollback", "rollback");
