// One flow that uses every part of the language, and the ways in which each part can be misspelt. The parser refuses each
// at its place, and so does the JSON Schema that editors underline by.

export const WHOLE = `apiVersion: flow/v1
kind: Flow
metadata: { name: parcel, version: 1.2.3, owner: tests, family: payment }
spec:
  starts_on: { intent: parcel_create, when: "intent.method == 'parcel' && has(intent.provider)" }
  case_kind: par
  currencies: { S: intent.amount.currency, M: intent.settlementCurrency }
  params:
    validity: { duration: true, default: P7D }
    tries: { int: true, default: 3 }
    eager: { bool: true, default: false }
    basis: { enum: [original, current], default: current }
    label: { text: true, default: "" }
    fixed: { amounts: true, default: { USD: 30, "*": 10 } }
  events:
    psp.done: { amount: { money: S }, code: text, late: { bool: true }, on_time: bool }
    child.refund.failed: { amount: { money: S } }
  data:
    amount: { money: S, init: intent.amount.minor }
    net: { money: M, init: 0 }
    tried: { int: true, init: 0 }
    done: { bool: true, init: false }
    want: { enum: [proceed, cancel], init: proceed }
    mode: { enum: [automatic, manual], init: intent.captureMode, default: automatic }
    provider: { text: true, init: intent.provider, default: script }
    tenant: { text: true, init: intent.tenant, default: "" }
    since: { time: true, init: null }
  accounts:
    outside: { path: "asset:bank:{provider}", drains: true }
    inside: { path: "clearing:payment" }
  invariants:
    - "bal(inside, S) == data.amount - 0"
  postings:
    P01:
      title: in and out
      in: [x]
      forced: true
      lines:
        - [outside, inside, S, x]
  calls:
    ask:
      op: parcel.ask
      key: "{case}/ask/{data.tried}"
      key_lifetime: params.validity
      timeout: PT20S
      with: { amount: data.amount, currency: S, first: "data.tried == 1" }
      results: { ok: psp.done, unknown: psp.unknown }
    look:
      op: parcel.look
      read_only: true
      timeout: PT5S
      results: { ok: psp.done }
    give:
      message: parcel_credit
      holder: "case.holder"
      with: { account: "'x'", amount: data.net }
      results: { accepted: give.accepted, refused: give.refused }
  timers:
    expiry: { after: params.validity, anchor: data.since }
    poll: { after: PT30S }
  defaults:
    alarms: { psp.done: done_not_expected }
  exceptions:
    - { property: attended, at: states.waiting, reason: "a person looks every day" }
  states:
    created:
      kind: initial
      always:
        - { when: "data.amount > 100000", refuse: amount_too_large }
        - do:
            - { emit: parcel.received, amounts: { requested: data.amount }, code: first }
          to: waiting
    waiting:
      kind: active
      human: true
      timers: [expiry, poll]
      entry:
        - { call: ask }
      events:
        psp.done:
          - when: "event.amount == data.amount && data.tried < params.tries"
            do:
              - { let: { half: "part.down(event.amount, 1, 2)" } }
              - { post: P01, x: half }
              - { set: { tried: "data.tried + 1", want: cancel, done: true, since: event.at } }
              - { spawn: refund, amount: half }
              - { call: give }
            to: stay
          - { do: [{ end: failed, code: event.code }], to: closed }
        intent.parcel_cancel:
          - { when: "data.done", refuse: invalid_state }
          - { do: [{ end: canceled }, { tell: gone, amount: data.amount }], to: closed }
        ops.confirm_nothing: [{ do: [{ end: failed, code: resolved }], to: closed }]
        child.refund.failed:
          - { do: [{ consume: data.provider, amount: event.amount }], to: waiting }
        timer.poll: [{ do: [{ call: look }], to: stay }]
        timer.expiry: [{ to: closed }]
    resting:
      kind: quiescent
      events:
        psp.done: [{ to: closed }]
    closed:
      kind: final
`;

/** What is wrong, what is replaced by what, where the fault stands (marker in the changed text), and what it says.
 *  `form`: the JSON Schema refuses it too; `text`: it takes reading the text of an expression or the file as a whole */
export type FormCase = readonly [
  what: string,
  seenBy: "form" | "text",
  old: string,
  by: string,
  marker: string,
  says: RegExp,
];

