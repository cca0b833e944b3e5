// The program of the small registry: `node registry-main.js FILE PORT`, until SIGTERM.
import { openRegistry } from "./registry-server.ts";

const [file, port] = process.argv.slice(2);
if (file === undefined || port === undefined) {
  process.stderr.write("usage: registry-main.js FILE PORT\n");
  process.exit(2);
}
const server = openRegistry(file);
server.listen(Number(port), "127.0.0.1", () => process.stdout.write(`listening on ${port}, subjects in ${file}\n`));
server.once("error", (error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
});
process.once("SIGTERM", () => process.exit(0)); // Every answer was on disk before it was given.
