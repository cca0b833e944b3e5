// `npm run bench`: all benchmarks, and their figures into docs/benchmarks.md. With arguments it is `millrace bench` and
// writes nothing unless told to, because figures of other settings or of some names only are not those of the document.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const args = process.argv.slice(2);
const { status } = spawnSync(process.execPath, [main, "bench", ...(args.length === 0 ? ["--write"] : args)], {
  stdio: "inherit",
});
process.exit(status ?? 130);
