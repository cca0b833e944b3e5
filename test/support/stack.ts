// The stack that the test run shares, and databases of one's own on it.
import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";
import type { StackInfo } from "../../src/stack/stack.ts";

/** Addresses of the stack that was started for this run. Tests that stop parts of it start them again. */
export function testStack(): StackInfo {
  return inject("stack");
}

/** Makes an empty database on the shared server.
 *  @param name lower case letters, digits and `_`; a random one when left out
 *  @returns    its URL, with the rights of the server's superuser */
export async function freshDatabase(name = `test_${randomBytes(6).toString("hex")}`): Promise<string> {
  const url = new URL(testStack().databaseUrl);
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
  url.pathname = `/${name}`;
  return url.href;
}
