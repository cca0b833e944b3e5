// Deposits of coins at the provider `script`: an address, what is seen there, and what is confirmed. Sending coins back is
// a return as any other (script-stories-bank.ts).

import { type Family, late, type Tell, tells, unasked } from "./script-stories.ts";

const shown = (...then: readonly string[]): readonly Tell[] => [{ says: "ok" }, ...then.map(unasked)];

export const CRYPTO_FAMILIES: readonly Family[] = [
  {
    name: "deposit",
    ops: ["deposit.create", "deposit.status"],
    smooth: { weight: 1, tells: shown("seen", "paid"), asked: ["paid"] },
    stories: [
      tells(6, "rejected"),
      // Nobody pays.
      tells(12, "ok", ["open"]),
      { weight: 10, tells: shown("paid"), asked: ["paid"] },
      { weight: 10, tells: shown("seen", "paid:more"), asked: ["paid:more"] },
      { weight: 8, tells: shown("paid:half"), asked: ["paid:half"] },
      { weight: 8, tells: shown("paid:half", "paid:rest"), asked: ["paid:half"] },
      { weight: 10, tells: shown("paid", "paid:again"), asked: ["paid"] },
      // Replaced, or spent twice: seen, and then not.
      { weight: 6, tells: [{ says: "ok" }, { says: "seen", isUnasked: true }, unasked("dropped")], asked: ["dropped"] },
      // Seen, and long not confirmed.
      { weight: 8, tells: [{ says: "seen" }], asked: ["seen", "seen", "paid"] },
      { weight: 3, tells: [{ says: "seen" }], asked: ["seen"] },
      { weight: 8, tells: [{ says: "unknown" }, late("ok"), unasked("paid")], asked: ["unknown", "open", "paid"] },
      tells(5, "unknown", ["not_found"]),
      tells(3, "unknown"),
      // Failed for us, and paid after all.
      { weight: 5, tells: [{ says: "rejected" }, unasked("paid")], asked: ["paid"] },
    ],
  },
];
