// A provider's list of its events, for who has missed webhooks: what happened, in its order, behind a place in the list. Pure.

import type { HttpRequest } from "../http/server.ts";
import { copiesOf } from "./deliveries.ts";
import type { Change, Memory, Operation, ProviderName } from "./memory.ts";
import { readTime } from "./reading.ts";
import { Refused } from "./refused.ts";

export type ListAsked = {
  readonly provider: ProviderName;
  /** a place in the list, 0 before its beginning */
  readonly after: number;
  /** what happened later is left out, and what lies behind it */
  readonly untilMs: number;
  /** without those whose webhook was taken */
  readonly isOnlyMissed: boolean;
};

export type ListPage = {
  readonly changes: readonly Change[];
  /** the place behind all that was looked at */
  readonly next: number;
  readonly isLast: boolean;
};

const PAGE = 100;

/** @param eventId of a turn, as its webhook bears it
 *  @throws Refused for a place of another list: that of a memory which was longer */
export function listEvents(
  memory: Memory,
  { provider, after, untilMs, isOnlyMissed }: ListAsked,
  eventId: (operation: Operation, index: number) => string,
): ListPage {
  const all = memory.changes();
  if (after > all.length) throw new Refused(400, "field_invalid", "this place lies behind the end of the list");
  const found: Change[] = [];
  let next = after;
  for (; next < all.length && found.length < PAGE; next++) {
    const change = all[next] as Change;
    const { operation, index } = change;
    if ((operation.turns[index]?.at ?? 0) > untilMs) return { changes: found, next, isLast: true };
    if (operation.provider !== provider) continue;
    if (!isOnlyMissed || !isDelivered(memory, change, eventId(operation, index))) found.push(change);
  }
  return { changes: found, next, isLast: next >= all.length };
}

function isDelivered(memory: Memory, { operation, index }: Change, eventId: string): boolean {
  const own = copiesOf(operation.behaviour.post, index).filter(({ isForged }) => !isForged);
  return own.some(({ suffix }) => memory.isTaken(`${eventId}${suffix}`));
}

/** @param names of the parameters, and `missed` what the last one is when only what was missed is wanted
 *  @throws Refused */
export function readListAsked(
  { query }: HttpRequest,
  provider: ProviderName,
  names: { readonly after: string; readonly until: string; readonly only: string; readonly missed: string },
): ListAsked {
  const place = query.get(names.after) ?? "";
  if (!/^\d{0,12}$/.test(place)) throw new Refused(400, "field_invalid", `${names.after}: no place in this list`);
  const until = query.get(names.until);
  const only = query.get(names.only);
  if (only !== null && only !== names.missed)
    throw new Refused(400, "field_invalid", `${names.only}: expected ${names.missed}`);
  const untilMs = until === null ? Number.POSITIVE_INFINITY : readTime(names.until, until);
  return { provider, after: Number(place), untilMs, isOnlyMissed: only !== null };
}
