// Wrong flows of the properties that a file has as it stands: names, types, places, costs.

import type { Wrong } from "./wrong.ts";

const HUNDRED = Array.from({ length: 60 }, () => "data.amount").join(" + ");

export const NAMES: readonly Wrong[] = [
  {
    property: "types",
    what: "a key made of a time, which may not be known",
    base: "card",
    change: [['key: "{case}/void/{data.voids}"', 'key: "{case}/void/{data.voids}/{data.authorized_at}"']],
    at: '"{case}/void',
    says: /key is a time where a value that is always known is wanted/,
  },
  {
    property: "references",
    what: "a quote that keeps something else than the core reads of it",
    base: "quote",
    change: [
      ["gives: { money: G, init", "given: { money: G, init"],
      ...Array.from({ length: 9 }, () => ["data.gives", "data.given"] as const),
    ],
    at: "apiVersion",
    says: /a quote keeps gives as money of G, which the core reads/,
  },
  {
    property: "references",
    what: "a quote that does not hear what is taken of it",
    base: "quote",
    change: [
      ["          to: active\n", "          to: good\n"],
      ["    active:\n", "    good:\n"],
    ],
    at: "apiVersion",
    says: /a quote is good in the state active and must hear there what is taken of it: quote.consume/,
  },
  {
    property: "references",
    what: "a field that nobody tells a quote",
    base: "quote",
    change: [
      [
        "{ amount: { money: G }, by: { text: true } }",
        "{ amount: { money: G }, by: { text: true }, why: { text: true } }",
      ],
    ],
    at: "why:",
    says: /quote.consume carries amount as money of G and by as a text, and nothing else/,
  },
  {
    property: "references",
    what: "a word for a parent that no case of it has",
    base: "transfer_in",
    change: [
      [
        "            - { post: P17b",
        "            - { tell: received, amount: data.amount }\n            - { post: P17b",
      ],
    ],
    at: "received, amount",
    says: /nobody hears "received": transfer_in does not start on a spawn/,
  },
  {
    property: "references",
    what: "a state that is not there",
    base: "transfer",
    change: [["to: completed", "to: complete"]],
    at: "complete\n",
    says: /state "complete" is not declared/,
  },
  {
    property: "references",
    what: "a data field that is not there",
    base: "push",
    change: [['when: "data.received > 0"', 'when: "data.gained > 0"']],
    at: '"data.gained',
    says: /"gained" is not declared/,
  },
  {
    property: "references",
    what: "a call that is not there",
    base: "push",
    change: [["        - { call: status }", "        - { call: ask }"]],
    at: "ask }",
    says: /call "ask" is not declared/,
  },
  {
    property: "references",
    what: "an event that no call has as a result",
    base: "push",
    change: [
      [
        "        psp.charge.closed:\n          - { to: draining }",
        "        psp.charge.shut:\n          - { to: draining }",
      ],
    ],
    at: "psp.charge.shut",
    says: /never comes: no call has a result/,
  },
  {
    property: "references",
    what: "a child that nobody spawns",
    base: "hold",
    change: [
      ["        timer.expiry:", "        child.refund.failed:\n          - { to: stay }\n        timer.expiry:"],
    ],
    at: "child.refund",
    says: /no action spawns refund/,
  },
  {
    property: "references",
    what: "an account path that names no variable",
    base: "card",
    change: [['"memo:auth_contra:{provider}"', '"memo:auth_contra:{acquirer}"']],
    at: '"memo:auth_contra:{acq',
    says: /\{acquirer\} .* is neither \{holder\} nor a text variable/,
  },
  {
    property: "types",
    what: "an amount in another currency",
    base: "card",
    change: [["{ post: P05, x: data.ask, net: conv.net,", "{ post: P05, x: data.net, net: conv.net,"]],
    at: "data.net, net: conv",
    says: /money of M where money of S is wanted/,
  },
  {
    property: "types",
    what: "money of two currencies added up",
    base: "card",
    change: [
      [
        'captured: "data.captured + data.ask", net: "data.net + conv.net"',
        'captured: "data.captured + data.net", net: "data.net + conv.net"',
      ],
    ],
    at: '"data.captured + data.net"',
    says: /money of (S|M).*money of (S|M)/,
  },
  {
    property: "types",
    what: "a word that its enum does not have",
    base: "push",
    change: [["        - when: \"data.want == 'cancel'\"", "        - when: \"data.want == 'stop'\""]],
    at: "\"data.want == 'stop'\"",
    says: /stop|do not fit/,
  },
  {
    property: "types",
    what: "a guard that is no yes or no",
    base: "push",
    change: [['when: "data.received > 0"', 'when: "data.received"']],
    at: '"data.received"',
    says: /when is money of S where true or false is wanted/,
  },
  {
    property: "types",
    what: "a house account to open",
    base: "open",
    change: [['"{intent.account}"', '"asset:bank:main"']],
    at: "open_account: {",
    says: /is a house account/,
  },
  {
    property: "context",
    what: "an intent read on the way of a report",
    base: "push",
    change: [
      [
        '{ when: "event.e2e_id == data.e2e_id", to: stay }',
        '{ when: "event.amount == intent.amount.minor", to: stay }',
      ],
    ],
    at: '"event.amount == intent',
    says: /psp.charge.paid, which has no intent/,
  },
  {
    property: "context",
    what: "an event read on the way of a timer",
    base: "refund",
    change: [["{ end: failed, code: insufficient_funds }", "{ end: failed, code: event.code }"]],
    at: "event.code }\n              - { tell",
    says: /on the way of timer.give_up, which carries none/,
  },
  {
    property: "cost",
    what: "an amount of a hundred parts",
    base: "push",
    change: [["{ returned: data.parked }", `{ returned: "${HUNDRED}" }`]],
    at: '"data.amount + data',
    says: /has \d+ parts; an expression has at most 100/,
  },
  {
    property: "cost",
    what: "a guard of a hundred parts",
    base: "card",
    change: [
      ['when: "data.held == 0", to: captured', `when: "${HUNDRED.replaceAll("amount", "held")} == 0", to: captured`],
    ],
    at: '"data.held + data',
    says: /when has \d+ parts/,
  },
  {
    property: "unused",
    what: "a parameter that nothing reads",
    base: "card",
    change: [["    late_window:", "    grace: { duration: true, default: PT1H }\n    late_window:"]],
    at: "grace: {",
    says: /parameter "grace" is declared and never used/,
  },
  {
    property: "unused",
    what: "a variable that is only written",
    base: "push",
    change: [
      ["    polls: {", "    seen: { int: true, init: 0 }\n    polls: {"],
      ["{ polls: 0 } }", "{ polls: 0, seen: 1 } }"],
    ],
    at: "seen: { int",
    says: /data field "seen"/,
  },
  {
    property: "unused",
    what: "a posting left over",
    base: "push",
    change: [
      [
        "  calls:\n",
        "    apply:\n      title: parked money applied\n      in: [x]\n      lines:\n        - [unapplied, clearing, S, x]\n  calls:\n",
      ],
    ],
    at: "apply:",
    says: /posting "apply"/,
  },
  {
    property: "unused",
    what: "a name that no action takes",
    base: "push",
    change: [
      ["{ post: receive, x: event.amount, fee: fee }", "{ post: receive, x: event.amount, fee: 0 }"],
      ["{ captured: event.amount, fee: fee }", "{ captured: event.amount }"],
    ],
    at: 'fee: "fee.of',
    says: /"fee" is named and never used/,
  },
  {
    property: "exceptions",
    what: "an exception that is not needed",
    base: "push",
    change: [
      [
        "  states:\n",
        "  exceptions:\n    - { property: attended, at: states.closing, reason: the provider never answers }\n  states:\n",
      ],
    ],
    at: "{ property: attended",
    says: /attended holds at states.closing: the exception is not needed/,
  },
  {
    property: "exceptions",
    what: "an exception from what has none",
    base: "push",
    change: [
      [
        "  states:\n",
        "  exceptions:\n    - { property: balance, at: postings.park, reason: we like it so }\n  states:\n",
      ],
    ],
    at: "{ property: balance",
    says: /"balance" holds without exception/,
  },
  {
    property: "exceptions",
    what: "an exception from a property that there is not",
    base: "hold",
    change: [
      ["  states:\n", "  exceptions:\n    - { property: soundness, at: states.held, reason: no matter }\n  states:\n"],
    ],
    at: "{ property: soundness",
    says: /"soundness" is no property/,
  },
];
