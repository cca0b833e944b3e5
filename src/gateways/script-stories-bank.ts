// Money that comes to our bank and leaves it, at the provider `script`: the charge that somebody pays, its closing, what is
// given back of it, the answer to who asks for it back, and payouts.

import { type Family, late, tells, unasked } from "./script-stories.ts";

export const BANK_FAMILIES: readonly Family[] = [
  {
    name: "charge",
    ops: ["charge.create", "charge.status"],
    smooth: { weight: 1, tells: [{ says: "ok" }, unasked("paid")], asked: ["paid"] },
    stories: [
      tells(10, "rejected"),
      // Nobody pays.
      tells(20, "ok", ["closed"]),
      // In the wrong order.
      { weight: 8, tells: [late("ok"), { says: "paid", isUnasked: true }], asked: ["paid"] },
      { weight: 10, tells: [{ says: "unknown" }, unasked("paid")], asked: ["unknown", "open", "paid"] },
      { weight: 6, tells: [{ says: "unknown" }, late("ok")], asked: ["unknown", "not_found", "closed"] },
      tells(6, "unknown", ["not_found"]),
      // Failed for us, and paid after all.
      { weight: 6, tells: [{ says: "rejected" }, unasked("paid")], asked: ["paid"] },
      { weight: 10, tells: [{ says: "ok" }, unasked("paid:less")], asked: ["paid:less"] },
      { weight: 6, tells: [{ says: "ok" }, unasked("paid:more")], asked: ["paid:more"] },
      { weight: 12, tells: [{ says: "ok" }, unasked("paid"), unasked("paid:again")], asked: ["paid"] },
      { weight: 6, tells: [{ says: "ok" }, unasked("closed")], asked: ["closed"] },
      // The payer's bank claims it back for fraud, in two parts.
      {
        weight: 8,
        tells: [{ says: "ok" }, unasked("paid"), unasked("claimed:half"), unasked("claimed:rest")],
        asked: ["paid"],
      },
      // Nobody ever learns: a person decides.
      tells(4, "unknown"),
    ],
  },
  {
    name: "transfer",
    ops: ["charge.create bank_transfer", "charge.status bank_transfer"],
    smooth: { weight: 1, tells: [{ says: "ok" }, unasked("paid")], asked: ["open"] },
    stories: [
      tells(8, "rejected"),
      // Nobody pays.
      tells(12, "ok", ["open"]),
      { weight: 8, tells: [late("ok"), { says: "paid", isUnasked: true }], asked: ["paid"] },
      { weight: 8, tells: [{ says: "unknown" }, unasked("paid")], asked: ["unknown", "open"] },
      tells(6, "unknown", ["not_found"]),
      // Failed for us, and paid after all.
      { weight: 4, tells: [{ says: "rejected" }, unasked("paid")], asked: ["paid"] },
      // In parts, in one part only, too much, twice.
      { weight: 10, tells: [{ says: "ok" }, unasked("paid:half"), unasked("paid:rest")], asked: ["open"] },
      { weight: 8, tells: [{ says: "ok" }, unasked("paid:half")], asked: ["open"] },
      { weight: 8, tells: [{ says: "ok" }, unasked("paid:more")], asked: ["open"] },
      { weight: 8, tells: [{ says: "ok" }, unasked("paid"), unasked("paid:again")], asked: ["open"] },
      // Without the reference, and beside one that bears it.
      { weight: 14, tells: [{ says: "ok" }, unasked("unmatched")], asked: ["open"] },
      { weight: 6, tells: [{ says: "ok" }, unasked("unmatched:less"), unasked("paid")], asked: ["open"] },
      // Asked back by the payer's bank; now and then before it is known to have come.
      { weight: 8, tells: [{ says: "ok" }, unasked("paid"), unasked("recalled:recall_fraud")], asked: ["open"] },
      { weight: 4, tells: [{ says: "ok" }, unasked("paid"), unasked("recalled:duplicate")], asked: ["open"] },
      // Nobody ever learns: a person decides.
      tells(4, "unknown"),
    ],
  },
  {
    name: "close",
    ops: ["charge.close"],
    smooth: tells(1, "closed"),
    stories: [
      tells(30, "already_paid"),
      tells(40, "unknown"),
      { weight: 30, tells: [{ says: "unknown" }, late("closed")], asked: ["closed"] },
    ],
  },
  {
    name: "return",
    ops: ["payment.return", "return.status"],
    smooth: tells(1, "ok"),
    stories: [
      tells(20, "rejected:payer_account_closed"),
      tells(20, "unknown", ["unknown", "ok"]),
      tells(10, "unknown", ["not_found", "rejected"]),
      // It never got there, and is sent again.
      tells(10, "unknown", ["not_found", "not_found", "ok"]),
      { weight: 14, tells: [{ says: "unknown" }, late("ok")], asked: ["unknown", "unknown", "ok"] },
      { weight: 14, tells: [{ says: "ok" }, late("ok")], asked: ["ok"] },
      // Taken, and sent back by the payer's bank.
      { weight: 10, tells: [{ says: "ok" }, unasked("rejected:payer_account_closed")], asked: ["ok"] },
      // Failed for us, and made after all.
      { weight: 6, tells: [{ says: "rejected" }, unasked("ok")], asked: ["ok"] },
      tells(6, "unknown"),
    ],
  },
  {
    name: "answer",
    ops: ["recall.answer", "recall.answer_status"],
    smooth: tells(1, "ok"),
    stories: [
      tells(20, "rejected:recall_too_late"),
      tells(20, "unknown", ["unknown", "ok"]),
      // It never got there, and is sent again.
      tells(14, "unknown", ["not_found", "not_found", "ok"]),
      { weight: 14, tells: [{ says: "unknown" }, late("ok")], asked: ["unknown", "unknown", "ok"] },
      // Taken, and sent back by the payer's bank.
      { weight: 10, tells: [{ says: "ok" }, unasked("rejected:payer_account_closed")], asked: ["ok"] },
      // Failed for us, and made after all.
      { weight: 8, tells: [{ says: "rejected" }, unasked("ok")], asked: ["ok"] },
      tells(14, "unknown"),
    ],
  },
  {
    name: "payout",
    ops: ["payout.create", "payout.status"],
    smooth: { weight: 1, tells: [{ says: "accepted" }, unasked("completed")], asked: ["completed"] },
    stories: [
      tells(12, "rejected:closed_account"),
      { weight: 10, tells: [{ says: "accepted" }, unasked("failed:closed_account")], asked: ["failed:closed_account"] },
      tells(8, "completed"),
      {
        weight: 12,
        // told at about the same time, so now and then in the wrong order
        tells: [{ says: "accepted" }, unasked("completed"), unasked("returned:closed_account")],
        asked: ["completed"],
      },
      tells(8, "accepted", ["accepted", "completed"]),
      tells(8, "unknown", ["unknown", "completed"]),
      tells(6, "unknown", ["not_found", "failed:provider_error"]),
      { weight: 8, tells: [{ says: "unknown" }, late("completed")], asked: ["unknown", "accepted"] },
      { weight: 6, tells: [{ says: "completed" }, late("accepted")], asked: ["completed"] },
      // Failed for us, and made after all.
      { weight: 6, tells: [{ says: "rejected" }, unasked("completed")], asked: ["completed"] },
      // Nobody ever learns, or something else was paid: a person decides.
      tells(6, "unknown", ["not_found"]),
      tells(4, "unknown"),
      tells(4, "accepted", ["accepted"]),
      tells(4, "completed:less"),
    ],
  },
];
