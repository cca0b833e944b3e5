// A sound flow, made wrong at one place: which property must refuse it, where, and by which events a case comes there.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SHIPPED_SCHEMAS, TEST_FLOWS, textOf } from "../../../support/faulty.ts";

const shipped = (name: string): string => textOf(join(SHIPPED_SCHEMAS, "flows", `${name}.flow.yaml`));
const own = (name: string): string => textOf(join(TEST_FLOWS, `${name}.flow.yaml`));

export const BASES = {
  card: shipped("card"),
  refund: shipped("refund"),
  coins: shipped("crypto_return"),
  transfer: shipped("transfer"),
  transfer_in: shipped("transfer_in"),
  open: shipped("account_open"),
  update: shipped("account_update"),
  quote: shipped("fx_quote"),
  push: textOf(fileURLToPath(new URL("push.flow.yaml", import.meta.url))),
  hold: own("hold"),
} as const;

export type Wrong = {
  readonly property: string;
  readonly what: string;
  readonly base: keyof typeof BASES;
  /** one of the eight with which the first checker was tried */
  readonly isSeeded?: true;
  /** other properties that the same slip breaks */
  readonly also?: readonly string[];
  /** each replaces the first occurrence of what is on the left */
  readonly change: readonly (readonly [old: string, by: string])[];
  /** the fault stands where this begins */
  readonly at: string;
  readonly says: RegExp;
  /** shortest events that lead there, where it is a matter of events */
  readonly path?: string;
};
