// What the service's parts tell, as log lines and metrics. One line a block at debug, lifecycle at info.

import { haltRunbook } from "../domain/halts.ts";
import type { Logger } from "./logger.ts";
import type { Attention, BlockPhase, Metrics } from "./metrics.ts";

/** Adds up the phases of blocks until one is committed. Lanes overlap, so the sums are shared out by commit: exact as a
 *  total, a fair share for each block. */
export class BlockPhases {
  #ms: Partial<Record<BlockPhase, number>> = {};

  add(phase: BlockPhase, ms: number): void {
    this.#ms[phase] = (this.#ms[phase] ?? 0) + ms;
  }

  take(): Partial<Record<BlockPhase, number>> {
    const taken = this.#ms;
    this.#ms = {};
    return taken;
  }
}

type Counts = {
  readonly accepted: number;
  readonly refused: number;
  readonly repeated: number;
  readonly quarantined: ReadonlyMap<string, number>;
  readonly attention: readonly Attention[];
};
type Facts = {
  readonly inputs: number;
  readonly lines: number;
  readonly messages: number;
  readonly bytes: number;
  readonly ms: number;
  readonly nowMs: number;
};

/** @param hoursLeft until the lane's inputs may leave their log; null when that is not known or never */
export function processorEvents(
  logger: Logger,
  metrics: Metrics,
  phases: BlockPhases,
  hoursLeft: (lane: number) => Promise<number | null>,
) {
  return {
    took: (lane: number, head: { readonly epoch: bigint; readonly block: bigint }) =>
      logger.info({ lane, epoch: head.epoch, block: head.block }, "lane taken"),
    gaveBack: (lane: number, why: string) => {
      if (why === "fenced") metrics.fenced("commit");
      logger.info({ lane, why }, "lane given back");
    },
    halted: (lane: number, cause: string, evidence: Record<string, unknown>) =>
      void hoursLeft(lane).then((hours) =>
        logger.error(
          {
            lane,
            cause,
            evidence,
            hoursUntilInputsExpire: hours,
            runbook: haltRunbook(cause),
            next: `millrace lane show ${lane}`,
          },
          "lane halted; it waits for `millrace lane resume`",
        ),
      ),
    committed: (lane: number, block: number, counts: Counts, facts: Facts) => {
      const quarantined = [...counts.quarantined.values()].reduce((sum, count) => sum + count, 0);
      const { accepted, refused, repeated } = counts;
      metrics.block({ inputs: facts.inputs, accepted, refused, repeated, quarantined, phaseMs: phases.take() });
      for (const [reason, count] of counts.quarantined) for (let n = 0; n < count; n++) metrics.quarantined(reason);
      for (const one of counts.attention) metrics.attention(one);
      if (logger.isLevelEnabled("debug"))
        logger.debug({ lane, block, accepted, refused, repeated, quarantined, ...facts }, "block");
    },
    triedAgain: (lane: number, reason: string, attempt: number) =>
      logger.warn({ lane, reason, attempt }, "block not written; trying again"),
    waitsForSchema: (lane: number, reason: string) =>
      logger.warn({ lane, reason }, "waiting for the schema registry; nothing is quarantined for it"),
    quarantined: (lane: number, offset: bigint, reason: string, detail: string) =>
      logger.info({ lane, offset, reason, detail }, "intent quarantined"),
    leaseTrouble: (error: unknown) => {
      metrics.reconnected("postgres");
      logger.warn({ error }, "the leases cannot be renewed");
    },
  };
}

export function relayEvents(logger: Logger, metrics: Metrics) {
  return {
    published: (_lane: number, _topic: string, messages: number) => metrics.relayed(messages),
    opened: (lane: number, backlog: number, ms: number) => logger.debug({ lane, backlog, ms }, "relay opened"),
    reopening: (lane: number, reason: string) => {
      metrics.reconnected("kafka");
      logger.warn({ lane, reason }, "relay opens again");
    },
    sent: (_lane: number, _toLane: number, messages: number) => metrics.relayed(messages),
    waits: (lane: number, toLane: number, reason: string) =>
      logger.warn({ lane, toLane, reason }, "messages to another lane wait for its partition"),
    producerChanged: (lane: number, expected: bigint, found: bigint) => {
      metrics.producerIdChanged();
      logger.error(
        { lane, expected, found },
        "the broker forgot the lane's producer id; an older owner would not be fenced",
      );
    },
  };
}
