// Ctrl-C and SIGTERM. A verb that holds nothing ends at once with 130; one that has something to put away asks for the
// signal, and a second Ctrl-C ends it all the same.

import { EXIT } from "./exit.ts";
import { onSignal } from "./service-thread.ts";

/** Installs the handlers; to be called once, by the process's entry. */
export function watchSignals(): () => AbortSignal {
  const controller = new AbortController();
  let asked = false;
  const interrupt = (): void => {
    if (!asked || controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
  };
  onSignal(interrupt);
  // Ctrl-C reaches the shell and us alike: the parent that goes then is no second signal.
  if (process.env["npm_command"] !== undefined) watchParent(() => controller.signal.aborted || interrupt());
  return () => {
    asked = true;
    return controller.signal;
  };
}

const PARENT_POLL_MS = 250;

/** Under `npx` and `npm run` a shell stands between npm and us. Some shells end by a signal without handing it on, and the
 *  service would live on unnoticed: that our parent is gone means the same as the signal. */
function watchParent(onGone: () => unknown): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, PARENT_POLL_MS);
  timer.unref();
}
