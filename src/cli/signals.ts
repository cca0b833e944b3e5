// Ctrl-C and SIGTERM. A verb that holds nothing ends at once with 130; one that has something to put away asks for the
// signal, and a second Ctrl-C ends it all the same.

import { EXIT } from "./exit.ts";

/** Installs the handlers; to be called once, by the process's entry. */
export function watchSignals(): () => AbortSignal {
  const controller = new AbortController();
  let asked = false;
  const onSignal = (): void => {
    if (!asked || controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  return () => {
    asked = true;
    return controller.signal;
  };
}
