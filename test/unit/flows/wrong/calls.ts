// Wrong flows of the properties of what a flow asks of others and tells them.

import type { Wrong } from "./wrong.ts";

export const CALLS: readonly Wrong[] = [
  {
    property: "progress",
    what: "an authorization that nobody lets expire",
    isSeeded: true,
    also: ["dead"],
    base: "push",
    change: [
      ["      timers: [ttl]\n", ""],
      ["        timer.ttl:\n          - { do: [{ set: { want: expire } }], to: closing }\n", ""],
      ["    ttl: { after: params.charge_ttl }\n", ""],
      ["    charge_ttl: { duration: true, default: PT1H }\n", ""],
    ],
    at: "awaiting_payer:",
    says: /nothing is on its way in awaiting_payer/,
    path: "payment_create → psp.charge.created",
  },
  {
    property: "progress",
    what: "a charge that is closed without waiting for what is in flight",
    isSeeded: true,
    base: "push",
    change: [
      ["    draining:\n      kind: active\n      timers: [grace]", "    draining:\n      kind: active"],
      [
        "        timer.grace:\n          - { to: end_gate }",
        "        intent.payment_end:\n          - { do: [{ emit: ops.decided }], to: end_gate }",
      ],
      ["    grace: { after: params.close_grace }\n", ""],
      ["    close_grace: { duration: true, default: PT2M }\n", ""],
    ],
    at: "draining:\n",
    says: /nothing is on its way in draining/,
    path: "payment_create → psp.charge.created → payment_cancel → psp.charge.closed",
  },
  {
    property: "calls",
    what: "an unknown that its state does not handle",
    isSeeded: true,
    also: ["progress", "reachable"],
    base: "push",
    change: [
      ["        psp.return.unknown:\n          - { to: return_query }\n", ""],
      ["unknown: psp.return.unknown }", "unknown: psp.status.unknown }"],
    ],
    at: "give_back }\n      events",
    says: /give_back may answer unknown \(psp.status.unknown\), which returning does not handle/,
    path: "payment_create → psp.charge.paid",
  },
  {
    property: "calls",
    what: "a key that may be forgotten at any time",
    base: "push",
    change: [['key: "{case}/close"\n      key_lifetime: P1D\n', 'key: "{case}/close"\n']],
    at: "close_charge:\n      op",
    says: /close_charge moves something and does not say for how long its key is known/,
  },
  {
    property: "calls",
    what: "a key that all cases share",
    isSeeded: true,
    base: "push",
    change: [['key: "{case}/close"', 'key: "{data.provider}/close"']],
    at: "close_charge:\n      op",
    says: /the key of close_charge does not name the case/,
  },
  {
    property: "calls",
    what: "a call that moves something and knows no unknown",
    base: "push",
    change: [
      [
        "results: { ok: psp.charge.created, rejected: psp.charge.rejected, unknown: psp.charge.unknown }",
        "results: { ok: psp.charge.created, rejected: psp.charge.rejected, lost: psp.charge.unknown }",
      ],
    ],
    at: "create:\n      op",
    says: /does not say what "unknown" becomes/,
  },
  {
    property: "calls",
    what: "a second return under the key of the first",
    base: "push",
    change: [['- { set: { returns: "data.returns + 1", polls: 0 } }', "- { set: { polls: 0 } }"]],
    at: "give_back }\n      events",
    says: /give_back has one effect only: it was answered under this key/,
  },
  {
    property: "calls",
    what: "a second key while the first has no answer",
    base: "push",
    change: [
      [
        '            do: [{ set: { polls: "data.polls + 1" } }]\n            to: return_query',
        '            do: [{ set: { polls: "data.polls + 1" } }, { set: { returns: "data.returns + 1" } }, { call: give_back }]\n            to: returning_again',
      ],
      [
        "    after_return:\n      kind: choice",
        "    returning_again:\n      kind: active\n      events:\n        psp.return.ok:\n          - { to: back }\n        psp.return.rejected:\n          - { do: [{ emit: ops.attention, code: \"'return_rejected'\" }], to: attention }\n        psp.return.unknown:\n          - { to: return_query }\n    back:\n      kind: choice\n      always:\n        - do:\n            - { emit: payment.returned, amounts: { returned: data.parked } }\n            - { post: unpark, x: data.parked }\n            - { set: { parked: 0 } }\n          to: after_return\n    after_return:\n      kind: choice",
      ],
    ],
    at: "give_back }]\n            to: returning_again",
    says: /gets a second key while the first has not been answered/,
  },
  {
    property: "calls",
    what: "a key that may have been one before",
    base: "push",
    change: [
      [
        '- { set: { returns: "data.returns + 1", polls: 0 } }',
        '- { set: { returns: "data.polls + 1" } }\n        - { set: { polls: 0 } }',
      ],
    ],
    at: "give_back }\n      events",
    says: /its key may be one that was used before/,
  },
  {
    property: "calls",
    what: "a return that is sent again though it may have been answered: nobody asks which one the answer is of",
    base: "coins",
    change: [
      [
        '          - { when: "event.seq == data.tries", to: given_back }\n',
        '          - { when: "event.seq == 1", to: given_back }\n',
      ],
    ],
    at: "give_back }\n            to: stay",
    says: /give_back has one effect only: it was answered under this key/,
  },
  {
    property: "calls",
    what: "a return that is sent again though it may have been answered: what comes back is not the number in its key",
    base: "coins",
    change: [
      [
        "provider: data.provider, seq: data.tries }\n      results: { ok",
        "provider: data.provider, seq: data.polls }\n      results: { ok",
      ],
    ],
    at: "give_back }\n            to: stay",
    says: /give_back has one effect only: it was answered under this key/,
  },
  {
    property: "calls",
    what: "another provider while the answer of the first is unknown",
    base: "card",
    change: [
      [
        '          - when: "data.absent >= 1"\n            do:\n              - { end: failed, code: abandoned_or_lost }\n            to: ended',
        '          - when: "data.absent >= 1"\n            do:\n              - { set: { provider: "\'script\'", attempt: "data.attempt + 1", absent: 0 } }\n            to: authorizing',
      ],
    ],
    also: ["retries"],
    at: "set: { provider: \"'script'\"",
    says: /another provider is asked while the first has not answered/,
  },
  {
    property: "calls",
    what: "another provider while something is held at the first",
    base: "card",
    change: [
      [
        "              - { emit: payment.cancel_requested }\n              - { set: { want: cancel } }",
        "              - { emit: payment.cancel_requested }\n              - { set: { want: cancel, provider: \"'script'\" } }",
      ],
    ],
    at: "provider: \"'script'\"",
    says: /nothing is on exposure in S when provider, which its path names, changes/,
  },
  {
    property: "calls",
    what: "a call that may be unavailable and does not say so to the gateway",
    base: "card",
    change: [["        route: data.choice\n", ""]],
    at: "authorize:\n      op",
    says: /authorize may be answered "unavailable" and does not say which choice it is/,
  },
  {
    property: "messages",
    what: "money that leaves with less than was taken",
    base: "transfer",
    change: [
      [
        "            - { post: P17a, x: data.amount }\n            - { set: { net: data.amount, from: intent.from } }",
        '            - { post: P17a, x: data.amount }\n            - { set: { net: "data.amount - 1", from: intent.from } }',
      ],
    ],
    at: 'sent\n        - when: "!fx',
    says: /sends or receives in S \(off by -1\)/,
    path: "transfer_create",
  },
  {
    property: "messages",
    what: "a refusal that does not bring the money back",
    base: "transfer",
    change: [
      [
        "        - [transit, position, M, net]\n        - [fx_spread, position, M, spr]\n",
        "        - [fx_spread, position, M, net]\n        - [fx_spread, position, M, spr]\n",
      ],
    ],
    at: "failed\n\n    completed",
    says: /what was refused is posted back from clearing:transit in M/,
  },
  {
    property: "messages",
    what: "a message without an event for a refusal",
    base: "transfer",
    change: [
      [
        "results: { accepted: transfer.accepted, refused: transfer.refused }",
        "results: { accepted: transfer.accepted, unknown: transfer.refused }",
      ],
    ],
    at: "credit:\n",
    says: /no event for the answer "refused"/,
  },
  {
    property: "messages",
    what: "money taken in that did not come",
    base: "transfer_in",
    change: [["- { post: P17b, x: data.amount }", '- { post: P17b, x: "data.amount + 1" }']],
    at: "received\n",
    says: /clearing:transit is moved by what the event sends or receives in M \(off by 1\)/,
    path: "transfer_credit",
  },
  {
    property: "retries",
    what: "a declined call that is made again and again",
    base: "push",
    change: [
      [
        "        psp.return.rejected:\n          - { do: [{ emit: ops.attention, code: \"'return_rejected'\" }], to: attention }\n        psp.return.unknown",
        "        psp.return.rejected:\n          - { to: returning }\n        psp.return.unknown",
      ],
    ],
    at: "returning }\n        psp.return.unknown",
    says: /the call give_back is made again and again on its own answers \(returning\)/,
    path: "payment_create → psp.charge.paid → psp.return.rejected",
  },
  {
    property: "retries",
    what: "two calls that chase each other",
    base: "push",
    change: [
      [
        "        psp.charge.close_unknown:\n          - { to: close_query }",
        "        psp.charge.close_unknown:\n          - { to: close_query }",
      ],
      ["        psp.charge.open:\n          - { to: stay }", "        psp.charge.open:\n          - { to: closing }"],
    ],
    also: ["calls"],
    at: "close_query }\n        psp.charge.close_unknown",
    says: /made again and again on its own answers/,
  },
  {
    property: "ends",
    what: "an end that is told like any outcome",
    base: "push",
    change: [
      [
        "{ do: [{ end: failed, code: event.code }], to: ended }",
        "{ do: [{ emit: payment.failed, code: event.code }], to: ended }",
      ],
    ],
    at: "payment.failed",
    says: /payment.failed comes once and behind no success: say it by end/,
    path: "payment_create → psp.charge.rejected",
  },
  {
    property: "ends",
    what: "a failure behind a success",
    base: "push",
    change: [['{ when: "data.received > 0", to: completed }', '{ when: "data.received > 5", to: completed }']],
    at: "failed, code: \"'ended_without",
    says: /the case has told no success before it ends as failed/,
  },
  {
    property: "ends",
    what: "a success behind the end",
    base: "push",
    change: [
      [
        "{ set: { want: cancel, e2e_id: event.e2e_id } }], to: paid_gate",
        "{ set: { want: proceed, e2e_id: event.e2e_id } }], to: paid_gate",
      ],
    ],
    at: "payment.captured",
    says: /has not ended before it tells payment.captured, which only a human can put right/,
    path: "payment_create → psp.charge.rejected → psp.charge.paid",
  },
  {
    property: "contradictions",
    what: "a payment that most states would pass over",
    base: "push",
    change: [["      psp.charge.paid: payment_not_expected\n", ""]],
    at: "returning:\n",
    says: /psp.charge.paid says that money has moved, and returning would pass over it/,
    path: "payment_create → psp.charge.paid → psp.charge.paid",
  },
  {
    property: "contradictions",
    what: "a capture that nobody would hear of",
    base: "card",
    change: [["      psp.capture.ok: capture_not_expected\n", ""]],
    at: "awaiting_action:\n",
    says: /psp.capture.ok says that money has moved, and awaiting_action would pass over it/,
    path: "payment_create → psp.auth.action → psp.capture.ok",
  },
  {
    property: "facts",
    what: "a report that takes from an account which may be empty",
    base: "push",
    change: [
      ["        - [unapplied, bank, S, x]", "        - [unapplied, bank, S, x]\n        - [available, fees, S, x]"],
    ],
    at: "after_return\n        psp.return.rejected",
    says: /liability:merchant:\{holder\}:available has what psp.return.ok takes from it in S/,
  },
  {
    property: "facts",
    what: "a conversion without a rate",
    base: "card",
    change: [
      [
        '        - when: "fx.usable(S, M)"\n          do:\n            - { let: { rel',
        '        - when: "data.captured >= 0"\n          do:\n            - { let: { rel',
      ],
    ],
    also: ["dead", "reachable"],
    at: '"fx.convert(data.ask, S, M, fx.spread',
    says: /has a value on the way of psp.capture.ok, which cannot be refused: guard it by fx.usable/,
  },
  {
    property: "facts",
    what: "a hold account that any intent may touch",
    base: "hold",
    change: [["liability:customer:{holder}:hold", "liability:customer:{holder}:unapplied"]],
    at: "expired\n",
    says: /liability:customer:\{holder\}:unapplied has what timer.expiry takes from it in S/,
    path: "hold_place → timer.expiry",
  },
  {
    property: "facts",
    what: "money sent back to an account that was never judged",
    base: "transfer",
    change: [
      [
        "            - { set: { net: data.amount, from: intent.from } }",
        "            - { set: { net: data.amount, from: intent.to } }",
      ],
    ],
    at: "failed\n          - do:",
    says: /the account that data.from names was judged before transfer.refused books on it/,
    path: "transfer_create → transfer.refused",
  },
  {
    property: "outcomes",
    what: "an outcome that is not in the catalogue",
    base: "transfer",
    change: [["transfer.submitted", "transfer.launched"]],
    at: "transfer.launched",
    says: /"transfer.launched" is not in the catalogue of outcomes \(schemas\/outcomes\/catalogue\.yaml\)/,
  },
  {
    property: "outcomes",
    what: "an outcome without an amount that it must carry",
    base: "push",
    change: [
      [
        "{ emit: payment.captured, amounts: { captured: event.amount, fee: fee } }",
        "{ emit: payment.captured, amounts: { fee: fee } }",
      ],
    ],
    at: "payment.captured",
    says: /payment.captured carries no amount "captured"/,
  },
  {
    property: "outcomes",
    what: "a failure without a reason",
    base: "push",
    change: [["{ end: failed, code: event.code }", "{ end: failed }"]],
    at: "failed }]",
    says: /payment.failed gives no reason/,
  },
  {
    property: "outcomes",
    what: "the name of a refusal",
    base: "open",
    change: [["account.opened", "account.rejected"]],
    at: "account.rejected",
    says: /what the core answers/,
  },
  {
    property: "outcomes",
    what: "an outcome that leaves the case where it says it does not",
    base: "hold",
    change: [
      [
        "{ emit: hold.placed, amounts: { held: data.held } }",
        "{ emit: hold.released, amounts: { released: data.held } }",
      ],
    ],
    at: "hold.released, amounts: { released: data.held",
    says: /hold.released leaves the case in held, which is active/,
    path: "hold_place",
  },
];
