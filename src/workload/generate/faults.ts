// What goes wrong on a made-up day: what producers ask wrongly, send twice or send as rubbish. Nothing here moves money.

import type { Outbound } from "../load/pump.ts";
import { BANK, type Day } from "./day.ts";
import { payIn } from "./payments.ts";

const TOO_LARGE = 10n ** 39n;
const YEAR_MS = 365 * 86_400_000;
const DAY_MS = 86_400_000;
const UNKNOWN_SCHEMA_ID = 2_000_000_000;
const RUBBISH_BYTES_MAX = 200;

export function beyondFunds(day: Day): Outbound {
  const holder = day.someHolder();
  const { floorMinor, availableMinor } = holder;
  if (floorMinor === null) return payIn(day);
  const minor = availableMinor - floorMinor + day.someAmount(holder);
  return day.send(holder, day.transfer(holder, holder.available, BANK, minor));
}

export function unknownAccount(day: Day): Outbound {
  const holder = day.someHolder();
  const savings = `liability:customer:${holder.id}:savings`;
  return day.send(holder, day.transfer(holder, BANK, savings, day.someAmount(holder)));
}

export function wrongCurrency(day: Day): Outbound {
  const holder = day.someHolder();
  const { available } = holder;
  return day.send(holder, day.transfer(holder, BANK, available, day.someAmount(holder), day.otherMoney));
}

export function unknownCurrency(day: Day): Outbound {
  const holder = day.someHolder();
  const money = { currency: "XQQ", scale: 2 };
  return day.send(holder, day.transfer(holder, BANK, holder.available, day.someAmount(holder), money));
}

export function notPositive(day: Day): Outbound {
  const holder = day.someHolder();
  const minor = day.random.happens(0.5) ? 0n : -day.someAmount(holder);
  return day.send(holder, day.transfer(holder, BANK, holder.available, minor));
}

export function tooLarge(day: Day): Outbound {
  const holder = day.someHolder();
  return day.send(holder, day.transfer(holder, BANK, holder.available, TOO_LARGE));
}

export function sameAccount(day: Day): Outbound {
  const holder = day.someHolder();
  return day.send(holder, day.transfer(holder, holder.available, holder.available, day.someAmount(holder)));
}

export function anothersAccount(day: Day): Outbound {
  const holder = day.someHolder();
  const other = day.someHolder();
  if (other === holder) return payIn(day);
  return day.send(holder, day.transfer(holder, other.available, holder.available, 1n));
}

export function malformedId(day: Day): Outbound {
  const holder = day.someHolder();
  const transfer = day.transfer(holder, BANK, holder.available, day.someAmount(holder));
  return day.send(holder, { ...transfer, caseId: `order-${day.number}` });
}

export function expired(day: Day): Outbound {
  const holder = day.someHolder();
  const transfer = day.transfer(holder, BANK, holder.available, day.someAmount(holder));
  return day.send(holder, { ...transfer, caseId: day.caseId("trf", Math.max(0, day.nowMs - 2 * YEAR_MS)) });
}

export function fromTheFuture(day: Day): Outbound {
  const holder = day.someHolder();
  const transfer = day.transfer(holder, BANK, holder.available, day.someAmount(holder));
  return day.send(holder, { ...transfer, caseId: day.caseId("trf", day.nowMs + 3 * DAY_MS) });
}

/** The same bytes again: a producer that missed its acknowledgement. */
export function repeat(day: Day): Outbound {
  return day.someSent().outbound;
}

/** An id that was used before, with another content. */
export function conflict(day: Day): Outbound {
  const { intent, outbound } = day.someSent();
  const value = day.encode({ ...intent, reference: `changed by ${day.number}` });
  return { partition: outbound.partition, record: { key: outbound.record.key, value }, asked: intent };
}

export function rubbish(day: Day): Outbound {
  const value = Buffer.alloc(1 + day.random.below(RUBBISH_BYTES_MAX));
  day.random.fill(value);
  value[0] = (value[0] ?? 0) | 1; // never the zero that a message begins with
  return day.record(day.someHolder(), value);
}

/** Cut off in the middle. */
export function truncated(day: Day): Outbound {
  const { partition, record } = day.someSent().outbound;
  return { partition, record: { key: record.key, value: record.value.subarray(0, record.value.length - 3) } };
}

export function unknownSchema(day: Day): Outbound {
  const { partition, record } = day.someSent().outbound;
  const value = Buffer.from(record.value);
  value.writeInt32BE(UNKNOWN_SCHEMA_ID, 1);
  return { partition, record: { key: record.key, value } };
}

export function missingKey(day: Day): Outbound {
  const { outbound } = day.someSent();
  return { partition: outbound.partition, record: { key: null, value: outbound.record.value } };
}

/** Somebody else's key, in that one's partition. */
export function wrongKey(day: Day): Outbound {
  const holder = day.someHolder();
  const { intent, outbound } = day.someSent();
  if (intent.holderId === holder.id) return rubbish(day);
  return day.record(holder, outbound.record.value);
}

/** A producer with another partitioner. */
export function wrongLane(day: Day): Outbound {
  const { partition, record } = day.someSent().outbound;
  return day.lanes === 1 ? rubbish(day) : { partition: (partition + 1) % day.lanes, record };
}

export function unusableField(day: Day): Outbound {
  const holder = day.someHolder();
  const transfer = day.transfer(holder, BANK, holder.available, day.someAmount(holder));
  return day.record(holder, day.encode({ ...transfer, type: "transfer_teleport" }));
}
