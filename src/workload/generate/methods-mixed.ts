// Payments of every method, each made up as its own profile does, in the order of their times. Intents name the providers over
// HTTP: cardco for cards and orders that are paid later, instanet for everything that goes from account to account; wallets
// have none.

import type { Outbound, Source } from "../load/pump.ts";
import { Cards } from "./cards.ts";
import type { GenerateParts, GeneratePlan } from "./generate.ts";
import { BANK_DEBITS, BANK_TRANSFERS, COINS, INSTANT_PUSHES, MethodPayments, ORDERS } from "./methods.ts";
import { Payouts } from "./payouts.ts";
import { WalletPayments } from "./wallets.ts";

type Open = (plan: GeneratePlan, parts: GenerateParts) => Source;

const CARD_PROVIDER = "cardco";
const BANK_PROVIDER = "instanet";

/** Of a hundred intents. The first gets what is left over. */
const SHARES: readonly (readonly [share: number, open: Open])[] = [
  [38, (plan, parts) => new Cards(plan, parts, { only: "everything", provider: CARD_PROVIDER })],
  [15, (plan, parts) => new MethodPayments(plan, parts, { ...INSTANT_PUSHES, provider: BANK_PROVIDER })],
  [10, (plan, parts) => new MethodPayments(plan, parts, { ...BANK_DEBITS, provider: BANK_PROVIDER })],
  [10, (plan, parts) => new MethodPayments(plan, parts, { ...BANK_TRANSFERS, provider: BANK_PROVIDER })],
  [5, (plan, parts) => new MethodPayments(plan, parts, { ...COINS, provider: BANK_PROVIDER })],
  [10, (plan, parts) => new Payouts(plan, parts, BANK_PROVIDER)],
  [6, (plan, parts) => new MethodPayments(plan, parts, { ...ORDERS, provider: CARD_PROVIDER })],
  [6, (plan, parts) => new WalletPayments(plan, parts)],
];

type Part = {
  readonly source: Source;
  readonly share: number;
  ready: readonly Outbound[];
  at: number;
  /** how many of its were sent: their times are as far apart as its share is small */
  sent: number;
};

export class Methods implements Source {
  readonly #parts: Part[];

  constructor(plan: GeneratePlan, parts: GenerateParts) {
    const counts = SHARES.map(([share]) => Math.floor((plan.count * share) / 100));
    const leftOver = plan.count - counts.reduce((sum, count) => sum + count, 0);
    this.#parts = SHARES.map(([share, open], index) => {
      const count = (counts[index] as number) + (index === 0 ? leftOver : 0);
      // A seed of its own: two methods must not give their cases the same ids.
      const seed = plan.seed * SHARES.length + index;
      const holders = Math.max(1, Math.floor((plan.holders * share) / 100));
      const source = open({ ...plan, count, seed, holders, rate: (plan.rate * share) / 100 }, parts);
      return { source, share, ready: [], at: 0, sent: 0 };
    });
  }

  /** As many as can be put in order without asking for more. */
  async next(): Promise<readonly Outbound[] | null> {
    const found: Outbound[] = [];
    for (;;) {
      for (const part of this.#parts) await this.#fill(part);
      const open = this.#parts.filter(({ ready, at }) => at < ready.length);
      if (open.length === 0) return found.length === 0 ? null : found;
      while (open.every(({ ready, at }) => at < ready.length)) found.push(takeFirst(open));
      if (found.length > 0) return found;
    }
  }

  async #fill(part: Part): Promise<void> {
    if (part.at < part.ready.length) return;
    part.ready = (await part.source.next()) ?? [];
    part.at = 0;
  }
}

function takeFirst(parts: readonly Part[]): Outbound {
  const first = parts.reduce((earliest, part) => {
    return part.sent / part.share < earliest.sent / earliest.share ? part : earliest;
  });
  const outbound = first.ready[first.at] as Outbound;
  first.at += 1;
  first.sent += 1;
  return outbound;
}
