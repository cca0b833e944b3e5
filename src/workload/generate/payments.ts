// What goes right on a made-up day: money in, money out, money set aside and taken back, fees, accounts changed.

import type { Outbound } from "../load/pump.ts";
import { BANK, type Day, type DayHolder, FEES } from "./day.ts";

/** After so many further intents a frozen account is freed again. */
const FROZEN_FOR = 300;
const FROZEN_MAX = 3;

export function openAvailable(day: Day, holder: DayHolder): Outbound {
  return open(day, holder, holder.available, holder.floorMinor);
}

export function openHold(day: Day, holder: DayHolder): Outbound {
  return open(day, holder, holder.hold, 0n);
}

function open(day: Day, holder: DayHolder, account: string, floorMinor: bigint | null): Outbound {
  return day.send(holder, {
    type: "account_open",
    holderId: holder.id,
    caseId: day.caseId("acc"),
    sourceId: "open",
    account,
    currency: holder.money.currency,
    floorMinor: floorMinor?.toString() ?? null,
    occurredAt: day.occurredAt,
  });
}

export function payIn(day: Day): Outbound {
  const holder = day.someHolder();
  const minor = day.someAmount(holder);
  if (!holder.isFrozen) holder.availableMinor += minor;
  const reference = day.random.happens(0.3) ? "cash in" : null;
  return day.send(holder, { ...day.transfer(holder, BANK, holder.available, minor), reference });
}

export function payOut(day: Day): Outbound {
  return takeOut(day, BANK);
}

export function chargeFee(day: Day): Outbound {
  return takeOut(day, FEES);
}

/** As much as there is; of one who has nothing, money comes in instead. */
function takeOut(day: Day, to: string): Outbound {
  const holder = day.someHolder();
  const wished = to === FEES ? day.someAmount(holder) / 50n + 1n : day.someAmount(holder);
  if (!canPay(holder, wished)) return payIn(day);
  if (!holder.isFrozen) holder.availableMinor -= wished;
  return day.send(holder, day.transfer(holder, holder.available, to, wished));
}

export function setAside(day: Day): Outbound {
  const holder = day.someHolder();
  const minor = day.someAmount(holder);
  if (!canPay(holder, minor)) return payIn(day);
  if (!holder.isFrozen) {
    holder.availableMinor -= minor;
    holder.heldMinor += minor;
  }
  return day.send(holder, day.transfer(holder, holder.available, holder.hold, minor));
}

export function giveBack(day: Day): Outbound {
  const holder = day.someHolder();
  const minor = holder.heldMinor;
  if (minor === 0n || holder.isFrozen) return payIn(day);
  holder.availableMinor += minor;
  holder.heldMinor = 0n;
  return day.send(holder, day.transfer(holder, holder.hold, holder.available, minor));
}

function canPay(holder: DayHolder, minor: bigint): boolean {
  return holder.floorMinor === null || holder.availableMinor - minor >= holder.floorMinor;
}

/** Now and then an account is frozen for a while; what is asked of it meanwhile is refused. */
export function freezeOrFree(day: Day): Outbound {
  const [oldest] = day.frozen;
  if (oldest !== undefined && (day.frozen.length >= FROZEN_MAX || day.number % FROZEN_FOR < FROZEN_FOR / 2)) {
    day.frozen.shift();
    oldest.isFrozen = false;
    return change(day, oldest, "unfreeze");
  }
  const holder = day.someHolder();
  if (holder.isFrozen) return payIn(day);
  holder.isFrozen = true;
  day.frozen.push(holder);
  return change(day, holder, "freeze");
}

function change(day: Day, holder: DayHolder, what: "freeze" | "unfreeze"): Outbound {
  return day.send(holder, {
    type: "account_update",
    holderId: holder.id,
    caseId: day.caseId("upd"),
    sourceId: `u-${day.number}`,
    account: holder.available,
    change: what,
    occurredAt: day.occurredAt,
  });
}
