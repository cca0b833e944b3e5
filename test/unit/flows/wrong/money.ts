// Wrong flows of the properties of money: lines, balances, amounts, whose accounts.

import type { Wrong } from "./wrong.ts";

export const MONEY: readonly Wrong[] = [
  {
    property: "balance",
    what: "a line from an account to itself",
    base: "push",
    change: [["- [bank, unapplied, S, x]", "- [unapplied, unapplied, S, x]"]],
    at: "[unapplied, unapplied",
    says: /to itself/,
  },
  {
    property: "balance",
    what: "one amount as two currencies",
    base: "card",
    change: [["        - [clearing, position, S, x]\n", "        - [clearing, position, M, x]\n"]],
    at: "[clearing, position, M, x]",
    says: /"x" is used as S and as M in one posting/,
  },
  {
    property: "balance",
    what: "a posting without lines",
    base: "push",
    change: [["      lines:\n        - [unapplied, bank, S, x]\n", "      lines: []\n"]],
    also: ["unused"],
    at: "unpark:",
    says: /has no lines/,
  },
  {
    property: "home",
    what: "one holder's account for ever",
    base: "push",
    change: [["liability:merchant:{holder}:available", "liability:merchant:mer_1:available"]],
    at: '"liability:merchant:mer_1',
    says: /belongs to one holder for ever/,
  },
  {
    property: "home",
    what: "an account that an intent names, to be emptied by the flow",
    base: "transfer",
    change: [['target:    { path: "{intent.to}" }', 'target:    { path: "{intent.to}", drains: true }']],
    at: '"{intent.to}", drains',
    says: /cannot be the flow's to empty/,
  },
  {
    property: "invariant",
    what: "a hold that is not released",
    isSeeded: true,
    base: "card",
    change: [
      [
        "        psp.auth.expired:\n          - do:\n              - { post: P02, x: data.held }\n              - { set: { held: 0, want: expire } }",
        "        psp.auth.expired:\n          - do:\n              - { set: { held: 0, want: expire } }",
      ],
    ],
    also: ["drained"],
    at: "release_gate\n        psp.capture.ok",
    says: /bal\(exposure, S\) == data.held behind psp.auth.expired \(off by data.held\)/,
    path: "payment_create → psp.auth.approved → psp.auth.expired",
  },
  {
    property: "invariant",
    what: "a posting line that was dropped",
    isSeeded: true,
    base: "card",
    change: [["        - [position, clearing, M, net]\n", ""]],
    also: ["drained"],
    at: "capture_gate\n        # Without",
    says: /bal\(clearing, M\) == 0 behind psp.capture.ok/,
    path: "payment_create → psp.auth.approved → psp.capture.ok",
  },
  {
    property: "invariant",
    what: "money parked without a note",
    isSeeded: true,
    base: "push",
    change: [
      [
        '            - { set: { parked: "data.parked + event.amount" } }\n            - { emit: ops.notice',
        "            - { emit: ops.notice",
      ],
    ],
    at: "returning\n    returning",
    says: /bal\(unapplied, S\) == 0 - data.parked behind psp.charge.paid \(off by -event.amount\)/,
    path: "payment_create → psp.charge.paid",
  },
  {
    property: "invariant",
    what: "a variable that moves without its money",
    base: "hold",
    change: [
      ["  postings:\n", '  invariants:\n    - "bal(hold, S) == -data.held"\n  postings:\n'],
      [
        "              - { set: { held: 0 } }\n              - { emit: hold.released",
        "              - { set: { held: data.amount } }\n              - { emit: hold.released",
      ],
    ],
    at: "released\n        timer.expiry",
    says: /bal\(hold, S\) == -data.held behind intent.hold_release/,
    path: "hold_place → hold_release",
  },
  {
    property: "drained",
    what: "a remainder that is not released",
    isSeeded: true,
    base: "card",
    change: [
      [
        '            - { post: P02, x: data.held }\n            - { set: { held: 0, voids: "data.voids + 1" } }\n            - { call: void }',
        '            - { set: { voids: "data.voids + 1" } }\n            - { call: void }',
      ],
    ],
    at: "captured\n        - { to: authorized }",
    says: /exposure is empty of S when the case rests in captured \(it may hold/,
  },
  {
    property: "drained",
    what: "an end with money still parked",
    base: "push",
    change: [
      [
        '{ when: "data.parked != 0", refuse: still_held }',
        '{ when: "data.parked == 0 && data.received > 0", refuse: still_held }',
      ],
    ],
    at: "after_return }\n        ops.confirm_returned",
    says: /unapplied is empty of S when the case rests in ended/,
  },
  {
    property: "nonnegative",
    what: "a capture of more than is asked for",
    base: "card",
    change: [['- { let: { rel: "min(data.ask, data.held)" } }', '- { let: { rel: "data.held - data.ask" } }']],
    at: "x: rel }\n            - { post: P04",
    says: /x of P02 is zero or more \(it is -data.ask \+ data.held\)/,
  },
  {
    property: "nonnegative",
    what: "a fee of which nobody says that it fits",
    base: "push",
    change: [
      ['{ fee: "fee.of(event.amount, params.fee_bps, 0)" }', '{ fee: "fee.of(event.amount, params.fee_bps, 0) - 5" }'],
    ],
    at: "fee: fee }\n            - { set",
    says: /fee of receive is zero or more/,
    path: "payment_create → psp.charge.paid",
  },
  {
    property: "nonnegative",
    what: "an amount told that may be below zero",
    base: "hold",
    change: [
      [
        "{ emit: hold.released, amounts: { released: data.amount } }",
        '{ emit: hold.released, amounts: { released: "data.held - data.amount" } }',
      ],
    ],
    at: 'released: "data.held',
    says: /released of hold.released is zero or more/,
    path: "hold_place → hold_release",
  },
  {
    property: "divisor",
    what: "a share of nothing",
    also: ["nonnegative"],
    base: "push",
    change: [["{ returned: data.parked }", '{ returned: "part.down(data.parked, 1, data.polls)" }']],
    at: '"part.down',
    says: /what something is divided by is not zero \(data.polls\)/,
  },
  {
    property: "divisor",
    what: "a division that its guard does not cover",
    base: "push",
    change: [
      [
        '{ when: "event.e2e_id == data.e2e_id", to: stay }',
        '{ when: "event.e2e_id == data.e2e_id || 100 / data.returns > 1", to: stay }',
      ],
    ],
    at: '"event.e2e_id == data.e2e_id || 100',
    says: /divided by is not zero/,
  },
];
