// Fills a registry with what another one has, under the same ids: values name schemas by id, so bytes keep their meaning
// only where the ids do. By mode IMPORT of the Confluent API.

import { RegistryUnreachable } from "./registry.ts";

export type ImportedSchema = { readonly id: number; readonly subject: string; readonly schema: string };

const MEDIA_TYPE = "application/vnd.schemaregistry.v1+json";

/** For a registry that is ours alone: the mode is that of the registry as a whole, and READWRITE in the end.
 *  @throws RegistryUnreachable, also when the registry refuses */
export async function importSchemas(url: string, schemas: readonly ImportedSchema[], timeoutMs: number): Promise<void> {
  const ask = (method: string, path: string, body: object): Promise<void> =>
    request(new URL(path, url), method, body, timeoutMs);
  await ask("PUT", "/mode", { mode: "IMPORT" });
  for (const { id, subject, schema } of schemas) {
    await ask("POST", `/subjects/${encodeURIComponent(subject)}/versions`, { id, schema });
  }
  await ask("PUT", "/mode", { mode: "READWRITE" });
}

async function request(url: URL, method: string, body: object, timeoutMs: number): Promise<void> {
  const wrong = (what: string): RegistryUnreachable =>
    new RegistryUnreachable(
      `${method} ${url.pathname} of the schema registry at ${url.host}: ${what}`,
      "See that it runs.",
    );
  const headers = { accept: MEDIA_TYPE, "content-type": MEDIA_TYPE };
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, { method, headers, body: JSON.stringify(body), signal }).catch((error: Error) => {
    throw wrong(error.message);
  });
  const text = await response.text();
  if (!response.ok) throw wrong(`${response.status} ${text}`);
}
