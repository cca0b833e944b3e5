// A plausible day of payments, of which a few in a hundred fail in every way that there is.

import type { Outbound, Source } from "../load/pump.ts";
import { Day, type DayHolder } from "./day.ts";
import * as fault from "./faults.ts";
import type { GenerateParts, GeneratePlan } from "./generate.ts";
import * as payment from "./payments.ts";

/** How often each kind comes, in ten thousand. */
const KINDS: readonly (readonly [share: number, make: (day: Day) => Outbound])[] = [
  [4_200, payment.payIn],
  [2_100, payment.payOut],
  [1_300, payment.setAside],
  [900, payment.giveBack],
  [630, payment.chargeFee],
  [40, payment.freezeOrFree],
  [210, fault.beyondFunds],
  [90, fault.unknownAccount],
  [80, fault.wrongCurrency],
  [20, fault.unknownCurrency],
  [30, fault.notPositive],
  [10, fault.tooLarge],
  [20, fault.sameAccount],
  [30, fault.anothersAccount],
  [20, fault.malformedId],
  [10, fault.expired],
  [10, fault.fromTheFuture],
  [180, fault.repeat],
  [50, fault.conflict],
  [15, fault.rubbish],
  [10, fault.truncated],
  [10, fault.unknownSchema],
  [5, fault.missingKey],
  [10, fault.wrongKey],
  [10, fault.wrongLane],
  [10, fault.unusableField],
];
const SUM = KINDS.reduce((sum, [share]) => sum + share, 0);
const CHUNK = 500;

/** First two accounts for every holder, as far as the count goes, then the day. */
export class Mixed implements Source {
  readonly #day: Day;
  readonly #count: number;

  constructor(plan: GeneratePlan, parts: GenerateParts) {
    this.#day = new Day(plan, parts);
    this.#count = plan.count;
  }

  next(): Promise<readonly Outbound[] | null> {
    const size = Math.min(CHUNK, this.#count - this.#day.number);
    return Promise.resolve(size === 0 ? null : Array.from({ length: size }, () => this.#one()));
  }

  #one(): Outbound {
    const number = this.#day.nextNumber();
    const { holders } = this.#day;
    const opened = holders[number >> 1] as DayHolder | undefined;
    if (opened === undefined) return this.#kind()(this.#day);
    return number % 2 === 0 ? payment.openAvailable(this.#day, opened) : payment.openHold(this.#day, opened);
  }

  #kind(): (day: Day) => Outbound {
    let left = this.#day.random.below(SUM);
    for (const [share, make] of KINDS) {
      if (left < share) return make;
      left -= share;
    }
    return payment.payIn;
  }
}
