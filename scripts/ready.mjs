// Makes a fresh clone ready: installs the dependencies when they are missing or older than the lock file, then builds
// `dist` when a source is newer than it. Plain JavaScript and Node's own modules only: nothing is installed yet.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const at = (...parts) => join(root, ...parts);
const modifiedMs = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

function fail(sentence) {
  process.stderr.write(`millrace: ${sentence}\n`);
  process.exit(3);
}

function run(what, command, args) {
  const started = Date.now();
  process.stderr.write(`millrace: ${what} ...\n`);
  // npm's own output goes to stderr too, so that `--json` output on stdout stays clean.
  const done = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  if (done.error) fail(`${what} could not start: ${done.error.message}`);
  if (done.status !== 0) fail(`${what} ended with ${done.status ?? done.signal}; run \`${command} ${args.join(" ")}\``);
  process.stderr.write(`millrace: ${what} took ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

function newestMs(dir) {
  let newest = 0;
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestMs(path) : modifiedMs(path));
  }
  return newest;
}

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Node ${process.versions.node} is too old; install Node 20.19, 22 or 24`);
}

const installed = at("node_modules", ".package-lock.json");
if (modifiedMs(installed) < modifiedMs(at("package-lock.json"))) {
  // Install scripts are left out: the one that matters (links of the embedded Postgres) the local stack makes itself.
  // Not `npm ci`: newer npm refuses a lock file without the binaries of every platform, which some registries do not have.
  run("npm install", "npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]);
}
if (process.argv.includes("--install-only")) process.exit(0);

const entry = at("dist", "main.js");
if (modifiedMs(entry) < Math.max(newestMs(at("src")), modifiedMs(at("tsconfig.json")), modifiedMs(installed))) {
  rmSync(at("dist"), { recursive: true, force: true });
  run("build", process.execPath, [at("node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.json"]);
}
chmodSync(entry, 0o755);
if (modifiedMs(at("dist", "trees")) < newestMs(at("schemas"))) {
  run("reading of schemas", process.execPath, [at("dist", "declared", "keep-main.js"), at("schemas")]);
}
// `npx millrace` in the repository finds it here, without asking a registry.
const link = at("node_modules", ".bin", "millrace");
if (!existsSync(link) && process.platform !== "win32") {
  mkdirSync(at("node_modules", ".bin"), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(join("..", "..", "dist", "main.js"), link);
}