const TOP: readonly FormCase[] = [
  ["an unknown key of the file", "form", "kind: Flow\n", "kind: Flow\nnotes: x\n", "notes", /unknown key "notes"/],
  ["an unknown key of spec", "form", "  case_kind", "  case_key: x\n  case_kind", "case_key", /unknown key "case_key"/],
  ["a family in capitals", "form", "family: payment", "family: Payment", "Payment", /family must be small letters/],
  ["two starts", "form", "intent: parcel_create,", "intent: a, message: b,", "{ intent: a", /takes one of intent/],
  [
    "a guard on a message",
    "form",
    "{ intent: parcel_create,",
    "{ message: parcel_create,",
    '"intent.method',
    /decides between flows/,
  ],
  [
    "a start by no spawn",
    "form",
    "{ intent: parcel_create, when: \"intent.method == 'parcel' && has(intent.provider)\" }",
    "{ spawn: false }",
    "{ spawn",
    /spawn must be true/,
  ],
  [
    "a currency from nowhere",
    "form",
    "M: intent.settlementCurrency",
    "M: intent.money",
    "intent.money",
    /currency M must be/,
  ],
  ["an unknown state key", "form", "      human: true\n", "      humans: true\n", "humans", /unknown key "humans"/],
  [
    "a kind of state that there is not",
    "form",
    "kind: quiescent",
    "kind: resting",
    "resting\n      events",
    /kind must be one of/,
  ],
];

const TYPES: readonly FormCase[] = [
  ["a parameter without a type", "form", "{ int: true, default: 3 }", "{ default: 3 }", "tries", /lacks its type/],
  [
    "a parameter with two types",
    "form",
    "{ int: true, default: 3 }",
    "{ int: true, bool: true, default: 3 }",
    "tries",
    /has two types: int and bool/,
  ],
  [
    "a parameter of money",
    "form",
    "{ int: true, default: 3 }",
    "{ money: S, default: 3 }",
    "money: S, default",
    /unknown key "money"/,
  ],
  [
    "a parameter without a default",
    "form",
    "{ int: true, default: 3 }",
    "{ int: true }",
    "{ int: true }\n    eager",
    /lacks "default"/,
  ],
  [
    "a default of another type",
    "form",
    "{ int: true, default: 3 }",
    "{ int: true, default: many }",
    "many",
    /must be a whole number/,
  ],
  [
    "a default that is no word of its enum",
    "text",
    "default: current",
    "default: latest",
    "latest",
    /must be one of original, current/,
  ],
  ["a default that is no duration", "form", "default: P7D", "default: 7d", "7d", /ISO 8601 duration/],
  ["a table with a fraction", "form", "USD: 30", "USD: 30.5", "30.5", /USD of parameter fixed must be a whole number/],
  ["a table below zero", "form", "USD: 30", "USD: -1", "-1", /from 0 to/],
  [
    "a type that is false",
    "form",
    "{ int: true, init: 0 }",
    "{ int: false, init: 0 }",
    "false, init: 0 }",
    /must be true: it only says the type/,
  ],
  ["an enum of no words", "form", "[proceed, cancel]", "[]", "[], init", /has no words/],
  ["an enum with a word twice", "form", "[proceed, cancel]", "[proceed, proceed]", "[proceed, proceed]", /twice/],
  [
    "data by a name that every object has",
    "form",
    "    tried: { int: true, init: 0 }",
    "    constructor: { int: true, init: 0 }\n    tried: { int: true, init: 0 }",
    "constructor",
    /the name "constructor" must be .*, and not "constructor"/,
  ],
  ["data without init", "form", "{ int: true, init: 0 }", "{ int: true }", "tried: { int: true }", /lacks "init"/],
  [
    "data with two beginnings",
    "form",
    "{ int: true, init: 0 }",
    "{ int: true, init: 0, from: data.x }",
    "tried: { int: true, init",
    /not both/,
  ],
  [
    "a default of a number",
    "form",
    "{ int: true, init: 0 }",
    "{ int: true, init: 0, default: 1 }",
    "1 }\n    done",
    /takes a default only/,
  ],
  [
    "an event's field of no type",
    "form",
    "code: text",
    "code: string",
    "string",
    /must be one of int, bool, text, time/,
  ],
  [
    "the fields of an intent",
    "form",
    "    psp.done: { amount",
    "    intent.x: { a: int }\n    psp.done: { amount",
    "intent.x: {",
    /is not listed here/,
  ],
  ["a field that every event has", "form", "code: text", "at: time", "at: time", /every event has the field at/],
];

