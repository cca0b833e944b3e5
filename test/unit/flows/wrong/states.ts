// Wrong flows of the properties of states: what they can have, where they lead, what happens when nobody asks.

import type { Wrong } from "./wrong.ts";

/** One behind the other, and then on to where it went before. */
const ROW = Array.from({ length: 32 }, (_, at) => {
  return `    row_${at}: { kind: choice, always: [{ to: ${at === 31 ? "received" : `row_${at + 1}`} }] }\n`;
}).join("");

export const STATES: readonly Wrong[] = [
  {
    property: "choice",
    what: "more choices in a row than an event passes",
    base: "transfer_in",
    change: [
      ["          to: received\n", "          to: row_0\n"],
      ["    received:\n", `${ROW}    received:\n`],
    ],
    at: "requested:",
    says: /requested is the first of 33 states in a row that do not wait; at most 32 are passed/,
  },
  {
    property: "kinds",
    what: "a final state that waits for a timer",
    base: "push",
    change: [
      [
        "    closed:\n      kind: final",
        "    closed:\n      kind: final\n      timers: [late]\n      events:\n        timer.late:\n          - { to: closed }",
      ],
    ],
    at: "closed:\n      kind: final",
    says: /is final and cannot have timers/,
  },
  {
    property: "kinds",
    what: "two beginnings",
    base: "push",
    change: [["    create_query:\n      kind: active", "    create_query:\n      kind: initial"]],
    at: "create_query:\n      kind: initial",
    says: /second initial state/,
  },
  {
    property: "choice",
    what: "choices in a circle",
    base: "push",
    change: [
      ["        - do: [{ end: expired }]\n          to: ended", "        - to: after_return"],
      ['{ when: "data.received > 0", to: completed }', '{ when: "data.received > 0", to: end_gate }'],
    ],
    at: "end_gate:\n",
    says: /go round in a circle/,
  },
  {
    property: "choice",
    what: "a choice without an answer for the rest",
    base: "push",
    change: [
      [
        "        - do: [{ end: expired }]\n          to: ended",
        "        - when: \"data.want == 'expire'\"\n          do: [{ end: expired }]\n          to: ended",
      ],
    ],
    at: "ended\n    # the provider says",
    says: /no answer when no guard holds/,
  },
  {
    property: "dead",
    what: "an alternative behind one without a guard",
    base: "push",
    change: [
      [
        "        psp.charge.closed:\n          - { to: draining }",
        "        psp.charge.closed:\n          - { to: draining }\n          - { to: close_query }",
      ],
    ],
    at: "close_query }\n        psp.charge.already_paid",
    says: /one before it has no guard/,
  },
  {
    property: "dead",
    what: "a guard that contradicts what is certain in its state",
    base: "card",
    change: [
      [
        "        timer.horizon:\n          - { to: closed }",
        '        timer.horizon:\n          - { when: "data.held > 0", to: closed }\n          - { to: closed }',
      ],
    ],
    at: "closed }\n          - { to: closed }",
    says: /"data.held > 0" never holds in captured/,
  },
  {
    property: "dead",
    what: "a guard that an earlier one covers",
    base: "refund",
    change: [
      [
        '        - when: "data.rated > 0"',
        '        - { when: "S == M && data.rated > 0", to: waiting_funds }\n        - when: "data.rated > 0"',
      ],
    ],
    at: "waiting_funds }\n        - when",
    says: /"S == M && data.rated > 0" never holds in pricing/,
  },
  {
    property: "reachable",
    what: "a state that nothing leads to",
    base: "push",
    change: [["    closed:\n", "    lost:\n      kind: final\n    closed:\n"]],
    at: "lost:",
    says: /lost is never reached/,
  },
  {
    property: "reachable",
    what: "a state that no case can reach, though an arrow points there",
    also: ["dead"],
    base: "hold",
    change: [
      ["    captured: { kind: final }", "    odd: { kind: final }\n    captured: { kind: final }"],
      [
        "    requested:\n      kind: initial\n      always:\n",
        '    requested:\n      kind: initial\n      always:\n        - { when: "data.held < 0", to: odd }\n',
      ],
    ],
    at: "odd: {",
    says: /odd is never reached/,
  },
  {
    property: "completion",
    what: "states that lead to no end",
    base: "hold",
    change: [
      ["            to: captured", "            to: parked"],
      [
        "    captured: { kind: final }",
        "    parked:\n      kind: quiescent\n      human: true\n      events:\n        ops.look:\n          - { do: [{ emit: ops.decided }], to: parked }",
      ],
    ],
    at: "parked:\n",
    says: /parked leads to no final state/,
    path: "hold_place → hold_capture",
  },
  {
    property: "completion",
    what: "two states that send each other the case",
    base: "hold",
    change: [
      ["            to: captured", "            to: one"],
      [
        "    captured: { kind: final }",
        "    one:\n      kind: quiescent\n      human: true\n      events:\n        ops.look:\n          - { do: [{ emit: ops.decided }], to: other }\n" +
          "    other:\n      kind: quiescent\n      human: true\n      events:\n        ops.look:\n          - { do: [{ emit: ops.decided }], to: one }",
      ],
    ],
    at: "other:\n",
    says: /other leads to no final state/,
    path: "hold_place → hold_capture → ops.look",
  },
  {
    property: "timers",
    what: "a timer that nobody handles",
    base: "push",
    change: [["      timers: [grace]", "      timers: [grace, poll]"]],
    at: "poll]\n      events:\n        psp.charge.paid",
    says: /arms timer poll and does not handle it/,
  },
  {
    property: "timers",
    what: "a timer that nobody arms",
    also: ["unused"],
    base: "push",
    change: [
      ["      timers: [ttl]\n", ""],
      ["    ttl: { after: params.charge_ttl }\n", "    ttl: { after: params.charge_ttl }\n"],
    ],
    at: "timer.ttl",
    says: /handles timer ttl and does not arm it/,
  },
  {
    property: "attended",
    what: "a state that waits for a producer for ever",
    also: ["progress"],
    base: "hold",
    change: [
      ["            to: expired", "            to: waiting"],
      [
        "    captured: { kind: final }",
        "    waiting:\n      kind: active\n      events:\n        intent.hold_close:\n          - { do: [{ emit: ops.decided }], to: expired }\n    captured: { kind: final }",
      ],
      ["{ emit: hold.expired, amounts: { released: data.amount } }", "{ emit: ops.escalated }"],
    ],
    at: "waiting:\n",
    says: /comes to no end and to no human/,
    path: "hold_place → timer.expiry",
  },
  {
    property: "attended",
    what: "polling without a limit",
    base: "push",
    change: [
      [
        '          - when: "data.polls < params.poll_limit"\n            do: [{ set: { polls: "data.polls + 1" } }]\n            to: return_query\n          - do: [{ emit: ops.attention, code: "\'return_result_unknown\'" }]\n            to: attention',
        "          - { to: return_query }",
      ],
    ],
    at: "return_query:\n",
    says: /goes round for ever \(return_query\)/,
  },
  {
    property: "attended",
    what: "a counter that is set back on the way round",
    base: "push",
    change: [
      [
        "    return_query:\n      kind: active\n      entry:\n",
        "    return_query:\n      kind: active\n      entry:\n        - { set: { polls: 0 } }\n",
      ],
    ],
    at: "return_query:\n",
    says: /goes round for ever \(return_query\)/,
  },
  {
    property: "attended",
    what: "a long timer that a short one puts off for ever",
    base: "hold",
    change: [
      ["expiry: { after: PT15M }", "expiry: { after: PT15M }\n    poll: { after: PT1M }"],
      ["timers: [expiry]", "timers: [expiry, poll]"],
      ["        timer.expiry:", "        timer.poll: [{ to: held }]\n        timer.expiry:"],
    ],
    at: "held:\n",
    says: /goes round for ever \(held\)/,
    path: "hold_place → timer.poll",
  },
  {
    property: "progress",
    what: "a state with nothing on its way",
    also: ["attended"],
    base: "hold",
    change: [
      ["      timers: [expiry]\n", ""],
      ["        timer.expiry:", "        intent.hold_expire:"],
      ["  timers:\n    expiry: { after: PT15M }\n", ""],
    ],
    at: "held:\n",
    says: /nothing is on its way in held/,
    path: "hold_place",
  },
  {
    property: "progress",
    what: "staying on unknown without a timer",
    base: "push",
    change: [
      [
        "        psp.charge.close_unknown:\n          - { to: close_query }",
        "        psp.charge.close_unknown:\n          - { to: stay }",
      ],
    ],
    at: "stay }\n        psp.charge.paid",
    says: /closing stays on psp.charge.close_unknown and then waits for nothing/,
  },
  {
    property: "progress",
    what: "a timer that fires and changes nothing",
    base: "hold",
    change: [
      [
        "          - do:\n              - { post: P16_release, x: data.held }\n              - { set: { held: 0 } }\n              - { emit: hold.expired",
        '          - { when: "data.held > 5", to: stay }\n          - do:\n              - { post: P16_release, x: data.held }\n              - { set: { held: 0 } }\n              - { emit: hold.expired',
      ],
    ],
    at: "stay }",
    says: /held stays on timer.expiry, which is gone then/,
  },
  {
    property: "answers",
    what: "a create that answers nothing",
    base: "transfer",
    change: [["            - { emit: transfer.completed, amounts: { requested: data.amount } }\n", ""]],
    at: "completed\n",
    says: /an accepted intent.transfer_create causes no outcome/,
    path: "transfer_create",
  },
  {
    property: "answers",
    what: "a decision that tells nobody",
    base: "push",
    change: [
      [
        "- { do: [{ emit: ops.decided }], to: after_return }",
        '- { when: "data.received > 0", to: completed }\n          - { do: [{ emit: ops.decided }], to: after_return }',
      ],
    ],
    at: "completed }\n          - { do: [{ emit: ops.decided",
    says: /an accepted ops.confirm_nothing causes no outcome/,
  },
];
