// Card payments at the provider `script`: authorization, increment, capture, void, refund; and orders that are paid later,
// of which the same can become.

import { type Family, late, tells, unasked } from "./script-stories.ts";

export const CARD_FAMILIES: readonly Family[] = [
  {
    name: "auth",
    ops: ["card.authorize", "card.auth_status", "order.approve", "order.status"],
    smooth: tells(1, "approved"),
    stories: [
      tells(20, "declined:insufficient_funds"),
      tells(15, "declined:issuer_unavailable"),
      // The customer confirms, or walks away.
      { weight: 15, tells: [{ says: "action" }, unasked("action_done")], asked: ["unknown", "approved"] },
      tells(5, "action", ["not_found"]),
      tells(12, "unknown", ["unknown", "approved"]),
      tells(8, "unknown", ["not_found"]),
      { weight: 8, tells: [{ says: "unknown" }, late("approved")], asked: ["unknown", "unknown", "approved"] },
      { weight: 6, tells: [{ says: "approved" }, late("approved")], asked: ["approved"] },
      tells(5, "approved:half"),
      // Failed for us, and approved after all.
      { weight: 6, tells: [{ says: "declined" }, unasked("approved")], asked: ["approved"] },
    ],
  },
  {
    name: "inc",
    ops: ["card.increment", "card.increment_status"],
    smooth: tells(1, "approved"),
    stories: [
      tells(40, "declined"),
      tells(30, "unknown", ["unknown", "approved"]),
      tells(15, "unknown", ["declined"]),
      // It never got there, and is sent again.
      tells(10, "unknown", ["not_found", "not_found", "approved"]),
      { weight: 15, tells: [late("approved")], asked: ["approved"] },
    ],
  },
  {
    name: "extend",
    ops: ["order.extend"],
    smooth: tells(1, "ok"),
    stories: [tells(2, "ok"), tells(1, "rejected"), tells(1, "unknown")],
  },
  {
    name: "cap",
    ops: ["card.capture", "card.capture_status", "order.capture", "order.capture_status"],
    smooth: tells(1, "ok"),
    stories: [
      tells(20, "rejected"),
      tells(20, "unknown", ["unknown", "ok"]),
      tells(12, "unknown", ["rejected"]),
      // It never got there, and is sent again.
      tells(10, "unknown", ["not_found", "not_found", "ok"]),
      { weight: 14, tells: [{ says: "unknown" }, late("ok")], asked: ["unknown", "unknown", "ok"] },
      { weight: 14, tells: [{ says: "ok" }, late("ok")], asked: ["ok"] },
      // In the wrong order.
      { weight: 12, tells: [{ says: "ok" }, late("unknown")], asked: ["ok"] },
      // Nobody ever learns, or something else was captured: a person decides.
      tells(4, "unknown"),
      tells(4, "ok:less"),
    ],
  },
  {
    name: "void",
    ops: ["card.void", "card.void_status", "order.cancel", "order.cancel_status"],
    smooth: tells(1, "ok"),
    stories: [
      tells(30, "unknown", ["unknown", "ok"]),
      tells(15, "rejected"),
      tells(10, "unknown", ["rejected"]),
      tells(10, "unknown", ["not_found", "not_found", "ok"]),
      { weight: 20, tells: [{ says: "ok" }, late("ok")], asked: ["ok"] },
      { weight: 25, tells: [late("ok")], asked: ["ok"] },
    ],
  },
  {
    name: "refund",
    ops: ["card.refund", "card.refund_status", "order.refund", "order.refund_status"],
    smooth: tells(1, "completed"),
    stories: [
      { weight: 30, tells: [{ says: "accepted" }, unasked("completed")], asked: ["completed"] },
      { weight: 14, tells: [{ says: "accepted" }, unasked("failed")], asked: ["failed"] },
      tells(14, "rejected"),
      tells(12, "unknown", ["unknown", "completed"]),
      tells(8, "unknown", ["rejected"]),
      tells(8, "unknown", ["not_found", "not_found", "completed"]),
      { weight: 8, tells: [{ says: "completed" }, unasked("failed:closed_account")], asked: ["completed"] },
      // In the wrong order.
      { weight: 8, tells: [{ says: "completed" }, unasked("accepted")], asked: ["completed"] },
      // Failed for us, and paid after all.
      { weight: 4, tells: [{ says: "rejected" }, unasked("completed")], asked: ["completed"] },
      tells(2, "unknown"),
    ],
  },
];
