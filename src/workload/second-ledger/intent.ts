// An intent as the second ledger sees it: read from its record, judged field by field, not yet decided.

import type { IntentMessage } from "../../kafka/codec-messages.ts";

export type SecondIntent = Omit<IntentMessage, "floorMinor" | "amount"> & {
  readonly floorMinor: bigint | null;
  readonly amount: { readonly currency: string; readonly scale: number; readonly minor: bigint } | null;
};
