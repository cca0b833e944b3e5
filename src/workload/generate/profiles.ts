// The kinds of load that can be made up, by name.

import { assert } from "../../domain/assert.ts";
import type { Source } from "../load/pump.ts";
import { Cards } from "./cards.ts";
import { type GenerateParts, type GeneratePlan, Transfers } from "./generate.ts";
import { BANK_DEBITS, BANK_TRANSFERS, COINS, INSTANT_PUSHES, MethodPayments, ORDERS } from "./methods.ts";
import { Methods } from "./methods-mixed.ts";
import { Mixed } from "./mixed.ts";
import { PeerTransfers } from "./p2p.ts";
import { Payouts } from "./payouts.ts";
import { WalletPayments } from "./wallets.ts";

type Open = (plan: GeneratePlan, parts: GenerateParts) => Source;

const OPEN: ReadonlyMap<string, Open> = new Map<string, Open>([
  ["transfers", (plan, parts) => new Transfers(plan, parts)],
  ["p2p", (plan, parts) => new PeerTransfers(plan, parts)],
  ["cards", (plan, parts) => new Cards(plan, parts)],
  ["wallets", (plan, parts) => new WalletPayments(plan, parts)],
  ["debits", (plan, parts) => new MethodPayments(plan, parts, BANK_DEBITS)],
  ["pushes", (plan, parts) => new MethodPayments(plan, parts, INSTANT_PUSHES)],
  ["bank-transfers", (plan, parts) => new MethodPayments(plan, parts, BANK_TRANSFERS)],
  ["payouts", (plan, parts) => new Payouts(plan, parts)],
  ["coins", (plan, parts) => new MethodPayments(plan, parts, COINS)],
  ["orders", (plan, parts) => new MethodPayments(plan, parts, ORDERS)],
  ["methods", (plan, parts) => new Methods(plan, parts)],
  ["mixed", (plan, parts) => new Mixed(plan, parts)],
]);

export const PROFILES: readonly string[] = [...OPEN.keys()];

/** @param name one of PROFILES */
export function openProfile(name: string, plan: GeneratePlan, parts: GenerateParts): Source {
  const open = OPEN.get(name);
  assert(open !== undefined, `there is no profile ${name}`);
  return open(plan, parts);
}
