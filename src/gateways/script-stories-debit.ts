// Bank debits at the provider `script`: the mandate of the payer, and what is taken by it.

import { type Family, late, type Tell, tells, unasked } from "./script-stories.ts";

const SETTLES: readonly Tell[] = [{ says: "accepted" }, unasked("settled")];

export const DEBIT_FAMILIES: readonly Family[] = [
  {
    name: "mandate",
    ops: ["mandate.create", "mandate.status"],
    smooth: tells(1, "active"),
    stories: [
      tells(20, "rejected:mandate_invalid"),
      // The payer signs, or does not.
      { weight: 30, tells: [{ says: "action" }, unasked("active")], asked: ["active"] },
      tells(12, "action", ["action"]),
      tells(16, "unknown", ["unknown", "active"]),
      tells(8, "unknown", ["not_found", "action"]),
      { weight: 10, tells: [{ says: "active" }, unasked("rejected:mandate_revoked")], asked: ["active"] },
      tells(4, "unknown"),
    ],
  },
  {
    name: "debit",
    ops: ["debit.create", "debit.status"],
    smooth: { weight: 1, tells: SETTLES, asked: ["settled"] },
    stories: [
      tells(10, "rejected:insufficient_funds"),
      { weight: 8, tells: [{ says: "accepted" }, unasked("rejected:stop_payment")], asked: ["rejected"] },
      { weight: 20, tells: [...SETTLES, unasked("returned:insufficient_funds")], asked: ["settled"] },
      // In the wrong order.
      {
        weight: 8,
        tells: [{ says: "accepted" }, { says: "returned:unauthorised", isUnasked: true }, unasked("settled")],
        asked: ["returned:unauthorised"],
      },
      { weight: 10, tells: [{ says: "unknown" }, late("accepted")], asked: ["unknown", "accepted", "settled"] },
      tells(6, "unknown", ["unknown", "settled"]),
      tells(6, "unknown", ["not_found"]),
      tells(4, "unknown", ["rejected:closed_account"]),
      // Told nothing more: asked behind the time that the scheme takes.
      tells(8, "accepted", ["accepted", "settled"]),
      { weight: 6, tells: [{ says: "accepted" }, unasked("settled:less")], asked: ["settled:less"] },
      // Failed for us, and collected after all.
      { weight: 6, tells: [{ says: "rejected" }, unasked("settled")], asked: ["settled"] },
      // Nobody ever learns: a person decides.
      tells(4, "unknown"),
      tells(6, "accepted", ["accepted"]),
    ],
  },
];