const PARTS: readonly FormCase[] = [
  [
    "an invariant of another form",
    "form",
    "bal(inside, S) == data.amount - 0",
    "data.amount == 0",
    '"data.amount == 0"',
    /an invariant is bal/,
  ],
  ["a call that moves without a key", "form", '      key: "{case}/ask/{data.tried}"\n', "", "ask:", /lacks "key"/],
  [
    "a call that asks with a key",
    "form",
    "      read_only: true\n",
    '      read_only: true\n      key: "{case}"\n',
    '"{case}"\n',
    /takes no key/,
  ],
  [
    "a call without results",
    "form",
    "      results: { ok: psp.done }\n",
    "      results: {}\n",
    "{}\n",
    /has no result/,
  ],
  [
    "a result that is an intent",
    "form",
    "{ ok: psp.done }",
    "{ ok: intent.done }",
    "intent.done }",
    /an event of its own/,
  ],
  [
    "a key with a lonely brace",
    "text",
    "ask/{data.tried}",
    "ask/{data.tried",
    '"{case}/ask',
    /a brace without its partner/,
  ],
  [
    "a call to both",
    "form",
    "      message: parcel_credit\n",
    "      message: parcel_credit\n      op: a.b\n",
    "op: a.b",
    /unknown key "op"/,
  ],
  ["a timeout of a day", "text", "timeout: PT5S", "timeout: P1D", "P1D", /at most PT1H/],
  ["a timeout of a month", "form", "timeout: PT5S", "timeout: P1M", "P1M", /without years or months/],
  ["a timer of a number", "form", "after: PT30S", "after: 30", "30 }\n  defaults", /after must be an ISO 8601/],
  [
    "an alarm for a timer",
    "form",
    "alarms: { psp.done:",
    "alarms: { timer.poll:",
    "timer.poll: done",
    /an alarm is for a report/,
  ],
  [
    "an exception without a reason",
    "form",
    ', reason: "a person looks every day"',
    "",
    "{ property: attended",
    /lacks "reason"/,
  ],
];

const STATES: readonly FormCase[] = [
  [
    "an alternative that refuses and goes",
    "form",
    "refuse: invalid_state }",
    "refuse: invalid_state, to: closed }",
    "to: closed }\n          - { do: [{ end: canceled",
    /unknown key "to"/,
  ],
  [
    "a report that is refused",
    "text",
    "psp.done: [{ to: closed }]",
    "psp.done: [{ refuse: invalid_state }]",
    "invalid_state }]",
    /nobody's wish/,
  ],
  [
    "an action of two kinds",
    "form",
    "{ call: look }",
    "{ call: look, emit: a.b }",
    "emit: a.b }], to: stay",
    /unknown key "emit" in call/,
  ],
  ["an end that there is not", "form", "{ end: canceled }", "{ end: completed }", "completed", /end must be one of/],
  [
    "a consumption of nothing",
    "form",
    ", amount: event.amount }], to: waiting",
    " }], to: waiting",
    "{ consume",
    /lacks "amount"/,
  ],
  [
    "an event of one word",
    "form",
    "        ops.confirm_nothing:",
    "        confirm:",
    "confirm:",
    /an event is intent/,
  ],
  [
    "a child's event of two words",
    "form",
    "        child.refund.failed:\n",
    "        child.refund:\n",
    "child.refund:\n",
    /an event is intent/,
  ],
  ["a message in a state", "form", "        timer.expiry:", "        message.x:", "message.x", /an event is intent/],
  ["a float", "form", "init: 0 }\n    tried", "init: 0.5 }\n    tried", "0.5", /must be a whole number/],
  ["a list as a value", "form", "x: half", "x: [half]", "[half]", /a value or an expression/],
  [
    "an expression that does not end",
    "text",
    '"data.tried + 1"',
    '"data.tried +"',
    '"data.tried +"',
    /is no expression/,
  ],
];

export const FORM_CASES: readonly FormCase[] = [...TOP, ...TYPES, ...PARTS, ...STATES];
