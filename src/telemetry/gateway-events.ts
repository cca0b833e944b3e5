// What the gateways tell, as log lines and metrics.

import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** What lasts is told of at most this often. */
const SAY_EVERY_MS = 5_000;

export function gatewayEvents(logger: Logger, metrics: Metrics) {
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
    called: (provider: string, result: string, seconds: number): void =>
      metrics.providerCalled(provider, result, seconds),
    unreadable: (provider: string, op: string, what: string): void => {
      metrics.providerUnreadable(provider);
      nowAndThen(`unreadable ${provider} ${op}`, () =>
        logger.error(
          { provider, op, what },
          "an answer of a provider cannot be read; what became of the call is unknown",
        ),
      );
    },
    ...eventEvents(logger, metrics, nowAndThen),
    taken: (provider: string): void => metrics.gatewayTook(provider),
    answered: (provider: string, result: string): void => metrics.gatewayAnswered(provider, result),
    waitsForSchema: (lane: number, reason: string): void =>
      nowAndThen(`schema ${lane}`, () =>
        logger.warn({ lane, reason }, "the gateways wait for the schema registry; no command is passed over for it"),
      ),
    triedAgain: (lane: number, error: unknown): void =>
      nowAndThen(`again ${lane}`, () => logger.warn({ lane, error }, "the gateways cannot reach Kafka; trying again")),
  };
}

/** Of what happens at providers, be it told by webhooks or read from their lists. */
function eventEvents(logger: Logger, metrics: Metrics, nowAndThen: (what: string, say: () => void) => void) {
  return {
    webhook: (provider: string, result: string): void => metrics.webhook(provider, result),
    webhookRefused: (provider: string, why: string): void =>
      nowAndThen(`refused ${provider} ${why}`, () =>
        logger.warn(
          { provider, why, security: true },
          "SECURITY: a webhook without the provider's signature was refused",
        ),
      ),
    eventFailed: (provider: string, error: unknown): void =>
      nowAndThen(`event ${provider}`, () =>
        logger.warn(
          { provider, error },
          "an event of a provider could not be looked into; a webhook of it is sent again, and what is read from the provider's list read again",
        ),
      ),
    missedEvent: (provider: string, result: string): void => metrics.missedEvent(provider, result),
    missedEventsUnread: (provider: string, error: unknown): void =>
      nowAndThen(`unread ${provider}`, () =>
        logger.warn({ provider, error }, "what webhooks missed cannot be read from the provider's list; trying again"),
      ),
    missedEventPassedOver: (provider: string, eventId: string, position: string): void =>
      logger.error(
        { provider, eventId, position },
        "the provider tells of an event and shows nothing of it; it is passed over, and nobody else will tell of it",
      ),
  };
}
