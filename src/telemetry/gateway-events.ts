// What the gateways tell, as log lines.

import type { Logger } from "./logger.ts";

/** A provider that is not served, and trouble with appending, are told of at most this often. */
const SAY_EVERY_MS = 5_000;

export function gatewayEvents(logger: Logger) {
  const said = new Map<string, number>();
  const nowAndThen = (what: string, say: () => void): void => {
    const now = performance.now();
    if (now - (said.get(what) ?? Number.NEGATIVE_INFINITY) < SAY_EVERY_MS) return;
    said.set(what, now);
    say();
  };
  return {
    notServed: (provider: string): void =>
      nowAndThen(`not served ${provider}`, () =>
        logger.error({ provider }, "cases ask a provider that this process does not serve; name it in `providers`"),
      ),
    failed: (provider: string, op: string, error: unknown): void =>
      logger.error({ provider, op, error }, "a provider's adapter failed; what became of the call is unknown"),
    unreadable: (lane: number, offset: bigint, reason: string): void =>
      logger.error({ lane, offset, reason }, "a command cannot be read and is passed over"),
    stuck: (lane: number, offset: bigint, reason: string): void =>
      logger.error(
        { lane, offset, reason },
        "the lane's commands cannot be read from this offset on: its gateway has stopped, and no provider is asked for its cases",
      ),
    answered: (_commands: number, _reports: number): void => undefined,
    appendFailed: (lane: number, error: unknown): void =>
      nowAndThen(`append ${lane}`, () => logger.warn({ lane, error }, "reports are not appended yet; trying again")),
  };
}
